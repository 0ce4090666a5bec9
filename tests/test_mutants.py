"""Planted faults: the list fits the source, and the script finds out which of them the tests miss."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "mutants.py"


def script():
    """Return the script as a module."""
    specification = importlib.util.spec_from_file_location("mutants", SCRIPT)
    module = sys.modules["mutants"] = importlib.util.module_from_spec(specification)  # dataclasses look it up
    specification.loader.exec_module(module)
    return module


MUTANTS = script().read_mutants(SCRIPT.with_suffix(".toml"))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_fault_can_be_planted(mutant):
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    before, after = (ast.dump(ast.parse(text)) for text in (source, script().planted(mutant, source)))
    assert before != after
    assert mutant.tests
    for test in mutant.tests:
        path, *parts = test.split("::")
        assert (ROOT / path).exists()
        assert not parts or f"def {parts[-1].split('[')[0]}(" in (ROOT / path).read_text(encoding="utf-8")


def test_faults_have_names_of_their_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def project(folder, test="assert triple(2) == 6"):
    """Write a repository of one function and one test, with two faults; return the arguments of the script."""
    for name, text in {
        "src/innersr_made/__init__.py": "def triple(x):\n    return 3 * abs(x)\n",
        "tests/test_it.py": f"from innersr_made import triple\n\n\ndef test_it():\n    {test}\n",
        "faults.toml": "".join(
            f'[[mutant]]\nname = "{name}"\nfile = "src/innersr_made/__init__.py"\nold = "{old}"\nnew = "{new}"\n'
            'tests = ["tests/test_it.py"]\n'
            for name, old, new in (("twice", "3 * ", "2 * "), ("sign", "abs(x)", "x"))
        ),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return ["--root", str(folder), "--list", str(folder / "faults.toml")]


def called(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_fault_that_no_test_sees_is_reported(tmp_path):
    result = called(*project(tmp_path))
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["found", "SURVIVED"]
    assert lines[2] == "2 faults planted, 1 survived"
    assert "3 * abs(x)" in (tmp_path / "src/innersr_made/__init__.py").read_text()  # the original is left alone
    assert called(*project(tmp_path), "twice").stdout.endswith("1 faults planted, 0 survived\n")


def test_tests_that_fail_anyway_find_no_fault(tmp_path):
    result = called(*project(tmp_path, test="assert triple(2) == 7"))
    assert (result.returncode, result.stdout) == (2, "")
    assert "a test fails without any fault" in result.stderr


def test_a_fault_without_its_place_is_refused(tmp_path):
    arguments = project(tmp_path)
    (tmp_path / "src/innersr_made/__init__.py").write_text("def triple(x):\n    return x * 3\n")
    result = called(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "twice: the old text occurs 0 times" in result.stderr


def test_a_part_of_the_list_is_planted_and_a_log_is_continued(tmp_path):
    arguments = [*project(tmp_path), "--log", str(tmp_path / "log.txt")]
    assert called(*arguments, "--shard", "1/2").stdout.endswith("1 faults planted, 0 survived\n")
    (line,) = (tmp_path / "log.txt").read_text().splitlines()
    assert (line.split()[0], line.split()[3:]) == ("found", ["twice", "tests/test_it.py::test_it"])
    again = called(*arguments)
    assert [line.split()[0] for line in again.stdout.splitlines()] == ["SURVIVED", "2"]  # "sign" alone is planted
    assert again.returncode == 1
