"""The page, served once for all tests of this folder on a free port of this machine."""

import pytest


@pytest.fixture(scope="session")
def address():
    pytest.importorskip("gradio", reason="the page needs the extra web")
    from innersr.web.app import Serving, served
    from innersr.web.limits import Limits

    limits = Limits(megabytes=1, pixels=40_000, seconds=60, files=3)
    with served(Serving(port=0, browser=False, device="cpu", limits=limits, is_warmed=False)) as address:
        yield address
