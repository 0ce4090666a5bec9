import pytest
import torch

from innersr.errors import InputError
from innersr.singan.masks import continued, copy_marked, dilated, soft_mask


def square(sides=(40, 50), rows=(14, 26), columns=(20, 32), channels=1):
    """Return a black image with a white rectangle."""
    image = torch.zeros(1, channels, *sides)
    image[..., rows[0] : rows[1], columns[0] : columns[1]] = 1
    return image


def disk(sides, centre, radius):
    """Return which pixels lie within a disk, (H, W)."""
    y, x = torch.meshgrid(*(torch.arange(n) for n in sides), indexing="ij")
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def test_a_mask_without_growth_or_feathers_is_the_image():
    assert torch.equal(soft_mask(square()), square())


def test_pixels_count_from_half_brightness_on():
    image = square() * 0.9 + 0.05
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(soft_mask((image + 0.3 * (noise - 0.5)).clamp(0, 1)), square())
    assert soft_mask(square() * 0.6 + 0.2, threshold=0.9 * 0.8).sum() == square().sum()


def test_of_several_channels_the_brightest_counts():
    image = square(channels=3)
    image[:, 1:] = 0
    assert torch.equal(soft_mask(image), square())


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 20, 32])
def test_a_dot_grows_to_an_exact_disk(radius):
    marked = torch.zeros(1, 1, 41, 53, dtype=torch.bool)
    marked[..., 12, 30] = True
    assert torch.equal(dilated(marked, radius)[0, 0], disk((41, 53), (12, 30), radius))


def test_a_shape_grows_to_the_union_of_the_disks_of_its_pixels():
    marked = torch.rand(1, 1, 24, 31, generator=torch.Generator().manual_seed(2)) > 0.99
    expected = torch.zeros(24, 31, dtype=torch.bool)
    for y, x in marked[0, 0].nonzero().tolist():
        expected |= disk((24, 31), (y, x), 4)
    assert 0 < int(marked.sum()) < 20
    assert torch.equal(dilated(marked, 4)[0, 0], expected)


def test_feathers_are_exactly_one_inside_and_exactly_nought_outside():
    mask = soft_mask(square((60, 60), (20, 45), (20, 45)), sigma=2.5)[0, 0]
    reach = 10  # four standard deviations
    assert torch.all(mask[20 + reach : 45 - reach, 20 + reach : 45 - reach] == 1)
    assert torch.all(mask[: 20 - reach] == 0)
    assert torch.all(mask[:, 45 + reach :] == 0)
    assert mask.min() == 0
    assert mask.max() == 1


def test_feathers_fall_off_as_the_normal_distribution():
    edge = soft_mask(square((8, 80), (0, 8), (0, 40)), sigma=4)[0, 0, 3]
    x = torch.arange(80) - 39.5
    expected = 0.5 * (1 - torch.erf(x / (4 * 2**0.5)))
    # A sum over whole pixels stands for the integral: off by (1/24) / 4^2 of the curvature, 0.24 at most.
    assert torch.allclose(edge, expected, atol=1e-3)


def test_feathers_do_not_fade_at_the_border_of_the_picture():
    mask = soft_mask(square((40, 40), (0, 40), (0, 20)), sigma=3)[0, 0]
    assert torch.all(mask[:, 0] == 1)
    assert torch.equal(mask[0], mask[20])


@pytest.mark.parametrize("size", [(40, 100), (80, 50), (80, 100), (20, 25)])
def test_a_mask_is_resized_where_either_axis_differs(size):
    mask = soft_mask(square(), size)
    assert mask.shape == (1, 1, *size)
    share = square().mean()
    assert abs(mask.mean() - share) < 0.02 * share  # edges lie on whole pixels here but for the corners


@pytest.mark.parametrize(("value", "word"), [(0, "nothing"), (1, "everything")])
def test_a_constant_mask_is_refused(value, word):
    with pytest.raises(InputError, match=f"the mask marks {word} at a threshold of 0.5; paint"):
        soft_mask(torch.full((1, 3, 8, 8), float(value)), radius=2, sigma=1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"radius": -1}, "radius and sigma must be 0 or positive, got -1 and 0.0"),
        ({"sigma": float("inf")}, "radius and sigma must be 0 or positive, got 0 and inf"),
        ({"threshold": 0}, "threshold must be between 0 and 1, got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        soft_mask(square(), **arguments)


def test_a_mask_of_several_images_is_refused():
    with pytest.raises(InputError, match=r"a mask must be \(1, C, H, W\), got \(2, 1, 4, 4\)"):
        soft_mask(torch.zeros(2, 1, 4, 4))


def test_a_marked_part_is_copied():
    picture = torch.arange(20.0).reshape(1, 1, 4, 5)
    mask = torch.zeros(1, 1, 4, 5)
    mask[..., :2, :2] = 1
    copied, placed = copy_marked(picture, mask, 1, 2)
    assert torch.equal(copied[..., 1:3, 2:4], picture[..., :2, :2])
    assert torch.equal(placed.bool(), torch.roll(mask.bool(), (1, 2), (-2, -1)))
    assert torch.equal(copied[placed == 0], picture[placed == 0])


def test_a_copy_is_cut_off_at_the_border():
    picture = torch.arange(20.0).reshape(1, 1, 4, 5)
    mask = torch.zeros(1, 1, 4, 5)
    mask[..., :2, :2] = 1
    copied, placed = copy_marked(picture, mask, -1, 0)  # only the lower row stays inside, and does not wrap
    assert placed.sum() == 2
    assert torch.equal(copied[..., 0, :2], picture[..., 1, :2])
    with pytest.raises(InputError, match="nothing of the marked part lies within"):
        copy_marked(picture, mask, -2, 0)


def test_values_are_continued_from_where_they_are_known():
    values = torch.tensor([3.0, -5.0]).view(1, 2, 1, 1).expand(1, 2, 30, 40)
    known = torch.zeros(1, 1, 30, 40)
    known[..., :10] = known[..., 36:] = 1
    found = continued(values * known, known, 2.0)
    assert torch.allclose(found[..., :11], values[..., :11], atol=1e-5)
    assert (found[:, 0, :, 12:18].diff() < 0).all()
    assert not found[..., 19:27].any()
