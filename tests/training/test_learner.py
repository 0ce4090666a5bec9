"""A network that learns: its rates, the average of its weights, and that its state is all there is."""

import math
from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN
from helpers.training import OBJECTIVES, SCHEDULE, largest_difference, pool
from innersr.errors import InputError
from innersr.training.distributed import ProcessGroup
from innersr.training.learner import Learner, TrainingSchedule

OBJECTIVE = OBJECTIVES["tailor"]


def learned(steps, learner=None, schedule=SCHEDULE):
    """Return a learner after some more steps."""
    learner = learner or Learner(OBJECTIVE, schedule, RUN)
    for _ in range(steps):
        learner.learn(OBJECTIVE.crops(pool(), learner.step, range(OBJECTIVE.batch)), ProcessGroup(), lambda: False)
    return learner


def test_the_rates_rise_and_fall_along_a_cosine():
    schedule = TrainingSchedule(steps=1000, warm_up=10)
    shares = [schedule.rate_share(step) for step in (0, 4, 500, 1000)]
    assert shares == pytest.approx([0.1, 0.5, 0.505, 0.01], rel=1e-4)


def test_the_papers_rate_is_halved_every_100_000_steps_down_to_a_quarter():
    schedule = TrainingSchedule(steps=10**6, schedule="paper", learning_rate=4e-4, warm_up=0)
    rates = [schedule.learning_rate * schedule.rate_share(step) for step in (0, 99_999, 100_000, 200_000, 900_000)]
    assert rates == pytest.approx([4e-4, 4e-4, 2e-4, 1e-4, 1e-4])


def test_the_average_forgets_the_first_weights_soon():
    learner = Learner(OBJECTIVE, SCHEDULE, RUN)
    mean, decay = learner.average.tails["2"].weight.clone(), (1 / 10, 2 / 11, 3 / 12)
    for step, kept in enumerate(decay):
        learned(1, learner)
        assert learner.step == step + 1
        mean = kept * mean + (1 - kept) * learner.network.tails["2"].weight
    assert torch.allclose(learner.average.tails["2"].weight, mean, atol=1e-7)  # float32


def test_the_average_decays_no_slower_than_asked():
    learner = learned(2, schedule=replace(SCHEDULE, average=0.0))
    assert largest_difference(learner.average.state_dict(), learner.network.state_dict()) == 0


def test_a_learner_goes_on_from_its_tensors_bit_for_bit():
    saved = {name: tensor.clone() for name, tensor in learned(3).tensors().items()}
    learner = Learner(OBJECTIVE, SCHEDULE, RUN)
    learner.restore(saved, 3)
    assert learner.step == 3
    assert largest_difference(learned(3, learner).tensors(), learned(6).tensors()) == 0


def test_the_state_holds_weights_average_and_both_optimizers():
    names = learned(2).tensors()
    assert {name.split(".")[0] for name in names} == {"network", "average", "adam", "muon"}
    assert {name.split(".")[2] for name in names if name[:4] in ("adam", "muon")} == {
        "step",
        "exp_avg",
        "exp_avg_sq",
        "buffer",
    }


def test_restored_tensors_lie_in_memory_as_the_parameters_do():
    # Another layout is rounded otherwise by some vector instructions.
    saved = {name: tensor.contiguous() for name, tensor in learned(1).tensors().items()}
    learner = Learner(OBJECTIVE, SCHEDULE, RUN)
    learner.restore(saved, 1)
    expected = learned(1).tensors()
    assert {n: t.stride() for n, t in learner.tensors().items()} == {n: t.stride() for n, t in expected.items()}


def test_the_gradient_of_adam_is_clipped():
    objective = OBJECTIVES["supervised"]
    schedule = TrainingSchedule(steps=9, clip=1e-9)
    learner = Learner(objective, schedule, RUN)
    learner.learn(objective.crops(pool(), 0, range(objective.batch)), ProcessGroup(), lambda: False)
    squares = sum(float(p.grad.double().square().sum()) for p in learner.network.parameters())
    assert math.isclose(math.sqrt(squares), 1e-9, rel_tol=1e-3)


def test_learning_begins_with_the_initial_weights():
    initial = {name: tensor + 1 for name, tensor in OBJECTIVE.network().state_dict().items()}
    learner = Learner(OBJECTIVE, SCHEDULE, RUN, initial)
    assert largest_difference(dict(learner.network.state_dict()), initial) == 0
    assert largest_difference(dict(learner.average.state_dict()), initial) == 0


def test_initial_weights_of_another_network_are_refused():
    initial = replace(OBJECTIVE, width=5).network().state_dict()
    with pytest.raises(InputError, match=r"another network .body\.0\.bias is \(5,\), not \(6,\)"):
        Learner(OBJECTIVE, SCHEDULE, RUN, initial)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("average.film.bias", None, "it lacks 'average.film.bias'"),
        ("network.film.bias", torch.zeros(3), r"wrong shape 'network.film.bias \(3,\) not"),
        ("network.film.bias", torch.zeros(36, dtype=torch.int8), "wrong type 'network.film.bias'"),
        ("network.film.bias", torch.zeros(36, dtype=torch.float16), "wrong type 'network.film.bias'"),
        ("network.film.bias", torch.full((36,), math.nan), "NaN or infinite values in 'network.film.bias'"),
        ("average.other", torch.zeros(3), "unexpected 'average.other'"),
        ("muon.0.buffer", None, "it lacks 'muon.0.buffer'"),
        ("adam.0.step", None, "it lacks 'adam.0.step'"),
        ("adam.99.step", torch.zeros(()), "unexpected 'adam.99.step'"),
        ("adam.x.step", torch.zeros(()), "unexpected 'adam.x.step'"),
        ("adam.0.step", torch.tensor(-5.0), "'adam.0.step' is -5, not a number of steps from 0 to 2"),
        ("adam.0.step", torch.tensor(3.0), "'adam.0.step' is 3, not"),
        ("adam.0.step", torch.tensor(0.5), "'adam.0.step' is 0.5, not"),
        ("adam.0.exp_avg_sq", "negative", "'adam.0.exp_avg_sq', a mean of squares, is negative"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(name, tensor, said):
    learner = learned(2)
    saved = learner.tensors()
    learner.check(saved, 2)
    if tensor is None:
        del saved[name]
    else:
        saved[name] = saved[name] - 1 if isinstance(tensor, str) else tensor
    with pytest.raises(ValueError, match=said):
        Learner(OBJECTIVE, SCHEDULE, RUN).check(saved, 2)


def test_only_whole_moments_may_be_missing_in_an_earlier_state():
    saved = learned(2).tensors()
    del saved["adam.0.step"]
    with pytest.raises(ValueError, match=r"it lacks 'adam.0.step'"):
        Learner(OBJECTIVE, SCHEDULE, RUN).check(saved, 2, moments="used")
    del saved["adam.0.exp_avg"], saved["adam.0.exp_avg_sq"]
    Learner(OBJECTIVE, SCHEDULE, RUN).check(saved, 2, moments="used")
    with pytest.raises(ValueError, match=r"it lacks 'adam.0.step', 'adam.0.exp_avg', 'adam.0.exp_avg_sq'"):
        Learner(OBJECTIVE, SCHEDULE, RUN).check(saved, 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "steps must be 1 at least"),
        ({"learning_rate": 0.0}, "must be above 0"),
        ({"learning_rate": math.nan}, "must be above 0"),
        ({"average": 1.0}, "average from 0 to below 1"),
        ({"schedule": "linear"}, "one of cosine, cooldown, paper, got 'linear'"),
    ],
)
def test_paces_that_cannot_work_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        TrainingSchedule(**settings)


def test_rates_stay_until_the_cooldown():
    schedule = TrainingSchedule(steps=1000, schedule="cooldown", warm_up=10)
    assert schedule.rate_share(10) == schedule.rate_share(699) == 1
    assert schedule.rate_share(850) == pytest.approx(0.505)
    assert schedule.rate_share(999) < 0.011
