"""Who may use the page, and the command that serves it."""

import socket

import pytest
from typer.testing import CliRunner

from innersr.cli.app import app
from innersr.errors import InputError

pytest.importorskip("gradio", reason="the page needs the extra web")

from innersr.web.app import Serving, served  # noqa: E402 (after what may skip)


def refused(*arguments):
    result = CliRunner().invoke(app, ["web", "--no-browser", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr


def test_only_this_machine_may_use_it_unless_told():
    assert Serving().host == "127.0.0.1"
    assert "give --auth USER:PASSWORD, or --allow-public" in refused("--host", "0.0.0.0")
    for allowed in ({"auth": ("anna", "secret")}, {"allow_public": True}):
        assert Serving(host="0.0.0.0", **allowed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--auth", "anna"], "--auth is USER:PASSWORD"),
        (["--limit", "pixels=0"], "limit pixels must be positive"),
        (["--limit", "speed=1"], "the page has no setting 'speed'; it has megabytes, pixels, seconds"),
    ],
)
def test_wrong_options_are_refused(arguments, words):
    assert words in refused(*arguments)


def test_a_taken_port_is_said_so():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = f"port {port} is taken; choose another one with --port"
        with pytest.raises(InputError, match=words), served(Serving(port=port, browser=False)):
            pass


def test_no_port_is_said_so():
    with pytest.raises(InputError, match="port must be from 0 to 65535"):
        Serving(port=70_000)
