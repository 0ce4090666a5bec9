"""The folder in which a large image is upscaled, with the parts that are done, so that a run can be resumed."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innersr.atomic import exclusive
from innersr.errors import ImageFileError
from innersr.images.io import written_whole
from innersr.images.large.large_image import LargeImage, unpack
from innersr.json_lines import append_record, bytes_of, sound_records


@dataclass(frozen=True, kw_only=True)
class StripFolder:
    """A folder `.NAME.strips` beside a result.

    Args:
        path: of the folder.
        options: of the upscaling, that the samples of the result depend on.
        source: that is upscaled, with its size and time.
    """

    path: Path
    options: dict[str, Any]
    source: dict[str, Any]

    @classmethod
    def beside(cls, target: Path, options: dict[str, Any], source: Path) -> StripFolder:
        """The folder for the result of a source, which is made; ImageFileError if it cannot be."""
        path = _place(target)
        found = _identity(source)
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            remedy = "check the free space and the permissions of the folder"
            raise ImageFileError(f"{path}: cannot be made ({error.strerror}); {remedy}") from error
        return cls(path=path, options=options, source=found)

    def unpacked(self, source: Path, pixel_limit: int) -> LargeImage:
        """The source and its unpacked samples, of an earlier run if the source is the same still.

        Raises:
            ImageFileError: see `unpack`; another process works in the folder; the source changed meanwhile.
        """
        kept, raw = self.path / "source.json", self.path / "source.raw"
        with self._held():
            is_unpacked = _read(kept) == self.source
            if not is_unpacked:
                self._forget("source.json", "plan.json")
            large = unpack(source, raw, pixel_limit, is_unpacked=is_unpacked)
            if _identity(source) != self.source:
                raise ImageFileError(f"{source}: changed while it was read; wait until it is written, and try again")
            if not is_unpacked:
                _write(kept, self.source)
        return large

    def planned_side(self) -> int | None:
        """The side of the parts of an earlier run with the same options; None if there is none."""
        kept, options = _read(self.path / "plan.json"), json.loads(json.dumps(self.options))
        if not isinstance(kept, dict) or {name: kept.get(name) for name in options} != options:
            return None
        side = kept.get("side")
        return side if type(side) is int and side > 0 else None

    @contextlib.contextmanager
    def opened(self, plan: dict[str, Any]) -> Iterator[None]:
        """Hold the folder, for a plan; what was done by another plan is removed.

        Raises:
            ImageFileError: another process works in it, or has taken it for another source; a file in it cannot be
                read or written.
        """
        with self._held():
            if _read(self.path / "source.json") != self.source:
                raise ImageFileError(f"{self.path}: another process has restarted this result; choose another output")
            whole_plan, kept = {**self.options, **plan}, self.path / "plan.json"
            if _read(kept) != json.loads(json.dumps(whole_plan)):
                self.begin_anew()
                _write(kept, whole_plan)
            try:
                yield
            except ImageFileError:  # an OSError that says all
                raise
            except OSError as error:
                remedy = "free some space or fix it; the same command then continues where it stopped"
                raise ImageFileError(f"{self.path}: {error.strerror or error}; {remedy}") from error

    def done(self) -> set[int]:
        """The numbers of the parts that are done."""
        return {record["part"] for record in self._records()}

    def note(self, part: int, pixels: int, agreement: float) -> None:
        """Remember that a part is done, its HR pixels and its consistency in dB."""
        error = 0.0 if math.isinf(agreement) else 10 ** (-agreement / 10)
        append_record(self.path / "done.jsonl", {"part": part, "pixels": pixels, "error": error})

    def agreement(self) -> float:
        """The consistency of all parts together, in dB."""
        records = self._records()
        error = sum(r["pixels"] * r["error"] for r in records) / max(1, sum(r["pixels"] for r in records))
        return math.inf if error == 0 else -10 * math.log10(error)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_unused(self) -> None:
        """Remove the folder unless parts of a result are in it, or another process works there."""
        with contextlib.suppress(OSError, ImageFileError), self._held():
            if not self._records():
                self.remove()

    def begin_anew(self) -> None:
        """Forget what was learnt and done."""
        self._forget("learnt.safetensors")
        self.begin_parts()

    def begin_parts(self) -> None:
        """Forget what was done."""
        self._forget("done.jsonl", "result.tif")

    @staticmethod
    def remove_beside(target: Path) -> None:
        """Remove what a run in strips left for a file that has been written otherwise, unless one works there."""
        path = _place(target)
        with contextlib.suppress(OSError), exclusive(path / "lock") as is_held:
            if is_held:
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock of the folder."""
        with exclusive(self.path / "lock") as is_held:
            if not is_held:
                remedy = "wait for it, or choose another output"
                raise ImageFileError(f"{self.path}: another process works on this result; {remedy}")
            yield

    def _records(self) -> list[dict[str, Any]]:
        kinds = {"part": int, "pixels": int, "error": float}
        found, _ = sound_records(self.path / "done.jsonl")
        return [r for r in found if all(type(r.get(name)) is kind for name, kind in kinds.items())]

    def _forget(self, *names: str) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)


def _place(target: Path) -> Path:
    return target.with_name(f".{target.name}.strips")


def _identity(source: Path) -> dict[str, Any]:
    """Path, size and time of a source, by which a resumed run recognises it; ImageFileError if it has vanished."""
    try:
        status = source.stat()
    except OSError as error:
        raise ImageFileError(f"{source}: no such file; check the name and the folder") from error
    return {"source": str(source.resolve()), "bytes": status.st_size, "changed": status.st_mtime_ns}


def _read(path: Path) -> Any:  # noqa: ANN401 (JSON)
    try:
        return json.loads(bytes_of(path))
    except (OSError, ValueError, RecursionError):
        return None


def _write(path: Path, record: dict[str, Any]) -> None:
    with written_whole(path, overwrite=True) as partial:
        partial.write_text(json.dumps(record), encoding="utf-8")
