"""The pictures that a visitor has trained SinGAN on: folders of models, by name."""

from __future__ import annotations

import glob
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from innersr.errors import InputError
from innersr.singan.folder.reading import SavedModel, is_begun, load_folder
from innersr.web.visitors import Visitor


@dataclass(frozen=True, eq=False)
class Library:
    """A folder of model folders.

    Args:
        folder: that they lie in.
    """

    folder: Path

    @property
    def names(self) -> list[str]:
        """Names of the models, trained or begun."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir() and is_begun(path))

    def path(self, name: str | None) -> Path:
        """The folder of a model.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self.names:
            raise InputError("no trained picture is chosen; train one first, or choose one")
        return self.folder / str(name)

    def load(self, name: str | None, *, is_complete: bool = True) -> SavedModel:
        """Load a model.

        Raises:
            InputError: there is none of that name, or its training is not finished but has to be.
        """
        saved = load_folder(self.path(name))
        if is_complete and not saved.model.is_complete:
            raise InputError(f"the training of {name} is not finished; continue it first")
        return saved

    def picture(self, name: str | None) -> Path:
        """The file that a model was learned from, which its training needs to go on."""
        path = self.path(name)
        found = next((self.folder / "pictures").glob(f"{glob.escape(path.name)}/*"), None)
        if found is None:
            raise InputError(f"the picture of {name} is gone; train it anew")
        return found

    def new(self, picture: Path) -> Path:
        """A free folder for the model of a picture, which is not made yet; keeps a copy of the picture."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "pictures").mkdir(exist_ok=True)
        stem = re.sub(r"[^\w. -]", "", picture.stem).strip(". ")[:60] or "picture"
        name, number = stem, 1
        while (self.folder / name).exists():
            number += 1
            name = f"{stem}-{number}"
        kept = self.folder / "pictures" / name
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, kept / picture.name)
        return self.folder / name

    def remove(self, name: str | None) -> None:
        """Remove a model."""
        path = self.path(name)
        shutil.rmtree(path)
        shutil.rmtree(self.folder / "pictures" / path.name, ignore_errors=True)


def library_of(visitor: Visitor, shared: Path | None) -> Library:
    """The visitor's own library, or the one that is kept for all."""
    return Library(shared or visitor.folder / "models")
