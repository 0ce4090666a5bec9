import numpy as np
import pytest
import torch

import innersr
from innersr.images.image import Image
from innersr.inference.motion import optical_flow, warped
from innersr.inference.steadying import UpscaledFrame, steadied
from innersr.metrics.flicker import flicker


def scene(height, width, seed=0, fastest=0.5):
    """Waves up to `fastest` radians a pixel, (1, 1, height, width)."""
    rows, columns = np.mgrid[:height, :width]
    draws = np.random.default_rng(seed)
    waves = sum(
        np.sin(rows * draws.uniform(-1, 1) * fastest + columns * draws.uniform(-1, 1) * fastest + draws.uniform(0, 6))
        for _ in range(24)
    )
    return torch.from_numpy((waves / 24 + 0.5).clip(0, 1))[None, None].float()


@pytest.mark.parametrize("step", [(0, 0), (1, 2), (3, -5), (-7, 11)])
def test_the_flow_of_a_panning_camera_is_its_motion(step):
    large = scene(180, 220)
    still = large[..., 40:140, 40:180]
    moved = large[..., 40 - step[0] : 140 - step[0], 40 - step[1] : 180 - step[1]]
    flow = optical_flow(still, moved)[..., 16:-16, 16:-16]
    assert (flow - torch.tensor(step).view(1, 2, 1, 1)).abs().mean() < 0.05


def test_the_flow_tells_parts_of_a_pixel():
    large = scene(200, 280)
    still, moved = (innersr.imresize(large[..., y : y + 160, x : x + 240], 0.5) for y, x in ((21, 20), (20, 23)))
    flow = optical_flow(still, moved)[..., 8:-8, 8:-8]  # the camera goes up and right, the scene down and left
    assert flow.mean((0, 2, 3)).tolist() == pytest.approx([0.5, -1.5], abs=0.05)


def test_what_is_moved_along_its_flow_is_the_frame():
    large = scene(200, 280)
    still, moved = (innersr.imresize(large[..., y : y + 160, x : x + 240], 0.5) for y, x in ((21, 20), (20, 23)))
    before = (moved - still)[..., 8:-8, 8:-8].abs().mean()
    assert (warped(moved, optical_flow(still, moved)) - still)[..., 8:-8, 8:-8].abs().mean() < 0.05 * before


def panning_film(noise):
    """Frames and results that are the true scene with errors of their own: (truth, upscaled frames)."""
    large, draws = scene(140, 180), torch.Generator().manual_seed(0)
    truth = [large[..., 20 : 20 + 96, 20 + number : 20 + number + 128] for number in range(4)]
    frames = [innersr.imresize(each, 0.5) for each in truth]
    results = [each + noise * torch.randn(each.shape, generator=draws) for each in truth]
    return truth, [
        UpscaledFrame(Image(colour=a), Image(colour=b.clamp(0, 1))) for a, b in zip(frames, results, strict=True)
    ]


def test_errors_of_single_frames_average_out():
    truth, film = panning_film(0.05)
    steady = [steadied(film[1], [film[0], film[2]]), steadied(film[2], [film[1], film[3]])]
    before = (film[1].result.colour - truth[1])[..., 4:-4, 4:-4].square().mean()
    after = (steady[0].colour - truth[1])[..., 4:-4, 4:-4].square().mean()
    assert after < 0.45 * before  # a third, were all frames of the same weight
    unsteady = flicker((each.result.colour for each in film[1:3]), reach=4, block=16)
    assert flicker((each.colour for each in steady), reach=4, block=16) < 0.7 * unsteady


def test_another_scene_leaves_a_frame_as_it_is():
    _, film = panning_film(0.0)
    other = scene(96, 128, seed=5)
    stranger = UpscaledFrame(Image(colour=innersr.imresize(other, 0.5)), Image(colour=other))
    change = (steadied(film[1], [stranger]).colour - film[1].result.colour).abs()
    assert change.mean() < 0.01
    assert steadied(film[1], []).colour.equal(film[1].result.colour)


def test_the_colours_of_transparent_pixels_are_not_spread():
    film = panning_film(0.0)[1]
    wrong = 1 - film[0].result.colour
    hidden = Image(colour=wrong, alpha=torch.zeros_like(wrong))
    found = steadied(film[1], [UpscaledFrame(film[0].frame, hidden)])
    assert found.colour.equal(film[1].result.colour)


def test_edges_of_what_moves_before_a_still_ground_are_left_as_they_are():
    """The results are the truth, so that every change is an error."""
    ground, disc = scene(192, 192, seed=1, fastest=1.2), scene(192, 192, seed=2, fastest=1.2)
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    film = []
    for step in (0, 6, 12):
        is_inside = ((rows - 64) ** 2 + (columns - 40 - step) ** 2 < 30**2).float()
        moved = disc[..., 32:160, 32 - step : 160 - step]
        truth = moved * is_inside + ground[..., 32:160, 32:160] * (1 - is_inside)
        film.append(UpscaledFrame(Image(colour=innersr.imresize(truth, 0.5).clamp(0, 1)), Image(colour=truth)))
    change = 255 * (steadied(film[1], [film[0], film[2]]).colour - film[1].result.colour)
    assert float(change.abs().max()) < 6 and float(change.square().mean().sqrt()) < 0.48  # 8-bit levels


def test_a_cut_that_was_not_found_leaves_no_ghost():
    """Both shots are of the same brightness and texture: only their places differ."""
    shots = [scene(100, 140, seed) for seed in (1, 2)]
    one, other = (UpscaledFrame(Image(colour=innersr.imresize(each, 0.5)), Image(colour=each)) for each in shots)
    change = 255 * (steadied(one, [other]).colour - one.result.colour).abs()
    between = 255 * (other.result.colour - one.result.colour).abs()
    assert between.mean() > 20
    assert change.mean() < 0.02 * between.mean() and change.max() < 12
