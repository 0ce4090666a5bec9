import pytest
import torch

from innersr.errors import InputError
from innersr.metrics.flicker import flicker


def pattern(height=64, width=96):
    """A smooth picture, larger than the frames that are cut from it."""
    rows, columns = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return (0.5 + 0.2 * torch.sin(rows / 4 + columns / 7) + 0.2 * torch.sin(columns / 3 - rows / 9))[None, None]


def pan(steps, side=40):
    """Frames that move by (down, across) pixels each."""
    x, down, across = pattern(), 0, 0
    frames = []
    for step_down, step_across in steps:
        down, across = down + step_down, across + step_across
        frames.append(x[..., down : down + side, across : across + side])
    return frames


def test_motion_by_whole_pixels_is_no_flicker():
    assert flicker(pan([(0, 0), (2, 3), (1, 4), (0, 0)])) == 0


def test_motion_by_half_pixels_leaves_what_interpolation_misses():
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    frames = [(0.5 + 0.4 * torch.sin((rows + 0.5 * n) / 5 + (columns + 1.5 * n) / 8))[None, None] for n in range(4)]
    still = [255 * float((a - b).abs().mean()) for a, b in zip(frames, frames[1:], strict=False)]
    assert flicker(frames) < 0.1 < 10 < min(still)


def test_a_change_of_brightness_is_measured_in_levels():
    x = pattern()[..., :40, :40]
    assert flicker([x, x + 3 / 255, x]) == pytest.approx(3, abs=0.05)


def test_noise_is_flicker():
    draws = torch.Generator().manual_seed(0)
    frames = [x + 0.02 * torch.randn(x.shape, generator=draws) for x in pan([(0, 0)] * 4)]
    # The mean absolute difference of two draws of sigma s is 2 s / sqrt(pi); the best of 289 motions is below it.
    assert 0.7 * 5.75 < flicker(frames) < 5.75


def test_colours_are_compared_by_their_luma():
    x = pattern()[..., :40, :40]
    assert flicker([x.expand(-1, 3, -1, -1)] * 2) == 0
    brighter = x.expand(-1, 3, -1, -1) + 2 / 255
    assert flicker([x.expand(-1, 3, -1, -1), brighter]) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([torch.zeros(1, 1, 40, 40)], "two or more"),
        ([torch.zeros(1, 1, 40, 40), torch.zeros(1, 1, 40, 41)], "one size"),
        ([torch.zeros(1, 1, 20, 40)] * 2, "24x24 pixels or more, got 40x20"),
        ([torch.zeros(2, 1, 40, 40)] * 2, "1 or 3 channels"),
    ],
)
def test_an_input_that_is_no_film_is_refused(frames, words):
    with pytest.raises(InputError, match=words):
        flicker(frames)
