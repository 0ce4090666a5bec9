"""Files come back as what they were: lossless, their bands, their colours; and unusual TIFFs are read."""

import io
import struct
import sys

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as PillowImage

from innersr.errors import ImageFileError
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file

ROWS, COLUMNS = np.mgrid[0:32, 0:48]
SAMPLES = np.stack([ROWS * 7, COLUMNS * 5, (ROWS + COLUMNS) * 3], 2).astype(np.uint8)


def planes(image):
    return image.colour[0].permute(1, 2, 0).numpy()


def photometric_of(path):
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        return page.photometric.name, page.samplesperpixel, [int(kind) for kind in page.extrasamples]


@pytest.mark.parametrize("form", ["webp", "avif"])
def test_lossless_files_stay_lossless_and_lossy_ones_lossy(tmp_path, form):
    image = Image(colour=torch.from_numpy(SAMPLES / np.float32(255)).permute(2, 0, 1)[None])
    save(image, tmp_path / f"lossless.{form}", quality=100)
    save(image, tmp_path / f"lossy.{form}")
    for name in ("lossless", "lossy"):
        found = read(tmp_path / f"{name}.{form}")
        assert found.is_lossless == (name == "lossless")
        save(found, tmp_path / f"{name}-again.{form}")
        assert read(tmp_path / f"{name}-again.{form}").is_lossless == found.is_lossless
    assert np.array_equal(planes(read(tmp_path / f"lossless-again.{form}")) * 255, SAMPLES)
    save(read(tmp_path / f"lossless.{form}"), tmp_path / f"asked.{form}", quality=80)
    assert not read(tmp_path / f"asked.{form}").is_lossless


@pytest.mark.parametrize("bands", [3, 4, 5])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_bands_stay_colours_or_measurements(tmp_path, bands, photometric):
    samples = np.random.default_rng(0).integers(0, 65535, (8, 9, bands), dtype=np.uint16)
    options = {"extrasamples": [0] * (bands - (3 if photometric == "rgb" else 1))}
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric=photometric, planarconfig="contig", **options)
    save(read(tmp_path / "a.tif"), tmp_path / "b.tif")
    assert photometric_of(tmp_path / "b.tif") == photometric_of(tmp_path / "a.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), samples)


def test_four_bands_of_no_file_stay_four(tmp_path):
    save(Image(colour=torch.rand(1, 4, 8, 8)), tmp_path / "a.tif")
    assert photometric_of(tmp_path / "a.tif") == ("MINISBLACK", 4, [0, 0, 0])


@pytest.mark.parametrize("bands", [1, 3])
def test_plain_readers_read_written_floats(tmp_path, monkeypatch, bands):
    values = torch.rand(1, bands, 20, 30)
    save(Image(colour=values, depth="float32"), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.predictor == 1
    # As where imagecodecs is not installed.
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    stored = tifffile.imread(tmp_path / "a.tif").reshape(20, 30, bands)
    assert np.array_equal(stored, values[0].permute(1, 2, 0).numpy())
    if bands == 1:  # Pillow has no colours of floats
        assert np.array_equal(np.asarray(PillowImage.open(tmp_path / "a.tif")), stored[..., 0])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_white_as_zero_stays_so_in_a_tiff_and_is_turned_over_elsewhere(tmp_path, dtype):
    samples, tag = SAMPLES[..., 0].astype(dtype), (42113, "s", 0, "7", False)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="miniswhite", extratags=[tag])
    image = read(tmp_path / "a.tif")
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    expected = white - samples.astype(int) if dtype != "float32" else samples
    assert np.allclose(image.colour[0, 0].numpy() * white, expected)
    assert image.metadata.nodata == {"uint8": "248", "uint16": "65528", "float32": "7"}[dtype]
    assert save(image, tmp_path / "b.tif") == ()
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        assert np.array_equal(tiff.pages.first.asarray(), samples)
        assert float(tiff.pages.first.tags[42113].value) == 7
    if dtype != "float32":
        assert "its values ran from white to black: they are inverted" in save(image, tmp_path / "b.png")


def test_another_depth_is_written_from_black_to_white(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES[..., 0], photometric="miniswhite")
    result = upscale_file(
        tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(depth="float", method="bicubic", kernel="bicubic")
    )
    assert any("are written from black to white" in note for note in result.notes)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages.first.photometric == tifffile.PHOTOMETRIC.MINISBLACK


def test_an_only_band_that_is_alpha_is_grey(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES[..., 0], software="x", metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(struct.pack("<HH", 305, 2))
    struct.pack_into("<HHIHH", data, at, 338, 3, 1, 2, 0)  # ExtraSamples, one short: unassociated alpha
    (tmp_path / "a.tif").write_bytes(data)
    image = read(tmp_path / "a.tif")
    assert np.array_equal(planes(image)[..., 0] * 255, SAMPLES[..., 0])
    assert image.alpha is None
    assert any("declared to be alpha" in note for note in image.notes)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.gif", "a.bmp"])
def test_the_loss_of_a_palette_is_reported(tmp_path, name):
    PillowImage.fromarray(SAMPLES).quantize(16).save(tmp_path / name)
    assert any("palette" in note for note in read(tmp_path / name).notes)


@pytest.mark.parametrize("compression", ["zstd", "lerc", "lzma", "png", "jpegxl"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_rare_compressions_are_read(tmp_path, compression, tile):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", compression=compression, tile=tile)
    image = read(tmp_path / "a.tif")
    assert (image.depth, image.notes) == ("uint8", ())
    assert np.array_equal(planes(image) * 255, SAMPLES)


@pytest.mark.parametrize(
    "error",
    [ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package"), ModuleNotFoundError("no module")],
)
def test_a_compression_without_a_decoder_is_refused_with_a_remedy(tmp_path, monkeypatch, error):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", compression="zstd")

    def without_imagecodecs(*_args, **_options):  # as tifffile says it
        raise error

    monkeypatch.setattr(tifffile.TiffPage, "asarray", without_imagecodecs)
    with pytest.raises(ImageFileError, match=r"ZSTD compression needs a decoder; pip install '\.\[tiff\]'"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float16"])
def test_tiles_of_separate_planes_are_read(tmp_path, photometric, dtype):
    samples = np.random.default_rng(0).integers(0, 200, (4, 32, 48)).astype(dtype)
    options = {"photometric": photometric, "planarconfig": "separate", "tile": (16, 16), "compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.tif", samples, **options, extrasamples=[0] * (1 if photometric == "rgb" else 3))
    image = read(tmp_path / "a.tif")
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    assert image.alpha is None
    assert np.array_equal(np.rint(planes(image) * white), samples.transpose(1, 2, 0))


def sparse(samples, **options):
    """A TIFF file whose first piece has neither place nor bytes, as GDAL leaves out pieces of zeros."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, compression="zlib", tile=(16, 16), metadata=None, **options)
    for name in ("TileOffsets", "TileByteCounts"):
        stream.seek(0)
        with tifffile.TiffFile(stream) as tiff:
            tag = tiff.pages.first.tags[name]
            tag.overwrite((0, *tag.value[1:]))
    return stream.getvalue()


@pytest.mark.parametrize("nodata", [None, "-9999"])
def test_pieces_that_are_left_out_are_read(tmp_path, nodata):
    values = np.random.default_rng(0).random((32, 48)).astype(np.float32)
    tags = [] if nodata is None else [(42113, "s", 0, nodata, False)]
    (tmp_path / "a.tif").write_bytes(sparse(values, extratags=tags))
    values[:16, :16] = float(nodata or 0)
    assert np.array_equal(read(tmp_path / "a.tif").colour[0, 0].numpy(), values)


@pytest.mark.parametrize("photometric", ["cielab", "icclab"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_lab_is_converted(tmp_path, photometric, dtype):
    step = 1 if dtype == "uint8" else 256
    lightness = 136 if dtype == "uint8" else 136 * 257  # 53.33, of pure red (53.24, 80.09, 67.20)
    shift = 128 if photometric == "icclab" else 0
    samples = np.full((20, 24, 3), (lightness, (80 + shift) * step, (67 + shift) * step), dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric=photometric, metadata=None)
    image = read(tmp_path / "a.tif")
    assert image.depth == dtype
    assert torch.allclose(image.colour, torch.tensor([1.0, 0, 0]).view(3, 1, 1), atol=0.02)
    assert any("converted from lab" in note for note in image.notes)


def test_damaged_rare_tiffs_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", compression="zstd")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(b"\x28\xb5\x2f\xfd")
    data[at : at + 40] = bytes(40)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageFileError, match="cannot be decoded"):
        read(tmp_path / "a.tif")


def test_the_pixel_limit_counts_for_rare_tiffs_too(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", compression="zstd")
    with pytest.raises(ImageFileError, match="above the limit"):
        read(tmp_path / "a.tif", pixel_limit=32 * 48 - 1)


@pytest.mark.parametrize("dtype", ["uint32", "int32"])
def test_whole_numbers_that_are_not_exact_as_floats_are_refused(tmp_path, dtype):
    samples = np.full((16, 16), 2**24, dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples)
    assert np.array_equal(planes(read(tmp_path / "a.tif"))[..., 0], samples)
    samples[3, 3] += 1
    tifffile.imwrite(tmp_path / "a.tif", samples)
    with pytest.raises(
        ImageFileError, match="holds whole numbers up to 16777217, but is read exactly up to 16777216 only"
    ):
        read(tmp_path / "a.tif")
