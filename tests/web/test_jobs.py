"""Work that reports its progress and can be stopped."""

import threading

import pytest

from innersr.errors import Cancelled, ImageFileError, InnersrError, InputError
from innersr.images.limits import SizeLimits
from innersr.run import Progress
from innersr.web.html import bar_of, status
from innersr.web.jobs import Job, in_words
from innersr.web.limits import Limits
from innersr.web.pace import PlannedTime
from innersr.web.visitors import Visitor


def job(work, tmp_path, **limits):
    return Job(work, Visitor(tmp_path), Limits(**limits), interval=0.01)


def endless(run):
    for _ in run.steps("learn", 10**9):
        pass


def test_the_result_and_progress_of_work(tmp_path):
    seen = threading.Event()

    def work(run):
        for _ in run.steps("learn", 3):
            seen.wait(5)
        return "made"

    one = job(work, tmp_path)
    stages = []
    for progress in one.progress():
        stages.append(progress)
        if progress is not None:
            seen.set()
    assert one.result == "made"
    assert {each.stage for each in stages if each} == {"learn"}


def test_a_visitor_stops_the_work(tmp_path):
    one = job(endless, tmp_path)
    with pytest.raises(Cancelled, match="stopped; nothing was made"):
        for _ in one.progress():
            one.visitor.stop.set()
    assert not one.visitor.is_working


def test_the_job_itself_says_that_it_stops(tmp_path):
    """Not the button: its answer could arrive after the job's last words, and would stay."""
    gradio = pytest.importorskip("gradio", reason="the page needs the extra web")
    from innersr.web.place import _stop

    stopping = threading.Event()

    def work(_run):
        stopping.wait(5)

    one = job(work, tmp_path)
    asked = one.bars("Learning")
    assert "Stopping" not in next(asked)
    assert list(_stop(None, one.visitor)) == [gradio.skip()]
    assert next(asked) == status("Stopping …")
    stopping.set()
    assert set(asked) <= {status("Stopping …")}


def test_work_ends_when_the_visitor_leaves(tmp_path):
    one = job(endless, tmp_path)
    bars = one.progress()
    next(bars)
    assert one.visitor.is_working
    bars.close()
    assert not one.visitor.is_working
    assert "innersr-job" not in {thread.name for thread in threading.enumerate()}


def test_work_that_takes_too_long_is_stopped(tmp_path):
    with pytest.raises(Cancelled, match="stopped after 0.05 seconds, the most that this page allows"):
        list(job(endless, tmp_path, seconds=0.05).progress())


def test_an_error_of_innersr_is_told_as_it_is(tmp_path):
    def refuse(_run):
        raise InputError("scale must be above 1")

    with pytest.raises(InputError, match="scale must be above 1"):
        list(job(refuse, tmp_path).progress())


def test_the_remedy_against_a_limit_is_that_of_the_page():
    with pytest.raises(ImageFileError) as caught:
        SizeLimits(pixels=100).check("a.png", 12000, 9000, 3)
    words = str(in_words(caught.value))
    assert words.endswith("if you trust it, start the page with innersr web --limit pixels=108000000")


def test_any_other_error_is_one_sentence(tmp_path):
    def fail(_run):
        raise ZeroDivisionError("secret detail")

    with pytest.raises(InnersrError, match=r"should not have happened \(ZeroDivisionError\)"):
        list(job(fail, tmp_path).progress())


def test_want_of_memory_has_a_remedy(tmp_path):
    def fill(_run):
        raise MemoryError

    with pytest.raises(InnersrError, match="out of memory; use a smaller picture"):
        list(job(fill, tmp_path).progress())


def test_a_bar_tells_the_loss_and_the_time_left():
    bar = bar_of(Progress(stage="learn", done=30, total=120, seconds=3.0, loss=0.02), "Enlarging <a>", 9.4)
    assert 'role="status"' in bar and 'value="30" max="120"' in bar
    assert "Enlarging &lt;a&gt;: learn, 30 of 120, loss 0.0200, 9 seconds left" in bar


def test_a_bar_tells_the_time_left_by_the_plan_of_the_work(tmp_path):
    planned = PlannedTime(kind="any", examining=3000.0, learning=0.0, applying=0.0)

    def work(_run):
        one.expect(planned)
        told.wait(5)

    told, one, bars = threading.Event(), job(work, tmp_path), []
    for bar in one.bars("Enlarging"):
        bars.append(bar)
        if "50 minutes left" in bar:
            told.set()
    assert "Enlarging …, 50 minutes left" in bars[-1]


def test_limits_are_positive_numbers():
    for wrong in ({"pixels": 0}, {"jobs": -1}, {"seconds": "no"}):
        with pytest.raises(InputError, match="must be"):
            Limits(**wrong)
