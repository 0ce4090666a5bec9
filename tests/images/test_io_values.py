"""Pixels that go through image files: values, bands, alpha, depth, colour spaces, orientation."""

from dataclasses import replace

import numpy as np
import pytest
import pyvips
import tifffile
import torch
from PIL import Image as PillowImage
from PIL import ImageCms, ImageOps

from innersr.commands.doctor import working_codecs
from innersr.errors import InputError
from innersr.images import formats as image_formats
from innersr.images.conversions import image_from
from innersr.images.formats import written_suffixes
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.samples import samples_of

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}


def noise(bands, dtype="uint8", height=14, width=19):
    values = np.random.default_rng(bands).random((height, width, bands))
    return (values * np.iinfo(dtype).max).astype(dtype) if dtype.startswith("uint") else values.astype(dtype)


def smooth(bands=3, dtype="uint8", height=48, width=64):
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = [(rows * (band + 1) + columns) / (band + 2) for band in range(bands)]
    return (np.stack(planes, 2) * np.iinfo(dtype).max).astype(dtype)


def vips_image(samples):
    """An image for libvips, which tells grey from colour and 8 from 16 bits by a label."""
    wide, coloured = samples.dtype == np.uint16, samples.shape[2] >= 3
    label = ("rgb16" if wide else "srgb") if coloured else ("grey16" if wide else "b-w")
    height, width, bands = samples.shape
    image = pyvips.Image.new_from_memory(samples, width, height, bands, FORMATS[samples.dtype.name])
    return image.copy(interpretation=label)


def stored(path):
    """The samples of a file as libvips sees them, (H, W, bands)."""
    image = pyvips.Image.new_from_buffer(path.read_bytes(), "")
    dtype = {vips: name for name, vips in FORMATS.items()}[image.format]
    return np.frombuffer(image.write_to_memory(), dtype).reshape(image.height, image.width, image.bands)


def planes(image):
    """Colour and alpha of an Image, (H, W, bands)."""
    bands = image.colour if image.alpha is None else torch.cat([image.colour, image.alpha], 1)
    return bands[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535)])
def test_every_integer_value_is_read_as_a_fraction_and_saved_exactly(tmp_path, suffix, dtype, top):
    samples = np.arange(top + 1).astype(dtype).reshape(-1, 256, 1)
    vips_image(samples).write_to_file(tmp_path / f"in{suffix}")
    image = read(tmp_path / f"in{suffix}")
    assert image.depth == dtype
    assert image.colour.flatten()[-1] == 1.0
    assert np.array_equal(planes(image), samples / np.float32(top))
    save(image, tmp_path / f"out{suffix}")
    assert np.array_equal(stored(tmp_path / f"out{suffix}"), samples)


@pytest.mark.parametrize("rows", [1, 5, 14])
def test_an_image_is_converted_strip_by_strip(tmp_path, rows):
    samples = noise(3, "uint16")  # 14 rows
    vips_image(samples).write_to_file(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    kept = image.colour.clone()
    assert np.array_equal(samples_of(image, rows), samples)
    assert torch.equal(image.colour, kept)


def test_saving_rounds_to_the_nearest_value_and_clips(tmp_path):
    values = torch.tensor([-0.5, 0.0, 0.49 / 255, 0.5 / 255, 254.4 / 255, 254.6 / 255, 1.0, 1.5])
    save(Image(colour=values.reshape(1, 1, 2, 4)), tmp_path / "a.png")
    assert stored(tmp_path / "a.png").flatten().tolist() == [0, 0, 0, 1, 254, 255, 255, 255]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_png_and_tiff_round_trips_are_exact_with_profile_and_alpha(tmp_path, suffix, dtype, bands):
    source, copy = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    samples = noise(bands, dtype)
    profiled = vips_image(samples)
    if bands >= 3:
        profiled.set_type(pyvips.GValue.blob_type, "icc-profile-data", SRGB)
    profiled.write_to_file(source)
    image = read(source)
    assert (image.alpha is not None) == (bands in (2, 4))
    assert image.colour.shape == (1, bands - (bands in (2, 4)), 14, 19)
    assert save(image, copy) == ()
    assert np.array_equal(stored(copy), samples)
    assert read(copy).metadata.icc == (SRGB if bands >= 3 else None)


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_webp_and_avif_are_lossless_at_quality_100(tmp_path, suffix, bands):
    samples = noise(bands)
    samples[:4, :, -1] = 0  # colour under full transparency is data too
    vips_image(samples).write_to_file(tmp_path / "in.png")
    save(read(tmp_path / "in.png"), tmp_path / f"out{suffix}", quality=100)
    found = planes(read(tmp_path / f"out{suffix}"))
    grey = samples[..., :1].repeat(3, 2) if bands < 3 else samples[..., :3]
    assert np.array_equal(found[..., :3] * 255, grey)
    assert found.shape[2] == (4 if bands in (2, 4) else 3)
    if bands in (2, 4):
        assert np.array_equal(found[..., 3] * 255, samples[..., -1])


@pytest.mark.parametrize("suffix", written_suffixes())
@pytest.mark.parametrize("bands", [1, 3])
def test_white_stays_white_and_black_stays_black(tmp_path, suffix, bands):
    white = Image(colour=torch.ones(1, bands, 40, 40))
    black = Image(colour=torch.zeros(1, bands, 40, 40))
    save(white, tmp_path / f"white{suffix}")
    save(black, tmp_path / f"black{suffix}")
    assert read(tmp_path / f"white{suffix}").colour.min() == 1.0
    assert read(tmp_path / f"black{suffix}").colour.max() == 0.0


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_grey_stays_one_band(tmp_path, suffix):
    save(Image(colour=torch.rand(1, 1, 9, 9)), tmp_path / f"a{suffix}")
    assert read(tmp_path / f"a{suffix}").colour.shape == (1, 1, 9, 9)


def test_jpeg_keeps_thin_coloured_lines(tmp_path):
    samples = np.full((32, 32, 3), 255, np.uint8)
    samples[:, 1::2] = (255, 0, 0)
    vips_image(samples).write_to_file(tmp_path / "in.png")
    save(read(tmp_path / "in.png"), tmp_path / "out.jpg")
    # With halved chroma the lines would be off by about a hundred.
    assert np.abs(stored(tmp_path / "out.jpg").astype(int) - samples).max() <= 12


def test_quality_changes_lossy_files(tmp_path):
    vips_image(smooth()).write_to_file(tmp_path / "in.png")
    image = read(tmp_path / "in.png")
    for suffix in (".jpg", ".webp", ".avif"):
        save(image, tmp_path / f"good{suffix}", quality=95)
        save(image, tmp_path / f"poor{suffix}", quality=10)
        good, poor = (np.abs(stored(tmp_path / f"{word}{suffix}").astype(int) - smooth()) for word in ("good", "poor"))
        assert good.max() <= 12
        assert good.mean() < poor.mean()


def test_float_bands_are_kept_as_they_are(tmp_path):
    samples = noise(5, "float32") * 4 - 2
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric="minisblack", planarconfig="contig")
    image = read(tmp_path / "in.tif")
    assert (image.depth, image.alpha) == ("float32", None)
    assert np.array_equal(planes(image), samples)
    assert image.colour.min() < 0 and image.colour.max() > 1
    assert save(image, tmp_path / "out.tif") == ()
    assert np.array_equal(planes(read(tmp_path / "out.tif")), samples)


@pytest.mark.parametrize("bands", [2, 4, 5, 7])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_data_bands_survive_tiff_without_becoming_alpha(tmp_path, bands, dtype):
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    samples = noise(bands, dtype)
    colour = torch.from_numpy(samples.astype(np.float32) / np.float32(top)).permute(2, 0, 1)[None].contiguous()
    save(Image(colour=colour, depth=dtype), tmp_path / "a.tif")
    image = read(tmp_path / "a.tif")
    assert image.alpha is None
    assert np.array_equal(stored(tmp_path / "a.tif"), samples)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert set(file.pages[0].extrasamples) == {tifffile.EXTRASAMPLE.UNSPECIFIED}


def test_files_too_large_for_classic_tiff_become_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(image_formats, "BIG_TIFF", 1000)
    image = Image(colour=torch.rand(1, 5, 300, 290), alpha=torch.rand(1, 1, 300, 290), depth="float32")
    save(image, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II+\0"
    assert np.array_equal(planes(read(tmp_path / "a.tif")), planes(image))


def test_alpha_behind_data_bands_survives_tiff(tmp_path):
    for bands in (2, 5):
        image = Image(colour=torch.rand(1, bands, 8, 8), alpha=torch.rand(1, 1, 8, 8), depth="float32")
        save(image, tmp_path / f"{bands}.tif")
        assert np.array_equal(planes(read(tmp_path / f"{bands}.tif")), planes(image))


@pytest.mark.parametrize("bands", [2, 3, 4, 5])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_bands_in_separate_planes_are_read_right(tmp_path, bands, photometric):
    # libvips 8.18 alone gets every row but the first of a min-is-black strip wrong.
    if photometric == "rgb" and bands < 3:
        pytest.skip("RGB has three bands or more")
    samples = noise(bands, "uint16")
    layers = np.ascontiguousarray(samples.transpose(2, 0, 1))
    options = {"photometric": photometric, "planarconfig": "separate", "rowsperstrip": 5}
    tifffile.imwrite(tmp_path / "a.tif", layers, byteorder=">", **options)
    extra = (tifffile.TiffFile(tmp_path / "a.tif").pages[0].extrasamples or (0,))[-1]
    image = read(tmp_path / "a.tif")
    assert (image.alpha is not None) == (extra in (1, 2))
    assert np.array_equal(planes(image), samples / np.float32(65535))


@pytest.mark.parametrize(("kind", "has_alpha"), [("unspecified", False), ("unassalpha", True), ("assocalpha", True)])
def test_the_fourth_band_is_alpha_only_when_the_tiff_says_so(tmp_path, kind, has_alpha):
    # The near-infrared of a satellite image is the fourth band of an RGB file.
    tifffile.imwrite(tmp_path / "a.tif", noise(4), photometric="rgb", extrasamples=[kind])
    image = read(tmp_path / "a.tif")
    assert (image.alpha is not None) == has_alpha
    assert image.colour.shape[1] == (3 if has_alpha else 4)


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float16", 1)])
@pytest.mark.parametrize("colours", [1, 3])
def test_premultiplied_alpha_is_made_straight(tmp_path, dtype, top, colours):
    samples = np.full((6, 6, colours + 1), 0.25 * top).astype(dtype)
    samples[..., -1] = np.array(0.5 * top).astype(dtype)
    photometric = "rgb" if colours == 3 else "minisblack"
    options = {"photometric": photometric, "planarconfig": "contig", "extrasamples": ["assocalpha"]}
    tifffile.imwrite(tmp_path / "a.tif", samples, **options)
    image = read(tmp_path / "a.tif")
    # 0.25 / 0.5, within one step of the stored integers.
    assert torch.allclose(image.colour, torch.tensor(0.5), atol=1.5 / 255 if dtype == "uint8" else 1e-4)
    assert torch.allclose(image.alpha, torch.tensor(0.5), atol=0.5 / 127)
    assert any("premultiplied" in note for note in image.notes)


def test_alpha_of_a_float_file_is_brought_to_the_unit_range(tmp_path):
    samples = np.full((4, 4, 4), 0.25, np.float32)
    samples[..., 3] = 51
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha"])
    image = read(tmp_path / "a.tif")
    assert torch.allclose(image.alpha, torch.tensor(0.2))
    assert any("alpha was divided by 255" in note for note in image.notes)
    samples[..., 3] = 1
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha"])
    assert read(tmp_path / "a.tif").alpha.min() == 1


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float16"])
def test_other_number_types_become_float_values_with_a_note(tmp_path, dtype):
    samples = np.array([[0, 1, 100], [3, 4, 5]]).astype(dtype)
    if dtype.startswith("int"):
        samples[1, 0] = -77
    tifffile.imwrite(tmp_path / "a.tif", samples)
    image = read(tmp_path / "a.tif")
    assert image.depth == "float32"
    assert image.colour[0, 0].tolist() == samples.astype(float).tolist()
    assert any(dtype in note and "float32" in note for note in image.notes)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_is_applied_and_reset(tmp_path, suffix, orientation):
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    source = tmp_path / f"in{suffix}"
    PillowImage.fromarray(smooth()).save(source, exif=exif.tobytes(), lossless=True, quality=95)
    upright = np.asarray(ImageOps.exif_transpose(PillowImage.open(source)))
    image = read(source)
    # Two JPEG decoders may differ by a few steps; a wrong turn differs by a hundred.
    assert np.abs(planes(image) * 255 - upright).max() <= (6 if suffix == ".jpg" else 0)
    for target in (".jpg", ".png", ".tif", ".webp", ".avif"):
        save(image, tmp_path / f"out{target}", overwrite=True)
        assert PillowImage.open(tmp_path / f"out{target}").getexif().get(0x0112, 1) == 1
        again = read(tmp_path / f"out{target}")
        assert again.colour.shape == image.colour.shape
        assert (again.colour - image.colour).abs().max() < 0.1


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("embedded", [True, False])
def test_cmyk_becomes_srgb_with_a_note(tmp_path, suffix, embedded):
    path = tmp_path / f"a{suffix}"
    ink = np.zeros((20, 30, 4), np.uint8)
    ink[:, 15:, 0] = 255  # left: paper, right: full cyan
    profile = {"icc_profile": vips_image(noise(3)).icc_transform("cmyk").get("icc-profile-data")} if embedded else {}
    PillowImage.fromarray(ink, "CMYK").save(path, **profile)
    image = read(path)
    assert image.colour.shape == (1, 3, 20, 30)
    assert image.colour[0, :, 5, 5].min() > 0.98
    red, green, blue = image.colour[0, :, 10, 25]
    assert red < 0.3 < 0.5 < green < blue
    assert [note for note in image.notes if "CMYK" in note and ("embedded" in note) == embedded]
    assert image.metadata.icc[16:20] == b"RGB "
    save(image, tmp_path / "out.png")
    assert read(tmp_path / "out.png").metadata.icc == image.metadata.icc


def test_a_useless_cmyk_profile_is_replaced(tmp_path):
    PillowImage.fromarray(noise(4), "CMYK").save(tmp_path / "a.tif", icc_profile=SRGB)
    assert read(tmp_path / "a.tif").colour.shape[1] == 3


def test_lab_becomes_srgb_with_a_note(tmp_path):
    samples = np.full((8, 8, 3), (32768, 0, 0), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="cielab")
    image = read(tmp_path / "a.tif")
    # L* = 50 is 0.4663 in sRGB.
    assert torch.allclose(image.colour, torch.tensor(0.4663), atol=2e-3)
    assert any("converted from" in note and "sRGB" in note for note in image.notes)


def test_palette_and_one_bit_files_are_expanded(tmp_path):
    picture = PillowImage.fromarray(smooth())
    for name in ("a.png", "a.tif", "a.gif", "a.bmp"):
        picture.quantize(16).save(tmp_path / name)
        expected = np.asarray(PillowImage.open(tmp_path / name).convert("RGB"))
        assert np.array_equal(planes(read(tmp_path / name)) * 255, expected), name
    for name in ("b.png", "b.tif", "b.bmp"):
        picture.convert("1").save(tmp_path / name)
        image = read(tmp_path / name)
        assert (image.depth, image.colour.shape[1]) == ("uint8", 1)
        assert np.array_equal(planes(image)[..., 0], np.asarray(picture.convert("1"))), name


def test_transparent_palettes_give_alpha(tmp_path):
    picture = PillowImage.fromarray(smooth()).quantize(16)
    for name in ("a.png", "a.gif"):
        picture.save(tmp_path / name, transparency=3)
        expected = np.asarray(PillowImage.open(tmp_path / name).convert("RGBA"))[..., 3]
        assert np.array_equal(read(tmp_path / name).alpha[0, 0].numpy() * 255, expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_bmp_round_trips_are_exact(tmp_path, mode):
    PillowImage.fromarray(smooth()).convert(mode).save(tmp_path / "in.bmp")
    image = read(tmp_path / "in.bmp")
    save(image, tmp_path / "out.bmp")
    expected = np.asarray(PillowImage.open(tmp_path / "in.bmp").convert("RGB"))
    assert np.array_equal(np.asarray(PillowImage.open(tmp_path / "out.bmp").convert("RGB")), expected)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".tif", ".png"])
def test_the_first_of_several_pictures_is_read_and_the_others_are_reported(tmp_path, suffix):
    frames = [PillowImage.fromarray(smooth() // (n + 1)) for n in range(3)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    image = read(path)
    assert any(note.startswith("first of 3 ") for note in image.notes)
    # GIF has 256 colours; the second frame differs by half.
    assert np.abs(planes(image)[..., :3] * 255 - smooth()).max() <= (40 if suffix == ".gif" else 0)


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_avif_white_is_one(tmp_path, bits):
    vips_image(np.full((16, 16, 3), 65535, np.uint16)).heifsave(
        str(tmp_path / "a.avif"), compression="av1", bitdepth=bits, lossless=True
    )
    image = read(tmp_path / "a.avif")
    assert image.depth == "uint16"
    assert image.colour.min() == image.colour.max() == 1.0


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif", ".gif", ".bmp"])
def test_one_pixel_images_are_read_and_written(tmp_path, suffix):
    save(Image(colour=torch.ones(1, 3, 1, 1)), tmp_path / f"a{suffix}")
    assert read(tmp_path / f"a{suffix}").colour.shape == (1, 3, 1, 1)


def test_every_listed_codec_works_here():
    report = working_codecs()
    written = ("png", "jpeg", "tiff", "webp", "avif", "gif", "bmp")
    only_read = ("mpo", "tga", "ico", "pnm", "pfm", "heic", "jpeg-xl", "openexr", "radiance-hdr")
    both = {f"{name} {verb}" for name in written for verb in ("read", "write")}
    assert set(report) == both | {f"{name} read" for name in only_read}
    assert all(report[name] for name in both)
    assert all(report[f"{name} read"] for name in only_read[:5])
    assert {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif"} <= set(written_suffixes())


def test_an_image_checks_its_tensors():
    colour = torch.zeros(1, 3, 4, 5)
    for wrong in ({"colour": colour[0]}, {"colour": colour.double()}, {"colour": colour[:, :0]}):
        with pytest.raises(InputError, match="colour must be"):
            Image(**wrong)
    with pytest.raises(InputError, match="alpha must be"):
        Image(colour=colour, alpha=torch.zeros(1, 1, 5, 4))
    with pytest.raises(InputError, match="depth must be one of"):
        replace(Image(colour=colour), depth="int8")


def test_an_empty_array_is_said_to_be_empty():
    with pytest.raises(InputError, match=r"^the image array of shape \(0, 41, 3\) is empty"):
        image_from(np.zeros((0, 41, 3), np.uint8))
