"""Chains of degradations: what happened is what is given, up to errors that are given as noise."""

from dataclasses import replace

import pytest
import torch

from helpers.methods import image
from innersr.run import generator_of
from innersr.training.degradations import degrade, hr_side
from innersr.training.real_degradations import ChainMixture, random_chain_task

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
