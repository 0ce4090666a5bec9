"""What every objective promises to the session; and what each of them teaches."""

import dataclasses
import math

import pytest
import torch

from helpers.methods import RUN, image
from helpers.training import OBJECTIVES, SCHEDULE, pool
from innersr.errors import InputError
from innersr.physics.degradation import Degradation
from innersr.training.degradations import random_blur
from innersr.training.distributed import ProcessGroup
from innersr.training.learner import Learner, backpropagate
from innersr.training.objective import reconstruction_loss
from innersr.training.objectives.mixture import MixtureObjective
from innersr.training.objectives.predictor import PredictorObjective
from innersr.training.objectives.supervised import SupervisedObjective
from innersr.training.objectives.tailor import FILM_SHARE, TailorObjective

STEP = 7
SUM = 1e-5  # relative: float32 sums in another order


@pytest.fixture(params=OBJECTIVES)
def objective(request):
    return OBJECTIVES[request.param]


def loss_and_gradients(objective, network, index):
    loss = backpropagate(objective, network, objective.crops(pool(), STEP, index), RUN)
    return float(loss), [torch.zeros(1) if p.grad is None else p.grad.clone() for p in network.parameters()]


def test_every_parameter_learns_in_one_group(objective):
    network = objective.network()
    grouped = [id(parameter) for group in objective.parameter_groups(network) for parameter in group.parameters]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())


def test_the_initial_weights_are_the_seeds(objective):
    first, again = objective.network().state_dict(), objective.network().state_dict()
    other = dataclasses.replace(objective, seed=1).network().state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_parts_of_a_batch_add_up_to_the_whole(objective):
    network = objective.network()
    whole, gradients = loss_and_gradients(objective, network, range(objective.batch))
    parts = [loss_and_gradients(objective, network, [i]) for i in range(objective.batch)]
    if isinstance(objective, PredictorObjective):
        # A pixel between two levels may be rounded otherwise in another batch, and its image compressed otherwise.
        assert math.isclose(sum(loss for loss, _ in parts), whole, rel_tol=1e-3)
        for gradient, *shares in zip(gradients, *(part for _, part in parts), strict=True):
            assert float((sum(shares) - gradient).norm()) <= 0.05 * float(gradient.norm()) + 1e-3
        return
    assert math.isclose(sum(loss for loss, _ in parts), whole, rel_tol=SUM, abs_tol=1e-7)
    for gradient, *shares in zip(gradients, *(part for _, part in parts), strict=True):
        assert torch.allclose(sum(shares), gradient, rtol=1e-4, atol=SUM)


def test_crops_do_not_depend_on_who_else_cuts(objective):
    together, alone = objective.crops(pool(), STEP, range(objective.batch)), objective.crops(pool(), STEP, [1])
    each = len(together.images) // objective.batch
    assert torch.equal(together.images[each : 2 * each], alone.images)
    assert (together.step, len(alone.generators)) == (STEP, 1)


def test_no_crop_is_larger_than_the_side_of_the_objective(objective):
    sides = {objective.crops(pool(), step, [0]).images.shape[-1] for step in range(30)}
    assert max(sides) == objective.side


def test_steps_differ(objective):
    first, second = (objective.crops(pool(), step, [0]).images for step in (0, 1))
    assert first.shape != second.shape or not torch.equal(first, second)


def test_validation_gives_figures_of_the_untrained_network(objective):
    images = (image(3, (48, 48)),)
    figures = objective.validate(objective.network(), images, RUN)
    assert figures
    if getattr(objective, "chains", False):
        # The pseudo-inverse alone, nearly: better than interpolation where nothing but a known blur happened.
        assert 1 < figures["g2.0d x2"] < 12
        assert min(figures.values()) > -15
        return
    if isinstance(objective, MixtureObjective):
        assert figures["utility"] <= figures["gain"]  # losses count more
        assert -20 < figures["gain"] < 10
        return
    assert all(15 < value < 45 if objective.unit == "dB" else 0 <= value < 100 for value in figures.values())


def test_the_loss_falls(objective):
    learner = Learner(objective, dataclasses.replace(SCHEDULE, steps=40, warm_up=0), RUN)
    losses = [
        # Crops bring generators, which are used up: the same task needs new ones.
        float(learner.learn(objective.crops(pool(), STEP, range(objective.batch)), ProcessGroup(), lambda: False)[0])
        for _ in range(12)
    ]
    assert losses[-1] < losses[0]


def test_scales_come_as_often_as_their_shares():
    objective = TailorObjective(x2=0.5, x3=0, x4=1.5)
    drawn = [objective.scale(step) for step in range(400)]
    assert set(drawn) == {2, 4}
    assert 70 <= drawn.count(2) <= 130  # 100 are expected


def test_clean_chains_leave_noise_and_files_out():
    plain, usual = (
        TailorObjective(
            width=6, depth=4, hidden=8, batch=8, crop=16, x3=0, x4=0, chains=True, clean=c, clean_mistaken=0
        )
        for c in (1.0, 0.0)
    )
    tasks = [o._task(o.crops(pool(), 0, range(8)), torch.device("cpu")) for o in (plain, usual)]
    assert float(tasks[0].noise.max()) == float(tasks[0].compression.max()) == 0
    assert float(tasks[1].noise.max()) > 0 and float(tasks[1].compression.max()) > 0


def test_a_crop_that_is_given_twice_counts_once():
    once = TailorObjective(width=6, depth=4, hidden=8, batch=2, crop=16, x3=0, x4=0, chains=True, clean=1)
    twice = dataclasses.replace(once, crops_each=2)
    network, crops, again = once.network(), *(once.crops(pool(), 0, range(2)) for _ in range(2))
    doubled = again._replace(images=again.images.repeat_interleave(2, 0))
    losses = [float(o.loss(network, c, RUN).value) for o, c in ((once, crops), (twice, doubled))]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_only_hidden_convolutions_of_tailor_learn_by_muon_and_film_learns_slowly():
    network = TailorObjective(width=6, depth=4, hidden=8).network()
    hidden, film, rest = TailorObjective().parameter_groups(network)
    assert [(g.optimizer, g.share) for g in (hidden, film, rest)] == [
        ("muon", 1.0),
        ("adam", FILM_SHARE),
        ("adam", 1.0),
    ]
    assert FILM_SHARE <= 0.1
    assert [tuple(p.shape) for p in hidden.parameters] == [(6, 6, 3, 3)] * 2
    assert {id(p) for p in film.parameters} == {
        id(p) for part in (network.told, network.film) for p in part.parameters()
    }


def test_crops_of_one_scale_are_as_large_as_it_needs():
    assert TailorObjective(x3=0, x4=0).side == 2 * (48 + 12)
    assert TailorObjective().side == 4 * (32 + 12)


def test_the_logarithmic_error_is_that_of_each_crops_psnr():
    """Ten times less error everywhere is 20 dB for a loud crop as for a faint one, and ln 100 of the loss."""
    error = 10 * torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    error[1] *= 30
    assert float(
        reconstruction_loss(error, "logarithmic") - reconstruction_loss(error / 10, "logarithmic")
    ) == pytest.approx(math.log(100), rel=1e-3)
    expected = float(error.square().mean((1, 2, 3)).log().mean())
    assert float(reconstruction_loss(error, "logarithmic")) == pytest.approx(expected, rel=1e-3)
    nothing = torch.zeros(1, 3, 6, 6, requires_grad=True)
    reconstruction_loss(nothing, "logarithmic").backward()
    assert float(nothing.grad.abs().max()) == 0


def test_validation_of_tailor_leaves_out_scales_that_it_does_not_learn():
    objective = OBJECTIVES["tailor, adam"]
    names = objective.validate(objective.network(), (image(3, (48, 48)),), RUN)
    assert list(names) == ["g0.2d x2", "g2.0d x2", "ganid x2", "g1.3b x2", "bicubic x2"]


def test_a_network_without_detail_has_the_error_of_interpolation():
    objective = OBJECTIVES["supervised"]
    network = objective.network()
    torch.nn.init.zeros_(network.convolutions[-1].weight)
    crops = objective.crops(pool(), 0, range(objective.batch))
    hr = crops.images.float() / 255
    lr = (255 * Degradation(scale=2)(hr)).round() / 255
    error = (Degradation(scale=2).upsample(lr, (16, 16)) - hr).abs().mean()
    assert math.isclose(float(objective.loss(network, crops, RUN).value.detach()), float(error), rel_tol=1e-5)


def test_the_logarithmic_error_counts_the_luma_too():
    objective = dataclasses.replace(OBJECTIVES["supervised"], error="logarithmic")
    network = objective.network()
    torch.nn.init.zeros_(network.convolutions[-1].weight)
    crops = objective.crops(pool(), 0, range(objective.batch))
    hr = crops.images.float() / 255
    error = Degradation(scale=2).upsample((255 * Degradation(scale=2)(hr)).round() / 255, (16, 16)) - hr
    luma = (65.481 * error[:, 0] + 128.553 * error[:, 1] + 24.966 * error[:, 2]) / 219
    expected = [float((e.square().flatten(1).mean(1) + 1 / 255**2).log().mean()) for e in (error, luma)]
    assert math.isclose(float(objective.loss(network, crops, RUN).value.detach()), sum(expected), rel_tol=1e-5)


def test_blurred_images_have_kernels_that_depend_on_seed_step_and_place_only():
    objective = SupervisedObjective(
        batch=3, crop=16, width=4, depth=3, blur=True, subsampling="direct", anchor="centre"
    )
    network = objective.network()
    torch.nn.init.zeros_(network.convolutions[-1].weight)
    crops = objective.crops(pool(), 2, range(3))
    errors = []
    for index, hr in enumerate(crops.images.float()[:, None] / 255):
        drawn = objective.crops(pool(), 2, [index]).generators[0]
        degradation = random_blur(drawn, 2, subsampling="direct", anchor="centre")
        lr = (255 * degradation(hr)).round() / 255
        errors.append(float((degradation.upsample(lr, (16, 16)) - hr).abs().mean()))
    assert math.isclose(float(objective.loss(network, crops, RUN).value.detach()), sum(errors) / 3, rel_tol=1e-5)
    assert list(objective.validate(network, (image(3, (48, 48)),), RUN)) == ["g2.0d x2", "ganid x2"]


def test_several_scales_and_crops_without_blur_are_drawn_evenly():
    objective = SupervisedObjective(scales=6, crop=24, blur=True, unblurred=0.5, subsampling="direct", anchor="either")
    drawn = [objective._degradation(torch.Generator().manual_seed(seed)) for seed in range(120)]
    assert {d.scale for d in drawn} == {2.0, 2.2, 2.4, 2.6, 2.8, 3.0}
    sharp = [d for d in drawn if d.kernel is None]
    assert 40 < len(sharp) < 80
    assert {d.subsampling for d in drawn if d.kernel is not None} == {"direct"}
    crops = objective.crops(pool(), 0, range(4))
    seen, base = objective._pairs(crops.images.float() / 255, crops.generators)
    assert torch.equal(seen, base) and seen.shape == crops.images.shape
    names = [*objective.validate(objective.network(), (image(3, (48, 48)),), RUN)]
    assert names == ["g2.0d x2", "ganid x2", "g2.0d x3", "ganid x3"]


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (TailorObjective, {"crop": 12}, "crop and small_crop must be 13 at least"),
        (TailorObjective, {"x2": 0.0, "x3": 0.0, "x4": 0.0}, "not all 0"),
        (TailorObjective, {"x2": -1.0}, "x2, x3 and x4 must be at least 0"),
        (TailorObjective, {"optimizer": "sgd"}, "one of adam, muon, got 'sgd'"),
        (TailorObjective, {"error": "squared"}, "one of absolute, logarithmic, got 'squared'"),
        (TailorObjective, {"depth": 2}, "depth 3 at least"),
        (TailorObjective, {"crops_each": 2}, "crops_each=2 is for chains"),
        (TailorObjective, {"chains": True, "crops_each": 0}, "crops_each, width and hidden must be 1 at least"),
        (SupervisedObjective, {"crop": 25}, "a multiple of every whole scale, got 25 for \\[2.0\\]"),
        (
            SupervisedObjective,
            {"scales": 6, "crop": 64},
            "a multiple of every whole scale, got 64 for \\[2.0, 2.2, 2.4, 2.6, 2.8, 3.0\\]",
        ),
        (SupervisedObjective, {"scale": 1}, "scale must be 2 at least and scales 1, got 1 and 1"),
        (SupervisedObjective, {"scales": 0}, "scale must be 2 at least and scales 1, got 2 and 0"),
        (SupervisedObjective, {"scales": 2, "subpixel": True}, "a sub-pixel network needs one whole scale"),
        (SupervisedObjective, {"blur": True, "unblurred": 1.5}, "a share from 0 to 1, got 1.5"),
        (SupervisedObjective, {"unblurred": 0.5}, "are for blurred images; set blur=true"),
        (SupervisedObjective, {"optimizer": "sgd"}, "one of adam, muon, got 'sgd'"),
        (SupervisedObjective, {"error": "squared"}, "one of absolute, logarithmic, got 'squared'"),
        (SupervisedObjective, {"batch": 0}, "batch and width must be 1 at least"),
        (SupervisedObjective, {"blur": True, "subsampling": "cubic"}, "one of direct, bicubic, got 'cubic'"),
        (SupervisedObjective, {"blur": True, "anchor": "corner"}, "one of centre, aligned, either, got 'corner'"),
        (SupervisedObjective, {"blur": True, "crop": 14}, "crop must be 15 at least, the side of the kernels, got 14"),
        (SupervisedObjective, {"subsampling": "direct"}, "are for blurred images; set blur=true"),
    ],
)
def test_settings_that_cannot_work_are_refused(kind, settings, said):
    with pytest.raises(InputError, match=said):
        kind(**settings)


@pytest.mark.parametrize("share", ["kernel_error", "coloured_noise", "jpeg"])
def test_every_share_of_tailor_reaches_its_tasks(share):
    """At 1 the same network sees other tasks, and has another loss."""
    objective = OBJECTIVES["tailor, logarithmic"]
    network = objective.network()
    crops = [objective.crops(pool(), STEP, range(objective.batch)) for _ in range(2)]
    plain = objective.loss(network, crops[0], RUN).value
    changed = dataclasses.replace(objective, **{share: 1.0}).loss(network, crops[1], RUN).value
    assert abs(float(changed.detach() - plain.detach())) > 1e-4
