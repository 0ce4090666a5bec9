"""The image files that a command is given: files, folders, patterns and lists of them. Decodes no image."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from innersr.batch.manifest import Manifest, ResultLog
from innersr.batch.remote import files_below, is_remote, matches, place_of, reached
from innersr.batch.remote_manifest import RemoteManifest
from innersr.errors import InputError
from innersr.images.films.recognition import is_any_film_name
from innersr.images.folders import is_image_name
from innersr.images.formats import sniff
from innersr.images.unread_formats import HEAD, unread_format
from innersr.paths import numbered


@dataclass(frozen=True, kw_only=True)
class BatchFile:
    """One input of a batch."""

    path: Path
    below: Path
    """Where its result lies in an output folder: its own name, or its path below the folder that was given."""


@dataclass(frozen=True, kw_only=True)
class BatchInputs:
    """The inputs of a command, in the order in which they were given; those of a folder are sorted."""

    files: tuple[BatchFile, ...]
    is_batch: bool
    """Whether a folder or a list was given, or several files are."""
    notes: tuple[str, ...] = ()
    """Sentences about what was left out."""
    kept: tuple[Path, ...] = ()
    """Files that were given by name and left out by their names alone: they may be no results, and stay as they are."""
    unread: tuple[OSError, ...] = ()
    """Of folders in folders that cannot be read."""


def find_inputs(given: Sequence[str | Path], *, recursive: bool = False, output: Path | None = None) -> BatchInputs:
    """Find the image files that arguments of a command stand for.

    A folder stands for its files that have the suffix of an image format, or no suffix and the first bytes of one,
    hidden ones left out; a pattern that the shell has not expanded stands for the paths that match. "-" is a list of
    paths on standard input and "@list.txt" one in a file: one path a line, or separated by NUL. Folders and patterns
    leave out earlier results: files in the output folder, files that batches wrote, and names such as photo_x2.png
    beside a photo.png. So do names that are given together with those of their inputs, as by a shell. Any other path
    given by name is an input even if it does not exist. Addresses such as s3://bucket/photos work like paths; in
    folders there, the suffix alone counts.

    Args:
        given: paths and addresses as on the command line.
        recursive: whether subfolders are entered, except hidden and linked ones; linked files are inputs.
        output: the folder of the results, if it is known.

    Raises:
        InputError: a list cannot be read, or there are no inputs.
    """
    search = _Search(recursive, output)
    for path in map(place_of, given):
        with reached(path):
            search.add(path)
    is_batch = search.has_collections or len(search.files) > 1
    kept = search.leave_out_results()
    files: dict[str, BatchFile] = {}
    for file in search.files:
        files.setdefault(_plain(file.path), file)
    if not files:
        unread = [f"{error.filename}: cannot be read ({error.strerror})" for error in search.unread]
        nothing = "; ".join([*unread, *search.notes]) or "the list of inputs is empty; name image files or folders"
        raise InputError(nothing)
    return BatchInputs(
        files=tuple(_apart([*files.values()])),
        is_batch=is_batch,
        notes=tuple(dict.fromkeys(search.notes)),
        kept=kept,
        unread=tuple({error.filename: error for error in search.unread}.values()),
    )


@dataclass(frozen=True)
class _Search:
    """The inputs found so far."""

    recursive: bool
    output: Path | None
    files: list[BatchFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: list[OSError] = field(default_factory=list)
    collections: list[Path] = field(default_factory=list)
    manifests: dict[Path, ResultLog | None] = field(default_factory=dict)
    """Of the folders that have one, and of those above."""

    @property
    def has_collections(self) -> bool:
        """Whether a folder or a list was among the inputs."""
        return bool(self.collections)

    def add(self, path: Path) -> None:
        """Add what a path of the command line stands for."""
        if str(path) == "-" or (str(path).startswith("@") and not path.exists()):
            self.collections.append(path)
            for line in _listed(path):
                self._add_path(line)
        elif any(character in str(path) for character in "*?[") and not path.exists():
            folder = Path(path.anchor)
            found = matches(path) if is_remote(path) else sorted(folder.glob(str(path.relative_to(folder))))
            found = [each for each in found if not _is_hidden(each, path)]
            kept = self._without_results([each for each in found if not each.is_dir()])
            for each in [each for each in found if each.is_dir() or each in kept] or [path] * (not found):
                self._add_path(each)
        else:
            self._add_path(path)

    def _add_path(self, path: Path) -> None:
        if not path.is_dir():
            self.files.append(BatchFile(path=path, below=Path(path.name)))
            return
        self.collections.append(path)
        images_and_films = list(self._files_in(path))
        films = [each for each in images_and_films if is_any_film_name(each)]
        found = [each for each in images_and_films if not is_any_film_name(each)]
        if films:
            remedy = f"name films to upscale them too, as {films[0].with_stem('*')}"
            self.notes.append(f"{_counted(films)} left out as a film; {remedy}")
        if not found:
            deeper = "" if self.recursive else ", or enter its folders too with -r"
            self.notes.append(f"{path}: no images in this folder; name another one{deeper}")
        kept = self._without_results(found)
        self.files.extend(BatchFile(path=file, below=Path(*file.parts[len(path.parts) :])) for file in kept)

    def _files_in(self, top: Path) -> Iterator[Path]:
        """Yield the images in a folder, and what its name calls a film."""
        if is_remote(top):
            within = f"{self.output}/"
            yield from (
                path
                for path in files_below(top, recursive=self.recursive)
                if (is_image_name(path.name) or is_any_film_name(path)) and not str(path).startswith(within)
            )
            return
        results = None if self.output is None else self.output.resolve()
        links: list[Path] = []
        for folder, folders, names in os.walk(top, onerror=self.unread.append):
            if not os.access(folder, os.X_OK):  # whose names can be read, and no file
                self.unread.append(PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder))
                folders.clear()
                continue
            is_entered = [not name.startswith(".") and Path(folder, name).resolve() != results for name in folders]
            folders[:] = sorted(name for name, entered in zip(folders, is_entered, strict=True) if entered)
            links += [path for path in (Path(folder, name) for name in folders) if path.is_symlink()]
            paths = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
            yield from (path for path in paths if _is_image(path) or is_any_film_name(path))
            if not self.recursive:
                return
        if links:
            self.notes.append(f"{_counted(links)} not entered, as a link to a folder; name it to upscale its images")

    def leave_out_results(self) -> tuple[Path, ...]:
        """Leave out results that are named together with their inputs, as by a pattern that the shell expands.

        Returns:
            Those that no manifest knows.
        """
        named = [file.path for file in self.files]
        inputs = {*self._without_results(named, {path.name for path in named})}
        self.files[:] = [file for file in self.files if file.path in inputs]
        return tuple(path for path in named if path not in inputs and self._source_of(path) is None)

    def _without_results(self, found: Sequence[Path], sources: set[str] | None = None) -> list[Path]:
        """The files but earlier results, by a manifest or by their names; a note says how many are left out.

        Args:
            found: the files.
            sources: names of which one is that of the input of each result; None for any.
        """
        stems = {path.with_suffix("") for path in found}
        result_name = re.compile(r"(.+)_x\d+(?:\.\d+)?(?:x\d+(?:\.\d+)?)?")

        def is_result(path: Path) -> bool:
            source = self._source_of(path)
            if source is not None and (sources is None or re.split(r"[/\\]", source)[-1] in sources):
                return True
            match = result_name.fullmatch(path.stem)
            return match is not None and path.with_name(match[1]) in stems

        results = [path for path in found if is_result(path)]
        if results:
            remedy = "name a file alone to upscale it all the same"
            self.notes.append(f"{_counted(results)} left out as an earlier result; {remedy}")
        return [path for path in found if path not in set(results)]

    def _source_of(self, path: Path) -> str | None:
        """The input from which a batch wrote a file elsewhere, where nobody has changed it since; else None."""
        path = path if is_remote(path) else path.absolute()
        for folder in path.parents:
            log = self._manifest(folder)
            entry = None if log is None else log.entry(path)
            if log is not None and entry is not None:
                is_there = entry.status == "done" if is_remote(path) else log.may_replace(path)
                return entry.source if is_there and not entry.is_in_place else None
        return None

    def _manifest(self, folder: Path) -> ResultLog | None:
        if folder not in self.manifests:
            if is_remote(folder):
                self.manifests[folder] = RemoteManifest(folder)
            else:
                is_there = (folder / ".innersr").is_dir()
                self.manifests[folder] = Manifest(folder, trusts_times=True) if is_there else None
        return self.manifests[folder]


def _plain(path: Path) -> str:
    """The absolute path without "..", its links left as they are."""
    return str(path) if is_remote(path) else os.path.abspath(path)  # noqa: PTH100 (Path.resolve follows links)


def _listed(path: Path) -> list[Path]:
    """The paths in a list: "-" for standard input, or "@" and a file."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else place_of(str(path)[1:]).expanduser().read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the list cannot be read ({error.strerror}); check its name") from error
    if (other := _no_list(data)) is not None:
        holder, sign = ("standard input", "-") if str(path) == "-" else (path, "@")
        raise InputError(f"{holder} holds {other}; {sign} takes a list of names: text in UTF-8, one name a line")
    text = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf"))
    lines = text.split("\0") if "\0" in text else [line.rstrip("\r") for line in text.split("\n")]
    return [place_of(line).expanduser() for line in lines if line.strip()]


def _counted(paths: Sequence[Path]) -> str:
    """The first of some paths, and how many more there are."""
    return f"{paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _no_list(data: bytes) -> str | None:
    """What bytes are that are no list of names; None for a list."""
    longest = 4096  # bytes of a path, on any system
    has_codes = re.search(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]", data) is not None
    if has_codes or data.lstrip().startswith(b"<"):  # a name may begin as the signature of a format does
        found = sniff(data[:32]) or unread_format(data[:HEAD])
        if found is not None:
            return f"{found.name} data"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16 text"
    if max(map(len, data.split(b"\0" if b"\0" in data else b"\n"))) > longest:
        return "lines that are too long for names"
    try:
        data.decode()
    except UnicodeDecodeError:  # of which names are made on some systems
        return "no text" if has_codes else None
    return None


def _is_hidden(path: Path, pattern: Path) -> bool:
    """Whether a pattern matched a hidden file or folder without naming a dot, as no shell does."""
    hidden = {part for part in path.parts if part.startswith(".")} - {*pattern.parts}
    return bool(hidden) and not any(part.startswith(".") and part not in path.parts for part in pattern.parts)


def _is_image(path: Path) -> bool:
    """Whether a file in a folder is taken for an image: by its suffix, or by its first bytes where it has none."""
    if path.suffix or path.name.startswith("."):
        return is_image_name(path.name)
    if not path.is_file():  # opening a pipe would wait for its writer
        return False
    with contextlib.suppress(OSError), path.open("rb") as stream:
        return sniff(stream.read(32)) is not None
    return False


def _apart(files: Sequence[BatchFile]) -> Iterable[BatchFile]:
    """The files, those whose results would have one name with their path below the folder that they share.

    Names that are the same even so, as of a/1.png below a folder and of ../a/1.png, are numbered: 1-2.png.
    """
    named: dict[Path, list[BatchFile]] = defaultdict(list)
    for file in files:
        named[file.below].append(file)
    taken: set[Path] = set()
    for file in files:
        below, namesakes = file.below, named[file.below]
        if len(namesakes) > 1:
            below = Path(
                os.path.relpath(_plain(file.path), os.path.commonpath([_plain(f.path.parent) for f in namesakes]))
            )
        free = next(path for path in numbered(below) if path not in taken)
        taken.add(free)
        yield replace(file, below=free)
