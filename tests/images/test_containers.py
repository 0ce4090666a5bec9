"""What the formats say around the pixels is kept, converted or said: colours by numbers, texts, attachments."""

import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
import tifffile
import torch
from PIL import Image as PillowImage
from PIL import ImageCms, PngImagePlugin

from innersr.errors import ImageFileError
from innersr.images.colours.profiles import ColourSpace, colour_space_of_code_points
from innersr.images.containers.gif import gif_facts
from innersr.images.containers.png import chunks_in
from innersr.images.containers.xmp import without_attachments
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.metadata import Metadata

SAMPLES = (np.random.default_rng(0).random((16, 24, 3)) * 255).astype(np.uint8)
RAMP = np.linspace(0, 255, 16).astype(np.uint8).repeat(3).reshape(1, 16, 3).repeat(4, 0)
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # white, red, green, blue as in cHRM
HDR = bytes([9, 16, 0, 1])  # BT.2020 with PQ
PHOTOS = "http://ns.google.com/photos/1.0"
PROMISING_XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
    f'xmlns:GCamera="{PHOTOS}/camera/" xmlns:Container="{PHOTOS}/container/" xmlns:Item="{PHOTOS}/container/item/" '
    'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" hdrgm:Version="1.0" GCamera:MotionPhoto="1" '
    'GCamera:MotionPhotoVersion="1" GCamera:BurstID="b" xmpNote:HasExtendedXMP="0F" dc:title="kept &amp; whole">'
    '<Container:Directory><rdf:Seq><rdf:li Item:Semantic="GainMap"/></rdf:Seq></Container:Directory>'
    "<dc:creator>Smith</dc:creator></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
).encode()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path, *chunks, samples=SAMPLES, after=b"", **options):
    """A PNG file with more chunks after its header, and some after its pixels."""
    stream = io.BytesIO()
    PillowImage.fromarray(samples).save(stream, "PNG", **options)
    data = stream.getvalue()
    path.write_bytes(data[:33] + b"".join(chunk(*each) for each in chunks) + data[33:-12] + after + data[-12:])
    return path


def jpeg(samples=SAMPLES, **options):
    stream = io.BytesIO()
    PillowImage.fromarray(samples).save(stream, "JPEG", **options)
    return stream.getvalue()


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def shown(icc, samples):
    """Samples as sRGB shows them."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    mode = "L" if samples.ndim == 2 else "RGB"
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=1)
    return np.asarray(ImageCms.applyTransform(PillowImage.fromarray(samples), transform)).astype(float)


def in_srgb(light):
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_a_linear_png_gets_a_profile_that_shows_it_as_it_was(tmp_path):
    image = read(png(tmp_path / "a.png", (b"gAMA", struct.pack(">I", 100_000)), samples=RAMP))
    assert any("gAMA" in note and "linear" in note for note in image.notes)
    for suffix in (".png", ".tif", ".jpg", ".webp", ".avif"):
        assert save(image, tmp_path / f"out{suffix}") == ()
        icc = read(tmp_path / f"out{suffix}").metadata.icc
        assert np.abs(shown(icc, RAMP) - in_srgb(RAMP / 255)).max() <= 1


def test_a_linear_grey_png_gets_a_grey_profile(tmp_path):
    image = read(png(tmp_path / "a.png", (b"gAMA", struct.pack(">I", 100_000)), samples=RAMP[..., 0]))
    assert save(image, tmp_path / "out.png") == ()
    icc = read(tmp_path / "out.png").metadata.icc
    bright = RAMP[..., 0] >= 32  # below, Little CMS itself is coarse for 8-bit grey
    assert np.abs(shown(icc, RAMP[..., 0]) - in_srgb(RAMP / 255))[bright].max() <= 1.5


@pytest.mark.parametrize("kind", ["cICP", "cHRM"])
def test_display_p3_by_numbers_is_display_p3(tmp_path, kind):
    chromaticities = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    data = {"cICP": bytes([12, 13, 0, 1]), "cHRM": struct.pack(">8I", *chromaticities)}[kind]
    icc = read(png(tmp_path / "a.png", (kind.encode(), data))).metadata.icc
    muted = 64 + SAMPLES // 2  # inside sRGB: beyond it programs clip as they like
    expected = pyvips.Image.new_from_array(muted).icc_transform("srgb", input_profile="p3", intent="relative").numpy()
    # The white point of libvips' own P3 is rounded.
    assert np.abs(shown(icc, muted) - expected).max() <= 2
    assert np.abs(shown(icc, muted) - muted).max() > 10


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">I", 45455))],
        [(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", struct.pack(">8I", *SRGB))],
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))],
        [(b"cICP", bytes([1, 13, 0, 1])), (b"gAMA", struct.pack(">I", 100_000))],
        [(b"gAMA", bytes(4))],
    ],
)  # fmt: skip
def test_srgb_by_numbers_needs_no_profile(tmp_path, chunks):
    image = read(png(tmp_path / "a.png", *chunks))
    assert (image.metadata.icc, image.notes) == (None, ())


def test_an_embedded_profile_counts_before_gamma_and_code_points_before_it(tmp_path):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    assert read(png(tmp_path / "a.png", gamma, icc_profile=own)).metadata.icc == own
    found = read(png(tmp_path / "b.png", (b"cICP", bytes([12, 13, 0, 1])), icc_profile=own)).metadata.icc
    assert found == colour_space_of_code_points(12, 13).profile()


def chunks_of(path):
    with path.open("rb") as stream:
        return [kind for kind, _ in chunks_in(stream)]


@pytest.mark.parametrize("texts", [(), (("Comment", "plain"),)])
@pytest.mark.parametrize("size", [(8, 8), (1200, 900)])  # of less and of more than a block that is moved
def test_a_png_without_a_resolution_has_none_and_is_whole(tmp_path, texts, size):
    levels = torch.randint(256, (1, 3, *size), generator=torch.Generator().manual_seed(0))
    save(Image(colour=levels / 255, metadata=Metadata(texts=texts)), tmp_path / "a.png")
    assert b"pHYs" not in chunks_of(tmp_path / "a.png")
    written = np.asarray(PillowImage.open(tmp_path / "a.png"))
    assert np.array_equal(written, levels[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("name", "bits", "words"),
    [("a.png", 1, "1 bit"), ("a.png", 4, "4 bits"), ("a.png", 8, None), ("a.tif", 1, "1 bit"), ("a.tif", 8, None)],
)
def test_samples_of_few_bits_become_8_with_a_note(tmp_path, name, bits, words):
    pyvips.Image.black(16, 16).write_to_file(str(tmp_path / name), bitdepth=bits)
    assert read(tmp_path / name).notes == ((f"its samples of {words} become 8 bits",) if words else ())


@pytest.mark.parametrize("name", ["a.bmp", "a.pbm", "a.tif", "a.png"])
def test_bitmaps_become_8_bits_with_a_note(tmp_path, name):
    PillowImage.fromarray(SAMPLES[..., 0] > 99).save(tmp_path / name)
    assert read(tmp_path / name).notes == ("its samples of 1 bit become 8 bits",)


def test_the_language_of_a_text_is_reported(tmp_path):
    plain, named = (b"iTXt", b"A\0\0\0\0\0a"), (b"iTXt", b"Title\0\0\0ja\0\xe9\xa1\x8c\0Zo\xc3\xab")
    image = read(png(tmp_path / "a.png", plain, named))
    assert image.metadata.texts == (("A", "a"), ("Title", "Zoë"))
    assert image.notes == ("the language of its text 'Title' is not kept, nor its keyword in it",)


@pytest.mark.parametrize("alpha", [None, torch.ones(1, 1, 8, 8).triu()[None][0]])
def test_a_still_gif_is_no_animation(tmp_path, alpha):
    save(Image(colour=torch.zeros(1, 3, 8, 8), alpha=alpha), tmp_path / "a.gif")
    assert b"NETSCAPE" not in (tmp_path / "a.gif").read_bytes()


def test_impossible_colours_are_reported(tmp_path):
    image = read(png(tmp_path / "a.png", (b"cHRM", bytes(32))))
    assert image.metadata.icc is None
    assert any("describes no colours" in note for note in image.notes)
    assert ColourSpace(red=(0.3, 0.3), green=(0.3, 0.3)).profile() is None


def test_hdr_code_points_are_kept_in_png_and_their_loss_is_reported_elsewhere(tmp_path):
    image = read(png(tmp_path / "a.png", (b"cICP", HDR)))
    assert any("PQ (HDR)" in note for note in image.notes)
    assert save(image, tmp_path / "out.png") == ()
    assert read(tmp_path / "out.png").metadata.code_points == HDR
    assert np.array_equal(np.asarray(PillowImage.open(tmp_path / "out.png")), SAMPLES)
    (note,) = save(image, tmp_path / "out.jpg")
    assert "HDR colour description is not kept" in note


def with_nclx(path, primaries, transfer):
    """An AVIF file by Pillow with other code points."""
    stream = io.BytesIO()
    PillowImage.fromarray(SAMPLES).save(stream, "AVIF", quality=90)
    data = bytearray(stream.getvalue())
    struct.pack_into(">HH", data, data.index(b"nclx") + 4, primaries, transfer)
    path.write_bytes(data)
    return path


def test_the_code_points_of_an_avif_count(tmp_path):
    assert read(with_nclx(tmp_path / "a.avif", 1, 13)).metadata.icc is None
    image = read(with_nclx(tmp_path / "a.avif", 12, 13))
    assert image.metadata.icc == colour_space_of_code_points(12, 13).profile()
    assert any("nclx" in note for note in image.notes)
    image = read(with_nclx(tmp_path / "a.avif", 9, 16))
    assert image.metadata.code_points == HDR
    assert any("PQ (HDR)" in note for note in image.notes)


def test_png_texts_are_kept(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a lighthouse, steps 20")
    info.add_text("Comment", "x" * 5000, zip=True)
    info.add_itxt("Title", "東京")
    image = read(png(tmp_path / "a.png", after=chunk(b"tEXt", b"Copyright\0\xa9 nobody"), pnginfo=info))
    texts = (
        ("parameters", "a lighthouse, steps 20"),
        ("Comment", "x" * 5000),
        ("Title", "東京"),
        ("Copyright", "© nobody"),
    )
    assert (image.metadata.texts, image.notes) == (texts, ())
    assert save(image, tmp_path / "out.png") == ()
    written = PillowImage.open(tmp_path / "out.png")
    written.load()
    assert written.text == dict(texts)
    assert np.array_equal(np.asarray(written), SAMPLES)
    notes = save(image, tmp_path / "out.jpg")
    assert [note.split("'")[1] for note in notes] == ["parameters", "Title", "Copyright"]
    assert save(image, tmp_path / "icc.png", metadata="icc") == ()
    assert read(tmp_path / "icc.png").metadata.texts == ()


def test_texts_that_are_bombs_or_damaged_are_reported(tmp_path):
    bomb = b"bomb\0\0" + zlib.compress(bytes(20 << 20))
    image = read(png(tmp_path / "a.png", (b"zTXt", bomb), (b"zTXt", b"broken\0\0abc"), (b"iTXt", b"odd\0\0\0\0\0\xff")))
    assert image.metadata.texts == ()
    assert [note.split("'")[1] for note in image.notes] == ["bomb", "broken", "odd"]


def test_comments_and_descriptions_are_kept(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(comment="Grüße"))
    image = read(tmp_path / "a.jpg")
    assert image.metadata.texts == (("Comment", "Grüße"),)
    for suffix in (".jpg", ".tif", ".png"):
        assert save(image, tmp_path / f"out{suffix}") == ()
        assert [text for _, text in read(tmp_path / f"out{suffix}").metadata.texts] == ["Grüße"]
    assert PillowImage.open(tmp_path / "out.jpg").info["comment"].decode() == "Grüße"
    assert np.asarray(PillowImage.open(tmp_path / "out.tif")).shape == SAMPLES.shape
    (note,) = save(image, tmp_path / "out.webp")
    assert "'Comment' is not kept" in note


def test_a_plain_tiff_description_is_kept(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", description="A view", metadata=None)
    image = read(tmp_path / "a.tif")
    assert (image.metadata.texts, image.notes) == ((("Description", "A view"),), ())
    assert save(image, tmp_path / "out.tif") == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert tiff.pages.first.description == "A view"


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_descriptions_that_calibrate_are_not_kept_and_no_resolution_is_invented(tmp_path, kind):
    options = {"resolution": (2.5, 2.5), "metadata": {"unit": "um"}} if kind == "imagej" else {}
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES[..., 0].astype(np.uint16), **{kind: True}, **options)
    image = read(tmp_path / "a.tif")
    assert (image.metadata.texts, image.metadata.pixels_per_mm) == ((), None)
    assert any("calibration" in note for note in image.notes)


@pytest.mark.parametrize("exif", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".bmp"])
def test_no_resolution_is_invented(tmp_path, suffix, exif):
    block = PillowImage.Exif()
    block[271] = "Canon"
    image = Image(colour=torch.rand(1, 3, 16, 24), metadata=Metadata(exif=block.tobytes() if exif else None))
    save(image, tmp_path / f"a{suffix}")
    assert read(tmp_path / f"a{suffix}").metadata.pixels_per_mm is None
    picture = PillowImage.open(tmp_path / f"a{suffix}")
    picture.load()
    assert picture.info.get("dpi", (0, 0)) == (0, 0) or suffix == ".jpg"  # of which Pillow itself assumes 72
    assert picture.info.get("jfif_unit", 0) == 0
    resolution_unit, no_unit = 296, 1
    assert picture.getexif().get(resolution_unit, no_unit) == no_unit
    assert (picture.getexif().get(271) == "Canon") == (exif and suffix not in (".tif", ".bmp"))


def test_attachments_of_a_jpeg_are_reported_and_no_longer_declared(tmp_path):
    gain_map = segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0") + segment(0xE2, b"MPF\0II*\0")
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PROMISING_XMP)
    extended = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40))
    video = b"\0\0\0\x18ftypmp42" + bytes(100)
    data = jpeg()
    (tmp_path / "a.jpg").write_bytes(data[:2] + xmp + extended + gain_map + data[2:] + data + video)
    image = read(tmp_path / "a.jpg")
    for words in ("gain map (HDR) is not kept", "video of the motion photo is not kept", "extended XMP is not kept"):
        assert any(words in note for note in image.notes)
    assert save(image, tmp_path / "out.jpg") == ()
    written = (tmp_path / "out.jpg").read_bytes()
    for promise in (b"hdrgm:Version", b"MotionPhoto", b"GainMap", b"HasExtendedXMP", b"MPF\0", b"ftyp"):
        assert promise not in written
    assert b'dc:title="kept &amp; whole"' in written and b"<dc:creator>Smith</dc:creator>" in written
    assert b'GCamera:BurstID="b"' in written and written.count(b"<?xpacket") == 2


def test_a_plain_jpeg_says_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(progressive=True, restart_marker_rows=1))
    assert read(tmp_path / "a.jpg").notes == ()


def test_further_pictures_of_a_jpeg_are_reported(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg() + jpeg())
    assert read(tmp_path / "a.jpg").notes == ("further pictures in the file are not kept",)


def test_a_packet_without_promises_is_returned_as_it_is_and_entities_are_refused(tmp_path):
    assert without_attachments(b"<x>no xml at all") == b"<x>no xml at all"
    (tmp_path / "a.jpg").write_bytes(jpeg(xmp=b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + PROMISING_XMP))
    image = read(tmp_path / "a.jpg")
    assert image.metadata.xmp is None
    assert any("XMP is damaged" in note for note in image.notes)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": "x"}])
def test_a_jpeg_without_its_last_marker_is_read_with_a_note(tmp_path, options):
    data = jpeg(**options)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data[:-2])
    image = read(tmp_path / "b.jpg")
    assert torch.equal(image.colour, read(tmp_path / "a.jpg").colour)
    assert any("last marker is missing" in note for note in image.notes)
    (tmp_path / "b.jpg").write_bytes(data[:-40])
    with pytest.raises(ImageFileError, match="cut short"):
        read(tmp_path / "b.jpg")


def test_metadata_of_a_gif_is_kept_or_its_loss_is_reported(tmp_path):
    stream = io.BytesIO()
    PillowImage.fromarray(SAMPLES).quantize(16).save(stream, "GIF", comment="taken at night")
    data = stream.getvalue()
    palette_end = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    more = b"\x21\xff\x0bXMP DataXMP\x02<>\0" + b"\x21\xff\x0bNETSCAPE2.0\x03\1\0\0\0" + b"\x21\x01\x01x\0"
    more += b"\x21\xff\x0bMAKER   1.0\x01x\0"
    path = tmp_path / "a.gif"
    path.write_bytes(data[:12] + b"\x20" + data[13:palette_end] + more + data[palette_end:])
    image = read(path)
    assert image.metadata.texts == (("Comment", "taken at night"),)
    assert image.notes == (
        "its palette is not kept: every pixel has its own colour",
        "the shape of its pixels is not kept",
        "XMP of the GIF is not kept",
        "its text over the picture is not kept",
        "'MAKER' of the GIF is not kept",
    )
    assert save(image, tmp_path / "b.png") == ()
    assert read(tmp_path / "b.png").metadata.texts == (("Comment", "taken at night"),)
    assert "the text 'Comment' is not kept: GIF files are written without it" in save(image, tmp_path / "c.gif")


@pytest.mark.parametrize("end", [0, 5, 13, 40, 70, -1])
def test_a_gif_that_ends_early_has_what_was_found(end):
    stream = io.BytesIO()
    PillowImage.fromarray(SAMPLES).quantize(16).save(stream, "GIF", comment="taken at night")
    assert gif_facts(io.BytesIO(stream.getvalue()[:end])).notes[0].startswith("its palette")
