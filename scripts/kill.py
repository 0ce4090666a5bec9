"""Kills innersr at random moments, runs it again, and compares the files with those of a run that nothing disturbed.

    python scripts/kill.py                       # 100 kills by SIGKILL, for about ten minutes
    python scripts/kill.py --count 6 --seed 1    # fewer, at other moments
    python scripts/kill.py --count 30 --work "upscale of 50"

Five works take turns: `upscale` of a folder and of 50 pictures, by one process and by two, `singan train` and
`train tailor`, all small. Half of the kills come as soon as a partial file is seen, half at any moment; where there are
several processes, half of the kills end the first one alone. Faults are: a file under its name that is not whole, a
file that the next run leaves beside those of an undisturbed run, another exit code than 0, other bytes, and a process
that outlives its first one by two minutes. The exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.processes import innersr_process
from helpers.training import write_photos

PARTIAL = ".innersr-*.part"
SUFFIXES = (".jpg", ".png", ".tif", ".webp")  # of the pictures that `upscale` is given


@dataclass(frozen=True, kw_only=True)
class Work:
    """A command that is killed.

    Args:
        arguments: of innersr, whose output is the folder `out`.
        resumes: whether a killed one goes on with --resume; else it keeps by itself what is whole.
        changing: suffixes of files that hold times, or the state of an unfinished training.
        has_processes: whether it starts others.
    """

    arguments: tuple[str, ...]
    resumes: bool
    changing: tuple[str, ...] = ()
    has_processes: bool = False


def _set(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


SINGAN = ("min_size=11", "ratio=0.6", "width=4", "iterations=6", "critic_steps=1", "generator_steps=1")
TAILOR = ("width=6", "depth=4", "hidden=8", "crop=16", "small_crop=13")
WORKS = {
    "upscale": Work(
        arguments=(
            "upscale",
            "photos",
            "-o",
            "out/",
            "-m",
            "zssr",
            "--kernel",
            "bicubic",
            "--set",
            "steps=2",
            "--jobs",
            "1",
        ),
        resumes=False,
    ),
    "upscale of 50": Work(
        arguments=("upscale", "many", "-o", "out/", "--preset", "draft", "--kernel", "bicubic", "--jobs", "1"),
        resumes=False,
    ),
    "upscale of 50 by two": Work(
        arguments=("upscale", "many", "-o", "out/", "--preset", "draft", "--kernel", "bicubic", "--jobs", "2"),
        resumes=False,
        has_processes=True,
    ),
    "singan train": Work(
        arguments=("singan", "train", "photos/1.png", "-o", "out", "--max-size", "24", *_set(SINGAN)),
        resumes=True,
        changing=(".jsonl", ".state.safetensors"),
    ),
    "train tailor": Work(
        arguments=(
            *("train", "tailor", "--data", "large", "--out", "out/prior.safetensors", *_set(TAILOR)),
            *("--steps", "6", "--batch", "2", "--checkpoint-every", "1"),
        ),
        resumes=True,
        changing=(".jsonl", ".state.safetensors"),
    ),
}


def run(work: Work, folder: Path, again: Sequence[str] = ()) -> tuple[int, str]:
    """Run a work undisturbed in a folder; return its exit code and what it said on stderr."""
    deadline = time.monotonic() + 3600  # on a busy machine
    with innersr_process(*work.arguments, *again, "--device", "cpu", "-q", folder=folder) as process:
        while process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.is_alive():
            return 1, "it hangs"
        code, _, said = process.end()
    return code, said


def run_again(work: Work, folder: Path) -> tuple[int, str]:
    """Run a work that was killed: go on where there is something to resume, begin anew otherwise."""
    if work.resumes:
        code, said = run(work, folder, ["--resume"])
        if "leave out --resume" not in said:  # there is nothing to resume yet
            return code, said
        return run(work, folder, ["--overwrite"])
    return run(work, folder)


def killed(work: Work, folder: Path, seconds: float, *, writing: bool, alone: bool) -> str:
    """Kill a work after some seconds or, if `writing`, then as soon as a partial file is seen.

    Return when that was, "" if the work had ended before. If `alone`, only its first process is killed, and the others
    have to end by themselves.

    Raises:
        RuntimeError: they do not.
    """
    deadline = time.monotonic() + seconds
    with innersr_process(*work.arguments, "--device", "cpu", "-q", folder=folder) as process:
        while process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
        while writing and process.is_alive() and not _partial(folder):
            pass
        if not process.is_alive():
            return ""
        is_writing = bool(_partial(folder))
        if alone:
            process.send_signal(signal.SIGKILL)
            process.end()
            deadline = time.monotonic() + 120  # on a busy machine; one that is still starting imports torch first
            while process.group():
                if time.monotonic() > deadline:
                    raise RuntimeError("a process outlives its first one")
                time.sleep(0.01)
    moment = "while writing" if is_writing else "otherwise"
    return f"{moment}, its first process alone" if alone else moment


def _partial(folder: Path) -> list[Path]:
    return list(folder.rglob(PARTIAL))


def files_of(work: Work, folder: Path) -> dict[str, bytes | None]:
    """The files of the output by name; None for those that hold times."""
    return {
        str(path.relative_to(folder)): None if path.name.endswith(work.changing) else _lasting(path)
        for path in sorted((folder / "out").rglob("*"))
        if path.is_file() and path.parent.suffix != ".tensorboard" and path.parent.name != ".innersr"  # logs
    }


def _lasting(path: Path) -> bytes:
    """The bytes of a file; of a prior those of its weights, since its header says how long training took."""
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :] if path.name == "prior.safetensors" else data


def faults_of(work: Work, folder: Path, expected: dict[str, bytes | None]) -> list[str]:
    """Look at what a killed work left, run it again, and look at that."""
    faults = []
    for name, data in files_of(work, folder).items():
        is_partial = Path(name).match(PARTIAL)
        if not is_partial and data is not None and not work.resumes and data != expected.get(name):
            faults.append(f"{name} is broken")
    code, said = run_again(work, folder)
    if code:
        return [*faults, f"exit code {code}: {said.strip()}"]
    found = files_of(work, folder)
    faults += [f"{name} is left over" for name in sorted(found.keys() - expected.keys())]
    faults += [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    return faults + [
        f"{name} has other bytes" for name in found.keys() & expected.keys() if found[name] != expected[name]
    ]


def prepared(folder: Path) -> Path:
    """A new folder with the pictures that the works take, and an empty one for their output."""
    from PIL import Image as PillowImage

    (folder / "out").mkdir(parents=True)
    photos = write_photos(folder / "photos", len(SUFFIXES), (24, 20))
    for number, suffix in enumerate(SUFFIXES):
        with PillowImage.open(photos / f"{number}.png") as picture:
            picture.save(photos / f"{number}{suffix}")
        if suffix != ".png":
            (photos / f"{number}.png").unlink()
    write_photos(folder / "many", 50, (24, 20))
    write_photos(folder / "large", 1, (200, 180))
    return folder


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="kills, of all works together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", choices=list(WORKS), help="only this one")
    given = parser.parse_args()
    works = {title: work for title, work in WORKS.items() if given.work in (None, title)}
    os.environ["OMP_NUM_THREADS"] = "1"  # the same bytes are promised for the same number of threads
    faults, moments = 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="innersr-kill-") as name:
        original = prepared(Path(name) / "original")
        expected, lengths = {}, {}
        for title, work in works.items():
            for attempt in ("first", "second"):  # the first one imports modules, and takes longer
                folder, begin = Path(shutil.copytree(original, Path(name) / title / attempt)), time.monotonic()
                code, said = run(work, folder)
                if code:
                    raise RuntimeError(f"{title}: exit code {code}: {said}")
                expected[title], lengths[title] = files_of(work, folder), time.monotonic() - begin
        draws = random.Random(given.seed)
        for number in range(given.count):
            title = list(works)[number % len(works)]
            folder = Path(shutil.copytree(original, Path(name) / str(number)))
            is_writing = number // len(works) % 2 == 0
            seconds = draws.uniform(0, lengths[title])
            is_alone = works[title].has_processes and number // len(works) // 2 % 2 == 1
            while not (moment := killed(works[title], folder, seconds, writing=is_writing, alone=is_alone)):
                seconds /= 2  # it had ended before
                shutil.rmtree(folder)
                shutil.copytree(original, folder)
            moments[moment] += 1
            for fault in faults_of(works[title], folder, expected[title]):
                faults += 1
                sys.stdout.write(f"{title}, {number}, killed after {seconds:.2f} s: {fault}\n")
                sys.stdout.flush()
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
    moments_text = "; ".join(f"{count} {moment}" for moment, count in sorted(moments.items()))
    sys.stdout.write(f"{given.count} killed ({moments_text}), {faults} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
