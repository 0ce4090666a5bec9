import pytest
import torch

from innersr.singan.patches.guess import Frame, Guess, Perturbation, bent, cells_of, in_finer_frame
from innersr.singan.patches.settings import PatchSettings

QUIET = PatchSettings(noise=0)


def ramp(frame):
    """A picture whose value at a height h is 2 h - 1."""
    rows = (torch.arange(frame.size[0]) + 0.5) / frame.size[0]
    return (2 * rows - 1).view(1, 1, -1, 1).expand(1, 1, *frame.size).contiguous()


def drawn(frame, search=QUIET, bend=0.3, seed=0, finer=(1, 1)):
    perturbation = Perturbation.drawn(frame, cells_of(search, finer), torch.Generator().manual_seed(seed))
    return bent(ramp(frame), frame, bend, search.noise, finer, perturbation)


def frame(size=(40, 30), wraps=(False, False), margin=6):
    return Frame(size=size, margin=margin, wraps=wraps)


@pytest.mark.parametrize("seed", range(4))
def test_rows_move_as_a_whole_and_keep_their_order(seed):
    guess = drawn(frame(), seed=seed)
    assert guess.picture.shape == (1, 1, 52, 42)
    column = guess.picture[0, 0, :, :1]
    assert torch.allclose(guess.picture[0, 0], column.expand(52, 42), atol=1e-5)
    assert bool((column[6:-6].diff(dim=0) > 0).all())


def test_heights_say_where_rows_come_from():
    guess = drawn(frame())
    inside = slice(7, -7)  # up to half a pixel of the border the picture is mirrored
    assert torch.allclose(guess.picture[0, 0, inside, 20], 2 * guess.heights[inside] - 1, atol=1e-3)
    assert guess.heights[5] < 0 < guess.heights[6]
    assert guess.heights[-7] < 1 < guess.heights[-6]
    assert float((guess.heights[6:-6] - torch.linspace(0, 1, 40)).abs().max()) > 0.03


def test_heights_grow_with_the_guess():
    finer = in_finer_frame(drawn(frame()), frame(), frame((64, 50)))
    assert finer.heights.shape == (76,)
    inside = slice(10, -10)
    assert torch.allclose(finer.picture[0, 0, inside, 20], 2 * finer.heights[inside] - 1, atol=2e-3)
    without = in_finer_frame(Guess(drawn(frame()).picture), frame(), frame((64, 50)))
    assert without.heights is None
    assert torch.equal(without.picture, finer.picture)


def test_nothing_is_above_where_a_picture_goes_on():
    assert drawn(frame(wraps=(True, False))).heights is None
    assert drawn(frame(wraps=(False, True))).heights is not None


def test_finer_layouts_move_less():
    moved = []
    for finer in ((1, 1), (4, 4)):
        places = [drawn(frame(), finer=finer, seed=seed).heights for seed in range(30)]
        moved.append(float(torch.stack(places).std(dim=0).max()))
    assert 0.05 < moved[0] < 0.3
    assert moved[1] < 0.5 * moved[0]
