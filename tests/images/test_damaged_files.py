"""Damaged image files: reading gives an image or an ImageFileError; never a crash, a hang or another exception."""

import io
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from innersr.errors import ImageFileError
from innersr.images.io import read

ROWS, COLUMNS = np.mgrid[0:12, 0:16]
SAMPLES = np.stack([ROWS * 20, COLUMNS * 15, ROWS * COLUMNS], 2).astype(np.uint8)
PIXEL_LIMIT = 10_000_000  # a damaged header may promise a large image that is honestly empty (GIF)
# Numbers that break readers: empty, negative, signed limits, large but allowed sides.
TELLING = [
    bytes(4),
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\x40\0",
    b"\0\x40",
    b"\1",
    b"\xff",
    b"\xff\xff",
]


def by_pillow(form, picture, **options):
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def by_tifffile(samples, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


@cache
def originals():
    """Small valid files of every format, with what its reader has to take care of."""
    colour = PillowImage.fromarray(SAMPLES)
    grey, palette, ink = colour.convert("L"), colour.quantize(8), colour.convert("CMYK")
    with_alpha = PillowImage.fromarray(np.concatenate([SAMPLES, SAMPLES[..., :1]], 2))
    exif = PillowImage.Exif()
    exif[0x0112], exif[271] = 6, "Canon"
    block = exif.tobytes()
    bands = np.random.default_rng(0).random((5, 12, 16)).astype(np.float32)
    separate = {"photometric": "minisblack", "planarconfig": "separate"}
    frames = {"save_all": True, "append_images": [colour.rotate(180)]}
    return {
        "png": [
            by_pillow("png", colour, dpi=(300, 300)),
            by_pillow("png", with_alpha, exif=block),
            by_pillow("png", palette, transparency=1),
            by_pillow("png", colour.convert("1")),
            by_pillow("png", colour, **frames),
        ],
        "jpeg": [
            by_pillow("jpeg", colour, exif=block, dpi=(300, 300)),
            by_pillow("jpeg", colour, progressive=True),
            by_pillow("jpeg", grey),
            by_pillow("jpeg", ink),
        ],
        "tiff": [
            by_tifffile(SAMPLES, photometric="rgb"),
            by_tifffile(SAMPLES, photometric="rgb", bigtiff=True, compression="zlib"),
            by_tifffile(SAMPLES.astype(np.uint16) * 257, photometric="rgb", tile=(16, 16), compression="zlib"),
            by_tifffile(bands, **separate),
            by_tifffile(np.asarray(with_alpha), photometric="rgb", extrasamples=["assocalpha"], byteorder=">"),
            by_pillow("tiff", colour, compression="tiff_lzw", **frames),
            by_pillow("tiff", ink, compression="jpeg"),
            by_pillow("tiff", colour.convert("1"), compression="group4"),
        ],
        "webp": [
            by_pillow("webp", colour, lossless=True),
            by_pillow("webp", with_alpha, exif=block),
            by_pillow("webp", colour, **frames),
        ],
        "avif": [
            by_pillow("avif", colour),
            by_pillow("avif", with_alpha, exif=block),
            by_pillow("avif", colour, **frames),
        ],
        "gif": [by_pillow("gif", colour), by_pillow("gif", colour, **frames)],
        "bmp": [
            by_pillow("bmp", colour),
            by_pillow("bmp", grey),
            by_pillow("bmp", palette),
            by_pillow("bmp", colour.convert("1")),
        ],
    }


def mutated(data, mutations):
    """Apply (kind, position, payload) to the bytes; half of the positions lie in the header."""
    data = bytearray(data)
    for kind, position, payload in mutations:
        at = position // 2 % max(1, len(data) if position % 2 else min(len(data), 96))
        if kind == "flip" and data:
            data[at] ^= 1 << payload[0] % 8
        elif kind == "truncate":
            del data[at:]
        elif kind == "insert":
            data[at:at] = payload
        elif kind == "delete":
            del data[at : at + len(payload)]
        elif kind == "overwrite":
            data[at : at + len(payload)] = payload
        elif kind == "overwrite reversed":  # the same number in the other byte order
            data[at : at + len(payload)] = payload[::-1]
        elif kind == "move":
            source = (position * 31) % max(1, len(data))
            data[at : at + 8] = data[source : source + 8]
    return bytes(data)


KINDS = ["flip", "truncate", "insert", "delete", "overwrite", "overwrite reversed", "move"]
PAYLOADS = st.one_of(st.sampled_from(TELLING), st.binary(min_size=1, max_size=8))
MUTATIONS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1 << 14), PAYLOADS), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated")


@pytest.mark.parametrize("form", ["png", "jpeg", "tiff", "webp", "avif", "gif", "bmp"])
def test_the_originals_are_read(folder, form):
    for index, data in enumerate(originals()[form]):
        path = folder / f"{index}.{form}"
        path.write_bytes(data)
        assert min(read(path).colour.shape) > 0


@pytest.mark.parametrize("form", ["png", "jpeg", "tiff", "webp", "avif", "gif", "bmp"])
@given(choice=st.integers(0, 7), mutations=MUTATIONS)
# The deadline finds hangs: a read takes milliseconds.
@settings(
    max_examples=500,
    derandomize=True,
    deadline=timedelta(seconds=10),
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
def test_a_damaged_file_gives_an_image_or_an_image_file_error(folder, form, choice, mutations):
    seeds = originals()[form]
    path = folder / f"damaged.{form}"
    path.write_bytes(mutated(seeds[choice % len(seeds)], mutations))
    try:
        image = read(path, pixel_limit=PIXEL_LIMIT)
    except ImageFileError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
    else:
        assert image.colour.ndim == 4
        assert 0 < image.colour.shape[2] * image.colour.shape[3] <= PIXEL_LIMIT
        assert image.colour.isfinite().all()
