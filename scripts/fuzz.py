"""Damages files of every kind at random and reads them: each is read, or refused with an error of innersr.

    python scripts/fuzz.py                     # all that docs/reliability.md reports: about an hour
    python scripts/fuzz.py --short             # the first of each kind, in seconds
    python scripts/fuzz.py images --count 50   # one kind; another --seed gives other files

A child process reads. Another exception, a crash, 20 seconds without an answer, or a gibibyte more memory than the
child took before is a fault: its file is kept in build/fuzz, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

Files = dict[str, bytes]  # of a folder, by name
ROOM = 1 << 30  # bytes that a child may take beyond what it has when its modules are imported
SECONDS = 20  # until a child that does not answer is taken to hang


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Files that are damaged and read.

    Args:
        count: damaged ones in the long run.
        originals: folders of sound files.
        damage: changes one file: (name, its bytes, generator of the draws).
        read: reads a folder.
    """

    count: int
    originals: Callable[[], list[Files]]
    damage: Callable[[str, bytes, random.Random], bytes]
    read: Callable[[Path], object]


def _images() -> list[Files]:
    from helpers.damage import original_images

    return [{f"image.{form}": data} for form, each in original_images().items() for data in each]


def _read_only_images() -> list[Files]:
    from helpers.damage import read_only_images

    return [{f"image.{form}": data} for form, each in read_only_images().items() for data in each]


def _damaged_image(name: str, data: bytes, draws: random.Random) -> bytes:  # noqa: ARG001 (the signature of damage)
    from helpers.damage import damaged_image

    return damaged_image(data, draws)


def _read_image(folder: Path) -> object:
    from innersr.images.io import read

    return read(next(folder.iterdir()), missing_ok=True)


def _kernels() -> list[Files]:
    from PIL import Image as PillowImage

    from helpers.damage import by_pillow, by_tifffile
    from innersr.physics.kernel_files import save_kernel
    from innersr.physics.kernels import gaussian

    kernel = gaussian(2.0, size=11)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"kernel{suffix}" for suffix in (".mat", ".npy", ".txt", ".png")]
        for path in paths:
            save_kernel(kernel, path)
        made = [{path.name: path.read_bytes()} for path in paths]
    levels = (kernel / kernel.max() * 255).byte().numpy()
    rows = "\n".join(",".join(f"{x:.6f}" for x in row) for row in kernel.tolist())
    made += [{"kernel.csv": rows.encode()}, {"kernel.tif": by_tifffile(levels)}]
    return [*made, {"kernel.png": by_pillow("png", PillowImage.fromarray(levels))}]


def _read_kernel(folder: Path) -> object:
    from innersr.physics.kernel_files import load_kernel

    return load_kernel(next(folder.iterdir()))


def _priors() -> list[Files]:
    from helpers.priors import networks, write_prior
    from innersr.networks.degradation_predictor import DegradationPredictor
    from innersr.networks.mixture_policy import MixturePolicy
    from innersr.run import Run

    others = [kind(generator=Run().generator()) for kind in (DegradationPredictor, MixturePolicy)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prior.safetensors"
        return [{path.name: write_prior(path, network).read_bytes()} for network in [*networks(), *others]]


def _damaged_text_or_checkpoint(name: str, data: bytes, draws: random.Random) -> bytes:
    from helpers.damage import damaged_checkpoint, damaged_json

    return damaged_checkpoint(data, draws) if name.endswith(".safetensors") else damaged_json(data, draws)


def _damaged_state(name: str, data: bytes, draws: random.Random) -> bytes:
    is_text = name.endswith((".json", ".jsonl", ".safetensors"))
    return (_damaged_text_or_checkpoint if is_text else _damaged_bytes)(name, data, draws)


def _read_prior(folder: Path) -> object:
    from innersr.networks.priors import describe_prior, load_prior

    path = next(folder.iterdir())
    describe_prior(path)
    return load_prior(path)


def _models() -> list[Files]:
    from helpers.singan import RUN, picture, tiny
    from innersr.singan.fit import fit

    made = []
    for settings, stops in ((tiny(scales=2, iterations=2), 99), (tiny(scales=2, iterations=3), 4)):
        asked = iter([False] * (stops - 1) + [True] * 99)
        with tempfile.TemporaryDirectory() as folder:
            fit([picture()], settings, RUN, folder=Path(folder) / "model", should_stop=lambda asked=asked: next(asked))
            made.append(_files_of(Path(folder) / "model"))
    return made


def _read_model(folder: Path) -> object:
    from helpers.singan import RUN, picture
    from innersr.singan.fit import fit
    from innersr.singan.folder.log import read_lines
    from innersr.singan.folder.reading import LOG, load_folder

    saved = load_folder(folder)
    read_lines(folder / LOG)
    return fit([picture()], saved.record.settings, RUN, folder=folder, resume=True, should_stop=lambda: True)


def _trainings() -> list[Files]:
    made = []
    for objective in ("tailor", "supervised"):
        with tempfile.TemporaryDirectory() as folder:
            _train(Path(folder), objective)
            made.append(_files_of(Path(folder)))
    return made


def _train(folder: Path, objective: str, resume: bool = False) -> object:
    from helpers.training import session, stop_after

    return session(folder, objective).learn(resume=resume, should_stop=stop_after(1))


def _read_training(folder: Path) -> object:
    header = _files_of(folder)["prior.state.safetensors"][:4096]
    return _train(folder, "supervised" if b"SupervisedObjective" in header else "tailor", resume=True)


def _files_of(folder: Path) -> Files:
    """The files of a folder, of each the first 16 MiB."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with path.open("rb") as stream:
                files[path.name] = stream.read(1 << 24)
    return files


def _damaged_bytes(name: str, data: bytes, draws: random.Random) -> bytes:  # noqa: ARG001 (the signature of damage)
    from helpers.damage import damaged_bytes

    return damaged_bytes(data, draws)


def _of(name: str) -> Callable[..., Any]:
    """A function of tests/helpers/resumed_files.py, which is imported when it is called."""
    return lambda *given: getattr(importlib.import_module("helpers.resumed_files"), name)(*given)


KINDS = {
    "images": Kind(count=30_000, originals=_images, damage=_damaged_image, read=_read_image),
    "readers": Kind(count=6_000, originals=_read_only_images, damage=_damaged_image, read=_read_image),
    "kernels": Kind(count=3_000, originals=_kernels, damage=_damaged_bytes, read=_read_kernel),
    "priors": Kind(count=2_000, originals=_priors, damage=_damaged_text_or_checkpoint, read=_read_prior),
    "models": Kind(count=2_000, originals=_models, damage=_damaged_text_or_checkpoint, read=_read_model),
    "trainings": Kind(count=1_000, originals=_trainings, damage=_damaged_text_or_checkpoint, read=_read_training),
    "batches": Kind(
        count=1_000, originals=_of("batch_logs"), damage=_damaged_text_or_checkpoint, read=_of("read_batch_log")
    ),
    "adapted": Kind(
        count=1_000, originals=_of("adapted_files"), damage=_damaged_text_or_checkpoint, read=_of("read_adapted_file")
    ),
    "strips": Kind(count=500, originals=_of("strip_states"), damage=_damaged_state, read=_of("read_strip_state")),
    "films": Kind(count=500, originals=_of("film_states"), damage=_damaged_state, read=_of("read_film_state")),
}


class Reader:
    """A child process that reads folders of a kind, one after the other."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._child: subprocess.Popen[bytes] | None = None

    def read(self, folder: Path) -> tuple[str, int]:
        """Read a folder: "read", "refused", or what the fault is; and how many bytes the child has grown by at most."""
        child = self._child or self._start()
        self._child = child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{folder}\n".encode())
        child.stdin.flush()
        if not select.select([child.stdout], [], [], SECONDS)[0]:
            self.end()
            return f"hangs for {SECONDS} seconds", 0
        line = child.stdout.readline()
        if not line:
            status = child.wait()
            self._child = None
            return f"ends the process with status {status}", 0
        answer = json.loads(line)
        return answer["outcome"], answer["grown"]

    def end(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def _start(self) -> subprocess.Popen[bytes]:
        # One thread of libvips and few arenas of malloc, whose reserved addresses would count as memory.
        few = {"VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--read", self._kind]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=os.environ | few)
        assert child.stdout is not None
        child.stdout.readline()  # it is ready
        return child


def _answer(kind: Kind) -> None:
    """Be the child: read the folders that standard input names, and answer each by a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for files in kind.originals():  # which imports all modules
        with _folder_with(files) as folder:
            kind.read(folder)
    addresses = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (addresses + ROOM, addresses + ROOM))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _say(answers, "ready")
    for line in sys.stdin:
        outcome = _outcome(kind, Path(line.rstrip("\n")))
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        _say(answers, json.dumps({"outcome": outcome, "grown": grown}))


def _outcome(kind: Kind, folder: Path) -> str:
    from innersr.errors import InnersrError

    try:
        kind.read(folder)
    except InnersrError as error:
        text = str(error)
        if "out of memory" in text or "\n" in text or len(text) > 8000:
            return f"says {text[:200]!r}"
        return "refused"
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {str(error)[:200]}"
    return "read"


def _say(answers: TextIO, text: str) -> None:
    answers.write(text + "\n")
    answers.flush()


@contextlib.contextmanager
def _folder_with(files: Files) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="innersr-fuzz-") as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        yield Path(folder)


def _damaged(name: str, kind: Kind, originals: list[Files], seed: int, number: int) -> Files:
    """The files of a number: one of a sound folder's is damaged; the same seed gives the same."""
    draws = random.Random(f"{seed} {name} {number}")
    files = dict(draws.choice(originals))
    chosen = draws.choice(sorted(files))
    files[chosen] = kind.damage(chosen, files[chosen], draws)
    return files


def _lengthen(folder: Path, number: int) -> None:
    """Make a file of a folder huge; the zeros at its end take no disk."""
    paths = sorted(folder.iterdir())
    lengths = (1 << 22, 1 << 24, 1 << 28, 900 << 20, 3 << 30)
    os.truncate(paths[number % len(paths)], lengths[number // 50 % len(lengths)])


def _try(name: str, kind: Kind, seed: int) -> bool:
    """Read all damaged files of a kind; print the outcomes, and return whether there is no fault."""
    originals, reader, outcomes, largest = kind.originals(), Reader(name), Counter[str](), 0
    for number in range(kind.count):
        with _folder_with(_damaged(name, kind, originals, seed, number)) as folder:
            if name not in ("images", "readers") and number % 50 == 49:  # an image may hold anything behind its end
                _lengthen(folder, number)
            kept = ROOT / "build" / "fuzz" / f"{name}-{seed}-{number}"
            shutil.rmtree(kept, ignore_errors=True)
            before = _files_of(folder)
            outcome, grown = reader.read(folder)
            largest = max(largest, grown)
            if outcome not in ("read", "refused"):
                kept.mkdir(parents=True)
                for file, data in before.items():
                    (kept / file).write_bytes(data)
                sys.stdout.write(f"{kept}: {outcome}\n")
                sys.stdout.flush()
                outcome = "faults"
            outcomes[outcome] += 1
    reader.end()
    counts = ", ".join(f"{outcomes[each]} {each}" for each in ("read", "refused", "faults"))
    sys.stdout.write(f"{name}: {kind.count} damaged, {counts}; at most {largest >> 20} MiB more memory\n")
    sys.stdout.flush()
    return not outcomes["faults"]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="of files; all by default")
    parser.add_argument("--count", type=int, help="damaged files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a hundredth of the files")
    parser.add_argument("--read", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        _answer(KINDS[given.read])
        return 0
    chosen = {name: KINDS[name] for name in given.kinds or KINDS}
    counts = {name: given.count or (kind.count // 100 if given.short else kind.count) for name, kind in chosen.items()}
    are_sound = [_try(name, replace(kind, count=counts[name]), given.seed) for name, kind in chosen.items()]
    return 0 if all(are_sound) else 1


if __name__ == "__main__":
    sys.exit(main())
