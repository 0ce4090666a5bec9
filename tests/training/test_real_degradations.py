"""Chains of degradations: what happened is what is given, up to errors that are given as noise."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from helpers.methods import image
from innersr.physics.chains import unsharp_filter
from innersr.physics.jpeg import jpeg_strength, webp_strength
from innersr.physics.kernels import centre_of_mass
from innersr.run import generator_of
from innersr.training.degradations import degrade, hr_side
from innersr.training.real_degradations import ChainMixture, random_chain, random_chain_task

NOTHING = ChainMixture(clean=1.0, clean_mistaken=0.0, unrounded=1.0)
NONE_OF_ALL = ChainMixture(
    clean=0, soft=0, early_noise=0, early_jpeg=0, sharpened=0, noisy=0, compressed=0, mistaken=0, unrounded=1
)


def scenes(count, scale=2, side=16):
    size = hr_side(side, scale)
    return torch.cat([image(3, (size, size), seed) for seed in range(count)])


def generators(count, seed=1):
    return [generator_of(seed, 0, i) for i in range(count)]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_clean_image_is_its_scene_shrunk_by_the_given_kernel(scale):
    crops = scenes(4, scale)
    task = random_chain_task(crops, scale, generators(4), NOTHING)
    assert torch.allclose(task.lr, degrade(crops, task.taps, scale).clamp(0, 1), atol=1e-6)
    assert task.noise.tolist() == task.compression.tolist() == [0] * 4
    assert task.hr.shape[-1] == scale * task.lr.shape[-1]


def test_an_image_depends_on_its_own_generator_alone():
    crops = scenes(3)
    together = random_chain_task(crops, 2, generators(3))
    alone = random_chain_task(crops[1:2], 2, generators(3)[1:2])
    assert torch.allclose(together.lr[1], alone.lr[0], atol=1e-6)
    assert torch.allclose(together.taps[1], alone.taps[0], atol=1e-6)


def test_successive_crops_share_a_chain():
    """Two of three crops each: one kernel and one noise for the three, whose draws of it are different."""
    crops = scenes(1, side=40).expand(6, -1, -1, -1) * 0.5 + 0.25
    task = random_chain_task(crops, 2, generators(2), replace(NONE_OF_ALL, noisy=1.0, loudest=8.0))
    assert len(task.taps) == len(task.noise) == len(task.compression) == 2
    added = task.lr - degrade(crops, task.taps, 2)
    found = added.square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(found, task.noise.repeat_interleave(3), rtol=0.05, atol=1e-4)
    assert not torch.allclose(added[0], added[1])
    alone = random_chain_task(crops[:1], 2, generators(2)[:1], NONE_OF_ALL)
    assert torch.allclose(task.taps[0], alone.taps[0])


def test_what_a_mistaken_kernel_does_not_explain_is_the_mean_over_the_crops_of_its_chain():
    crops, mistaken = scenes(6), replace(NOTHING, clean_mistaken=1.0)
    wrong, right = (random_chain_task(crops, 2, generators(2), each) for each in (mistaken, NOTHING))
    missed = (degrade(crops, wrong.taps, 2) - degrade(crops, right.taps, 2)).square().mean((1, 2, 3))
    assert bool((wrong.noise >= missed.unflatten(0, (2, 3)).mean(1).sqrt() - 1e-6).all())


def test_the_given_noise_is_that_of_the_image():
    mixture = replace(NONE_OF_ALL, noisy=1.0, loudest=8.0)
    crops = 0.25 + 0.5 * scenes(12, side=40)  # nothing is clipped
    task = random_chain_task(crops, 2, generators(12), mixture)
    found = (task.lr - degrade(crops, task.taps, 2)).square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(found, task.noise, rtol=0.05, atol=1e-4)
    assert task.noise.min() < 0.4 * task.noise.max()


def test_what_a_mistaken_kernel_does_not_explain_is_given_as_noise():
    crops, mistaken = scenes(8), replace(NOTHING, clean_mistaken=1.0)
    wrong, right = (random_chain_task(crops, 2, generators(8), each) for each in (mistaken, NOTHING))
    missed = (degrade(crops, wrong.taps, 2) - degrade(crops, right.taps, 2)).square().mean((1, 2, 3)).sqrt()
    assert torch.equal(wrong.lr, right.lr)
    assert bool((wrong.noise >= missed - 1e-6).all())
    assert float(missed.max()) > 0.5 / 255


def test_a_compressed_image_is_given_with_its_strength():
    task = random_chain_task(scenes(8), 2, generators(8), replace(NONE_OF_ALL, compressed=1.0))
    assert 0.15 < float(task.compression.min()) < float(task.compression.max()) < 0.72  # qualities 95 to 25
    assert torch.allclose(task.lr * 255, (task.lr * 255).round(), atol=1e-3)


def test_the_truth_of_a_soft_scene_is_soft():
    crops = scenes(4)
    task, sharp = (random_chain_task(crops, 2, generators(4), replace(NONE_OF_ALL, soft=s)) for s in (1.0, 0.0))
    detail, of_sharp = (t.hr.diff(dim=-1).abs().mean((1, 2, 3)) for t in (task, sharp))
    assert bool((detail < 0.8 * of_sharp).all())


def test_soft_scenes_may_be_shrunk_by_filters_alone_and_all_else_stays_as_drawn():
    mixture = replace(NONE_OF_ALL, soft=0.5, lanczos=0, box=0)
    blurred = [random_chain(generator, mixture) for generator in generators(40)]
    shrunk = [random_chain(generator, replace(mixture, blurs_soft=False)) for generator in generators(40)]
    assert {chain.filter for chain in blurred if chain.soft} == {""}
    assert {chain.filter for chain in shrunk if chain.soft} == {"bicubic", "lanczos", "box"}
    assert [chain._replace(filter="") for chain in shrunk] == blurred


def test_sharpening_is_part_of_the_given_kernel():
    """And that of an unsharp mask of the small image, within it."""
    crops, sharpened = scenes(6, side=24), replace(NONE_OF_ALL, sharpened=1.0)
    task, plain = (random_chain_task(crops, 2, generators(6), each) for each in (sharpened, NONE_OF_ALL))
    assert torch.allclose(task.lr, degrade(crops, task.taps, 2).clamp(0, 1), atol=1e-6)
    drawn = [random_chain(generator, sharpened).sharpening for generator in generators(6)]
    filters = torch.stack([unsharp_filter(*each) for each in drawn])[:, None]
    inner = degrade(crops, plain.taps, 2).transpose(0, 1)
    expected = F.conv2d(inner, filters, groups=6).transpose(0, 1)
    assert torch.allclose(task.lr[..., 3:-3, 3:-3], expected.clamp(0, 1), atol=2e-3)
    assert float((task.lr - plain.lr).abs().max()) > 0.05


def test_early_noise_is_given_as_it_remains():
    mixture = replace(NONE_OF_ALL, early_noise=1.0)
    flat = torch.full((12, 3, hr_side(40, 2), hr_side(40, 2)), 0.5)
    task = random_chain_task(flat, 2, generators(12), mixture)
    found = (task.lr - 0.5).square().mean((1, 2, 3)).sqrt()
    assert torch.allclose(found, task.noise, rtol=0.1)
    assert float(task.noise.min()) > 0


@pytest.mark.parametrize(
    ("qualities", "expected"),
    [
        ({"quality": 90}, jpeg_strength(90)),
        ({"quality": 90, "is_webp": True}, webp_strength(90)),
        ({"quality": 90, "first_quality": 30}, jpeg_strength(30)),
        ({"quality": 30, "first_quality": 90}, jpeg_strength(30)),
        ({"quality": 90, "early_quality": 30}, jpeg_strength(30) / 2),
        ({}, 0),
    ],
)
def test_the_given_strength_is_that_of_the_strongest_compression(qualities, expected):
    none = {"quality": 0, "first_quality": 0, "early_quality": 0, "is_webp": False}
    chain = random_chain(generators(1)[0], ChainMixture())._replace(**{**none, **qualities})
    assert chain.strength(2) == expected


def test_a_mistaken_kernel_lies_where_the_true_one_does():
    crops, mistaken = scenes(8), replace(NOTHING, clean_mistaken=1.0)
    wrong, right = (random_chain_task(crops, 2, generators(8), each).taps for each in (mistaken, NOTHING))
    places = [torch.tensor([centre_of_mass(kernel) for kernel in taps]) for taps in (wrong, right)]
    assert torch.allclose(*places, rtol=0, atol=0.1)  # HR pixels
    assert float(places[1].std(0).min()) > 0.1, "they lie at several places"
