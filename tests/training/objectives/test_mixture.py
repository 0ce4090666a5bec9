"""The objective of the mixture policy: quadratic forms, utility, examples measured once."""

from dataclasses import fields

import pytest
import torch

from helpers.methods import RUN, image
from helpers.training import pool
from innersr.errors import InputError
from innersr.networks.mixture_policy import MixturePolicy
from innersr.training.objectives import mixture
from innersr.training.objectives.mixture import Measured, MixtureObjective, measure_example


class Shares(torch.nn.Module):
    """A policy of the same shares for all."""

    def __init__(self, *shares):
        super().__init__()
        self.shares = torch.tensor(shares)

    def forward(self, features, _scales):
        return self.shares.expand(len(features), -1)


def row(error, cross, gram):
    return Measured(torch.zeros(83), 2, torch.tensor(error), torch.tensor(cross), torch.tensor(gram))


def gain_of(shares, *rows):
    return mixture._gains(Shares(*shares), rows, RUN)


def test_gains_are_those_of_the_mixed_images():
    truth, start, *results = torch.rand(4, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    error, added = truth - start, torch.stack(results) - start
    measured = row(float(error.square().mean()), (added @ error / 1000).tolist(), (added @ added.mT / 1000).tolist())
    mixed = 0.3 * start + 0.5 * results[0] + 0.2 * results[1]
    least = 10**-4.2
    expected = 10 * torch.log10((error.square().mean() + least) / ((truth - mixed).square().mean() + least))
    assert float(gain_of((0.3, 0.5, 0.2), measured)) == pytest.approx(float(expected), abs=1e-3)


def test_interpolation_gains_nothing():
    assert float(gain_of((1.0, 0.0), row(1e-3, [5e-4], [[1e-3]]))) == 0


def test_a_loss_counts_several_times():
    gains = torch.tensor([1.0, -1.0])
    assert mixture._utility(gains, 4.0).tolist() == [1.0, -4.0]


def test_differences_that_nobody_sees_do_not_count():
    """A soft scene: interpolation has 50 dB, the restoration 26."""
    loss = float(gain_of((0.0, 1.0), row(1e-5, [0.0], [[2.5e-3]])))
    assert -17 < loss < -14


def test_an_example_is_measured_once(monkeypatch):
    calls = []
    monkeypatch.setattr(
        mixture, "measure_example", lambda *_: calls.append(1) or row(1e-3, [5e-4] * 4, torch.eye(4).tolist())
    )
    objective, images = MixtureObjective(hidden=8, batch=2, examples=4, crop=32), pool()._replace(computed={})
    network = objective.network()
    for step in range(4):
        objective.loss(network, objective.crops(images, step, range(2)), RUN)
    assert len(calls) == 4
    assert objective.crops(images, 7, range(2)).images.shape[-1] == 1


def test_the_objective_keeps_no_state(monkeypatch):
    calls = []
    monkeypatch.setattr(
        mixture, "measure_example", lambda *_: calls.append(1) or row(1e-3, [5e-4] * 4, torch.eye(4).tolist())
    )
    objective = MixtureObjective(hidden=8, batch=2, examples=4, crop=32)
    before = dict(vars(objective))
    for _ in range(2):
        objective.loss(objective.network(), objective.crops(pool(), 0, range(2)), RUN)
    assert vars(objective) == before == {field.name: getattr(objective, field.name) for field in fields(objective)}
    assert len(calls) == 4, "other images, or a run that keeps nothing, measure anew"


def test_measuring_needs_the_image_and_its_seed_alone():
    crop = image(3, (120, 120))
    first, again = (measure_example(crop, 2, torch.Generator().manual_seed(3), RUN) for _ in range(2))
    assert torch.equal(first.gram, again.gram)
    assert first.gram.shape == (4, 4)
    assert float(first.error) > 0


def test_shares_are_of_sum_one_and_depend_on_the_scale():
    policy = MixturePolicy(hidden=8, generator=torch.Generator().manual_seed(0))
    torch.nn.init.ones_(policy.answer.weight[:1])
    features = torch.randn(2, 83, generator=torch.Generator().manual_seed(1))
    shares = policy(features, torch.tensor([2.0, 4.0]))
    assert torch.allclose(shares.sum(1), torch.ones(2))
    assert not torch.allclose(policy(features, torch.tensor([3.0, 4.0]))[0], shares[0])


@pytest.mark.parametrize(
    "wrong", [{"crop": 16}, {"batch": 9, "examples": 8}, {"aversion": 0.5}, {"hidden": 0}], ids=lambda w: next(iter(w))
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError):
        MixtureObjective(**wrong)
