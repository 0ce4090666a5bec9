import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import InputError
from innersr.singan.patches.inpainting import _beside, _surroundings, inpaint


def stripes(sides=(32, 40)):
    """Columns of period 4, and a slow change from row to row."""
    columns = torch.tensor([-0.6, -0.6, 0.6, 0.6]).repeat(sides[1] // 4).expand(1, 2, *sides)
    return columns + torch.linspace(-0.2, 0.2, sides[0])[:, None]


def hole(sides=(32, 40), box=(12, 20, 14, 24)):
    mask = torch.zeros(1, 1, *sides)
    mask[..., box[0] : box[1], box[2] : box[3]] = 1
    return mask


def test_stripes_go_on_through_a_hole():
    whole, mask = stripes(), hole()
    made = inpaint(torch.where(mask > 0, 1.0, whole), mask, tiny(max_size=40), run=RUN)
    assert torch.equal(made[..., :12, :], whole[..., :12, :])
    inside = mask.expand_as(whole) > 0
    assert float((made - whole)[inside].abs().mean()) < 0.1


def test_nothing_of_the_hole_is_used():
    mask = hole()
    first, second = (
        inpaint(torch.where(mask > 0, value, stripes()), mask, tiny(max_size=40), run=RUN) for value in (-1.0, 1.0)
    )
    assert torch.equal(first, second)


def test_several_fillings_differ_inside_only():
    x, mask = picture(3, (32, 40)), hole(box=(10, 22, 10, 30))
    made = inpaint(x, mask, tiny(max_size=40), count=3, run=RUN)
    assert bool((made[:1] != made[1:]).any())
    assert torch.equal(torch.where(mask > 0, x, made[:1]), x)


def test_patches_beside_a_hole_do_not_touch_it():
    allowed = _beside(hole((8, 9), (3, 4, 5, 6)), 3)
    assert allowed.shape == (6, 7)
    assert allowed.logical_not().nonzero().tolist() == [[y, x] for y in (1, 2, 3) for x in (3, 4, 5)]


def test_a_hole_begins_as_its_surroundings_are():
    mask = hole()
    known = torch.full((1, 1, 32, 40), 0.25)
    filled = _surroundings(torch.where(mask > 0, -1.0, known), mask)
    assert torch.allclose(filled, known, atol=1e-5)


@pytest.mark.parametrize(
    ("mask", "settings", "message"),
    [
        (torch.zeros(1, 1, 32, 40), {"max_size": 40}, "the mask marks nothing"),
        (torch.ones(1, 1, 32, 40), {"max_size": 40}, "the mask marks the whole picture"),
        (torch.ones(1, 1, 32, 39), {"max_size": 40}, r"the mask must be \(1, 1, 32, 40\)"),
        (hole(), {"max_size": 39}, "max_size is 39, the picture has 40"),
        (hole(box=(3, 29, 3, 37)), {"max_size": 40}, "leaves hardly a patch to copy"),
    ],
)
def test_what_cannot_be_filled_is_refused(mask, settings, message):
    with pytest.raises(InputError, match=message):
        inpaint(stripes(), mask, tiny(**settings), run=RUN)


def test_a_hole_in_a_single_row_begins_as_its_surroundings_are():
    mask = torch.zeros(1, 1, 1, 30)
    mask[..., 5:25] = 1
    assert torch.allclose(_surroundings(1 - mask, mask), torch.ones(1, 1, 1, 30))
