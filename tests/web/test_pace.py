"""How long jobs take: forecasts, what is left, and what they learn; told by a clock that the tests turn."""

import types

import pytest
import torch

pytest.importorskip("gradio", reason="the page needs the extra web")

from innersr.methods.options import UpscaleOptions
from innersr.pipeline.films import FilmTask
from innersr.run import Progress, Run
from innersr.web.limits import Limits
from innersr.web.pace import Pace, PlannedTime, Stages, planned_time
from innersr.web.place import Place
from innersr.web.visitors import Visitor, Visitors


class Clock:
    """A clock that stands until it is turned."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def turn(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock=clock)


PLAN = PlannedTime(kind="tailor balanced", examining=1.0, learning=4.0, applying=3.0)


def progress(stage, done, total, seconds):
    return Progress(stage=stage, done=done, total=total, seconds=seconds)


def test_a_machine_that_is_measured_to_be_slow_forecasts_more(pace, clock):
    assert pace.planned(PLAN).seconds == 8
    pace.measure(PlannedTime(kind="any", examining=0.5, learning=0.5, applying=0), lambda: clock.turn(4))
    assert pace.planned(PLAN).seconds == 32


def test_orders_that_take_longer_lengthen_the_next_forecast_of_their_kind(pace, clock):
    for _ in range(8):
        with pace.working() as countdown:
            countdown.expect(PLAN)
            clock.turn(80)
    assert pace.planned(PLAN).seconds == pytest.approx(80, rel=0.05)
    assert pace.planned(PlannedTime(kind="zssr", examining=1, learning=1, applying=1)).seconds == 3


def test_what_is_left_of_stages_counts_those_that_follow(pace):
    """ "A second left" was that of the first scale of several."""
    with pace.working() as countdown:
        countdown.stages = Stages(steps=100, costs=[1, 2, 4])
        countdown.progress = progress("scale 1 of 3", 0, 100, 0.0)
        assert countdown.left is None
        countdown.progress = progress("scale 1 of 3", 50, 100, 5.0)
        assert countdown.left == pytest.approx(5 + 20 + 40)
        countdown.progress = progress("scale 2 of 3", 10, 40, 2.0)  # the rest of a scale that was interrupted
        assert countdown.left == pytest.approx(6 + 40)
        countdown.progress = progress("scale 3 of 3", 50, 100, 20.0)
        assert countdown.left == pytest.approx(20)


def test_an_order_that_fails_teaches_nothing(pace, clock):
    with pytest.raises(ValueError, match="stopped"), pace.working() as countdown:
        countdown.expect(PLAN)
        clock.turn(800)
        raise ValueError("stopped")
    assert pace.planned(PLAN).seconds == 8
    assert pace.wait() == (0, 0.0)


def test_what_is_left_before_there_is_progress_is_the_rest_of_the_plan(pace, clock):
    with pace.working() as countdown:
        assert countdown.left is None
        countdown.expect(PLAN)
        clock.turn(2)
        assert countdown.left == 6
        clock.turn(20)
        assert countdown.left == 0


def test_what_is_left_in_learning_is_that_of_its_progress_and_what_follows_as_slowly(pace, clock):
    """Half of the learning took 16 seconds where 2 were planned: 16 more, and 8 times the 3 seconds that follow."""
    with pace.working() as countdown:
        countdown.expect(PLAN)
        clock.turn(18)
        countdown.progress = progress("learn", 60, 120, 16.0)
        assert countdown.left == 16 + 24


def test_what_is_left_in_applying_goes_down_to_nothing(pace, clock):
    """Until then it took twice as long as was planned, so the 3 seconds take 6."""
    with pace.working() as countdown:
        countdown.expect(PLAN)
        clock.turn(10)
        countdown.progress = progress("upscale", 0, 1, 0.0)
        assert countdown.left == 6
        clock.turn(4)
        countdown.progress = progress("correct", 2, 3, 1.0)
        assert countdown.left == 2
        clock.turn(60)
        assert countdown.left == 0.5


def test_an_order_without_a_plan_tells_what_its_progress_does(pace):
    with pace.working() as countdown:
        countdown.progress = progress("scale 1 of 5", 10, 40, 5.0)
        assert countdown.left == 15


def test_orders_before_a_new_one_lengthen_its_wait(pace, clock):
    assert pace.wait() == (0, 0.0)
    with pace.working() as countdown:
        countdown.expect(PLAN)
        clock.turn(3)
        assert pace.wait() == (1, 5)
        pace.waiting = lambda: 2
        assert pace.wait() == (3, 5 + 2 * 4)
        pace.jobs = 2
        assert pace.wait() == (3, (5 + 2 * 4) / 2)
    assert pace.wait()[0] == 2


def test_the_rest_of_a_batch_lengthens_the_wait(pace):
    """It was once counted as one picture, whatever was left of it."""
    with pace.working(following=2):
        assert pace.wait() == (1, 3 * 4)


def test_a_visitor_is_told_what_comes_first(pace, tmp_path):
    place = Place(limits=Limits(), visitors=Visitors(tmp_path, 60), pace=pace)
    assert place.forecast(PLAN) == "about 8 seconds here"
    with pace.working() as countdown:
        countdown.expect(PLAN)
        assert place.forecast(PLAN) == "about 8 seconds here, after 1 job of about 8 seconds"


def test_learning_is_cut_short_only_where_it_is_planned_to_take_too_long(pace, tmp_path):
    run = Run(device="cpu")
    place = Place(limits=Limits(seconds=20), visitors=Visitors(tmp_path, 60), pace=pace)
    assert place.job(Visitor(tmp_path), None).run.time_limit is None
    assert place.in_time(run, PLAN) is run
    assert place.in_time(run, PLAN.times(2)).time_limit == 10


def task(side, options):
    return types.SimpleNamespace(options=options, lr_size=(side, side), hr_size=(2 * side, 2 * side))


@pytest.mark.parametrize("preset", ["draft", "balanced", "best"])
def test_the_plan_grows_with_picture_and_preset(preset):
    options = UpscaleOptions(preset=preset)
    small, large = (planned_time(task(side, options)).seconds for side in (100, 1000))
    assert small < large
    assert planned_time(task(100, UpscaleOptions(method="bicubic"))).seconds < small


def test_the_plan_counts_frames_and_shots():
    options = UpscaleOptions()
    film = FilmTask.__new__(FilmTask)
    timeline = types.SimpleNamespace(times=range(30), shots=range(2))
    image = types.SimpleNamespace(colour=torch.zeros(1, 3, 100, 100))
    film.__dict__.update(options=options, image=image, timeline=timeline)
    one, all_frames = planned_time(task(100, options)), planned_time(film)
    assert all_frames.learning == pytest.approx(2 * one.learning)
    assert all_frames.applying == pytest.approx(30 * one.applying)


def test_the_plan_knows_what_was_found_in_the_picture():
    """Without recurrence nothing is learned, and each blur that may be has a result of its own."""
    nothing, much = (types.SimpleNamespace(score=score) for score in (0.0, 1.0))
    one = task(100, UpscaleOptions())
    assert planned_time(one, nothing).learning == 0
    assert planned_time(one, much).learning == planned_time(one).learning > 0
    assert planned_time(one, much, 3).applying == pytest.approx(3 * planned_time(one, much, 1).applying)
