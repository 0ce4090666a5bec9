"""Pixel art enlarged without new colours."""

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from innersr.errors import InputError
from innersr.images.io import read
from innersr.methods.pixelart import PixelArt, scale2x, scale3x
from innersr.physics.degradation import Degradation
from innersr.pipeline.files import upscale
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")


def drawn(*rows):
    """An image of the digits in these rows."""
    return torch.tensor([[float(digit) for digit in row] for row in rows])[None, None] / 9


def sprite(side=24, seed=2):
    """A picture of four colours in patches, (side, side, 4) uint8, with transparent ground."""
    patches = np.random.default_rng(seed).integers(0, 4, (side // 3, side // 3)).repeat(3, 0).repeat(3, 1)
    return np.array([[0, 0, 0, 0], [200, 40, 0, 255], [30, 90, 250, 255], [255, 255, 0, 128]], np.uint8)[patches]


def colours(x):
    return {tuple(pixel) for pixel in np.asarray(x).reshape(-1, np.asarray(x).shape[-1])}


def test_scale2x_rounds_a_corner():
    stairs = drawn("1000", "1100", "1110", "1111")
    assert torch.equal(scale2x(stairs)[..., 2:6, 2:6], drawn("1000", "1110", "1110", "1111"))


def test_scale3x_follows_its_definition():
    corner = drawn("010", "110", "000")  # of the centre, H == F meet at its lower right
    assert torch.equal(scale3x(corner)[..., 3:6, 3:6], drawn("111", "110", "100"))
    lone = drawn("010", "100", "000")  # D == B meet at the upper left, but C and G are like the centre
    assert torch.equal(scale3x(lone)[..., 3:6, 3:6], drawn("100", "000", "000"))
    meeting = drawn("011", "100", "100")
    assert torch.equal(scale3x(meeting)[..., 3:6, 3:6], drawn("110", "100", "000"))


@pytest.mark.parametrize("enlarged", [scale2x, scale3x])
def test_turned_pictures_give_turned_results(enlarged):
    x = torch.from_numpy(sprite()).permute(2, 0, 1)[None].float()
    assert torch.equal(enlarged(x.flip(-1)), enlarged(x).flip(-1))
    assert torch.equal(enlarged(x.mT), enlarged(x).mT)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 6, (2, 3)])
@pytest.mark.parametrize("mode", ["epx", "nearest"])
def test_no_colour_is_new_at_any_whole_scale(mode, scale):
    x = sprite()
    result = upscale(PILImage.fromarray(x), scale, method=PixelArt(mode=mode), run=RUN)
    assert colours(result) == colours(x)
    is_repeated = mode == "nearest" or scale in (5, (2, 3))
    vertical, horizontal = scale if isinstance(scale, tuple) else (scale, scale)
    assert np.array_equal(np.asarray(result), x.repeat(vertical, 0).repeat(horizontal, 1)) == is_repeated


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_values_of_every_type_come_back_exactly(dtype):
    x = np.array([[0, 1, 77], [200, 1, 0], [77, 77, 255]]).astype(dtype) * (
        np.float32(1e4) if dtype == "float32" else 1
    )
    x = x.astype(dtype)
    result = upscale(x, 2, method="pixelart", run=RUN)
    assert result.dtype == x.dtype
    assert set(result.flat) == set(x.flat)


def test_a_seamless_picture_continues_on_its_other_side():
    x = torch.from_numpy(sprite()).permute(2, 0, 1)[None].float()
    wrapped = PixelArt().adapt(x, Degradation(scale=2, wrap="xy"), RUN)
    assert torch.equal(wrapped(x.roll((3, 5), (-2, -1))), wrapped(x).roll((6, 10), (-2, -1)))


def test_a_scale_that_is_not_whole_is_refused_with_a_remedy():
    with pytest.raises(InputError, match="whole scales, got 1.5; use -s 2, 3 or 4"):
        upscale(sprite()[..., :3], 1.5, method="pixelart", run=RUN)
    with pytest.raises(InputError, match="has no use for degradation"):
        upscale(sprite()[..., :3], method="pixelart", degradation=Degradation(scale=2, noise=0.1), run=RUN)
    with pytest.raises(InputError, match="mode must be one of epx, nearest"):
        PixelArt(mode="hq2x")


def test_nothing_is_estimated_and_hidden_colours_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("innersr.examination.examine", None)  # a call would raise
    x = sprite()
    x[0, 0] = (9, 8, 7, 0)
    PILImage.fromarray(x).save(tmp_path / "a.png")
    upscale(tmp_path / "a.png", 2, method="pixelart", run=RUN)
    result = read(tmp_path / "a_x2.png")
    assert (result.colour[0, :, 0, 0] * 255).round().tolist() == [9, 8, 7]
