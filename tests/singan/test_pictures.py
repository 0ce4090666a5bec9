"""Images as SinGAN's pictures: what is learned of bands, alpha, depth and range, and that it comes back."""

import dataclasses

import pytest
import torch

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.metadata import Metadata
from innersr.singan.pictures import PictureSource, from_picture, source_of, to_picture

DEPTHS = {"uint8": 255, "uint16": 65535}
SINGLE = 2e-7  # float32, relative: values between -1 and 1, after two or three roundings


def random(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def stored(bands=3, depth="uint8", sides=(5, 7), **others):
    """Return an image with random values as a file of that depth has them."""
    values = (random(1, bands, *sides) * DEPTHS[depth]).round() / DEPTHS[depth]
    return Image(colour=values, depth=depth, **others)


def alpha_of(*values):
    """Return alpha whose rows have these values."""
    return torch.tensor(values)[None, None, :, None].expand(1, 1, len(values), 7).contiguous()


def returned(image):
    return from_picture(to_picture(image), image)[0]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("bands", [1, 3, 6])
def test_bands_and_stored_values_come_back(bands, depth):
    image = stored(bands, depth)
    picture = to_picture(image)
    assert picture.shape == (1, bands, 5, 7)
    torch.testing.assert_close(picture, image.colour * 2 - 1, rtol=0, atol=SINGLE)
    back = returned(image)
    assert (back.depth, back.alpha) == (depth, None)
    assert torch.equal((back.colour * DEPTHS[depth]).round(), (image.colour * DEPTHS[depth]).round())


def test_a_file_of_16_bits_comes_back_to_the_bit(tmp_path):
    save(stored(3, "uint16"), tmp_path / "a.png")
    save(returned(read(tmp_path / "a.png")), tmp_path / "b.png")
    first, second = (read(tmp_path / name) for name in ("a.png", "b.png"))
    assert second.depth == "uint16" and torch.equal(first.colour, second.colour)


def test_what_transparent_pixels_hide_is_not_learnt():
    alpha = alpha_of(0.0, 0.2, 1.0)
    one, other = random(1, 3, 3, 7), random(1, 3, 3, 7, seed=2)
    other[..., 1:, :] = one[..., 1:, :]
    pictures = [to_picture(Image(colour=colour, alpha=alpha)) for colour in (one, other)]
    assert torch.equal(*pictures)
    assert torch.equal(pictures[0][:, :3, 0], torch.full((1, 3, 7), -1.0))


def test_hidden_values_that_are_no_numbers_do_no_harm():
    colour = random(1, 1, 2, 7)
    colour[..., 0, :] = float("nan")
    assert to_picture(Image(colour=colour, alpha=alpha_of(0.0, 0.5))).isfinite().all()


def test_alpha_is_the_last_channel_and_colours_come_back_straight():
    image = Image(colour=random(1, 3, 4, 7), alpha=alpha_of(0.0, 0.25, 0.5, 1.0), depth="uint16")
    picture = to_picture(image)
    torch.testing.assert_close(picture[:, 3:], image.alpha * 2 - 1, rtol=0, atol=0)
    torch.testing.assert_close(picture[:, :3], image.colour * image.alpha * 2 - 1, rtol=0, atol=SINGLE)
    back = returned(image)
    torch.testing.assert_close(back.alpha, image.alpha, rtol=0, atol=SINGLE)
    # Divided by an alpha of 1/4 at least.
    torch.testing.assert_close(back.colour[..., 1:, :], image.colour[..., 1:, :], rtol=0, atol=4 * SINGLE)
    assert back.colour[..., 0, :].abs().max() == 0


def test_a_colour_brighter_than_its_alpha_allows_is_clipped():
    picture = torch.tensor([0.9, -0.5]).reshape(1, 2, 1, 1)
    (image,) = from_picture(picture, PictureSource(bands=1, alpha="learnt"))
    assert image.colour.item() == 1
    assert image.alpha.item() == 0.25


def test_alpha_that_is_opaque_everywhere_is_given_back_but_not_learnt():
    image = stored(alpha=torch.ones(1, 1, 5, 7))
    assert to_picture(image).shape == (1, 3, 5, 7)
    assert torch.equal(returned(image).alpha, image.alpha)


@pytest.mark.parametrize(("low", "high"), [(-3.0, 900.0), (0.0, 1.5), (-2e38, 2e38)])
def test_float_images_are_stretched_band_by_band(low, high):
    colour = torch.cat([random(1, 1, 5, 7), low + random(1, 1, 5, 7) * high - random(1, 1, 5, 7) * low], dim=1)
    image = Image(colour=colour, depth="float32")
    picture = to_picture(image)
    assert picture.amin(dim=(2, 3)).tolist() == [[-1, -1]] and picture.amax(dim=(2, 3)).tolist() == [[1, 1]]
    span = float(colour[:, 1].max().double() - colour[:, 1].min().double())
    assert (returned(image).colour.double() - colour.double())[:, 1].abs().max() <= SINGLE * span
    assert returned(image).depth == "float32"


def test_float_images_between_0_and_1_keep_their_range():
    image = Image(colour=random(1, 3, 5, 7) * 0.5, depth="float32")
    torch.testing.assert_close(to_picture(image), image.colour * 2 - 1, rtol=0, atol=SINGLE)
    assert source_of([image]).ranges == ()


def test_a_band_of_one_value_comes_back():
    image = Image(colour=torch.full((1, 1, 5, 7), 400.0), depth="float32")
    assert to_picture(image).unique().tolist() == [-1]
    assert torch.equal(returned(image).colour, image.colour)


def test_values_that_nobody_sees_do_not_count_for_the_range():
    colour = random(1, 1, 3, 7) * 7
    colour[..., 0, :] = -9999
    (span,) = source_of([Image(colour=colour, alpha=alpha_of(0.0, 0.5, 1.0), depth="float32")]).ranges
    assert span == (float(colour[..., 1:, :].min()), float(colour[..., 1:, :].max()))


def test_every_picture_becomes_an_image_with_the_colour_profile_and_nothing_else():
    metadata = Metadata(icc=b"profile", exif=b"Exif\0\0...", xmp=b"<x/>", pixels_per_mm=(3.0, 3.0))
    images = from_picture(torch.zeros(4, 3, 2, 2), stored(metadata=metadata))
    assert len(images) == 4
    assert {image.metadata for image in images} == {Metadata(icc=b"profile")}


def test_values_beyond_the_range_are_clipped():
    (image,) = from_picture(torch.tensor([-3.0, 0.0, 2.0]).reshape(1, 1, 1, 3), PictureSource(bands=1))
    assert image.colour.flatten().tolist() == [0, 0.5, 1]


def test_images_of_one_subject_share_their_range_depth_and_alpha():
    images = [
        stored(1, "uint8"),
        Image(colour=random(1, 1, 4, 7) * 5, depth="float32"),
        stored(1, "uint16", (2, 7), alpha=alpha_of(0.5, 1.0)),
    ]
    source = source_of(images)
    assert (source.depth, source.alpha, source.channels) == ("float32", "learnt", 2)
    ((low, high),) = source.ranges
    assert low == min(image.colour.min() for image in images) and high == images[1].colour.max()
    assert [to_picture(image, source).shape[1] for image in images] == [2, 2, 2]


def test_another_picture_is_made_to_fit_the_source():
    opaque = to_picture(stored(3), PictureSource(bands=3, alpha="learnt"))
    assert opaque[:, 3].unique().tolist() == [1]
    beyond = to_picture(Image(colour=torch.tensor([[[[-5.0, 25.0]]]])), PictureSource(bands=1, ranges=((0.0, 10.0),)))
    assert beyond.flatten().tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: source_of([]), "one image at least"),
        (lambda: source_of([stored(1), stored(3)]), r"different numbers of colour bands \(1, 3\); convert"),
        (lambda: source_of([stored(), stored(metadata=Metadata(icc=b"x"))]), "different colour profiles; convert"),
        (lambda: to_picture(stored(1), stored(3)), "has 1 colour band, not 3 as was learned; convert"),
        (lambda: to_picture(stored(sides=(2, 7), alpha=alpha_of(0.5, 1.0)), stored(3)), "remove its alpha channel"),
        (lambda: to_picture(stored(sides=(1, 7), alpha=alpha_of(0.0))), "every pixel of the image is transparent"),
        (lambda: to_picture(Image(colour=torch.full((1, 1, 2, 2), float("nan")))), "NaN or infinite values"),
        (
            lambda: from_picture(torch.zeros(1, 3, 2, 2), PictureSource(bands=3, alpha="learnt")),
            "have 4 channels, got 3",
        ),
        (lambda: PictureSource(bands=0), "1 band of colour at least, got 0"),
        (lambda: PictureSource(bands=1, depth="int8"), "uint8, uint16, float32"),
        (lambda: PictureSource(bands=2, ranges=((0, 1),)), "one range a band, got 1 for 2"),
        (lambda: PictureSource(bands=1, ranges=((1, 0),)), "the lowest value before the highest"),
    ],
)
def test_what_does_not_fit_is_refused(act, message):
    with pytest.raises(InputError, match=message):
        act()


def test_a_source_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PictureSource(bands=3).bands = 1
