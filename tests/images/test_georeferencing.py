"""Maps: GeoTIFF tags, world files and GDAL's files of a result, compared in rasterio with expected numbers."""

import struct

import numpy as np
import pytest
import tifffile

from innersr.errors import ImageFileError
from innersr.images.georeferencing.geotiff import GeoTag, rescaled_tags
from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.georeferencing.sidecars import rescaled_gdal_file, rescaled_world_file, sidecars
from innersr.images.metadata import TiffTag
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file

DOUBLED = PixelGrid(scales=(2.0, 2.0))
OPTIONS = {"method": "bicubic", "kernel": "bicubic"}
SAMPLES = np.random.default_rng(5).integers(1, 200, (7, 20, 24)).astype(np.uint16)


@pytest.fixture
def rasterio():
    return pytest.importorskip("rasterio", reason="rasterio checks maps; pip install rasterio")


def made_map(rasterio, path, samples, **more):
    """A map of metres at (500000, 4000000), 10 m a pixel across and 20 m down, written by rasterio."""
    bands, height, width = samples.shape
    shape = {"count": bands, "height": height, "width": width, "dtype": samples.dtype.name}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 500000, 0, -20, 4000000)}
    with rasterio.open(path, "w", **{"driver": "GTiff", **shape, **place, **more}) as dataset:
        dataset.write(samples)
        for band in range(bands):
            dataset.set_band_description(band + 1, f"B{band + 1}")
        dataset.update_tags(AREA="test", STATISTICS_MEAN="3")
        dataset.update_tags(1, STATISTICS_MAXIMUM="7", SENSOR="MSI")
    return path


@pytest.mark.parametrize("scale", [2, 1.5, (2, 3)])
@pytest.mark.parametrize("is_point", [False, True])
def test_a_map_stays_in_its_place(tmp_path, rasterio, is_point, scale):
    with rasterio.Env(GTIFF_POINT_GEO_IGNORE=False):
        path = made_map(rasterio, tmp_path / "a.tif", SAMPLES, nodata=65535)
        if is_point:
            with rasterio.open(path, "r+") as dataset:
                dataset.update_tags(AREA_OR_POINT="Point")
        upscale_file(path, tmp_path / "b.tif", UpscaleOptions(scale=scale, **OPTIONS))
        vertical, horizontal = scale if isinstance(scale, tuple) else (scale, scale)
        with rasterio.open(path) as source, rasterio.open(tmp_path / "b.tif") as result:
            assert result.tags()["AREA_OR_POINT"] == ("Point" if is_point else "Area")
            assert (result.height, result.width) == (20 * vertical, 24 * horizontal)
            expected = rasterio.Affine(10 / horizontal, 0, 500000, 0, -20 / vertical, 4000000)
            assert np.allclose(source.transform, rasterio.Affine(10, 0, 500000, 0, -20, 4000000), atol=1e-6)
            assert np.allclose(result.transform, expected, atol=1e-6)
            assert np.allclose(result.bounds, source.bounds, atol=1e-6)
            assert result.crs == source.crs and result.crs.to_epsg() == 32633
            assert result.nodata == 65535
            assert result.descriptions == tuple(f"B{band}" for band in range(1, 8))
            assert result.tags()["AREA"] == "test" and result.tags(1)["SENSOR"] == "MSI"
            assert "STATISTICS_MEAN" not in result.tags() and "STATISTICS_MAXIMUM" not in result.tags(1)


def tag_of(code, values):
    return TiffTag(code=code, kind=12, count=len(values), data=np.array(values, "<f8").tobytes(), words="")


@pytest.mark.parametrize(("is_point", "place"), [(False, (500000, 4000000)), (True, (499997.5, 4000005))])
def test_the_first_pixel_of_a_result_is_tied_to_its_place(is_point, place):
    """Without rasterio: 10 m across and 20 m down a pixel, whose corner or centre the tie point is at."""
    keys = struct.pack("<8H", 1, 1, 0, 1, 1025, 0, 1, 2 if is_point else 1)
    ties = [tag_of(GeoTag.PIXEL_SCALE, [10, 20, 0]), tag_of(GeoTag.TIEPOINTS, [0, 0, 0, 500000, 4000000, 0])]
    kinds = TiffTag(code=GeoTag.KEYS, kind=3, count=8, data=keys, words="")
    scale, tie, kept = rescaled_tags((*ties, kinds), DOUBLED)
    assert scale.doubles().tolist() == [5, 10, 0]
    assert tie.doubles().tolist() == [0, 0, 0, *place, 0]
    assert kept == kinds


def test_a_transformation_and_control_points_follow_their_pixels():
    """Without rasterio: a quarter turn, and two control points, on pixels of which two become a column, three a row."""
    grid = PixelGrid(scales=(2.0, 3.0))
    turned = [0, 20, 0, 500000, 10, 0, 0, 4000000, 0, 0, 0, 0, 0, 0, 0, 1]
    points = [1, 2, 0, 7, 8, 9, 4, 6, 0, 10, 11, 12]
    whole, moved = rescaled_tags((tag_of(GeoTag.TRANSFORMATION, turned), tag_of(GeoTag.TIEPOINTS, points)), grid)
    assert whole.doubles()[:8] == pytest.approx([0, 10, 0, 500000, 10 / 3, 0, 0, 4000000])
    assert moved.doubles().tolist() == [3, 4, 0, 7, 8, 9, 12, 12, 0, 10, 11, 12]


def test_seven_bands_stay_seven_in_their_order(tmp_path, rasterio):
    samples = np.stack([np.full((20, 24), 100 * (band + 1), np.uint16) for band in range(7)])
    samples[:, ::2, ::3] += 5
    made_map(rasterio, tmp_path / "a.tif", samples)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with rasterio.open(tmp_path / "b.tif") as result:
        assert [round(float(band.mean()) / 100) for band in result.read()] == [1, 2, 3, 4, 5, 6, 7]
        assert [each.name for each in result.colorinterp][:1] == ["gray"] and result.dtypes == ("uint16",) * 7


def test_no_data_stays_where_it_was(tmp_path, rasterio):
    samples = SAMPLES[:1].astype(np.float32)
    samples[0, 5:9, 3:8] = -9999
    made_map(rasterio, tmp_path / "a.tif", samples, nodata=-9999)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with rasterio.open(tmp_path / "b.tif") as result:
        holes = result.read_masks(1) == 0
        assert result.nodata == -9999
    assert holes[10:18, 6:16].all() and holes.sum() == 8 * 10


def test_a_turned_map_keeps_its_transformation(tmp_path, rasterio):
    turned = rasterio.Affine(8, 6, 500000, 6, -8, 4000000)
    made_map(rasterio, tmp_path / "a.tif", SAMPLES[:1], transform=turned)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with rasterio.open(tmp_path / "b.tif") as result:
        assert np.allclose(result.transform, turned @ rasterio.Affine.scale(0.5), atol=1e-6)


def test_ground_control_points_move_with_their_pixels(tmp_path, rasterio):
    points = [rasterio.control.GroundControlPoint(row, col, 10 * col, -10 * row) for row, col in [(0, 0), (7, 9)]]
    made_map(rasterio, tmp_path / "a.tif", SAMPLES[:1], transform=None, gcps=points)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with rasterio.open(tmp_path / "b.tif") as result:
        assert [(point.row, point.col, point.x, point.y) for point in result.gcps[0]] == [
            (0, 0, 0, 0),
            (14, 18, 90, -70),
        ]


def test_a_grid_of_pixel_centres_starts_half_a_pixel_later(tmp_path, rasterio):
    """Blurred by a kernel whose anchor is a whole pixel, the first pixels of source and result have one centre."""
    made_map(rasterio, tmp_path / "a.tif", SAMPLES[:1])
    np.save(tmp_path / "kernel.npy", np.outer([1, 2, 1], [1, 2, 1]) / 16)
    options = UpscaleOptions(method="backprojection", kernel=tmp_path / "kernel.npy", anchor="centre")
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", options)
    with rasterio.open(tmp_path / "b.tif") as result:
        assert np.allclose(result.transform @ (0.5, 0.5), (500005, 3999990), atol=1e-6)


def test_rational_polynomials_follow_the_lines_and_samples():
    values = [0.0, 0.0, 99.5, 49.5, 48.0, 11.0, 500.0, 100.0, 50.0, 1.0, 1.0, 1.0, *range(80)]
    tag = TiffTag(
        code=GeoTag.RATIONAL_POLYNOMIALS, kind=12, count=92, data=struct.pack("<92d", *values), words="georeferencing"
    )
    (found,) = rescaled_tags((tag,), DOUBLED)
    assert found.doubles()[2:4].tolist() == [199.5, 99.5]
    assert found.doubles()[7:9].tolist() == [200.0, 100.0]
    assert found.doubles()[9:].tolist() == values[9:]


def test_rational_polynomials_are_right_in_rasterio(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    values = [0.0, 0.0, 3.5, 7.5, 48.0, 11.0, 500.0, 4.0, 8.0, 0.1, 0.2, 100.0, *range(80)]
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES[0], extratags=[(50844, "d", 92, values, False)])
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with rasterio.open(tmp_path / "a.tif") as source, rasterio.open(tmp_path / "b.tif") as result:
        before, after = source.rpcs, result.rpcs
    assert (before.line_off, before.samp_off, before.line_scale, before.samp_scale) == (3.5, 7.5, 4, 8)
    assert (after.line_off, after.samp_off, after.line_scale, after.samp_scale) == (7.5, 15.5, 8, 16)
    for name in ("lat_off", "long_off", "height_off", "lat_scale", "long_scale", "height_scale"):
        assert getattr(after, name) == getattr(before, name)
    for name in ("line_num_coeff", "line_den_coeff", "samp_num_coeff", "samp_den_coeff"):
        assert getattr(after, name) == getattr(before, name) and len(getattr(after, name)) == 20


def test_a_damaged_georeference_is_left_out_and_reported(tmp_path):
    tags = [(33550, "d", 2, (10.0, 10.0), False), (33922, "d", 6, (0.0,) * 6, False)]
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES[0], extratags=tags)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    assert "georeferencing of the TIFF is damaged and not kept" in result.image.notes
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert not {33550, 33922} & {tag.code for tag in tiff.pages.first.tags}


def test_a_world_file_gives_the_centre_of_the_first_pixel():
    text = rescaled_world_file("10\n0\n0\n-20\n500005\n3999990\n", DOUBLED)
    assert [float(line) for line in text.split()] == [5, 0, 0, -10, 500002.5, 3999995]
    turned = rescaled_world_file("8\n6\n6\n-8\n500007\n3999999\n", DOUBLED)
    assert [float(line) for line in turned.split()] == [4, 3, 3, -4, 500003.5, 3999999.5]


@pytest.mark.parametrize("name", ["a.pgw", "a.pngw", "a.wld", "a.PGW"])
def test_files_beside_a_picture_are_written_beside_the_result(tmp_path, name):
    tifffile.imwrite(tmp_path / "a.tif", SAMPLES[0].astype(np.uint8))
    upscale_file(tmp_path / "a.tif", tmp_path / "a.png", UpscaleOptions(scale=1.5, **OPTIONS))
    (tmp_path / name).write_text("10\n0\n0\n-20\n500005\n3999990\n")
    (tmp_path / "a.prj").write_text("PROJCS[]")
    (tmp_path / "a.png.aux.xml").write_text(
        "<PAMDataset><GeoTransform>5, 10, 0, 7, 0, -20</GeoTransform><PAMRasterBand><Histograms/>"
        '<Metadata><MDI key="STATISTICS_MEAN">3</MDI><MDI key="A">b</MDI></Metadata></PAMRasterBand></PAMDataset>'
    )
    upscale_file(tmp_path / "a.png", tmp_path / "out.tif", UpscaleOptions(**OPTIONS))
    new = {"a.pgw": "out.tfw", "a.pngw": "out.tifw", "a.wld": "out.wld", "a.PGW": "out.TFW"}[name]
    assert (tmp_path / new).read_text().split() == ["5", "0", "0", "-10", "500002.5", "3999995"]
    assert (tmp_path / "out.prj").read_text() == "PROJCS[]"
    written = (tmp_path / "out.tif.aux.xml").read_text()
    assert "<GeoTransform>5, 5, 0, 7, 0, -10</GeoTransform>" in written and '<MDI key="A">b</MDI>' in written
    assert "STATISTICS" not in written and "Histograms" not in written
    with pytest.raises(ImageFileError, match="out.tif: exists"):
        upscale_file(tmp_path / "a.png", tmp_path / "out.tif", UpscaleOptions(**OPTIONS))
    (tmp_path / "out.tif").unlink()
    with pytest.raises(ImageFileError, match="exists"):
        upscale_file(tmp_path / "a.png", tmp_path / "out.tif", UpscaleOptions(**OPTIONS))


def test_a_name_that_leaves_no_room_for_others_has_no_files_beside_it(tmp_path):
    name = f"{'x' * 251}.png"
    (tmp_path / name).touch()
    assert sidecars(tmp_path / name, tmp_path / "out.tif") == []


def test_files_beside_a_picture_that_are_damaged_are_named(tmp_path):
    (tmp_path / "a.tfw").write_text("1 2 3")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset>")
    for sidecar in sidecars(tmp_path / "a.tif", tmp_path / "b.tif"):
        with pytest.raises(ImageFileError, match=f"{sidecar.source.name}: is not what its name says"):
            sidecar.content(DOUBLED)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tfw", b"nan 0 0 -20 5 5"),
        ("a.tfw", b"10 0 0 -20 1e999 5"),
        ("a.tfw", b"10 0 0 -20 \xff 5"),
        ("a.tif.aux.xml", b"<PAMDataset><GeoTransform>5, inf, 0, 7, 0, -20</GeoTransform></PAMDataset>"),
        ("a.tif.aux.xml", b"<PAMDataset><GeoTransform>5, 10, 0, 7, 0</GeoTransform></PAMDataset>"),
        ("a.tif.aux.xml", b'<PAMDataset><GCPList><GCP Pixel="nan" Line="5"/></GCPList></PAMDataset>'),
        ("a.tif.aux.xml", b'<PAMDataset><GCPList><GCP Pixel="3"/></GCPList></PAMDataset>'),
        ("a.tif.aux.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><PAMDataset>&b;</PAMDataset>'),
        ("a.tif.aux.xml", '<!DOCTYPE a [<!ENTITY b "c">]><PAMDataset>&b;</PAMDataset>'.encode("utf-16")),
    ],
)
def test_a_file_beside_a_picture_that_tells_no_place_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (sidecar,) = sidecars(tmp_path / "a.tif", tmp_path / "b.tif")
    with pytest.raises(ImageFileError, match=rf"{name}: is not what its name says .*; mend or remove it"):
        sidecar.content(DOUBLED)


def test_control_points_beside_a_picture_move():
    data = b'<PAMDataset><GCPList><GCP Pixel="3" Line="5" X="1" Y="2"/></GCPList></PAMDataset>'
    assert b'Pixel="6" Line="10" X="1" Y="2"' in rescaled_gdal_file(data, DOUBLED)


def test_a_turned_map_beside_a_picture_stays_in_its_place():
    grid = PixelGrid(scales=(2.0, 4.0))
    world = rescaled_world_file("10 1 2 -20 100 200", grid)
    assert [float(each) for each in world.split()] == pytest.approx([2.5, 0.25, 1, -10, 95.75, 204.625])
    turned = b"<GeoTransform>100, 10, 2, 200, 1, -20</GeoTransform>"
    bands = b'<Metadata><MDI key="STATISTICS_MEAN">3</MDI><MDI key="SENSOR">MSI</MDI></Metadata>'
    found = rescaled_gdal_file(b"<PAMDataset>" + turned + bands + b"</PAMDataset>", grid).decode()
    numbers = found.split("<GeoTransform>")[1].split("</GeoTransform>")[0].split(",")
    assert [float(each) for each in numbers] == pytest.approx([100, 2.5, 1, 200, 0.25, -10])
    assert "SENSOR" in found and "STATISTICS" not in found


@pytest.mark.parametrize(("centre", "start"), [((0.5, 1.0), (0.0, 0.0)), ((0.0, 0.0), (0.25, 1 / 3))])
def test_a_grid_begins_where_the_first_corner_of_a_result_lies(centre, start):
    assert PixelGrid.of_centres((2.0, 3.0), centre).start == pytest.approx(start)
