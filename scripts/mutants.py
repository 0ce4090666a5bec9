#!/usr/bin/env python
"""Plant faults in a copy of the source, one at a time, and report those that no test finds.

scripts/mutants.toml lists them: a text of a source file, what it becomes, and the tests that have to fail. Exit code:
0 if every fault is found, 1 if one survives, 2 if a fault cannot be planted or the tests fail without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
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


def tests_fail(root: Path, tests: Sequence[str], seconds: float) -> bool:
    """Run tests of a tree on its own source; a run that takes too long counts as failed.

    Raises:
        RuntimeError: pytest neither passes nor fails, such as for a test that does not exist.
    """
    # Compiled modules are compared by their time in whole seconds: a file changed twice in one would be missed.
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        result = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    broken_on_import = result.returncode == 2 and "error" in result.stdout.lower()
    if result.returncode not in (0, 1) and not broken_on_import:
        raise RuntimeError(f"pytest {' '.join(tests)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return result.returncode != 0


def copied(root: Path, target: Path) -> Path:
    """Copy what tests need of a repository: all but hidden files, builds and environments."""
    ignore = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "venv")
    return Path(shutil.copytree(root, target, ignore=ignore, symlinks=True))


def main() -> int:
    """Plant the faults that are asked for, and return the exit code."""
    parser = argparse.ArgumentParser(description="Plant faults, one at a time, and report those that no test finds.")
    parser.add_argument("only", nargs="*", help="plant only faults with one of these words in their name or file")
    parser.add_argument(
        "--list", type=Path, default=Path(__file__).with_suffix(".toml"), help="TOML file of the faults"
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="folder of the repository")
    parser.add_argument("--seconds", type=float, default=600, help="longest time that tests of one fault may take")
    options = parser.parse_args()
    mutants = [
        mutant
        for mutant in read_mutants(options.list)
        if not options.only or any(word in f"{mutant.name} {mutant.file}" for word in options.only)
    ]
    with tempfile.TemporaryDirectory() as folder:
        root = copied(options.root, Path(folder) / "tree")
        try:
            survivors = _survivors(root, mutants, options.seconds)
        except (ValueError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(f"{len(mutants)} faults planted, {len(survivors)} survived")
    return 1 if survivors else 0


def _survivors(root: Path, mutants: Sequence[Mutant], seconds: float) -> list[Mutant]:
    faults = {mutant: planted(mutant, (root / mutant.file).read_text(encoding="utf-8")) for mutant in mutants}
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    if tests and tests_fail(root, tests, seconds * len(tests)):
        raise RuntimeError("the tests fail without any fault; mend them first: pytest " + " ".join(tests))
    survivors = []
    for mutant, faulty in faults.items():
        path, started = root / mutant.file, time.monotonic()
        kept = path.read_text(encoding="utf-8")
        path.write_text(faulty, encoding="utf-8")
        found = tests_fail(root, mutant.tests, seconds)
        path.write_text(kept, encoding="utf-8")
        print(f"{'found' if found else 'SURVIVED':8}  {time.monotonic() - started:5.1f} s  {mutant.name}", flush=True)
        if not found:
            survivors.append(mutant)
    return survivors


if __name__ == "__main__":
    sys.exit(main())
