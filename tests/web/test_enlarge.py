"""What the tab "Enlarge" shows while it works, where it is stopped, and where another picture is dropped meanwhile."""

from types import SimpleNamespace

import pytest

gradio = pytest.importorskip("gradio", reason="the page needs the extra web")

from innersr.errors import Cancelled, InputError  # noqa: E402 (after what may skip)
from innersr.web.enlarge import _Enlarge  # noqa: E402
from innersr.web.limits import Limits  # noqa: E402
from innersr.web.place import Place  # noqa: E402
from innersr.web.visitors import Visitors, bundled_examples  # noqa: E402

ASKED = {"picture": str(bundled_examples() / "bricks.png"), "scale": 2, "size": "", "preset": "draft"}
ASKED |= {"method": "backprojection", "kernel": "bicubic", "long": 1, "short": 1, "angle": 0, "kernel_file": None}
ASKED |= {"noise": "", "deblur": 0.5, "keep_grain": False, "mask": "none", "canvas": None, "mask_file": None, "seed": 0}


@pytest.fixture
def place(tmp_path):
    return Place(limits=Limits(), visitors=Visitors(tmp_path, 60), device="cpu")


def test_the_last_result_and_its_download_stay_until_the_next(place):
    """The download was taken away at once: after Stop its button was there, and did nothing."""
    visitor = place.visitors.of("a")
    *working, done = _Enlarge(place).enlarge(SimpleNamespace(**ASKED), visitor)
    assert working and all(each[0] == each[2] == gradio.skip() for each in working)
    assert done[0].endswith("bricks_x2.png")


def test_a_picture_dropped_meanwhile_stops_the_work_on_the_last(place):
    visitor, tab = place.visitors.of("a"), _Enlarge(place)
    work = tab.enlarge(SimpleNamespace(**ASKED), visitor)
    next(work)
    assert list(tab.clear(SimpleNamespace(picture="other.png"), visitor)) == [[None] * 11]
    with pytest.raises(Cancelled, match="stopped; nothing was made"):
        list(work)
    work = tab.enlarge(SimpleNamespace(**ASKED), visitor)
    next(work)  # it is begun before the page has told which picture lies there
    list(tab.clear(SimpleNamespace(picture=ASKED["picture"]), visitor))
    assert list(work)[-1][0].endswith("bricks_x2.png")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Cancelled("enough"), "isr-status"),
        (InputError("is < 2 'now'"), "isr-alert"),
        (ZeroDivisionError("secret detail"), "isr-alert"),
    ],
)
def test_what_the_line_says_is_in_no_window_too(place, error, line):
    """Windows piled up over the line; what the visitor had stopped was called an error."""

    def work(_asked, _visitor):
        raise error
        yield

    request = SimpleNamespace(session_hash="a", headers={})
    shown = place.handler(work, fail=lambda text: text)(request)
    assert line in next(shown)
    with pytest.raises(gradio.Error) as raised:
        next(shown)
    assert not raised.value.visible and "&" not in raised.value.message and "secret" not in raised.value.message
    with pytest.raises(gradio.Error) as raised:
        next(place.handler(work)(request))
    assert raised.value.visible and raised.value.duration is None  # it is said nowhere else
