"""How TIFF files store their pixels: compression and overviews, as the input has them."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import tifffile
import torch

from innersr.errors import ImageFileError, InputError
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file

SAMPLES = np.random.default_rng(3).integers(0, 256, (40, 48, 3), np.uint8)
OPTIONS = {"method": "bicubic", "kernel": "bicubic"}
NUMBERS = {"none": 1, "lzw": 5, "deflate": 8, "zstd": 50000}


def compression_of(path):
    with tifffile.TiffFile(path) as tiff:
        return int(tiff.pages.first.compression)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_compression_stays_as_the_input_has_it(tmp_path, name, dtype):
    pytest.importorskip("imagecodecs", reason="imagecodecs writes the input; pip install '.[tiff]'")
    samples = SAMPLES.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", compression=None if name == "none" else name)
    image = read(tmp_path / "a.tif")
    save(image, tmp_path / "b.tif")
    assert compression_of(tmp_path / "b.tif") == NUMBERS[name]
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), samples)
    save(image, tmp_path / "c.tif", compression="lzw")
    assert compression_of(tmp_path / "c.tif") == NUMBERS["lzw"]
    assert np.array_equal(tifffile.imread(tmp_path / "c.tif"), samples)


def test_other_compressions_and_formats_become_deflate(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb", compression="packbits")
    save(read(tmp_path / "a.tif"), tmp_path / "b.tif")
    assert compression_of(tmp_path / "b.tif") == NUMBERS["deflate"]


def test_the_compression_can_be_chosen(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES, photometric="rgb")
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(compression="lzw", **OPTIONS))
    assert compression_of(tmp_path / "b.tif") == NUMBERS["lzw"]
    with pytest.raises(InputError, match="compression must be one of none, deflate, zstd, lzw, got 'jpeg'"):
        UpscaleOptions(compression="jpeg")


@pytest.mark.parametrize("bands", [1, 3, 7])
def test_overviews_are_made_again(tmp_path, bands):
    rasterio = pytest.importorskip("rasterio", reason="rasterio reads overviews; pip install rasterio")
    samples = np.random.default_rng(3).integers(1, 255, (bands, 300, 400), np.uint8)
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5, 0, -10, 4)}
    shape = {"count": bands, "height": 300, "width": 400, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **shape, **place) as dataset:
        dataset.write(samples)
    with rasterio.open(tmp_path / "a.tif", "r+") as dataset:
        dataset.build_overviews([2, 4])
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    assert not any("ignored" in note for note in result.image.notes)
    with rasterio.open(tmp_path / "b.tif") as dataset:
        assert (dataset.height, dataset.width, dataset.count) == (600, 800, bands)
        assert dataset.overviews(bands)[:2] == [2, 4]
        small = dataset.read(bands, out_shape=(300, 400))
        whole = dataset.read(bands).reshape(300, 2, 400, 2).mean((1, 3))
        assert np.abs(small - whole).max() <= 1


@pytest.mark.parametrize("strips", ["never", "always"])
@pytest.mark.parametrize("compression", ["deflate", "zstd"])
def test_a_small_map_has_as_many_overviews_again(tmp_path, compression, strips):
    rasterio = pytest.importorskip("rasterio", reason="rasterio reads overviews; pip install rasterio")
    samples = np.random.default_rng(3).integers(1, 255, (1, 48, 40), np.uint8)
    shape = {"count": 1, "height": 48, "width": 40, "dtype": "uint8", "compress": compression}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5, 0, -10, 4)}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **shape, **place) as dataset:
        dataset.write(samples)
    with rasterio.open(tmp_path / "a.tif", "r+") as dataset:
        dataset.build_overviews([2, 4])
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS, strips=strips))
    with rasterio.open(tmp_path / "b.tif") as dataset:
        assert dataset.overviews(1) == [2, 4]
        assert abs(int(dataset.read(1, out_shape=(24, 20)).mean()) - dataset.read(1).mean()) < 2


def test_a_mask_that_is_not_kept_is_told(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(SAMPLES, photometric="rgb")
        tiff.write(np.full((1, *SAMPLES.shape[:2]), True)[0], subfiletype=4)
    assert any("its mask of valid pixels is left out" in note for note in read(tmp_path / "a.tif").notes)


PALETTE = np.random.default_rng(5).integers(0, 65536, (3, 256), np.uint16)


def classes_with_palette(path, **more):
    """A map of classes, 200 x 160, whose palette has colours in no order; 7 means no data."""
    classes = np.random.default_rng(6).integers(1, 12, (25, 20), np.uint8).repeat(8, 0).repeat(8, 1)
    nodata = [(42113, "s", 0, "7", True)]
    tifffile.imwrite(path, classes, photometric="palette", colormap=PALETTE, extratags=nodata, metadata=None, **more)
    return classes


@pytest.mark.parametrize("overviews", [0, 1])
@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, {"byteorder": ">"}, {"bigtiff": True}])
@pytest.mark.parametrize("compression", ["none", "deflate", "zstd"])
def test_pixelart_keeps_the_indices_and_the_palette_of_a_tiff(tmp_path, compression, options, overviews):
    if compression == "zstd":
        pytest.importorskip("imagecodecs", reason="imagecodecs writes zstd; pip install '.[tiff]'")
    packed = {} if compression == "none" else {"compression": compression, "predictor": True}
    classes = classes_with_palette(tmp_path / "a.tif", **options, **packed)
    with tifffile.TiffWriter(tmp_path / "a.tif", append=True) as tiff:
        for _ in range(overviews):
            tiff.write(classes[::2, ::2], photometric="minisblack", subfiletype=1)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(method="pixelart"))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        page = tiff.pages[0]
        assert page.photometric == tifffile.PHOTOMETRIC.PALETTE and np.array_equal(page.colormap, PALETTE)
        assert page.tags[42113].value == "7" and page.compression == NUMBERS[compression]
        assert len(tiff.pages) > overviews
        for each in tiff.pages:
            assert set(np.unique(each.asarray())) <= set(np.unique(classes))
        assert page.asarray().shape == (400, 320) and (page.asarray()[::2, ::2] == classes).mean() > 0.95
    assert not any("palette" in note for note in result.notes)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b.tif", {"method": "bicubic", "kernel": "bicubic"}),
        ("b.png", {"method": "pixelart"}),
        ("b.tif", {"method": "pixelart", "depth": 16}),
        ("b.tif", {"method": "pixelart", "metadata": "none"}),
    ],
)
def test_a_palette_becomes_colours_where_it_cannot_be_kept(tmp_path, name, options):
    classes = classes_with_palette(tmp_path / "a.tif")
    result = upscale_file(tmp_path / "a.tif", tmp_path / name, UpscaleOptions(**options))
    colour = read(tmp_path / name).colour[0, :, 8, 8]
    assert np.abs(colour.numpy() - PALETTE[:, classes[4, 4]] / 65535).max() < 0.01
    assert any("palette is not kept" in note for note in result.image.notes)


def test_a_mask_is_no_further_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(SAMPLES, photometric="rgb")
        tiff.write(np.full(SAMPLES.shape[:2], True), subfiletype=4)
    assert not any("pages" in note for note in read(tmp_path / "a.tif").notes)
    with tifffile.TiffWriter(tmp_path / "a.tif", append=True) as tiff:
        tiff.write(SAMPLES, photometric="rgb")
    assert "first of 2 pages; the others are ignored" in read(tmp_path / "a.tif").notes


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
@pytest.mark.parametrize("bits", [3, 6, 10, 12, 14])
def test_packed_samples_become_8_or_16_bits_and_white_stays_white(tmp_path, bits, photometric):
    pytest.importorskip("imagecodecs", reason="imagecodecs packs samples; pip install '.[tiff]'")
    white, wide = (1 << bits) - 1, 255 if bits < 8 else 65535
    samples = (np.arange(16 * 21 * 3).reshape(16, 21, 3) * white // 1007).astype(np.uint8 if bits < 8 else np.uint16)
    samples = samples if photometric == "rgb" else samples[..., 0]
    calibration = '<GDALMetadata><Item name="SCALE" sample="0" role="scale">2</Item></GDALMetadata>'
    nodata = [(42113, "s", 0, f"{samples.flat[99]}", True), (42112, "s", 0, calibration, True)]
    tifffile.imwrite(tmp_path / "a.tif", samples, bitspersample=bits, photometric=photometric, extratags=nodata)
    image = read(tmp_path / "a.tif")
    assert image.depth == ("uint8" if bits < 8 else "uint16")
    assert f'role="scale">{2 * white / wide:.17g}<'.encode() in image.metadata.tags[-1].data
    assert f"its samples of {bits} bits became {wide.bit_length()} bits: white stays white" in image.notes
    expected = np.atleast_3d(samples if photometric != "miniswhite" else white - samples)
    assert np.abs(image.colour[0].permute(1, 2, 0).numpy() * white - expected).max() <= 0.5 * white / wide + 1e-3
    stored = (image.colour * wide).round()[0].permute(1, 2, 0).numpy()
    assert (stored == float(image.metadata.nodata)).any() and float(image.metadata.nodata) == stored.flat[99]


def test_packed_samples_of_other_kinds_are_refused_with_a_remedy(tmp_path, monkeypatch):
    pytest.importorskip("imagecodecs", reason="imagecodecs packs samples; pip install '.[tiff]'")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 9), np.uint32), bitspersample=20)
    with pytest.raises(ImageFileError, match="samples have 20 bits, which are not read; convert it"):
        read(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((9, 9), np.uint16), bitspersample=12)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", Mock(side_effect=ImportError("no module")))
    with pytest.raises(ImageFileError, match="its packing of 12 bits needs a decoder; pip install"):
        read(tmp_path / "b.tif")


def test_overviews_of_holes_have_no_new_values(tmp_path):
    values = torch.ones(1, 1, 300, 300)
    values[..., ::3, :] = -9999
    image = Image(colour=values, depth="float32", missing=values < 0)
    save(replace(image, layout=replace(image.layout, overviews=1)), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages) > 1
        assert set(np.unique(tiff.pages[1].asarray())) == {1, -9999}
