"""Damaged image files: reading gives an image or an ImageFileError; never a crash, a hang or another exception."""

import random
from datetime import timedelta

import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from helpers.damage import TELLING, by_pillow, damaged_bytes, original_images, read_only_images
from innersr.errors import ImageFileError
from innersr.images import codecs as image_codecs
from innersr.images import io as io_module
from innersr.images.io import read
from innersr.images.limits import SizeLimits
from innersr.images.readers import decoded

PIXEL_LIMIT = 10_000_000  # a damaged header may promise a large image that is honestly empty (GIF)


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
    for index, data in enumerate(original_images()[form]):
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
    seeds = original_images()[form]
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


@pytest.mark.parametrize("form", sorted(read_only_images()))
def test_a_damaged_file_of_a_format_that_is_only_read(folder, form):
    draws, refused = random.Random(form), 0
    for data in read_only_images()[form]:
        path = folder / f"damaged.{form}"
        path.write_bytes(data)
        assert min(read(path).colour.shape) > 0
        for _ in range(40):
            path.write_bytes(damaged_bytes(data, draws))
            try:
                read(path, pixel_limit=PIXEL_LIMIT)
            except ImageFileError as error:
                refused += 1
                assert str(error).startswith(f"{path}: ")
                assert "\n" not in str(error)
    assert refused > 0


# Files of many pixels


def test_a_decompression_bomb_is_refused(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(by_pillow("png", PillowImage.new("1", (11_000, 11_000))))
    size = path.stat().st_size
    with pytest.raises(ImageFileError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: 11000 x 11000 pixels in {size} bytes need 576 MiB, as a decompression bomb does; "
        "if you trust it, use innersr upscale --pixel-limit 121000000 (in Python pixel_limit=121000000)"
    )


def test_a_limit_of_ones_own_lets_a_blank_page_through(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(io_module, "decoded_by", lambda _decode, _stream, _path, limits: given.append(limits) or 1 / 0)
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")
    for more in ({}, {"pixel_limit": 121_000_000}):
        with pytest.raises(ZeroDivisionError):
            read(path, **more)
    assert given == [SizeLimits(pixels=300_000_000, size=4), SizeLimits(pixels=121_000_000)]
    given[1].check("a.png", 11_000, 11_000, 3)


def test_a_large_page_of_a_large_file_is_read():
    limits = SizeLimits(pixels=300_000_000, size=60_000_000)
    limits.check("scan.tif", 10_000, 20_000, 3)
    with pytest.raises(ImageFileError, match=r"scan\.tif: 30001 x 10000 pixels are above the limit of 300000000"):
        limits.check("scan.tif", 30_001, 10_000, 3)


@pytest.mark.parametrize(
    "words",
    [
        "vips_image_write_to_memory: out of memory -- size == 275MB",
        "VipsJpeg: Insufficient memory (case 4)",
        "heif: Invalid input: Unspecified: Memory allocation error (2.0)",
        None,
    ],
)
def test_memory_that_runs_out_is_no_damage(tmp_path, monkeypatch, words):
    def exhausted(*_, **__):
        raise MemoryError if words is None else pyvips.Error("unable to call", words)

    def no_room(*_):
        raise MemoryError

    path = tmp_path / "a.png"
    path.write_bytes(original_images()["png"][0])
    for module, name in ((image_codecs, "_metadata_of"), (decoded, "planes_of")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, exhausted if module is image_codecs else no_room)
            with pytest.raises(ImageFileError, match=r"a\.png: out of memory; close other programs, cut the image"):
                read(path)


@pytest.mark.parametrize(
    "words",
    [
        'tiff2vips: Out of memory reading of "BitsPerSample"',
        "tiff2vips: Failed to allocate memory for to read TIFF directory (0 elements of 12 bytes each)",
        "heif: Memory allocation error: Security limit exceeded: Allocating 1025 sample description items",
    ],
)
def test_damage_that_promises_gigabytes_is_damage(words):
    assert not image_codecs.is_memory_error(pyvips.Error("unable to call", words))
