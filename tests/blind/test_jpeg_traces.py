"""JPEG compression proved from decoded pixels, whatever they depict."""

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (usual)
from PIL import Image as PillowImage
from PIL import ImageDraw

from helpers.images import scene
from helpers.methods import RUN
from innersr.benchmark.made.catalogue import made_picture
from innersr.blind.estimate import examine
from innersr.blind.jpeg_traces import find_jpeg_traces
from innersr.metrics.grey_levels import quantized
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import jpeg, jpeg_strength
from innersr.physics.resize import imresize

SMALL = quantized(Degradation(scale=2).forward(scene(256), (128, 128)).clamp(0, 1))


def drawn(kind, number=2):
    return quantized(Degradation(scale=2).forward(made_picture(kind, number, (256, 256)), (128, 128)).clamp(0, 1))


@pytest.mark.parametrize("quality", [30, 50, 75, 90])
def test_the_strength_of_a_photograph(quality):
    traces = find_jpeg_traces(jpeg(SMALL[0], quality)[None])
    assert traces.strength == pytest.approx(jpeg_strength(quality), abs=0.02)
    assert traces.offset == (0, 0)


@pytest.mark.parametrize("kind", ["screenshot", "pixelart", "gradient"])
def test_drawings_show_it_as_well(kind):
    traces = find_jpeg_traces(jpeg(drawn(kind, 3)[0], 75)[None])
    assert traces.strength == pytest.approx(jpeg_strength(75), abs=0.02)


def rays(number, side=200):
    """Black rays and circles on white, whose blocks are mostly clipped."""
    numbers, picture = np.random.default_rng(number), PillowImage.new("RGB", (side, side), "white")
    pen, middle = ImageDraw.Draw(picture), side / 2
    for _ in range(12):
        angle, radius = numbers.uniform(0, 2 * math.pi), numbers.uniform(0.1, 0.95) * middle
        end = middle + middle * math.cos(angle), middle + middle * math.sin(angle)
        pen.line((middle, middle, *end), fill="black", width=2)
        pen.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), outline="black", width=2)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("quality", [40, 60, 75])
@pytest.mark.parametrize("number", range(3))
def test_black_lines_on_white_show_it_too(number, quality):
    assert find_jpeg_traces(rays(number)) is None
    traces = find_jpeg_traces(jpeg(rays(number)[0], quality)[None])
    assert traces.strength == pytest.approx(jpeg_strength(quality), abs=0.04)
    assert not traces.is_sure


@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_nothing_is_proved_by_a_picture_of_blocks(side):
    blocks = torch.rand(1, 3, 160 // side, 160 // side, generator=RUN.generator())
    for mode in ("nearest", "bilinear", "bicubic"):
        assert find_jpeg_traces(quantized(F.interpolate(blocks, scale_factor=side, mode=mode).clamp(0, 1))) is None


def test_the_grid_of_a_part_that_was_cut_out():
    whole = jpeg(quantized(Degradation(scale=2).forward(scene(320), (160, 160)).clamp(0, 1))[0], 60)[None]
    assert find_jpeg_traces(whole[..., 3:131, 6:150]).offset == (5, 2)


def test_the_grid_of_a_large_picture_whose_middle_is_looked_at():
    large = jpeg(quantized(imresize(scene(256), 2))[0].clamp(0, 1), 60)[None]
    assert find_jpeg_traces(large[..., 1:, 2:]).offset == (7, 6)


def test_steps_that_are_not_those_of_the_standard():
    """Cameras and other programs have tables of their own: here the same step for all frequencies."""
    file, levels = io.BytesIO(), (SMALL[0] * 255).byte().permute(1, 2, 0).numpy()
    PillowImage.fromarray(levels).save(file, "JPEG", qtables=[[20] * 64, [20] * 64])
    decoded = torch.from_numpy(np.array(PillowImage.open(file))).permute(2, 0, 1)[None].float() / 255
    assert 0.3 < find_jpeg_traces(decoded).strength < 0.55


@pytest.mark.parametrize(
    "image",
    [
        SMALL,
        drawn("screenshot"),
        drawn("checkerboard"),
        quantized((drawn("checkerboard") + 0.01 * torch.randn(1, 3, 128, 128, generator=RUN.generator())).clamp(0, 1)),
        quantized(torch.rand(1, 3, 64, 64, generator=RUN.generator())),
        quantized(imresize(jpeg(scene(256)[0], 60)[None], 0.5).clamp(0, 1)),
        torch.full((1, 1, 64, 64), 0.5),
    ],
    ids=["photograph", "screenshot", "board", "noisy board", "noise", "compressed and then shrunk", "flat"],
)
def test_nothing_is_proved_where_there_is_no_compression(image):
    assert find_jpeg_traces(image) is None


def test_nothing_is_looked_for_in_what_has_no_8_bits_or_is_tiny():
    compressed = jpeg(SMALL[0], 50)[None]
    assert find_jpeg_traces(compressed * 0.999) is None
    assert find_jpeg_traces(compressed[..., :24, :]) is None
    assert find_jpeg_traces(compressed[:, [0, 1, 2, 0]]) is None


def test_the_estimate_believes_what_is_proved():
    estimate = examine(jpeg(drawn("screenshot", 3)[0], 75)[None], 2, RUN)
    assert estimate.jpeg_quality == pytest.approx(75, abs=2)
    assert estimate.degradation.compression == pytest.approx(jpeg_strength(75), abs=0.02)
