#!/usr/bin/env python
"""Plant faults in a copy of the source, one at a time, and report those that no test finds.

scripts/mutants.toml lists them: a text of a source file, what it becomes, and the tests of which one has to fail. The
test that fails is run again on the sound source, where it has to pass. Exit code: 0 if every fault is found, 1 if one
survives, 2 if a fault cannot be planted or a test fails without it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault to plant.

    Args:
        name: what is wrong with the source then.
        file: path from the root of the repository.
        old: text that occurs once in the file.
        new: what it becomes.
        tests: files or single tests, as pytest takes them, of which one has to fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def read_mutants(path: Path) -> list[Mutant]:
    """Read the list of faults, [[mutant]] tables in TOML."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**table | {"tests": tuple(table["tests"])}) for table in tables]


def planted(mutant: Mutant, source: str) -> str:
    """The source with the fault.

    Raises:
        ValueError: the old text does not occur exactly once, or nothing changes.
    """
    count = source.count(mutant.old)
    if count != 1 or mutant.new == mutant.old:
        raise ValueError(f"{mutant.name}: the old text occurs {count} times in {mutant.file}; it must occur once")
    return source.replace(mutant.old, mutant.new)


def failing_tests(root: Path, tests: Sequence[str], seconds: float) -> list[str]:
    """Run tests of a tree on its own source, and name the first that fails; all, if they take too long.

    Each run is a child of this process, which has the modules that take long to import already.

    Raises:
        RuntimeError: pytest neither passes nor fails, such as for a test that does not exist.
    """
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if not child:
            _run_tests(root, tests, output.fileno())
        status = _exit_status(child, seconds)
        if status is None:
            return list(tests)
        output.seek(0)
        text = output.read()
    code = os.waitstatus_to_exitcode(status)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+\.py(?:::.+?)?)(?: - .*)?$", text, re.MULTILINE)
    if code == 0:
        return []
    if failed or code < 0:
        return failed[:1] or list(tests)
    raise RuntimeError(f"pytest {' '.join(tests)}: exit code {code}\n{text}")


def _run_tests(root: Path, tests: Sequence[str], output: int) -> None:
    """Become pytest, in a group of processes of its own; does not return."""
    os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(root)
    # Compiled modules are compared by their time in whole seconds: a file changed twice in one would be missed.
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONPATH=str(root / "src"), PYTHONDONTWRITEBYTECODE="1")
    sys.path.insert(0, str(root / "src"))
    code = 3
    try:
        code = int(importlib.import_module("pytest").main(["-q", "-x", "-rfE", "-p", "no:cacheprovider", *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def _exit_status(child: int, seconds: float) -> int | None:
    """How a child ended; None if it took too long, and was killed with all that it started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def copied(root: Path, target: Path) -> Path:
    """Copy what tests need of a repository: all but hidden files, builds and environments."""
    ignore = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "venv")
    return Path(shutil.copytree(root, target, ignore=ignore, symlinks=True))


def main() -> int:
    """Plant the faults that are asked for, and return the exit code."""
    options = _parser().parse_args()
    mutants = [
        mutant
        for mutant in read_mutants(options.list)
        if not options.only or any(word in f"{mutant.name} {mutant.file}" for word in options.only)
    ]
    number, count = (int(part) for part in options.shard.split("/"))
    mutants = mutants[number - 1 :: count]
    for module in tomllib.loads(options.list.read_text(encoding="utf-8")).get("preload", []):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        root = copied(options.root, Path(folder) / "tree")
        try:
            survived = _plant_each(root, mutants, options)
        except (ValueError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(f"{len(mutants)} faults planted, {survived} survived")
    return 1 if survived else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Plant faults, one at a time, and report those that no test finds.")
    parser.add_argument("only", nargs="*", help="plant only faults with one of these words in their name or file")
    parser.add_argument(
        "--list", type=Path, default=Path(__file__).with_suffix(".toml"), help="TOML file of the faults"
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="folder of the repository")
    parser.add_argument("--seconds", type=float, default=600, help="longest time that tests of one fault may take")
    parser.add_argument("--shard", default="1/1", help="plant the K-th of N parts of the list, as K/N")
    parser.add_argument("--log", type=Path, help="add a line for each fault; those that it has as found are left out")
    return parser


def _plant_each(root: Path, mutants: Sequence[Mutant], options: argparse.Namespace) -> int:
    """Plant faults one after the other, and count those that no test finds."""
    faults = {mutant: planted(mutant, (root / mutant.file).read_text(encoding="utf-8")) for mutant in mutants}
    lines = options.log.read_text(encoding="utf-8").splitlines() if options.log and options.log.exists() else []
    found_before = {line.split("  ")[-2].strip() for line in lines if line.startswith("found ")}
    survived = 0
    for mutant, faulty in faults.items():
        if mutant.name in found_before:
            continue
        path, started = root / mutant.file, time.monotonic()
        kept = path.read_text(encoding="utf-8")
        path.write_text(faulty, encoding="utf-8")
        failing = failing_tests(root, mutant.tests, options.seconds)
        path.write_text(kept, encoding="utf-8")
        if failing and failing_tests(root, failing, options.seconds):
            raise RuntimeError(f"{mutant.name}: a test fails without any fault; mend it first: pytest {failing[0]}")
        survived += not failing
        seconds = time.monotonic() - started
        word, by = ("found", failing[0]) if failing else ("SURVIVED", "-")
        line = f"{word:8}  {seconds:5.1f} s  {mutant.name}  {by}"
        print(line, flush=True)
        if options.log:
            options.log.parent.mkdir(parents=True, exist_ok=True)
            with options.log.open("a", encoding="utf-8") as log:
                log.write(line + "\n")
    return survived


if __name__ == "__main__":
    sys.exit(main())
