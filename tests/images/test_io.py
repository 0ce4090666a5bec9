"""Names, places and damage: files are read and written whole, or refused in one line with cause and remedy."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as PillowImage

from innersr.errors import ImageFileError, InputError
from innersr.images.image import Image
from innersr.images.io import check_writable, read, save

ROWS, COLUMNS = np.mgrid[0:48, 0:64]
SAMPLES = np.stack([ROWS * 5, COLUMNS * 4, ROWS * COLUMNS % 256], 2).astype(np.uint8)
FORMATS = ["png", "jpeg", "tiff", "webp", "avif", "gif", "bmp"]
IMAGE = Image(colour=torch.rand(1, 3, 8, 8))


def encoded(form, **options):
    stream = io.BytesIO()
    PillowImage.fromarray(SAMPLES).save(stream, form, **options)
    return stream.getvalue()


def refused(path, **options):
    """The message of the error, checked to be one line that names the file and advises something."""
    with pytest.raises(ImageFileError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message and ("; " in message or ", " in message)
    return message


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    "name", ["büro 東京.png", "photo[1].jpg", "a[Q=3,strip].tif", "b c.webp", "x:y.bmp", "it's.gif"]
)
def test_names_are_taken_literally(tmp_path, name):
    save(IMAGE, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not [note for note in read(tmp_path / name).notes if "palette" not in note]


def test_names_that_are_not_unicode_work(tmp_path):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    save(IMAGE, tmp_path / name)
    assert read(tmp_path / name).colour.shape == (1, 3, 8, 8)


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refused(tmp_path / "missing.png")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.png").touch()
    assert "0 bytes" in refused(tmp_path / "empty.png")


def test_a_folder_is_named(tmp_path):
    assert "is a folder" in refused(tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a regular file" in refused(tmp_path / "pipe.png")


def test_a_name_that_no_system_takes_is_refused():
    refused("a" * 300 + ".png")
    with pytest.raises(ImageFileError):
        read("nul\0byte.png")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded("png"))

    def forbidden(*_args, **_options):  # tests run as root, who may read everything
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert "no permission" in refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"just words\n",
        b"<html><body>hello</body></html>",
        b"1,2\n3,4\n",
        b"FORM\0\0\0\4ILBM",
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".svg", ".csv"])
def test_only_listed_formats_are_read(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert "not an image of a known format" in refused(path)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "camera raw (Canon CR3) is not read; develop it to a TIFF first"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(99), "camera raw (Canon CR2) is not read; develop it to a TIFF first"),
        (b"FUJIFILMCCD-RAW 0201", "camera raw (Fujifilm RAF) is not read; develop it to a TIFF first"),
        (b"IIU\0\x18\0\0\0" + bytes(99), "camera raw (Panasonic RW2) is not read; develop it to a TIFF first"),
        (b"IIRO\x08\0\0\0" + bytes(99), "camera raw (Olympus ORF) is not read; develop it to a TIFF first"),
        (b"8BPS\0\1" + bytes(99), "Photoshop (PSD) is not read; export it as a TIFF or PNG file first"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), "JPEG 2000 is not read; convert it to TIFF or PNG first"),
        (b"%PDF-1.4", "PDF is not read; export it as a PNG file of the size that you need"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG is not read; export it as a PNG file of the size"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- by hand -->\n<svg/>", "SVG is not read; export it as a PNG file"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".png", ".tif", ".cr3"])
def test_a_format_that_is_not_read_is_named_with_the_remedy(tmp_path, content, words, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert refused(path).startswith(f"{path}: {words}")


def test_a_wrong_suffix_is_read_with_a_note(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("png"))
    assert read(tmp_path / "a.jpg").notes == ("holds PNG data, in spite of its name",)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_truncated_files_are_refused(tmp_path, form, part):
    data = encoded(form)
    path = tmp_path / f"a.{form}"
    path.write_bytes(data[: int(len(data) * part)])
    refused(path)


@pytest.mark.parametrize(
    "options", [{"compression": "zlib"}, {"tile": (16, 16)}, {"compression": "zlib", "tile": (16, 16)}]
)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_truncated_tiffs_are_refused(tmp_path, options, part):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", **options)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: int(len(data) * part)])
    refused(tmp_path / "a.tif")


@pytest.mark.parametrize("form", FORMATS)
def test_the_pixel_limit_is_checked(tmp_path, form):
    path = tmp_path / f"a.{form}"
    path.write_bytes(encoded(form))
    message = refused(path, pixel_limit=64 * 48 - 1)
    assert "64 x 48" in message and "pixel_limit=3072" in message and "innersr upscale --pixel-limit 3072" in message
    assert read(path, pixel_limit=64 * 48).colour.shape == (1, 3, 48, 64)


def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    png = encoded("png")
    header = struct.pack(">II", 100_000, 100_000) + png[24:29]
    (tmp_path / "a.png").write_bytes(png[:8] + png_chunk(b"IHDR", header) + png[33:])
    assert "above the limit of 300000000" in refused(tmp_path / "a.png")
    bmp = bytearray(encoded("bmp"))
    struct.pack_into("<II", bmp, 18, 200_000_000, 1)
    (tmp_path / "a.bmp").write_bytes(bmp)
    assert "65535" in refused(tmp_path / "a.bmp")


def test_a_tiff_header_that_promises_too_much_is_refused_at_once(tmp_path):
    # libvips believes it, and needs half a minute and 7 GB to find out.
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(struct.pack("<HHII", 256, 4, 1, 64))
    struct.pack_into("<I", data, at + 8, 5_000_000)
    (tmp_path / "a.tif").write_bytes(data)
    assert "cut short" in refused(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", SAMPLES, photometric="rgb", metadata=None, tile=(16, 16), compression="zlib")
    data = bytearray((tmp_path / "b.tif").read_bytes())
    at = data.index(struct.pack("<HHII", 256, 4, 1, 64))
    struct.pack_into("<I", data, at + 8, 3_000_000)
    (tmp_path / "b.tif").write_bytes(data)
    assert "12 of 562500 pieces" in refused(tmp_path / "b.tif")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_refused(tmp_path, value):
    samples = np.ones((8, 8), np.float32)
    samples[3, 4] = value
    tifffile.imwrite(tmp_path / "a.tif", samples)
    assert "NaN or infinite" in refused(tmp_path / "a.tif")
    assert np.array_equal(read(tmp_path / "a.tif", missing_ok=True).colour[0, 0].numpy(), samples, equal_nan=True)
    colour = torch.from_numpy(samples)[None, None]
    for name, depth in (("b.tif", "float32"), ("b.png", "uint8")):
        with pytest.raises(InputError, match="NaN or infinite"):
            save(Image(colour=colour, depth=depth), tmp_path / name)
        assert not (tmp_path / name).exists()


def test_sample_types_that_are_not_read_come_with_a_remedy(tmp_path):
    for dtype, remedy in (("float64", "Float32"), ("complex64", "magnitude"), ("uint64", "Float32")):
        tifffile.imwrite(tmp_path / "a.tif", np.ones((8, 8), dtype))
        assert remedy in refused(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", subfiletype=1)
    assert "develop it" in refused(tmp_path / "a.tif")


def test_damaged_files_leave_standard_error_silent(tmp_path, capfd):
    tags = [(65000, "I", 1, 5, False), (33550, "d", 3, (1.0, 1.0, 0.0), False)]
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", extratags=tags)
    read(tmp_path / "a.tif")
    png = encoded("png")
    (tmp_path / "a.png").write_bytes(png[:33] + png_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"garbage")) + png[33:])
    read(tmp_path / "a.png")
    avif = bytearray(encoded("avif"))
    struct.pack_into(">I", avif, avif.index(b"ispe") + 8, 2_000_000_000)
    (tmp_path / "a.avif").write_bytes(avif)
    refused(tmp_path / "a.avif")
    save(IMAGE, tmp_path / "out.jpg")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "depth", "bands", "has_alpha", "words"),
    [
        (
            "a.jpg",
            "uint16",
            3,
            False,
            "JPEG holds 8 bits, not 16 bits; write .png or .tif",
        ),
        ("a.jpeg", "uint8", 3, True, "JPEG holds no alpha"),
        (
            "a.png",
            "float32",
            3,
            False,
            "PNG holds 8 bits or 16 bits, not 32-bit float; write .tif",
        ),
        ("a.png", "uint8", 5, False, "PNG holds 1 or 3 bands, not 5; write .tif"),
        ("a.webp", "uint16", 3, False, "WebP holds 8 bits"),
        ("a.avif", "uint16", 3, False, "AVIF holds 8 bits"),
        ("a.bmp", "uint8", 3, True, "BMP holds no alpha"),
        ("a.gif", "float32", 3, False, "GIF holds 8 bits"),
        ("a.jxl", "uint8", 3, False, "JPEG XL is read and not written; write .png"),
        ("a.psd", "uint8", 3, False, "'.psd' is not a suffix"),
        ("a", "uint8", 3, False, "the name has no suffix"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_beforehand(tmp_path, name, depth, bands, has_alpha, words):
    with pytest.raises(ImageFileError) as caught:
        check_writable(tmp_path / name, depth=depth, bands=bands, has_alpha=has_alpha, overwrite=False)
    assert str(tmp_path / name) in str(caught.value)
    assert words in str(caught.value)


def test_sides_that_a_format_cannot_hold_are_refused_beforehand(tmp_path):
    whole = {"depth": "uint8", "bands": 3, "has_alpha": False, "overwrite": False}
    check_writable(tmp_path / "a.webp", **whole, size=(16_383, 9))
    with pytest.raises(ImageFileError, match="WebP sides end at 16383"):
        check_writable(tmp_path / "a.webp", **whole, size=(9, 16_384))
    with pytest.raises(ImageFileError, match="JPEG sides end at 65500"):
        check_writable(tmp_path / "a.jpg", **whole, size=(65_501, 9))


def test_places_that_cannot_be_written_are_refused_beforehand(tmp_path, monkeypatch):
    whole = {"depth": "uint8", "bands": 3, "has_alpha": False, "overwrite": False}
    (tmp_path / "folder.png").mkdir()
    for path, words in (
        (tmp_path / "folder.png", "is a folder"),
        (tmp_path / "missing" / "a.png", "create it first"),
        (tmp_path / ("a" * 300 + ".png"), "choose another"),
    ):
        with pytest.raises(ImageFileError, match=words):
            check_writable(path, **whole)
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests run as root, who may write everywhere
    with pytest.raises(ImageFileError, match="no permission to write"):
        check_writable(tmp_path / "a.png", **whole)


def test_an_existing_file_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(ImageFileError, match="exists"):
        save(IMAGE, path)
    assert path.read_bytes() == b"precious"
    save(IMAGE, path, overwrite=True)
    assert read(path).colour.shape == (1, 3, 8, 8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".gif", ".bmp"])
def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path, suffix):
    resource = pytest.importorskip("resource")  # not on Windows
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"precious")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, limits[1]))
    try:
        with pytest.raises(ImageFileError, match=r"cannot be written \(File too large\)") as caught:
            save(Image(colour=torch.rand(1, 3, 64, 64)), path, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(path) in str(caught.value)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {path.name: b"precious"}


def test_a_file_that_appears_during_a_save_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (tmp_path / "a.png").write_bytes(b"appeared meanwhile"))
    with pytest.raises(ImageFileError, match=r"a\.png: exists; choose another name"):
        save(IMAGE, tmp_path / "a.png")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"appeared meanwhile"]


def test_wrong_options_are_refused(tmp_path):
    for options, words in (
        ({"quality": 0}, "quality"),
        ({"quality": 101}, "quality"),
        ({"metadata": "all"}, "metadata"),
    ):
        with pytest.raises(InputError, match=words):
            save(IMAGE, tmp_path / "a.png", **options)
