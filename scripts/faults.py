"""Plants faults of the machine while innersr works: full disks, no memory, inputs that change, two runs at once.

    python scripts/faults.py                # all, as root on Linux: small file systems in memory are mounted
    python scripts/faults.py memory twice   # some; --seed draws other moments

After each fault the same command is run again where nothing is wrong. Faults of innersr are: a traceback, a file that
is not whole or that is left over, other bytes than those of an undisturbed run, and an exit code without a reason. The
exit code is 1 if there is one. libvips and glib end a process that runs out of memory in them; that is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.processes import innersr_process
from helpers.training import write_photos

SMALL = ["--kernel", "bicubic", "--device", "cpu", "-q"]
WORKS = {
    "batch": ["upscale", "photos", "-o", "out/", "-m", "zssr", "--set", "steps=2", "--jobs", "1", *SMALL],
    "strips": ["upscale", "large/0.png", "-o", "out/", "--strips", "always", "-m", "bicubic", *SMALL],
    "kept": ["upscale", "photos/0.png", "-o", "out/", "-m", "zssr", "--set", "steps=2"]
    + ["--save-adapted", "out/kept.safetensors", *SMALL],
}
Faults = list[str]


class Trial:
    """A folder in which a work is disturbed, and what an undisturbed one has left."""

    def __init__(self, folder: Path, title: str, expected: dict[str, bytes]) -> None:
        self.folder, self.title, self.expected = folder, title, expected
        self.out = folder / "out"
        self.ended = 0  # times that a library ended the process

    def run(self, *more: str, before: Callable[[int], None] = lambda _: None) -> tuple[int, str]:
        """Run the work; `before` is called with the process. Return its exit code and what it said."""
        with innersr_process(*WORKS[self.title], *more, folder=self.folder) as process:
            before(process.number)
            deadline = time.monotonic() + 3600  # on a busy machine
            while process.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            code, _, said = process.end()
        return code, said

    def files(self) -> dict[str, bytes]:
        """The files of the output, but for the manifest."""
        paths = (path for path in sorted(self.out.rglob("*")) if path.is_file() and ".innersr" not in path.parts)
        return {str(path.relative_to(self.out)): path.read_bytes() for path in paths}

    def faults(self, code: int, said: str, *, may_go_on: bool = False) -> Faults:
        """What is wrong after a disturbed run. `may_go_on`: whether what a later run goes on from may be there."""
        found = [] if "Traceback" not in said else [f"a traceback: {said.strip().splitlines()[-1]}"]
        self.ended += code < 0
        if code > 2:  # noqa: PLR2004 (wrong usage, as of a run that another one keeps out)
            found.append(f"exit code {code}")
        if code > 0 and not said.startswith("error: "):
            found.append(f"exit code {code} without a reason: {said[:200]!r}")
        for name, data in self.files().items():
            is_state = may_go_on and ".strips/" in name
            if name not in self.expected and not is_state:
                found.append(f"{name} is left over")
            elif not is_state and data != self.expected[name]:
                found.append(f"{name} is not whole")
        return found

    def again(self) -> Faults:
        """What is wrong once the same command has been run again."""
        code, said = self.run(*([] if self.title == "batch" else ["--overwrite"]))
        found = self.faults(code, said) + ([f"exit code {code} of the second run: {said.strip()}"] if code else [])
        return found + [f"{name} is missing" for name in self.expected.keys() - self.files().keys()]


@contextlib.contextmanager
def _mounted(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A small file system at a folder; yield what mounts it again with other options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True) and None
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(trial: Trial, draws: random.Random) -> Faults:
    """The disk is full after some of the bytes that the work needs."""
    most = sum(map(len, trial.expected.values())) // 1024 + 16
    with _mounted(trial.out, f"{4 * draws.randint(1, most // 4)}k") as mount_again:
        found = trial.faults(*trial.run(), may_go_on=True)
        mount_again("size=64m")
        return found + trial.again()


def read_only(trial: Trial, _: random.Random) -> Faults:
    """The file system of the output is mounted read-only."""
    with _mounted(trial.out, "64m") as mount_again:
        mount_again("ro")
        code, said = trial.run()
        found = trial.faults(code, said) + ([] if code else ["exit code 0, but nothing can be written"])
        mount_again("rw")
        return found + trial.again()


def memory(trial: Trial, draws: random.Random) -> Faults:
    """The process may address some MiB more than it has when it begins."""
    extra = draws.randint(0, 160) << 20

    def limited(process: int) -> None:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[0])
        resource.prlimit(process, resource.RLIMIT_AS, (pages * resource.getpagesize() + extra,) * 2)

    return trial.faults(*trial.run(before=limited), may_go_on=True) + trial.again()


def changed_input(trial: Trial, draws: random.Random) -> Faults:
    """An input vanishes, is cut short or replaced by another picture while the work goes on; then it comes back."""
    paths = sorted((trial.folder / "photos").iterdir()) + sorted((trial.folder / "large").iterdir())
    path = draws.choice(paths)
    sound, action = path.read_bytes(), draws.choice(["vanish", "cut", "replace"])

    def change(_: int) -> None:
        time.sleep(draws.uniform(0, 2))
        if action == "vanish":
            path.unlink()
        else:
            path.write_bytes(sound[:100] if action == "cut" else draws.choice(paths).read_bytes())

    code, said = trial.run(before=change)
    found = [
        each for each in trial.faults(code, said, may_go_on=True) if "is not whole" not in each
    ]  # of the new bytes
    path.write_bytes(sound)
    return found + trial.again()


def twice(trial: Trial, draws: random.Random) -> Faults:
    """Another run of the same work begins while the first one is at it."""
    codes: list[tuple[int, str]] = []

    def second(_: int) -> None:
        time.sleep(draws.uniform(0, 1))
        codes.append(trial.run())

    codes.append(trial.run(before=second))
    found = [fault for code, said in codes for fault in trial.faults(code, said, may_go_on=True)]
    return found + ([] if 0 in [code for code, _ in codes] else [f"neither succeeds: {codes}"]) + trial.again()


PLANTED = {each.__name__.replace("_", "-"): each for each in (full_disk, read_only, memory, changed_input, twice)}


def _prepared(folder: Path) -> Path:
    (folder / "out").mkdir(parents=True)
    write_photos(folder / "photos", 4, (40, 36))
    write_photos(folder / "large", 1, (200, 180))
    return folder


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", choices=[[], *PLANTED], help="all by default")
    parser.add_argument("--count", type=int, default=20, help="of each fault")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    all_sound = True
    with tempfile.TemporaryDirectory(prefix="innersr-faults-") as name:
        original, expected = _prepared(Path(name) / "original"), {}
        for title in WORKS:
            trial = Trial(Path(shutil.copytree(original, Path(name) / title)), title, {})
            code, said = trial.run()
            if code:
                raise RuntimeError(f"{title}: exit code {code}: {said}")
            expected[title] = trial.files()
        for planted in given.faults or PLANTED:
            draws, faults, ended = random.Random(f"{given.seed} {planted}"), 0, 0
            for number in range(given.count):
                title = list(WORKS)[number % len(WORKS)]
                folder = Path(shutil.copytree(original, Path(name) / f"{planted}-{number}"))
                trial = Trial(folder, title, expected[title])
                for fault in PLANTED[planted](trial, draws):
                    faults += 1
                    sys.stdout.write(f"{planted}, {number}, {title}: {fault}\n")
                ended += trial.ended
                shutil.rmtree(folder, ignore_errors=True)
            sys.stdout.write(f"{planted}: {given.count} times, {faults} faults; {ended} ended by a library\n")
            sys.stdout.flush()
            all_sound &= not faults
    return 0 if all_sound else 1


if __name__ == "__main__":
    sys.exit(main())
