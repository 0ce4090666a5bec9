"""Where a benchmark's sharp images come from: folders, formulas, and pairs of a small and a large image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from torch import Tensor

from innersr.benchmark.made.catalogue import KINDS, made_picture
from innersr.errors import FileError, ImageFileError
from innersr.images.folders import FolderImage, find_images, load_sharp, own_range, scaled
from innersr.images.formats import readable_suffixes
from innersr.images.io import read
from innersr.physics.resize import Scale, as_pair, image_size


@dataclass(frozen=True, kw_only=True)
class Source:
    """An image of a benchmark: its folder and name, as its rows have them, and how it is read."""

    folder: str
    name: str
    sharp: Callable[[Scale], Tensor]
    """Reads the sharp image, (1, C, H, W) in [0, 1], H and W multiples of a whole scale."""
    small: Callable[[], Tensor] | None = None
    """Reads the small image of a pair, (1, C, h, w); None where a degradation makes it."""
    scale: int | None = None
    """Of a pair."""
    files: tuple[Path, ...] = ()
    """That are read; none of a picture that is drawn."""


def find_sources(
    folders: Sequence[Path], limit: int | None = None, *, side: int | None = None, spread: bool = False
) -> list[Source]:
    """Find the images of folders, and draw those of "made:KIND" or "made:all".

    Args:
        folders: of sharp images, see `find_images`, and names of made pictures.
        limit: most images of each folder and each kind; six of each kind when None.
        side: of made pictures in pixels; 256 when None.
        spread: whether a limit takes images from the whole of a folder, evenly, rather than its first.

    Raises:
        InputError: a folder is missing or has no images, or an unknown kind.
    """
    names = [str(folder) for folder in folders]
    real = [folder for folder, name in zip(folders, names, strict=True) if not name.startswith("made:")]
    kinds = [name.removeprefix("made:") for name in names if name.startswith("made:")]
    sources: list[Source] = []
    for _, group in groupby(find_images(real), key=lambda entry: entry.folder):
        entries = list(group)
        count = min(limit or len(entries), len(entries))
        places = [i * len(entries) // count if spread else i for i in range(count)]
        chosen = [entries[place] for place in places]
        sources += [_of_file(entry) for entry in chosen]
    listed = [kind for name in kinds for kind in (KINDS if name == "all" else [name])]
    for kind in dict.fromkeys(listed):
        made_picture(kind, 1, (16, 16))  # raises for an unknown kind
        sources += [_made(kind, number, side or 256) for number in range(1, (limit or 6) + 1)]
    return sources


def find_pairs(folder: Path) -> list[Source]:
    """Find pairs of images in a folder: name_LR.png is the small image of name.png or name_HR.png, best of its suffix.

    Where an image cannot be read, has no large one, or one that is not a whole number of times as large, reading the
    pair raises ImageFileError.

    Raises:
        InputError: the folder is missing or has no pair.
    """
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder; give a folder of pairs, name.png beside name_LR.png")
    files = sorted(f for f in folder.iterdir() if f.name.lower().endswith(readable_suffixes()) and f.is_file())
    smalls = [file for file in files if file.stem.endswith("_LR")]
    pairs = [_pair(folder, small, _large_of(small, files)) for small in smalls]
    if not pairs:
        raise FileError(f"{folder}: no pairs in it; name the small image of name.png name_LR.png")
    return pairs


def cropped(hr: Tensor, side: int | None, scale: Scale) -> Tensor:
    """The middle of an image, (1, C, H, W), at most `side` pixels high and wide, in multiples of a whole scale."""
    if side is None:
        return hr
    for axis, factor in zip((-2, -1), as_pair(scale), strict=True):
        step = int(factor) if factor.is_integer() else 1
        length = min(hr.shape[axis], side - side % step)
        start = (hr.shape[axis] - length) // 2
        hr = hr.narrow(axis, start - start % step, length)
    return hr


def _of_file(entry: FolderImage) -> Source:
    path = entry.path
    return Source(folder=entry.folder, name=path.name, sharp=partial(load_sharp, path), files=(path,))


def _made(kind: str, number: int, side: int) -> Source:
    def sharp(scale: Scale) -> Tensor:
        return cropped(made_picture(kind, number, (side, side)), side, scale)

    return Source(folder=f"made/{kind}", name=f"{kind}-{number}", sharp=sharp)


def _large_of(small: Path, files: Sequence[Path]) -> Path:
    """The large image of name_LR.png among some files; name.png, which is missing, if there is none."""
    name = small.stem.removesuffix("_LR")
    found = [file for stem in (name, f"{name}_HR") for file in files if file.stem == stem]
    return next((file for file in found if file.suffix == small.suffix), (*found, small.with_stem(name))[0])


def _pair(folder: Path, small: Path, sharp: Path) -> Source:
    name = "/".join(folder.resolve().parts[-2:])
    try:
        scale, (rows, columns) = _sizes_of_pair(small, sharp)
    except ImageFileError as error:
        refused = error

        def fail(_scale: Scale = 1) -> Tensor:
            raise refused

        return Source(folder=name, name=sharp.name, sharp=fail, small=fail, scale=2, files=(small, sharp))

    def load(path: Path) -> Tensor:
        # Both have the values of the large one, which has all of the small one's, noise aside.
        return scaled(read(path), own_range(read(sharp)))

    return Source(
        folder=name,
        name=sharp.name,
        sharp=lambda _scale: load(sharp)[..., :rows, :columns],
        small=lambda: load(small),
        scale=scale,
        files=(small, sharp),
    )


def _sizes_of_pair(small: Path, sharp: Path) -> tuple[int, tuple[int, int]]:
    """The scale of a pair, and the (height, width) of the large image that the small one shows."""
    lr_size, hr_size = (image_size(read(path).colour) for path in (small, sharp))
    scale = round(hr_size[0] / lr_size[0])
    if scale < 2 or not all(n * scale <= m < (n + 1) * scale for n, m in zip(lr_size, hr_size, strict=True)):
        raise ImageFileError(
            f"{sharp}: has {hr_size[1]}x{hr_size[0]} pixels, which are not a whole multiple of the {lr_size[1]}x"
            f"{lr_size[0]} of {small.name}; crop it"
        )
    return scale, (lr_size[0] * scale, lr_size[1] * scale)
