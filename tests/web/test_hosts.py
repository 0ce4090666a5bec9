"""The page answers under its own names, and no other web site."""

import asyncio
import urllib.error
import urllib.request

import pytest

from innersr.web.hosts import OwnHosts


def answer(page, **headers):
    """The status of the answer to a request with these headers; 200 where it comes from the page behind."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    asyncio.run(page(scope, None, send))
    return sent[0]["status"]


async def behind(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})


OWN = {"host": "127.0.0.1"}


@pytest.mark.parametrize(
    ("options", "host", "status"),
    [
        (OWN, "127.0.0.1:7860", 200),
        (OWN, "LOCALHOST:7860", 200),
        (OWN, "[::1]:7860", 200),
        (OWN, "evil.com", 400),
        (OWN, "evil.com:7860", 400),
        (OWN, "[::1", 400),
        (OWN, "", 400),
        ({"host": "192.168.1.5"}, "192.168.1.5:7860", 200),
        ({"host": "192.168.1.5"}, "machine.lan:7860", 400),
        ({"host": "192.168.1.5", "names": ["Machine.lan"]}, "machine.lan:7860", 200),
        ({"host": "0.0.0.0"}, "machine.lan:7860", 200),
        ({"host": "::"}, "machine.lan:7860", 200),
        ({**OWN, "names": ["*"]}, "evil.com", 200),
    ],
)
def test_the_page_answers_under_its_names(options, host, status):
    assert answer(OwnHosts(behind, **options), host=host) == status


@pytest.mark.parametrize(
    ("options", "host", "origin", "status"),
    [
        (OWN, "localhost:7860", "http://localhost:7860", 200),
        (OWN, "localhost:7860", "http://localhost:9000", 403),
        (OWN, "localhost:7860", "http://evil.com", 403),
        (OWN, "localhost:7860", "null", 403),
        (OWN, "localhost:7860", "http://[", 403),
        ({**OWN, "names": ["example.org"]}, "127.0.0.1:7860", "https://example.org", 200),
        ({"host": "0.0.0.0"}, "machine.lan:7860", "http://machine.lan:7860", 200),
        ({"host": "0.0.0.0"}, "machine.lan:7860", "http://evil.com", 403),
        ({"host": "0.0.0.0", "names": ["*"]}, "a.hf.space", "http://evil.com", 200),
    ],
)
def test_other_sites_may_not_use_the_page(options, host, origin, status):
    assert answer(OwnHosts(behind, **options), host=host, origin=origin) == status


@pytest.mark.parametrize(("headers", "status"), [({"Host": "evil.com"}, 400), ({"Origin": "http://evil.com"}, 403)])
@pytest.mark.parametrize("path", ["", "gradio_api/call/enlarge", "gradio_api/upload"])
def test_the_page_that_is_served_is_guarded(address, headers, status, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{address.rstrip('/')}/{path}", headers=headers, data=b"{}" if path else None)
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(request, timeout=60)
    assert caught.value.code == status and b"--allow-host NAME" in caught.value.read()
