"""What the tests of `innersr upscale` share: the command in this process, and what it must do when it fails."""

from pathlib import Path

from typer.testing import CliRunner

from innersr.cli.app import app

GIVEN = ["--kernel", "bicubic"]  # so that nothing is found out about the image, which tests/test_auto.py is about
BICUBIC = ["--method", "bicubic", *GIVEN]


def names(folder="."):
    """The names in a folder, but for that of the manifest."""
    return sorted(path.name for path in Path(folder).iterdir() if path.name != ".innersr")


def upscale(*arguments):
    """Run the command in this process, on the CPU unless told otherwise; what it raises but its exit code fails."""
    result = CliRunner().invoke(app, ["upscale", "--device", "cpu", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def failed(*arguments, code=1):
    """Return the one line on stderr of a command that did nothing, checked to leave nothing behind."""
    before = names()
    result = upscale(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert names() == before
    return result.stderr
