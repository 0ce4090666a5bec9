"""Names and folders of the results of a batch."""

from __future__ import annotations

import contextlib
import string
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PillowImage

from innersr.batch.inputs import BatchFile, BatchInputs
from innersr.batch.remote import is_remote, output_folder, place_of
from innersr.errors import ImageFileError, InputError
from innersr.images.films.encoders import FILM_SUFFIXES, is_film_name
from innersr.images.films.recognition import is_video
from innersr.images.films.video_reading import open_video
from innersr.images.formats import BY_SUFFIX, format_of_name, read_only_format, written_suffixes
from innersr.images.io import with_suffix
from innersr.images.large.large_image import read_header
from innersr.images.limits import no_bomb_warnings
from innersr.paths import file_identity, is_one_file, make_folder, numbered
from innersr.physics.geometry import scale_text
from innersr.physics.resize import Scale

EXISTING = ("skip", "overwrite", "rename", "error")


@dataclass(frozen=True, kw_only=True)
class Naming:
    """Names of results.

    Args:
        pattern: of the name, with {stem} and {suffix} of the input, {scale}, {method}, {width} and {height}; empty for
            the input's name in a folder of results, and for {stem}_x{scale}{suffix} beside the input.
        format: of the file, as a suffix such as "png"; empty for the input's.

    Raises:
        InputError: another field, a folder in the name, or a format that is not written.
    """

    pattern: str = ""
    format: str = ""

    def __post_init__(self) -> None:
        fields = {"stem": "", "suffix": "", "scale": "", "method": "", "width": 1 << 21, "height": 1 << 21}
        try:
            used = [field for _, field, _, _ in string.Formatter().parse(self.pattern) if field is not None]
            if unknown := [field for field in used if field not in fields]:
                known = ", ".join(f"{{{field}}}" for field in fields)
                raise InputError(f"--name has no {{{unknown[0]}}}; there are {known}")
            self.pattern.format(**fields)
        except InputError:
            raise
        except (ValueError, LookupError, AttributeError, ArithmeticError) as error:
            raise InputError(f"--name {self.pattern}: {error}; write {{stem}}_x{{scale}}{{suffix}}") from None
        if "/" in self.pattern or "\\" in self.pattern:
            raise InputError("--name is a file's name without folders; choose the folder with -o")
        if read_only_format(Path(self.pattern)) is not None:
            suffixes = " ".join(written_suffixes())
            raise InputError(f"--name {self.pattern}: {Path(self.pattern).suffix} is not written; there are {suffixes}")
        formats = (*written_suffixes(), *FILM_SUFFIXES)
        if self.format and self._suffix not in formats:
            raise InputError(f"--format {self.format} is not written; there are {' '.join(formats)}")
        if self.pattern in (".", ".."):
            raise InputError(f"--name {self.pattern} is no name of a file; write {{stem}}_x{{scale}}{{suffix}}")
        own = self._own_suffix(self._suffix)
        if self.format and own and BY_SUFFIX.get(own, own) != BY_SUFFIX.get(self._suffix, self._suffix):
            words = f"--name {self.pattern} and --format {self.format} name two formats"
            raise InputError(f"{words}; write {{suffix}} in the name, or leave one of them out")

    @property
    def _suffix(self) -> str:
        return f".{self.format.lower().removeprefix('.')}" if self.format else ""

    def _own_suffix(self, suffix: str) -> str:
        """The suffix in which names by the pattern end, that of the input or another; empty where that is added."""
        pattern = self.pattern or "{stem}{suffix}"
        numbers = dict.fromkeys(("width", "height"), 1)
        found = Path(pattern.format(stem="a", suffix=suffix, scale="2", method="a", **numbers)).suffix.lower()
        return found if found in (*written_suffixes(), *FILM_SUFFIXES) else ""

    def needs_size(self, *, beside: bool) -> bool:
        """Whether a name contains the scale or the size; `beside` as in `name`."""
        fields = ("{scale", "{width", "{height")
        return any(field in self.pattern for field in fields) if self.pattern else beside

    def name(self, source: Path, scale: Scale, method: str, size: tuple[int, int], *, beside: bool) -> str:
        """The name of a result.

        Args:
            source: the input.
            scale: of the result.
            method: its name.
            size: (height, width) of the result.
            beside: whether it lies in the input's folder.
        """
        suffix = self._suffix or source.suffix
        pattern = self.pattern or ("{stem}_x{scale}{suffix}" if beside else "{stem}{suffix}")
        text = scale_text(scale, 4)
        name = pattern.format(stem=source.stem, suffix=suffix, scale=text, method=method, width=size[1], height=size[0])
        return name if self._own_suffix(suffix) else name + suffix


class Places:
    """The files that the inputs of a command are upscaled to.

    Args:
        inputs: all of them.
        output: file or folder as on the command line; None for names beside the inputs.
        in_place: whether a result may replace its own input.
        naming: of the results.
    """

    def __init__(self, inputs: BatchInputs, output: str | None, *, in_place: bool, naming: Naming) -> None:
        self._inputs, self._output, self.in_place, self._naming = inputs, output, in_place, naming
        self.has_output = output is not None

        def is_there(path: Path) -> bool:  # each question to a storage takes its time
            return is_remote(path) or path.exists()

        self.folder = output_folder(output)
        if inputs.is_batch and self.folder is None and output and not (Path(output).suffix or is_there(Path(output))):
            self.folder = Path(output)  # several results have no other place, and no format is named
        sources = [file.path for file in inputs.files] + [*inputs.kept]
        self._sources = {file_identity(path): path for path in sources if is_there(path)}
        self._taken: dict[tuple[int, int] | Path, Path] = {}
        self._named: dict[Path, Path] = {}

    def check(self) -> None:
        """Refuse outputs that do not fit the inputs, before anything is read; create the folder.

        Raises:
            InputError: several inputs and one output file, an option that a named file leaves no use for, or a folder
                that cannot be made.
        """
        if self.in_place and self._naming.format:
            raise InputError("--in-place keeps the format of each input; leave --format or --in-place out")
        if self.in_place and self._naming.pattern:
            raise InputError("--in-place keeps the name of each input; leave --name or --in-place out")
        if self._output is None:
            return
        if self._inputs.is_batch and self.folder is None:
            raise InputError(f"{self._output}: with several inputs the output is a folder; write {self._output}/")
        if self.folder is None:
            naming = {"--name": self._naming.pattern, "--format": self._naming.format, "--in-place": self.in_place}
            unused = [name for name, is_given in naming.items() if is_given]
            if unused:
                words = "leave it out, or make the output a folder"
                raise InputError(f"{' and '.join(unused)} would be ignored: -o {self._output} names the file; {words}")
            self._check_suffix(place_of(self._output))
        if self.folder is None:
            return
        elsewhere = (file.path for file in self._inputs.files if not is_one_file(self.folder / file.below, file.path))
        if self.in_place and (path := next(elsewhere, None)) is not None:
            words = f"--in-place would be ignored: -o {self._output} is not the folder of {path}"
            raise InputError(f"{words}; leave one of them out")
        if not is_remote(self.folder):
            make_folder(self.folder)

    @staticmethod
    def _check_suffix(path: Path) -> None:
        if not is_film_name(path):
            try:
                format_of_name(path)
            except ImageFileError as error:
                raise InputError(str(error)) from None

    def needs_size(self) -> bool:
        """Whether the sizes of the inputs decide where their results go."""
        is_named = self._output is not None and self.folder is None
        return not is_named and self._naming.needs_size(beside=self.folder is None)

    def root(self, file: BatchFile) -> Path:
        """The folder whose manifest holds the result of a file."""
        if self._output is not None and self.folder is None:
            return place_of(self._output).parent
        return self.folder or file.path.parent

    def target(self, file: BatchFile, scale: Scale, size: tuple[int, int], method: str) -> Path:
        """The file that an input is upscaled to; photo-2.png where another one's has that name.

        Args:
            file: the input.
            scale, size: of the result, the latter (height, width).
            method: name of the method.

        Raises:
            InputError: it would replace an input, or the result of another one.
        """
        names = numbered(self._target(file, scale, size, method))
        target = next(name for name in names if self._named.setdefault(name, file.path) == file.path)
        place = file_identity(target)
        taken = self._sources.get(place)
        if taken is not None and not (self.in_place and is_one_file(target, file.path)):
            remedy = "choose another folder with -o" + ("" if self.in_place else ", or --in-place")
            raise InputError(f"{file.path}: the result would replace the input {taken}; {remedy}")
        if self._taken.setdefault(place, file.path) != file.path:
            raise InputError(f"{file.path}: {target} is the result of another input; upscale them apart")
        return target

    def _target(self, file: BatchFile, scale: Scale, size: tuple[int, int], method: str) -> Path:
        source, naming = file.path, self._naming
        if self._output is not None and self.folder is None:
            return place_of(self._output)
        if self.in_place and self.folder is None:
            return source
        name = naming.name(with_suffix(file.below, source), scale, method, size, beside=self.folder is None)
        return source.with_name(name) if self.folder is None else self.folder / file.below.with_name(name)

    def prepare(self, target: Path) -> None:
        """Make the folder of a result within the output folder."""
        if self.folder is not None and not is_remote(target):
            make_folder(target.parent)


def free_name(target: Path) -> Path:
    """The path, or the first of photo-2.png, photo-3.png and so on that is not taken."""
    return next(path for path in numbered(target) if not (path.exists() or path.is_symlink()))


def size_in_header(path: Path) -> tuple[int, int] | None:
    """(height, width) of an image as it is shown, or of a film, by its header; None where that cannot be read."""
    orientation, turned = 0x0112, (5, 6, 7, 8)  # of EXIF
    if not is_remote(path) and not path.is_file():  # a pipe would be waited for
        return None
    try:
        with no_bomb_warnings(), path.open("rb") as stream, PillowImage.open(stream) as image:
            width, height = image.size
            return (width, height) if image.getexif().get(orientation) in turned else (height, width)
    except Exception:  # noqa: BLE001 (Pillow raises all kinds of them; reading the image will say what is wrong)
        return None if is_remote(path) else _size_without_pillow(path)


def _size_without_pillow(path: Path) -> tuple[int, int] | None:
    """(height, width) of a film, or of an image that Pillow does not know or takes for a bomb."""
    with contextlib.suppress(Exception):
        if is_video(path):
            return open_video(path, sys.maxsize).facts.size
        header = read_header(path, sys.maxsize)
        return (header.height, header.width) if header.is_streamed else None
    return None
