"""What image files say besides their pixels: profile, EXIF, XMP, IPTC, resolution."""

import io
import re
import struct
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as PillowImage
from PIL import ImageCms

from innersr.images.containers.exif import lost_parts
from innersr.images.containers.xmp import upright_xmp
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.metadata import Metadata, iptc_of_photoshop, photoshop_of_iptc
from innersr.images.tiff.edits import add_tags, text_tag
from innersr.images.tiff.tags import tiff_page, upright_exif
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file
from innersr.run import Run

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="t"/></x:xmpmeta>'
IPTC = b"\x1c\x02\x00\x00\x02\x00\x04" + b"\x1c\x02\x78\x00\x0eA long caption" + b"\x1c\x02\x50\x00\x05Smith"
SAMPLES = (np.random.default_rng(0).random((16, 24, 3)) * 255).astype(np.uint8)
MAKE, MODEL_TIME, EXIF_IFD, TAKEN, EXIF_WIDTH, EXIF_HEIGHT = 271, 306, 0x8769, 0x9003, 0xA002, 0xA003


def exif_block(orientation=1, thumbnail=False):
    exif = PillowImage.Exif()
    exif[MAKE], exif[0x0112] = "Canon", orientation
    inner = exif.get_ifd(EXIF_IFD)
    inner[TAKEN], inner[EXIF_WIDTH], inner[EXIF_HEIGHT] = "1987:06:05 04:03:02", 24, 16
    block = exif.tobytes()
    if not thumbnail:
        return block
    # A second directory with a JPEG preview, as cameras write it.
    preview = io.BytesIO()
    PillowImage.new("RGB", (8, 8)).save(preview, "JPEG")
    body = bytearray(block[6:])
    order = "<" if body[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", body, 4)
    (count,) = struct.unpack_from(order + "H", body, start)
    struct.pack_into(order + "I", body, start + 2 + 12 * count, len(body))
    entries = [
        (259, 3, 1, 6 if order == "<" else 6 << 16),
        (513, 4, 1, len(body) + 42),
        (514, 4, 1, preview.tell()),
    ]
    body += struct.pack(order + "H", 3) + b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    return block[:6] + bytes(body) + bytes(4) + preview.getvalue()


def write(path, exif=None, **options):
    PillowImage.fromarray(SAMPLES).save(path, exif=exif or b"", lossless=True, **options)
    return path


def rich_image():
    metadata = Metadata(icc=SRGB, exif=exif_block(), xmp=XMP, iptc=IPTC, pixels_per_mm=(300 / 25.4, 150 / 25.4))
    return Image(colour=torch.rand(1, 3, 16, 24), metadata=metadata)


@pytest.mark.parametrize(
    ("suffix", "kept"),
    [
        (".jpg", {"icc", "exif", "xmp", "iptc", "pixels_per_mm"}),
        (".png", {"icc", "exif", "xmp", "pixels_per_mm"}),
        (".tif", {"icc", "xmp", "iptc", "pixels_per_mm"}),
        (".webp", {"icc", "exif", "xmp", "pixels_per_mm"}),
        (".avif", {"icc", "exif", "xmp", "pixels_per_mm"}),
        (".bmp", {"pixels_per_mm"}),
        (".gif", set()),
    ],
)
def test_metadata_is_kept_or_its_loss_is_reported(tmp_path, suffix, kept):
    notes = save(rich_image(), tmp_path / f"a{suffix}")
    found = read(tmp_path / f"a{suffix}").metadata
    assert {name for name in ("icc", "exif", "xmp", "iptc", "pixels_per_mm") if getattr(found, name)} == kept
    words = {"icc": "colour profile", "exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "pixels_per_mm": "DPI"}
    assert {name for name, word in words.items() if any(word in note for note in notes)} == set(words) - kept
    assert found.icc == (SRGB if "icc" in kept else None)
    assert found.iptc == (IPTC if "iptc" in kept else None) or found.iptc.rstrip(b"\0") == IPTC
    if "xmp" in kept:
        assert found.xmp.rstrip(b"\0") == XMP.replace(b'"6"', b'"1"')
    if "pixels_per_mm" in kept:
        assert found.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-3)
    if "exif" in kept:
        exif = PillowImage.open(tmp_path / f"a{suffix}").getexif()
        assert exif[MAKE] == "Canon"
        assert exif.get_ifd(EXIF_IFD)[TAKEN] == "1987:06:05 04:03:02"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_exif_of_a_larger_result_has_its_size_and_no_old_thumbnail(tmp_path, suffix):
    image = read(write(tmp_path / "in.jpg", exif_block(thumbnail=True)))
    assert b"\xff\xd8\xff" in exif_block(thumbnail=True)
    bigger = replace(image, colour=torch.rand(1, 3, 32, 48))
    save(bigger, tmp_path / f"out{suffix}")
    exif = PillowImage.open(tmp_path / f"out{suffix}").getexif()
    assert (exif.get_ifd(EXIF_IFD)[EXIF_WIDTH], exif.get_ifd(EXIF_IFD)[EXIF_HEIGHT]) == (48, 32)
    assert exif[MAKE] == "Canon"
    assert b"\xff\xd8\xff" not in read(tmp_path / f"out{suffix}").metadata.exif


@pytest.mark.parametrize(
    ("name", "compression"), [("a.jpg", None), ("a.png", None), ("a.webp", None), ("a.tif", None), ("a.tif", "zstd")]
)
def test_sizes_in_xmp_and_exif_are_those_of_the_result(tmp_path, name, compression):
    sizes = b"<exif:PixelXDimension>24</exif:PixelXDimension><exif:PixelYDimension>16</exif:PixelYDimension>"
    xmp = b'<x:xmpmeta tiff:ImageWidth="24" tiff:ImageLength = \'16\' tiff:Model="24">' + sizes + b"</x:xmpmeta>"
    exif = PillowImage.Exif()
    exif[256], exif[257], exif[MAKE] = 24, 16, "Canon"
    image = Image(colour=torch.rand(1, 3, 32, 48), metadata=Metadata(xmp=xmp, exif=exif.tobytes()))
    save(image, tmp_path / name, compression=compression)
    found = read(tmp_path / name).metadata
    wanted = xmp.replace(b'Width="24"', b'Width="48"').replace(b"'16'", b"'32'")
    assert found.xmp.rstrip(b"\0") == wanted.replace(b">24<", b">48<").replace(b">16<", b">32<")
    if found.exif is not None:
        exif = PillowImage.open(tmp_path / name).getexif()
        assert {*exif} & {256, 257, MAKE} == {MAKE}


@pytest.mark.parametrize("source", ["a.png", "a.jpg"])
@pytest.mark.parametrize(
    ("target", "scale", "ratio"),
    [
        ("b.png", 2, (2, 1)),
        ("b.jpg", 2, (2, 1)),
        ("b.png", (2, 3), (3, 1)),
        ("b.jpg", (4, 2), None),
        ("b.webp", 2, None),
    ],
)
def test_the_shape_of_pixels_is_kept_or_its_loss_is_reported(tmp_path, source, target, scale, ratio):
    path = write(tmp_path / source)
    data = path.read_bytes()
    if source == "a.png":
        body = b"pHYs" + struct.pack(">IIB", 2, 1, 0)
        path.write_bytes(data[:33] + struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body)) + data[33:])
    else:
        path.write_bytes(data[:13] + struct.pack(">BHH", 0, 2, 1) + data[18:])
    options = UpscaleOptions(method="bicubic", kernel="bicubic", scale=scale)
    result = upscale_file(path, tmp_path / target, options, Run(device="cpu"))
    found = read(tmp_path / target).metadata
    assert (found.pixel_ratio, found.pixels_per_mm) == (ratio, None)
    assert any("the shape of its pixels" in note for note in result.notes) == (target == "b.webp")


def test_the_shape_of_pixels_turns_with_the_image(tmp_path):
    path = write(tmp_path / "a.jpg", exif_block(orientation=6))
    data = path.read_bytes()
    path.write_bytes(data[:13] + struct.pack(">BHH", 0, 2, 1) + data[18:])
    assert read(path).metadata.pixel_ratio == (1, 2)


def test_metadata_can_be_left_out(tmp_path):
    for suffix in (".jpg", ".png", ".tif", ".webp", ".avif"):
        assert save(rich_image(), tmp_path / f"icc{suffix}", metadata="icc") == ()
        found = read(tmp_path / f"icc{suffix}").metadata
        assert (found.icc, found.xmp, found.iptc) == (SRGB, None, None)
        assert found.pixels_per_mm == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-3)
        assert b"Canon" not in (tmp_path / f"icc{suffix}").read_bytes()
        assert save(rich_image(), tmp_path / f"none{suffix}", metadata="none") == ()
        found = read(tmp_path / f"none{suffix}").metadata
        assert (found.icc, found.exif, found.xmp, found.iptc) == (None, None, None, None)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_resolution_is_read(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", dpi=(300, 200))
    assert read(path).metadata.pixels_per_mm == pytest.approx((300 / 25.4, 200 / 25.4), rel=1e-4)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".gif"])
def test_a_file_without_resolution_gives_none(tmp_path, suffix):
    assert read(write(tmp_path / f"a{suffix}")).metadata.pixels_per_mm is None


def test_resolution_turns_with_the_image(tmp_path):
    path = write(tmp_path / "a.tif", exif_block(orientation=6), dpi=(300, 200))
    assert read(path).colour.shape == (1, 3, 24, 16)
    assert read(path).metadata.pixels_per_mm == pytest.approx((200 / 25.4, 300 / 25.4), rel=1e-4)


def test_orientation_is_reset_in_the_exif_bytes():
    for orientation in range(1, 9):
        exif = PillowImage.Exif()
        exif.load(upright_exif(exif_block(orientation)))
        assert (exif[0x0112], exif[MAKE]) == (1, "Canon")


def test_orientation_is_reset_in_xmp_elements_too():
    assert upright_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"


def test_damaged_exif_is_dropped_with_a_note(tmp_path):
    image = read(write(tmp_path / "a.png", b"Exif\0\0II*\0\xff\xff\xff\0"))
    assert image.metadata.exif is None
    assert any("EXIF is damaged" in note for note in image.notes)


def photographed():
    """Return an EXIF block with a position, as a camera writes it, and the place of the number of each directory."""
    exif = PillowImage.Exif()
    exif[MAKE], exif[MODEL_TIME] = "Canon", "1987:06:05 04:03:02"
    exif[EXIF_IFD] = {TAKEN: "1987:06:05 04:03:02", 0x829A: 0.02, 0x8827: 400, 0x9286: b"ASCII\0\0\0words"}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 5.0), 3: "E", 4: (11.0, 34.0, 1.0)}
    return exif.tobytes()


def pointing(tag, place):
    """Return that block, whose pointer to a directory leads elsewhere."""
    block = bytearray(photographed())
    order = "<" if block[6:8] == b"II" else ">"
    (at,) = [k for k in range(16, len(block) - 12, 12) if struct.unpack_from(f"{order}HH", block, k) == (tag, 4)]
    struct.pack_into(f"{order}I", block, at + 8, place)
    return bytes(block)


def private():
    exif = PillowImage.Exif()
    exif[MAKE], exif[50000] = "Canon", "of nobody"
    exif[EXIF_IFD] = {0x829A: 0.02, 0x927C: b"MAKER" + bytes(20)}
    return exif.tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize(
    ("block", "lost"),
    [
        (pointing(0x8825, 90_000), "GPS position"),
        (pointing(0x8825, 8), "GPS position"),
        (pointing(EXIF_IFD, 90_000), "camera settings"),
        (photographed()[:-20], "GPS position"),
        (private(), "MakerNote, 1 other tag"),
    ],
)
def test_what_is_lost_of_an_exif_block_is_reported(tmp_path, suffix, block, lost):
    notes = save(read(write(tmp_path / f"a{suffix}", block)), tmp_path / f"b{suffix}")
    assert notes == (f"EXIF is not kept whole, it lacks: {lost} (damaged, or unknown to the encoder)",)
    assert save(read(tmp_path / f"b{suffix}"), tmp_path / f"c{suffix}") == ()  # what is left is whole


def test_a_hostile_exif_block_is_looked_at_in_no_time():
    size = 1 << 19  # bytes: a directory of 20,000 tags, each of which points to another one or claims all of it
    entries = b"".join(
        struct.pack("<HHII", 34665, 4, 1, 8 + 2 * k) if k % 2 else struct.pack("<HHII", k, 7, size, 0)
        for k in range(20_000)
    )
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 20_000) + entries
    begin = time.process_time()
    lost_parts(block + bytes(size - len(block)))
    assert time.process_time() - begin < 5  # minutes if each directory were read


@pytest.mark.parametrize("length", [1000, 120_000])
def test_a_long_text_in_exif_is_kept_or_its_loss_is_reported(tmp_path, length):
    exif = PillowImage.Exif()
    exif[MAKE], exif[EXIF_IFD] = "Canon", {0x9286: b"ASCII\0\0\0" + b"words " * (length // 6), 0x829A: 0.02}
    notes = save(read(write(tmp_path / "a.png", exif.tobytes())), tmp_path / "b.png")
    found = PillowImage.Exif()
    found.load(read(tmp_path / "b.png").metadata.exif)
    assert (notes == ()) == (0x9286 in found.get_ifd(EXIF_IFD))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_a_sound_exif_block_is_kept_whole(tmp_path, suffix):
    for block in (photographed(), exif_block(thumbnail=True)):
        image = read(write(tmp_path / "a.png", block))
        assert save(image, tmp_path / f"b{suffix}", overwrite=True) == ()
        found, wanted = PillowImage.Exif(), PillowImage.Exif()
        found.load(read(tmp_path / f"b{suffix}").metadata.exif)
        wanted.load(block)
        for directory in (EXIF_IFD, 0x8825):
            kept = found.get_ifd(directory)
            assert {tag: kept[tag] for tag in wanted.get_ifd(directory)} == wanted.get_ifd(directory)


def bare_exif(**tags):
    exif = PillowImage.Exif()
    exif.update({int(code[1:]): value for code, value in tags.items()})
    return exif.tobytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("options", "tags"),
    [
        ({}, set()),
        ({"dpi": (240, 240)}, set()),
        ({"exif": bare_exif(_271="Canon")}, {271}),
        ({"exif": bare_exif(_274=3)}, {274}),
        ({"exif": bare_exif(_271="Canon", _282=300.0, _283=300.0), "dpi": (300, 300)}, {271, 282, 283}),
    ],
)
def test_no_tags_of_exif_are_invented(tmp_path, suffix, mode, options, tags):
    PillowImage.fromarray(SAMPLES).convert(mode).save(tmp_path / "in.jpg", **options)
    save(read(tmp_path / "in.jpg"), tmp_path / f"out{suffix}")
    exif = PillowImage.open(tmp_path / f"out{suffix}").getexif()
    only_there = {282, 283, 296} if "dpi" in options and suffix in (".webp", ".avif") else set()
    assert {*exif} == tags | only_there and not exif.get_ifd(EXIF_IFD)
    density = read(tmp_path / f"out{suffix}").metadata.pixels_per_mm or (0, 0)
    assert density == pytest.approx([dots / 25.4 for dots in options.get("dpi", (0, 0))], rel=1e-4)


@pytest.mark.parametrize("dots", [(0.3, 0.3), (72.5, 300.0), (300.0, 150.0), (200_000.0, 200_000.0)])
def test_any_resolution_is_kept_in_a_jpeg(tmp_path, dots):
    wanted = tuple(value / 25.4 for value in dots)
    save(Image(colour=torch.rand(1, 3, 8, 8), metadata=Metadata(pixels_per_mm=wanted)), tmp_path / "a.jpg")
    assert read(tmp_path / "a.jpg").metadata.pixels_per_mm == pytest.approx(wanted, rel=1e-3)
    assert bool(PillowImage.open(tmp_path / "a.jpg").getexif()) == (dots not in [(300.0, 150.0)])


def test_a_profile_for_another_kind_of_image_is_dropped_with_a_note(tmp_path):
    grey = Image(colour=torch.rand(1, 1, 8, 8), metadata=Metadata(icc=SRGB))
    bands = Image(colour=torch.rand(1, 5, 8, 8), metadata=Metadata(icc=SRGB))
    broken = Image(colour=torch.rand(1, 3, 8, 8), metadata=Metadata(icc=b"no profile"))
    for image, name in ((grey, "a.png"), (bands, "a.tif"), (broken, "b.png")):
        (note,) = save(image, tmp_path / name)
        assert "colour profile is not kept" in note
        assert read(tmp_path / name).metadata.icc is None


def test_a_grey_profile_stays_with_grey_files_only(tmp_path):
    profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    grey = Image(colour=torch.rand(1, 1, 8, 8), metadata=Metadata(icc=profile))
    assert save(grey, tmp_path / "a.png") == ()
    (note,) = save(grey, tmp_path / "a.webp")  # where grey becomes RGB
    assert "colour profile is not kept" in note


def test_blocks_too_large_for_jpeg_are_dropped_with_a_note(tmp_path):
    image = Image(colour=torch.rand(1, 3, 8, 8), metadata=Metadata(xmp=XMP + b" " * 70_000))
    (note,) = save(image, tmp_path / "a.jpg")
    assert "XMP is not kept" in note


@pytest.mark.parametrize("colours, alphas, notes", [(255, 1, 0), (256, 1, 1), (254, 2, 0), (255, 2, 1), (16, 3, 1)])
def test_gif_says_what_it_does_not_keep_where_it_happens(tmp_path, colours, alphas, notes):
    numbers = torch.arange(32 * 32)
    levels = torch.stack([numbers % colours, numbers % colours // 3, numbers * 0]).reshape(1, 3, 32, 32) / 255
    alpha = (numbers // 512 + (alphas == 3) / 2).clamp(0, 1).reshape(1, 1, 32, 32) if alphas > 1 else None
    lost = save(Image(colour=levels, alpha=alpha), tmp_path / "a.gif")
    words = "GIF holds on-off alpha" if alphas == 3 else "GIF holds 256 colours: the image was quantized"
    assert len(lost) == notes and all(note.startswith(words) for note in lost)
    written = read(tmp_path / "a.gif")
    visible = levels if written.alpha is None else levels * written.alpha.round()
    is_exact = torch.equal((written.colour * 255).round(), (visible * 255).round())
    assert is_exact == (not any("colours" in note for note in lost))


def test_tiff_tags_are_kept_in_a_tiff_and_their_loss_is_reported_elsewhere(tmp_path):
    tags = [
        (33550, "d", 3, (10.0, 10.0, 0.0), False),
        (315, "s", 0, "Smith", False),
    ]
    for order in "<>":
        tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", extratags=tags, byteorder=order)
        image = read(tmp_path / "a.tif")
        save(image, tmp_path / "b.tif", overwrite=True)
        with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
            assert tiff.pages.first.tags[33550].value == (10.0, 10.0, 0.0)
            assert tiff.pages.first.tags["Artist"].value == "Smith"
        notes = " ".join(save(image, tmp_path / "b.png", overwrite=True))
        assert "georeferencing" in notes and "author" in notes


def test_every_tag_of_a_tiff_is_kept_or_its_loss_is_reported(tmp_path):
    of_storage = {254, 255, *range(256, 267), *range(273, 285), 288, 289, 292, 293, 296, 297, 317, *range(320, 329)}
    of_storage |= {
        332,
        334,
        336,
        338,
        339,
        340,
        341,
        347,
        *range(512, 522),
        *range(529, 533),
        559,
        *range(32995, 32999),
    }
    refused = {50706, 333}  # DNGVersion, and InkNames of other inks
    described = {270, 700, 33723, 34675, 42113, 305}  # kept in other ways, and tested above; Software needs no note
    in_groups = {33920, 318, 319, 301, 50838, 50839, 33628, 33629, 33630, 33631, 34361, 34412, 34680}
    in_groups |= {343, 344, 345, 34377, 37724, 33550, 33922, 34264, 34735, 34736, 34737, 50844}
    pointers = {330, 400, 34665, 34853, 40965}  # to directories that are not there: tifffile leaves them out
    known = {code for code, _ in tifffile.TIFF.TAGS.items() if 10 < code < 65535}
    codes = {*known, 3, 40000, 65000} - of_storage - refused - described - pointers
    assert {286, 287, 300, 316, 32781, *in_groups} <= codes
    tags = [(code, "B", 5, b"\1\2\3\4\5", True) for code in sorted(codes)]
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", metadata=None, extratags=tags)
    image = read(tmp_path / "a.tif")
    save(image, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        kept = {tag.code for tag in tiff.pages.first.tags} & codes
    with (tmp_path / "a.tif").open("rb") as stream, tiff_page(stream) as page:
        codes &= {tag.code for tag in page.tags}  # tifffile leaves one out whose bytes are not of its kind
    notes = " ".join(image.notes)
    groups = ("georeferencing", "colour description", "microscope", "Photoshop")
    assert all(group in notes for group in groups)
    more = int(re.search(r"may not be true.* and (\d+) more", notes)[1])
    assert 6 + more >= len(codes - kept - in_groups) - 1  # all others are named or counted; one cannot be read at all
    assert {269, 271, 272, 285, 306, 315, 316, 33432, 42112} == kept


def test_a_damaged_file_of_many_tags_gets_a_short_note(tmp_path):
    tags = [(code, "s", 0, "x", True) for code in range(65000, 65100)]
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", metadata=None, extratags=tags)
    (note,) = read(tmp_path / "a.tif").notes
    assert note.endswith("65000, 65001, 65002, 65003, 65004, 65005 and 94 more")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", ["0", "-9999", "-3.4028234663852886e+38"])
def test_a_no_data_tag_can_be_added_to_any_tiff(tmp_path, big, order, value):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, SAMPLES, photometric="rgb", bigtiff=big, byteorder=order, software="x" * 33)
    before = read(path)
    with path.open("r+b") as stream:
        add_tags(stream, [text_tag(42113, value)])
    after = read(path)
    assert torch.equal(after.colour, before.colour)
    assert (before.metadata.nodata, after.metadata.nodata) == (None, value)
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1
        codes = [tag.code for tag in tiff.pages.first.tags]
        assert codes == sorted(codes) and tiff.pages.first.tags["Software"].value == "x" * 33


@pytest.mark.parametrize("text", ["none", "", "1" * 40])
def test_a_no_data_tag_that_is_no_number_does_not_count(tmp_path, text):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", extratags=[(42113, "s", 0, text, False)])
    assert read(tmp_path / "a.tif").metadata.nodata is None


def test_other_formats_say_that_the_no_data_value_gets_lost(tmp_path):
    image = Image(colour=torch.rand(1, 3, 8, 8), metadata=Metadata(nodata="0"))
    assert save(image, tmp_path / "a.png") == ("the no-data value is not kept: PNG files are written without it",)


def test_iptc_records_are_found_in_a_photoshop_block():
    block = photoshop_of_iptc(IPTC)
    other = b"8BIM\x03\xed\x03abc" + struct.pack(">I", 5) + b"12345\0"
    assert iptc_of_photoshop(block) == IPTC
    assert iptc_of_photoshop(block[:14] + other + block[14:]) == IPTC
    assert iptc_of_photoshop(block[:20]) is None


def test_pictures_below_a_page_of_a_tiff_are_reported(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(SAMPLES, photometric="rgb", metadata=None, subifds=1)
        writer.write(SAMPLES[::2, ::2], photometric="rgb", metadata=None, subfiletype=1)
    assert "further pictures of the page (SubIFDs) of the TIFF are not kept" in read(tmp_path / "a.tif").notes
