"""Formats that are read and not written: exact samples, upright, with what the file says of them."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from PIL import ImageCms

from helpers import image_files
from innersr.errors import ImageFileError, how_to_install
from innersr.images.formats import BY_NAME, sniff
from innersr.images.io import read, save, with_suffix
from innersr.images.limits import PIXEL_LIMIT
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import open_file

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (12, 17, 3), np.uint8)
GREY = np.ascontiguousarray(COLOUR[..., 0])
DEEP = RANDOM.integers(0, 1024, (12, 17, 3)).astype(np.uint16)


def needs(*packages):
    return pytest.mark.skipif(not image_files.has(*packages), reason=f"needs {' and '.join(packages)}")


def levels(image, white):
    planes = image.colour if image.alpha is None else torch.cat([image.colour, image.alpha], 1)
    return np.rint(planes[0].permute(1, 2, 0).double().numpy() * white).astype(np.int64)


@pytest.fixture
def written(tmp_path):
    """Write a file under a name that says nothing of its format."""

    def write(data, name="picture"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_tga_is_read_exactly(written):
    with_alpha = np.dstack([COLOUR, GREY])
    for samples in (COLOUR, GREY, with_alpha):
        for compression in (None, "tga_rle"):
            image = read(written(image_files.tga(samples, compression=compression)))
            assert np.array_equal(levels(image, 255), samples.reshape(12, 17, -1))
    assert image.alpha is not None


def test_tga_without_alpha_bits_is_opaque(written):
    data = bytearray(image_files.tga(np.dstack([COLOUR, 0 * GREY])))
    data[17] &= 0xF0
    image = read(written(data))
    assert image.alpha is None
    assert np.array_equal(levels(image, 255), COLOUR)


@pytest.mark.parametrize("form", ["png", "bmp"])
def test_the_largest_picture_of_an_ico_is_read(written, form):
    samples = np.dstack([RANDOM.integers(0, 256, (32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8)])
    image = read(written(image_files.ico(samples, [(16, 16), (32, 32), (8, 8)], form)))
    assert np.array_equal(levels(image, 255), samples)
    assert image.notes[0] == "the largest of 3 pictures; the others are ignored"


@pytest.mark.parametrize("kind, maximum", [("P2", 255), ("P5", 255), ("P5", 1023), ("P5", 65535), ("P2", 1023)])
def test_grey_pnm_is_read_exactly(written, kind, maximum):
    samples = (GREY if maximum == 255 else DEEP[..., 0]).copy()
    samples[0, 0] = maximum
    image = read(written(image_files.pnm(samples, kind, maximum)))
    assert image.depth == ("uint8" if maximum == 255 else "uint16")
    assert np.array_equal(levels(image, maximum)[..., 0], samples)


@pytest.mark.parametrize("kind, maximum", [("P3", 255), ("P6", 255), ("P6", 1023), ("P7", 1023)])
def test_coloured_pnm_is_read_exactly(written, kind, maximum):
    samples = (COLOUR if maximum == 255 else DEEP).copy()
    samples[0, 0] = maximum
    image = read(written(image_files.pnm(samples, kind, maximum)))
    assert np.array_equal(levels(image, maximum), samples)


def test_bitmaps_are_black_where_they_are_1(written):
    for data in (b"P1\n# made by hand\n3 2\n101\n001\n", b"P4\n3 2\n\xa0\x20"):
        assert levels(read(written(data)), 255)[..., 0].tolist() == [[0, 255, 0], [255, 255, 0]]
    bits = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\0\1"
    assert levels(read(written(bits)), 255)[..., 0].tolist() == [[0, 255]]  # in a PAM, 1 is white


def test_a_pam_has_alpha(written):
    head = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    image = read(written(head + bytes(range(8))))
    assert levels(image, 255).tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    assert image.alpha is not None


def test_pfm_holds_floats_from_the_last_row_on(written):
    values = np.linspace(-1, 1000, 12 * 17 * 3, dtype=np.float32).reshape(12, 17, 3)
    for each in (values, values[..., 1]):
        image = read(written(image_files.pfm(each)))
        assert image.depth == "float32"
        assert np.array_equal(image.colour[0].permute(1, 2, 0).numpy(), each.reshape(12, 17, -1))


@needs("pillow_heif")
@pytest.mark.parametrize("bits", [8, 10])
def test_heic_is_read_exactly(written, bits):
    samples = COLOUR if bits == 8 else DEEP
    image = read(written(image_files.heic(samples, bits=bits)))
    assert image.depth == ("uint8" if bits == 8 else "uint16")
    assert np.array_equal(levels(image, (1 << bits) - 1), samples)
    image = read(written(image_files.heic(GREY)))
    assert np.array_equal(levels(image, 255)[..., 0], GREY)
    assert image.colour.shape[1] == 1


@needs("pillow_heif")
def test_10_bit_heic_becomes_16_bit_png(written, tmp_path):
    save(read(written(image_files.heic(DEEP, bits=10))), tmp_path / "deep.png")
    image = read(tmp_path / "deep.png")
    assert image.depth == "uint16"
    assert np.array_equal(levels(image, 1023), DEEP)


@needs("pillow_heif")
def test_heic_keeps_exif_upright_profile_and_xmp(written):
    exif = PillowImage.Exif()
    exif[0x0112], exif[271] = 6, "Maker"
    profile, xmp = b"\0" * 16 + b"RGB " + bytes(108), b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    path = written(image_files.heic(COLOUR, exif=exif.tobytes(), icc_profile=profile, xmp=xmp))
    metadata = read(path).metadata
    kept = PillowImage.Exif()
    kept.load(metadata.exif)
    assert (kept[0x0112], kept[271]) == (1, "Maker")
    assert metadata.icc[: len(profile)] == profile
    assert b"xmpmeta" in metadata.xmp


@needs("pillow_heif")
def test_other_pictures_of_a_heic_are_counted(written):
    import pillow_heif

    file = pillow_heif.from_bytes("RGB", (17, 12), COLOUR.tobytes())
    file.add_frombytes("RGB", (17, 12), COLOUR[::-1].tobytes())
    stream = io.BytesIO()
    file.save(stream, quality=-1, chroma=444, matrix_coefficients=0)
    image = read(written(stream.getvalue()))
    assert "the main one of 2 pictures; the others are ignored" in image.notes
    assert np.array_equal(levels(image, 255), COLOUR)


@needs("imagecodecs", "pillow_jxl")
@pytest.mark.parametrize("container", [False, True])
def test_jpeg_xl_is_read_exactly(written, container):
    wide = RANDOM.integers(0, 65536, (12, 17, 4)).astype(np.uint16)
    for samples in (COLOUR, GREY, np.dstack([COLOUR, GREY]), wide, wide[..., 0].copy()):
        image = read(written(image_files.jpeg_xl(samples, usecontainer=container)))
        white = 255 if samples.dtype == np.uint8 else 65535
        assert image.depth == samples.dtype.name
        assert np.array_equal(levels(image, white), samples.reshape(12, 17, -1))
    floats = RANDOM.random((12, 17, 3), np.float32)
    image = read(written(image_files.jpeg_xl(floats)))
    assert image.depth == "float32"
    assert np.array_equal(image.colour[0].permute(1, 2, 0).numpy(), floats)


@needs("imagecodecs", "pillow_jxl")
def test_jpeg_xl_keeps_exif_and_profile(written):
    import pillow_jxl  # noqa: F401 (makes Pillow write them)

    exif = PillowImage.Exif()
    exif[271] = "Maker"
    stream = io.BytesIO()
    PillowImage.fromarray(COLOUR).save(stream, "JXL", lossless=True, exif=exif.tobytes())
    metadata = read(written(stream.getvalue())).metadata
    kept = PillowImage.Exif()
    kept.load(metadata.exif)
    assert kept[271] == "Maker"
    assert metadata.icc[16:20] == b"RGB "


@needs("imagecodecs", "pillow_jxl")
def test_exif_in_a_box_of_jpeg_xl_may_begin_later(written):
    exif = PillowImage.Exif()
    exif[271] = "Maker"
    content = b"\0\0\0\2.." + exif.tobytes().removeprefix(b"Exif\0\0")
    box = struct.pack(">I4s", 8 + len(content), b"Exif") + content
    data = image_files.jpeg_xl(COLOUR, usecontainer=True)
    kept = PillowImage.Exif()
    kept.load(read(written(data + box)).metadata.exif)
    assert kept[271] == "Maker"


@needs("imagecodecs", "pillow_jxl")
@pytest.mark.parametrize("size", [(8, 16), (64, 64), (300, 100), (17, 513), (1, 1), (9000, 1), (256, 100)])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(written, size):
    samples = np.zeros(size, np.uint8)
    path = written(image_files.jpeg_xl(samples))
    with pytest.raises(ImageFileError, match=rf"{size[1]} x {size[0]} pixels are above"):
        read(path, pixel_limit=0)


@needs("OpenEXR")
def test_exr_keeps_floats_and_says_that_they_are_linear(written, tmp_path):
    half = (8 * RANDOM.random((12, 17, 3))).astype(np.float16)
    depths = RANDOM.random((12, 17), np.float32)
    image = read(written(image_files.exr({"RGB": half, "Z": depths}, tmp_path / "a.exr")))
    assert image.depth == "float32"
    assert np.array_equal(image.colour[0].permute(1, 2, 0).numpy(), half.astype(np.float32))
    assert image.notes[-2:] == (
        "its channels Z are not kept",
        "its values are linear light, as its colour profile says",
    )
    assert image.metadata.icc[16:20] == b"RGB "
    image = read(written(image_files.exr({"Z": depths}, tmp_path / "b.exr")))
    assert np.array_equal(image.colour[0, 0].numpy(), depths)
    assert image.metadata.icc is None


@needs("OpenEXR")
def test_exr_has_the_primaries_of_its_header(written, tmp_path):
    pixels = {"RGB": np.ones((4, 4, 3), np.float16)}
    p3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
    wide = read(written(image_files.exr(pixels, tmp_path / "a.exr", chromaticities=p3))).metadata.icc
    usual = read(written(image_files.exr(pixels, tmp_path / "b.exr"))).metadata.icc
    red = [ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.red_primary[1] for icc in (wide, usual)]
    assert red[0][:2] == pytest.approx((0.68, 0.32), abs=0.01)  # as the profile holds them, adapted to D50
    assert red[1][:2] == pytest.approx((0.64, 0.33), abs=0.01)  # as the profile holds them, adapted to D50


@needs("OpenEXR")
def test_exr_alpha_is_made_straight(written, tmp_path):
    colour, alpha = np.full((4, 4, 3), 0.25, np.float32), np.full((4, 4, 1), 0.5, np.float32)
    alpha[0] = 0
    image = read(written(image_files.exr({"RGBA": np.dstack([colour, alpha])}, tmp_path / "a.exr")))
    assert image.colour[0, :, 0].unique().tolist() == [0.25]
    assert image.colour[0, :, 1:].unique().tolist() == [0.5]
    assert image.alpha.unique().tolist() == [0, 0.5]


@needs("imagecodecs")
def test_radiance_holds_floats(written):
    values = (np.exp2(RANDOM.integers(-8, 8, (12, 17, 1))) * np.array([1, 0.5, 0.75])).astype(np.float32)
    image = read(written(image_files.radiance(values)))
    assert image.depth == "float32"
    assert np.array_equal(image.colour[0].permute(1, 2, 0).numpy(), values)


@pytest.mark.parametrize(
    "package, extra, head",
    [
        ("pillow_heif", "heif", b"\0\0\0\x18ftypheic" + bytes(40)),
        ("pillow_jxl", "jxl", b"\xff\x0a" + bytes(40)),
        ("imagecodecs", "hdr", b"#?RADIANCE\n\n-Y 1 +X 1\n" + bytes(40)),
        ("OpenEXR", "hdr", b"\x76\x2f\x31\x01" + bytes(40)),
    ],
)
def test_a_missing_package_is_named(written, monkeypatch, package, extra, head):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    path = written(head)
    with pytest.raises(ImageFileError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: reading ")
    assert f"{how_to_install(extra)} adds it" in str(caught.value)


@pytest.mark.parametrize(
    "name, result", [("a.heic", "a.png"), ("a.exr", "a.tif"), ("a.tga", "a.png"), ("a.jpg", "a.jpg")]
)
def test_results_have_a_suffix_that_is_written(tmp_path, name, result):
    assert with_suffix(tmp_path / name, tmp_path / name) == tmp_path / result


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("a.ppm", None, "PNM is read and not written: the result is a PNG file"),
        ("a.pgm", "b.tif", None),
        ("a.pfm", None, "PFM is read and not written: the result is a TIFF file"),
    ],
)
def test_the_format_in_place_of_one_that_is_not_written_is_reported(written, tmp_path, name, target, words):
    floats = b"Pf\n17 12\n-1.0\n" + GREY.astype("<f4").tobytes()
    kind = {"a.ppm": "P6", "a.pgm": "P5"}.get(name)
    path = written(floats if kind is None else image_files.pnm(COLOUR if kind == "P6" else GREY, kind, 255), name)
    task = open_file(path, target and tmp_path / target, UpscaleOptions(method="bicubic", kernel="bicubic"))
    assert [note for note in task.image.notes if "not written" in note] == ([words] if words else [])


def test_an_mpo_is_a_jpeg_of_several_pictures(written):
    stream, picture = io.BytesIO(), PillowImage.fromarray(COLOUR)
    picture.save(stream, "MPO", save_all=True, append_images=[picture.rotate(180)])
    image = read(written(stream.getvalue(), "a.mpo"))
    assert image.notes == ("further pictures in the file are not kept",)
    assert with_suffix(written(b"", "b.mpo"), written(b"", "b.mpo")).name == "b.jpg"


def test_a_format_that_is_not_written_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match=r"a\.heic: HEIC is read and not written; write \.png, or another suffix"):
        save(read_grey(tmp_path), tmp_path / "a.heic")


def read_grey(tmp_path):
    path = tmp_path / "grey"
    path.write_bytes(image_files.pnm(GREY, "P5", 255))
    return read(path)


def test_claimed_sizes_are_refused_before_decoding(written):
    tga = bytearray(image_files.tga(COLOUR))
    struct.pack_into("<HH", tga, 12, 65535, 65535)
    claims = [bytes(tga), b"P6\n65535 65535\n255\n", b"PF\n65535 65535\n-1.0\n" + bytes(12)]
    icon = bytearray(image_files.ico(np.dstack([COLOUR[:12, :12], GREY[:12, :12]]), [(12, 12)]))
    struct.pack_into(">II", icon, 22 + 16, 65535, 65535)
    for data in [*claims, bytes(icon)]:
        with pytest.raises(ImageFileError, match=f"65535 x 65535 pixels are above the limit of {PIXEL_LIMIT}"):
            read(written(data))


def test_text_is_no_tga():
    for head in (b"hello world, this is a text file", bytes(32), b"\1" * 32, b"PK\3\4" + bytes(28)):
        assert sniff(head) is None
    assert sniff(image_files.tga(GREY)[:32]) is BY_NAME["TGA"]
