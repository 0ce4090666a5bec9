"""Who may use the page, and the command that serves it."""

import os
import socket
import urllib.request

import pytest
from typer.testing import CliRunner

from innersr.cli.app import app
from innersr.errors import InputError

gradio = pytest.importorskip("gradio", reason="the page needs the extra web")

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


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.7", "::ffff:203.0.113.7"])
def test_an_address_of_another_machine_is_said_so(host):
    """It was blamed on the port."""
    assert f"{host} is no address of this machine; give --host one" in refused("--host", host, "--allow-public")


def test_it_is_served_by_slow_machines_and_behind_a_proxy(monkeypatch):
    """Gradio's question whether the page is up went to the proxy, or took above 3 seconds: a traceback."""
    monkeypatch.setattr(gradio.networking, "url_ok", lambda _address: False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "example.org")
    with served(Serving(port=0, browser=False, device="cpu", is_warmed=False)) as address:
        assert os.environ["no_proxy"] == "example.org,localhost,127.0.0.1"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert b"innersr" in opener.open(address, timeout=60).read()
    assert os.environ["no_proxy"] == "example.org"
