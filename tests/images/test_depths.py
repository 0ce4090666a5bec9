"""Values in files of another depth: what they mean stays the same."""

import numpy as np
import pytest
import tifffile

from innersr.images.georeferencing.geotiff import GeoTag
from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.georeferencing.sidecars import rescaled_gdal_file
from innersr.images.values.linear_change import LinearChange
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file
from innersr.run import Run

RUN = Run(device="cpu")
RAMP = np.linspace(100, 4000, 16 * 20).reshape(16, 20)
ITEMS = """<GDALMetadata>
  <Item name="OFFSET" sample="0" role="offset">-5</Item>
  <Item name="SCALE" sample="0" role="scale">0.01</Item>
  <Item name="UNITTYPE" sample="0" role="unittype">K</Item>
</GDALMetadata>"""


def enlarged(tmp_path, samples, *, depth, value_range=None, extratags=(), **more):
    """Samples, notes and tags of a result whose pixels are those of a file."""
    tifffile.imwrite(tmp_path / "a.tif", samples, extratags=extratags, metadata=None, **more)
    options = UpscaleOptions(method="pixelart", settings={"mode": "nearest"}, depth=depth, value_range=value_range)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", options, RUN)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        page = tiff.pages[0]
        return page.asarray(), result.notes, {tag.code: tag.value for tag in page.tags}


def calibration(text):
    """Scale and offset of the only band of GDAL's metadata."""
    found = {name: text.split(f'role="{name}">')[1].split("<")[0] for name in ("scale", "offset")}
    assert text.count("role=") == 3 and 'role="unittype">K<' in text
    return float(found["scale"]), float(found["offset"])


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize(
    ("dtype", "depth", "value_range", "step"),
    [
        ("uint16", "float", None, 0),
        ("uint16", 8, None, 257),
        ("uint16", 8, "auto", 16),
        ("uint16", 16, "auto", 1),
        ("uint8", 16, None, 0.01),
        ("uint8", "float", None, 0),
        ("int16", 16, "50,4050", 0.1),
        ("float32", 8, "auto", 16),
    ],
)
def test_scale_and_offset_follow_the_values(tmp_path, dtype, depth, value_range, step, photometric):
    samples = (RAMP / 16 if dtype == "uint8" else RAMP).astype(dtype)
    tag = [(GeoTag.GDAL_METADATA, "s", 0, ITEMS, True)]
    options = {"depth": depth, "value_range": value_range, "photometric": photometric, "extratags": tag}
    found, notes, tags = enlarged(tmp_path, samples, **options)
    scale, offset = calibration(tags[GeoTag.GDAL_METADATA])
    assert np.abs(scale * found[::2, ::2].astype(float) + offset - (0.01 * samples - 5)).max() <= 0.0051 * step + 1e-6
    is_changed = (scale, offset) != (0.01, -5)
    assert is_changed == any("scale and offset follow" in note for note in notes)


@pytest.mark.parametrize("kind", ["nodata", "map", "imagej"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_floats_of_measurements_are_those_that_were_stored(tmp_path, kind, dtype):
    samples = (RAMP / 16 if dtype == "uint8" else RAMP).astype(dtype)
    samples[:3, :5] = np.iinfo(dtype).max
    tags = {"nodata": [(42113, "s", 0, f"{np.iinfo(dtype).max}", True)], "map": [(33550, "d", 3, (1, 1, 0), True)]}
    options = {"imagej": True} if kind == "imagej" else {"extratags": tags[kind]}
    found, notes, tags = enlarged(tmp_path, samples, depth="float", **options)
    assert found.dtype == np.float32 and np.array_equal(found[::2, ::2], samples)
    assert any("kept as they were stored" in note for note in notes)
    assert tags.get(42113, "") == (f"{np.iinfo(dtype).max}" if kind == "nodata" else "")


def test_floats_of_pictures_run_from_0_to_1_and_a_note_says_so(tmp_path):
    found, notes, _ = enlarged(tmp_path, RAMP.astype(np.uint16), depth="float")
    assert np.allclose(found[::2, ::2] * 65535, RAMP.astype(np.uint16), atol=0.01)
    assert "its values from 0 to 65535 became 0 to 1" in notes


@pytest.mark.parametrize(
    ("depth", "value_range", "factor"), [("float", None, 1), (8, None, 1 / 257), (8, "0,4000", 255 / 4000)]
)
def test_imagejs_ranges_and_calibration_follow_the_values(tmp_path, depth, value_range, factor):
    metadata = {"axes": "CYX", "Ranges": (0.0, 4000.0, 10.0, 3000.0), "cf": 0, "c0": -3.0, "c1": 2.0, "min": 10.0}
    samples = np.stack([RAMP, RAMP]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", samples, imagej=True, metadata=metadata)
    options = UpscaleOptions(method="pixelart", depth=depth, value_range=value_range)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", options, RUN)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        found = tiff.imagej_metadata
        assert tiff.pages[0].asarray().max() == pytest.approx(4000 * factor, abs=0.5)
    assert found["Ranges"] == pytest.approx((0, 4000 * factor, 10 * factor, 3000 * factor))
    assert (found["c0"], found["c1"], found["min"]) == pytest.approx((-3, 2 / factor, 10 * factor))


def test_gdals_file_beside_a_picture_follows_the_values():
    data = b"<PAMDataset><PAMRasterBand><NoDataValue>10</NoDataValue><Scale>0.5</Scale></PAMRasterBand></PAMDataset>"
    found = rescaled_gdal_file(data, PixelGrid(), LinearChange(factor=2, shift=-4)).decode()
    assert "<NoDataValue>16</NoDataValue><Scale>0.25</Scale><Offset>1</Offset>" in found
