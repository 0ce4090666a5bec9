"""Stacks of pages, OME-TIFF and ImageJ hyperstacks: read again by tifffile and ome-types."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import tifffile
import torch

from innersr.errors import ImageFileError, InputError
from innersr.images.georeferencing.grid import PixelGrid
from innersr.images.io import read
from innersr.images.selections import parse_pages
from innersr.images.tiff.descriptions import imagej_description, ome_description, shaped_description
from innersr.images.tiff.stacks import find_stack
from innersr.images.values.linear_change import LinearChange
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.adaptation import Adaptation, adapt_given
from innersr.pipeline.files import open_file, upscale_file
from innersr.run import Run

OPTIONS = {"method": "bicubic", "kernel": "bicubic"}
STACK = np.random.default_rng(4).integers(1, 60000, (2, 3, 4, 20, 24)).astype(np.uint16)  # T, C, Z, Y, X
LIGHT = ((np.mgrid[0:20, 0:24].sum(0) * 900) + 1000 * np.arange(24).reshape(2, 3, 4, 1, 1)).astype(np.uint16)


def page_means(path):
    with tifffile.TiffFile(path) as tiff:
        return [float(page.asarray().mean()) for page in tiff.pages]


def test_an_ome_tiff_keeps_its_axes_and_divides_its_pixels(tmp_path):
    ome_types = pytest.importorskip("ome_types", reason="ome-types reads OME-XML; pip install ome-types")
    calibration = {
        "axes": "TCZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": 2.0,
        "Channel": {"Name": ["red", "green", "blue"]},
        "TimeIncrement": 3.0,
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", LIGHT, metadata=calibration, ome=True)
    result = upscale_file(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", UpscaleOptions(scale=(2, 1.5), **OPTIONS))
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tiff:
        assert tiff.is_ome and len(tiff.pages) == 24
        assert tiff.series[0].axes == "TCZYX" and tiff.series[0].shape == (2, 3, 4, 40, 36)
        means = tiff.series[0].asarray().astype(float).mean((3, 4))
    assert np.allclose(means, LIGHT.astype(float).mean((3, 4)), rtol=0.01)
    pixels = ome_types.from_tiff(tmp_path / "b.ome.tif").images[0].pixels
    assert (pixels.size_x, pixels.size_y, pixels.size_z, pixels.size_c, pixels.size_t) == (36, 40, 4, 3, 2)
    assert pixels.physical_size_x == pytest.approx(0.5 / 1.5) and pixels.physical_size_y == 0.125
    assert pixels.physical_size_z == 2.0 and pixels.physical_size_x_unit.value == "µm"
    assert pixels.type.value == "uint16" and [channel.name for channel in pixels.channels] == ["red", "green", "blue"]
    assert "24 of 24 pages" in result.notes and not any("not kept" in note for note in result.notes)


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize(("name", "result"), [("a.dat", "a.dat_x2.tif"), ("a", "a_x2.tif"), ("a.TIF", "a_x2.TIF")])
def test_any_number_of_pages_may_lack_the_suffix_of_an_image(tmp_path, pages, name, result):
    tifffile.imwrite(tmp_path / name, LIGHT[0, 0, :pages])
    found = upscale_file(tmp_path / name, options=UpscaleOptions(**OPTIONS)).path
    assert found == tmp_path / result
    assert len(page_means(found)) == pages


def test_options_that_a_stack_has_no_use_for_are_reported(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0, :2])
    result = upscale_file(tmp_path / "a.tif", options=UpscaleOptions(quality=50, steady=False, **OPTIONS))
    words = {"quality (--quality) has no effect on TIFF files", "steady (--no-steady) has no effect on pictures"}
    assert words <= set(result.notes)


def test_an_imagej_hyperstack_keeps_its_axes_and_divides_its_pixels(tmp_path):
    calibration = {
        "axes": "TZCYX",
        "unit": "um",
        "spacing": 2.0,
        "finterval": 3.0,
        "Labels": [f"L{n}" for n in range(24)],
    }
    stack = LIGHT.transpose(0, 2, 1, 3, 4)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata=calibration, resolution=(4.0, 2.0))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        before, order = tiff.imagej_metadata, tiff.byteorder
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.is_imagej and tiff.byteorder == order and len(tiff.pages) == 24
        assert tiff.series[0].axes == "TZCYX" and tiff.series[0].shape == (2, 4, 3, 40, 48)
        assert tiff.imagej_metadata == before
        assert tiff.imagej_metadata["Labels"][5] == "L5" and tiff.imagej_metadata["spacing"] == 2.0
        tags = tiff.pages[0].tags
        assert tags["XResolution"].value == (8, 1) and tags["YResolution"].value == (4, 1)
        means = tiff.series[0].asarray().astype(float).mean((3, 4))
    assert np.allclose(means, stack.astype(float).mean((3, 4)), rtol=0.01)


def imagej_file(path, extratags=(), **metadata):
    tifffile.imwrite(path, LIGHT[0, 0], imagej=True, metadata={"axes": "ZYX"} | metadata, extratags=extratags)


def notes_of(source, target, pages="all"):
    return upscale_file(source, target, UpscaleOptions(pages=pages, **OPTIONS)).notes


@pytest.mark.parametrize("where", ["ROI", "Overlays"])
@pytest.mark.parametrize("planes", [0, slice(None)])
def test_the_loss_of_imagejs_regions_is_reported(tmp_path, where, planes):
    region = b"Iout" + bytes(60)
    regions = {"ROI": region} if where == "ROI" else {"Overlays": [region, region]}
    metadata = {"axes": "ZYX" if planes else "YX", **regions}
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0][planes], imagej=True, metadata=metadata)
    notes = notes_of(tmp_path / "a.tif", tmp_path / "b.tif")
    assert "regions of interest are not kept: they are in pixels of the source" in notes
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert where not in tiff.imagej_metadata


def test_the_loss_of_regions_in_an_ome_xml_is_reported(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", LIGHT[0, 0], ome=True)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        text = tiff.ome_metadata
    tifffile.tiffcomment(tmp_path / "a.ome.tif", text.replace("</OME>", '<ROI ID="ROI:0"><Union/></ROI></OME>'))
    notes = notes_of(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif")
    assert "regions of interest are not kept: they are in pixels of the source" in notes


def test_the_loss_of_imagejs_labels_is_reported(tmp_path):
    lost = "ImageJ's metadata is not kept: it describes all pages"
    imagej_file(tmp_path / "a.tif", Labels=["a", "b", "c", "d"])
    assert lost not in notes_of(tmp_path / "a.tif", tmp_path / "b.tif")
    assert lost in notes_of(tmp_path / "a.tif", tmp_path / "c.tif", pages="0-1")


def test_damaged_metadata_of_imagej_is_reported(tmp_path):
    imagej_file(tmp_path / "a.tif", Labels=["a", "b", "c", "d"])
    data = (tmp_path / "a.tif").read_bytes()
    assert data.count(b"IJIJlbal") + data.count(b"JIJIlbal") == 1
    (tmp_path / "a.tif").write_bytes(data.replace(b"IJIJlbal", b"XXXXlbal").replace(b"JIJIlbal", b"XXXXlbal"))
    assert "ImageJ's metadata is damaged and not kept" in notes_of(tmp_path / "a.tif", tmp_path / "b.tif")


def test_the_loss_of_a_microscopes_own_tags_is_reported_though_imagejs_are_kept(tmp_path):
    imagej_file(tmp_path / "a.tif", extratags=[(34361, "s", 0, "Olympus", True)])
    notes = notes_of(tmp_path / "a.tif", tmp_path / "b.tif")
    assert "calibration and description of a microscope of the TIFF are not kept" in notes


@pytest.mark.parametrize("samples", [LIGHT[0, 0], STACK[0, :, 0].astype(np.float32), LIGHT[0]])
def test_a_plain_stack_keeps_its_shape(tmp_path, samples):
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack")
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    written = tifffile.imread(tmp_path / "b.tif")
    assert written.shape == (*samples.shape[:-2], 40, 48) and written.dtype == samples.dtype


def test_several_stacks_of_tifffile_in_one_file_keep_their_axes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(LIGHT[0, 0], photometric="minisblack", metadata={"axes": "ZYX"})
        writer.write(LIGHT[:, 0, 0, :16].astype(np.float32), photometric="minisblack", metadata={"axes": "TYX"})
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert [(series.axes, series.shape) for series in tiff.series] == [("ZYX", (4, 40, 48)), ("TYX", (2, 32, 48))]
    assert not any("not kept" in note for note in result.notes)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "c.tif", UpscaleOptions(pages="1-4", **OPTIONS))
    assert "the axes are not kept: they are those of all pages" in result.notes


def test_pages_written_one_by_one_are_learnt_once_and_few_are_remembered(tmp_path, monkeypatch):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in LIGHT[0, 0]:
            writer.write(page, photometric="minisblack", contiguous=False)
    learnt = []
    monkeypatch.setattr("innersr.pipeline.tasks.adapt_given", lambda *given: learnt.append(1) or adapt_given(*given))
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    assert len(learnt) == 1
    with tifffile.TiffWriter(tmp_path / "c.ome.tif", ome=True) as writer:
        for series in LIGHT[0]:
            writer.write(series, photometric="minisblack", metadata={"axes": "ZYX"})
    task = open_file(tmp_path / "c.ome.tif", tmp_path / "d.ome.tif", UpscaleOptions(**OPTIONS))
    kept = []
    monkeypatch.setattr(Adaptation, "apply", counting(Adaptation.apply, lambda: kept.append(len(task._learnt))))
    task.write(Run(device="cpu"))
    assert len(learnt) == 1 + 3 and kept == [1] * 12


def counting(function, note):
    def counted(*given, **more):
        note()
        return function(*given, **more)

    return counted


def test_every_page_is_what_it_would_be_alone(tmp_path):
    """But for what is learnt, which bicubic interpolation does not."""
    pages = [STACK[0, 0, 0], STACK[0, 0, 1, :15, :18], np.stack([STACK[0, 0, 2]] * 3, 2) >> 8]
    pages[2] = pages[2].astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for number, page in enumerate(pages):
            writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", description=f"page {number}")
            tifffile.imwrite(
                tmp_path / f"page{number}.tif", page, photometric="rgb" if page.ndim == 3 else "minisblack"
            )
    together, alone = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS)), []
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert len(tiff.pages) == 3
        for number, page in enumerate(tiff.pages):
            source, target = tmp_path / f"page{number}.tif", tmp_path / f"alone{number}.tif"
            alone.append(upscale_file(source, target, UpscaleOptions(**OPTIONS)).consistency_psnr)
            assert np.array_equal(page.asarray(), tifffile.imread(tmp_path / f"alone{number}.tif"))
            assert page.description == f"page {number}"
    assert together.consistency_psnr == pytest.approx(min(alone))
    assert min(alone) < max(alone) - 0.01


def test_pixels_are_divided_by_the_scale_of_their_axis(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0], imagej=True, metadata={"unit": "um"}, resolution=(4.0, 2.0))
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS | {"scale": (2, 3)}))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        tags = tiff.pages[0].tags
        assert (tags["XResolution"].value, tags["YResolution"].value) == ((12, 1), (4, 1))


def test_a_channel_is_learnt_from_its_middle_page_only(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0].swapaxes(0, 1), imagej=True, metadata={"axes": "ZCYX"})
    learnt = []

    def adapt(seen, *others):
        learnt.append(float(seen.image.colour.mean()) * 65535)
        return adapt_given(seen, *others)

    monkeypatch.setattr("innersr.pipeline.tasks.adapt_given", adapt)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    middle = tifffile.imread(tmp_path / "a.tif")[2]  # of the axes Z, C
    assert learnt == pytest.approx([float(page.mean()) for page in middle])


@pytest.mark.parametrize(("pages", "numbers"), [("first", [0]), ("1,3-4", [1, 3, 4]), ("all", [*range(24)])])
def test_pages_can_be_chosen(tmp_path, pages, numbers):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT, imagej=True, metadata={"axes": "TZCYX"}, resolution=(4.0, 4.0))
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(pages=pages, **OPTIONS))
    before, after = page_means(tmp_path / "a.tif"), page_means(tmp_path / "b.tif")
    assert np.allclose(after, [before[number] for number in numbers], rtol=0.01)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].tags["XResolution"].value == (8, 1)
        assert tiff.imagej_metadata["images"] == len(numbers)


def test_a_page_goes_into_other_formats_and_several_do_not(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0], photometric="minisblack", metadata=None)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.png", UpscaleOptions(**OPTIONS))
    assert "first of 4 pages; the others are ignored" in result.image.notes
    upscale_file(tmp_path / "a.tif", tmp_path / "c.png", UpscaleOptions(pages="2", **OPTIONS))
    upscale_file(tmp_path / "a.tif", tmp_path / "d.tif", UpscaleOptions(pages="2", **OPTIONS))
    assert torch.equal(read(tmp_path / "c.png").colour, read(tmp_path / "d.tif").colour)
    assert float(read(tmp_path / "c.png").colour.mean()) > float(read(tmp_path / "b.png").colour.mean())
    with pytest.raises(ImageFileError, match="4 pages do not go into one picture; write a .tif, or choose a page"):
        upscale_file(tmp_path / "a.tif", tmp_path / "e.png", UpscaleOptions(pages="all", **OPTIONS))
    with pytest.raises(InputError, match=r"there is no page 4 \(--pages 4\); they are numbered from 0 to 3"):
        open_file(tmp_path / "a.tif", None, UpscaleOptions(pages="4", **OPTIONS))


@pytest.mark.parametrize("text", ["", "x", "3-1", "1,,2", "-1", "1-", "all,2x"])
def test_pages_that_are_no_numbers_are_refused(text):
    with pytest.raises(InputError, match="are all, first, or numbers from 0"):
        UpscaleOptions(pages=text)


def test_pages_are_counted_once_and_in_order():
    assert parse_pages("5,0-2, 1", 6) == (0, 1, 2, 5)


def test_a_page_without_data_stays_so(tmp_path):
    samples = LIGHT[0, 0].astype(np.float32)
    samples[1] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack")
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    written = tifffile.imread(tmp_path / "b.tif")
    assert np.isnan(written[1]).all() and not np.isnan(written[[0, 2, 3]]).any()
    assert "a page has no data" in result.notes


def test_nothing_is_written_where_a_page_is_damaged(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0], photometric="minisblack", compression="deflate", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        place = tiff.pages[3].dataoffsets[0]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[place : place + 20] = bytes(20)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageFileError, match=r"a\.tif: cannot be decoded"):
        upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_planes_without_pages_are_not_dropped_silently(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0], imagej=True, truncate=True)
    with pytest.raises(ImageFileError, match="3 planes lie behind the first without pages of their own"):
        upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))


@pytest.mark.parametrize("compression", ["none", "deflate", "lzw", "zstd"])
def test_a_stack_stays_compressed_as_it_was(tmp_path, compression):
    pytest.importorskip("imagecodecs", reason="imagecodecs writes LZW and zstd; pip install '.[tiff]'")
    name = None if compression == "none" else compression
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[0, 0], photometric="minisblack", compression=name)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(**OPTIONS))
    with tifffile.TiffFile(tmp_path / "a.tif") as before, tifffile.TiffFile(tmp_path / "b.tif") as after:
        assert {page.compression for page in after.pages} == {before.pages[0].compression}


def test_a_file_with_one_plain_page_is_no_stack(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0, 0])
    assert find_stack(tmp_path / "a.tif") is None
    (tmp_path / "b.tif").write_bytes(b"II*\0" + bytes(50))
    assert find_stack(tmp_path / "b.tif") is None


def test_an_ome_xml_loses_only_what_is_no_longer_true():
    text = (
        '<OME><Image><Pixels Type="uint16" SignificantBits="12" SizeX="24" SizeY="20" PhysicalSizeX="1">'
        '<TiffData><UUID FileName="a.tif">u</UUID></TiffData></Pixels><ROIRef ID="R:0"/></Image>'
        '<ROI ID="R:0"><Union/></ROI><StructuredAnnotations/></OME>'
    )
    found = ome_description(text, lambda size: (2 * size[0], 2 * size[1]), lambda _: (2, 2), "float32", "b.tif")
    ElementTree.fromstring(found)
    assert 'Type="float" SizeX="48" SizeY="40" PhysicalSizeX="0.5"' in found
    assert "ROI" not in found and 'FileName="b.tif"' in found and "StructuredAnnotations" in found


@pytest.mark.parametrize("pages", [None, "first"])
def test_a_volume_in_one_page_is_refused_with_what_makes_pages_of_it(tmp_path, pages):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 32, 32), np.uint16), volumetric=True, tile=(16, 32, 32))
    with pytest.raises(ImageFileError, match="volume of 16 slices in one page; save each as a page first"):
        upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(pages=pages, **OPTIONS))
    tifffile.imwrite(tmp_path / "pages.tif", tifffile.imread(tmp_path / "a.tif"), photometric="minisblack")
    upscale_file(tmp_path / "pages.tif", tmp_path / "b.tif", UpscaleOptions(pages=pages, **OPTIONS))
    assert tifffile.imread(tmp_path / "b.tif").shape == ((64, 64) if pages else (16, 64, 64))


def test_an_automatic_range_is_that_of_all_pages_of_a_channel(tmp_path):
    light = np.linspace(0, 1, 16 * 20).reshape(16, 20)
    brightness = np.array([[100, 3000], [200, 9000], [400, 6000]])  # time, channel
    stack = (1000 + brightness[..., None, None] * light).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TCYX"})
    options = UpscaleOptions(method="pixelart", depth=8, value_range="auto")
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", options)
    written = tifffile.imread(tmp_path / "b.tif").max((2, 3))
    assert written.tolist() == [[64, 85], [128, 255], [255, 170]]
    notes = [note for note in result.notes if "became black to white" in note]
    assert notes == [f"values from 1000 to {most} became black to white" for most in (1400, 10000)]
    assert "the range of values is that of all pages of a channel, which stay comparable" in result.notes


def test_pages_without_data_have_no_part_in_an_automatic_range(tmp_path):
    pages = np.full((3, 16, 20), -9999, np.float32)
    pages[1], pages[2, 3:] = np.linspace(0, 8, 320).reshape(16, 20), 4
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    options = UpscaleOptions(method="pixelart", depth=16, value_range="auto", nodata=-9999)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", options)
    written = tifffile.imread(tmp_path / "b.tif")
    assert written[1].max() == 65535 and written[2, 10:].max() == 32768


@pytest.mark.parametrize(
    ("depth", "types"), [("keep", ["uint16", "uint8", "float"]), ("float", ["float"] * 3), (8, ["uint8"] * 3)]
)
def test_each_series_of_an_ome_tiff_has_its_own_type_and_scale(tmp_path, depth, types):
    pages = np.random.default_rng(1).random((2, 20, 24))
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for dtype, most, width in (("uint16", 60000, 24), ("uint8", 255, 12), ("float32", 1, 24)):
            series = (most * pages[..., :width]).astype(dtype)
            writer.write(series, metadata={"axes": "ZYX", "PhysicalSizeX": 6.0}, contiguous=False)
    options = UpscaleOptions(size="48x60!", depth=depth, **OPTIONS)
    upscale_file(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif", options)
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as tiff:
        found = [
            each.attrib for each in ElementTree.fromstring(tiff.ome_metadata).iter() if "PhysicalSizeX" in each.attrib
        ]
        stored = [series.dtype.name.replace("float32", "float") for series in tiff.series]
    assert [each["Type"] for each in found] == stored == types
    assert [float(each["PhysicalSizeX"]) for each in found] == [3, 1.5, 3]


def test_imagej_keeps_its_origin_and_range():
    text = "ImageJ=1.53\nimages=2\nslices=2\nxorigin=3\nmin=0\nmax=9\n"
    grid = PixelGrid(scales=(2.0, 2.0))
    assert imagej_description(text, grid, planes=None) == text.replace("xorigin=3", "xorigin=6")
    found = imagej_description(text + "cf=20\n", grid, planes=1, change=LinearChange(factor=2, shift=1))
    assert found.splitlines() == ["ImageJ=1.53", "images=1", "slices=1", "xorigin=6", "min=1", "max=19"]


def test_a_shape_is_found_by_its_axes():
    assert shaped_description('{"shape": [4, 4, 4, 3], "axes": "ZYXS"}', (4, 4), (8, 8)) == (
        '{"shape": [4, 8, 8, 3], "axes": "ZYXS"}'
    )
    assert shaped_description('{"shape": [5, 20, 24]}', (20, 24), (40, 48)) == '{"shape": [5, 40, 48]}'
    assert shaped_description("{}", (20, 24), (40, 48)) is None
    assert shaped_description("[" * 10**5, (20, 24), (40, 48)) is None
