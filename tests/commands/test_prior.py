"""The commands `innersr prior`: what they say, as text and as JSON, and how they fail."""

import json
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from helpers.priors import package, write_prior
from innersr.cli.prior import prior_app
from innersr.commands import prior as prior_commands
from innersr.commands.console import Reporter
from innersr.commands.prior import list_priors, show_prior
from innersr.networks.checkpoints import load_checkpoint
from innersr.networks.priors import Description, describe_prior, packaged_priors

VALIDATION = {"set5 psnr_y": 33.25, "scales": [2, 3], "kernels": None}


def prior(*arguments):
    """Run the command in this process; what it raises besides its exit code fails the test."""
    result = CliRunner().invoke(prior_app, [str(argument) for argument in arguments], prog_name="innersr prior")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def reporter(*, as_json=False):
    return Reporter(quiet=False, verbose=False, as_json=as_json)


@pytest.fixture
def file(tmp_path):
    return write_prior(tmp_path / "mine.safetensors", validation=VALIDATION)


# list


def test_the_list_has_a_line_for_each_prior(tmp_path, capsys, monkeypatch):
    index = packaged_priors(package(tmp_path))
    index |= {"longer": index["tiny"]._replace(bytes=887_182)}
    monkeypatch.setattr(prior_commands, "packaged_priors", lambda: index)
    list_priors(reporter())
    assert capsys.readouterr().out == "tiny        2 kB  for tests\nlonger    887 kB  for tests\n"


def test_the_list_as_json_has_an_object_for_each_prior(tmp_path, capsys, monkeypatch):
    index = packaged_priors(package(tmp_path))
    monkeypatch.setattr(prior_commands, "packaged_priors", lambda: index)
    list_priors(reporter(as_json=True))
    record = json.loads(capsys.readouterr().out)
    assert record == {"name": "tiny", "bytes": index["tiny"].bytes, "about": "for tests"}


def test_an_empty_list_is_a_note_not_a_result(capsys, monkeypatch):
    monkeypatch.setattr(prior_commands, "packaged_priors", dict)
    list_priors(reporter())
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "note: no priors come with this installation; `innersr train` makes one\n"


def test_the_command_lists_what_is_packaged():
    result = prior("list", "--json")
    assert result.exit_code == 0
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == list(packaged_priors())


# show


def test_a_prior_is_shown_readably(file):
    (file.parent / "mine.md").write_text("# Mine\n\nFor *tests*.\n")
    result = prior("show", file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{file}: 668 weights",
        "  kind: prior",
        "  network:",
        "    name: DetailStack",
        "    arguments:",
        "      channels: 2",
        "      factors: 2, 3",
        "      width: 4",
        "      depth: 3",
        "      bias: true",
        "  provenance:",
        "    seed: 3",
        "  validation:",
        "    set5 psnr_y: 33.25",
        "    scales: 2, 3",
        "    kernels: null",
        "  format: 1",
        "",
        "# Mine",
        "",
        "For *tests*.",
    ]


def test_a_packaged_prior_is_shown_with_its_card(tmp_path, capsys, monkeypatch):
    described = describe_prior("tiny", package(tmp_path))
    monkeypatch.setattr(prior_commands, "describe_prior", {"tiny": described}.__getitem__)
    show_prior(reporter(), prior="tiny")
    said = capsys.readouterr().out
    assert said.startswith("tiny: 668 weights\n")
    assert said.endswith("  format: 1\n\n# Tiny\n\nMade by a test.\n")


def test_as_json_a_prior_is_its_header(file):
    assert json.loads(prior("show", file, "--json").stdout) == load_checkpoint(file).header


def test_nothing_in_a_file_steers_the_terminal(capsys, monkeypatch):
    header = {"licence\x1b[2J": "\x1b]0;title\x07", "lines": ["a\nb", {"c": "\x9b31m"}]}
    described = Description(header, 1, "card\x1b[31m\r\n\tred\u202e")
    monkeypatch.setattr(prior_commands, "describe_prior", lambda _: described)
    show_prior(reporter(), prior="x")
    said = capsys.readouterr().out
    assert all(character.isprintable() or character in "\n\t" for character in said)
    assert said.endswith("\ncard\\x1b[31m\n    red\\u202e\n")


# Failures


def refused(*arguments):
    """Return exit code and the one line on stderr."""
    result = prior(*arguments)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.exit_code, result.stderr


def test_an_unknown_name_is_wrong_usage():
    code, said = refused("show", "tinny")
    assert code == 2
    assert "no prior is called 'tinny'" in said


def test_a_missing_file_fails(tmp_path):
    code, said = refused("show", tmp_path / "none.safetensors")
    assert (code, "none.safetensors: no such file" in said) == (1, True)


def test_a_foreign_file_fails(tmp_path):
    file = tmp_path / "notes.safetensors"
    file.write_text("not weights")
    code, said = refused("show", file)
    assert (code, "is not a safetensors file" in said) == (1, True)


def test_without_arguments_the_help_is_shown():
    assert "show" in prior().output


@pytest.mark.parametrize("command", [[], ["list"], ["show"]], ids=" ".join)
def test_the_help_ends_with_examples_that_can_be_run(command, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    *_, page_end = prior(*command, "--help").stdout.split("  Examples:\n")
    assert page_end.startswith("    " + " ".join(["innersr prior", *command]))
    for line in page_end.splitlines():
        assert not line or prior(*shlex.split(line)[2:]).exit_code == 0


def test_the_help_imports_nothing_that_is_slow():
    code = "import sys, innersr.cli.prior; print({'torch', 'numpy', 'pyvips', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
