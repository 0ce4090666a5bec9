"""The journey of one image, and the types that it may have at both ends."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as PILImage
from PIL import ImageCms

from helpers.methods import assumed, made
from innersr.blind.estimate import Estimate
from innersr.errors import ImageFileError, InnersrError, InputError, KernelError
from innersr.images.conversions import image_from
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.metadata import Metadata
from innersr.inference.value_range import SETTINGS
from innersr.methods.baselines import BackProjection, Bicubic
from innersr.methods.options import UpscaleOptions, default_output
from innersr.methods.registry import METHODS, make_method
from innersr.methods.tailor import Tailor
from innersr.metrics.fidelity import consistency_psnr
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.pipeline.adaptation import upscale_image
from innersr.pipeline.files import upscale, upscale_file
from innersr.pipeline.result import Result
from innersr.pipeline.tasks import ImageTask
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
DOUBLE = Degradation(scale=2)
BICUBIC = Bicubic()
TAILOR, ZSSR = made("tailor"), made("zssr")
DRAFT = Tailor(steps=0, views=1)
SIDES = (20, 24)  # pixels
SINGLE = 1e-6  # float32: values of about 1, each a sum of some ten products
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(autouse=True)
def _nothing_is_found_out(monkeypatch):
    """See tests/test_auto.py for what is."""
    monkeypatch.setattr("innersr.examination.examine", assumed)


def values(*shape, seed=5):
    """Uniform noise in [0, 1), float64."""
    return np.random.default_rng(seed).random(shape)


def levels(*shape, white=255, dtype="uint8", seed=5):
    return np.rint(values(*shape, seed=seed) * white).astype(dtype)


def planes(array):
    """An array (H, W) or (H, W, C) as (1, C, H, W) float32."""
    return torch.from_numpy(np.atleast_3d(array).transpose(2, 0, 1).astype(np.float32))[None]


def picture(mode):
    """A PIL image of any mode."""
    rgb = PILImage.fromarray(levels(*SIDES, 3))
    rgba = PILImage.fromarray(levels(*SIDES, 4))
    if mode == "I;16":
        return PILImage.fromarray(levels(*SIDES, white=65535, dtype="uint16"))
    if mode in ("LA", "RGBA", "La", "RGBa"):
        return rgba.convert(mode) if mode.startswith("RGB") else rgba.convert("LA").convert(mode)
    return rgb.convert("P").convert("PA") if mode == "PA" else rgb.convert(mode)


class Spy:
    """A method that remembers what it was given, and interpolates."""

    def adapt(self, lr, degradation, run):
        self.lr, self.degradation, self.run = lr, degradation, run
        return BICUBIC.adapt(lr, degradation, run)


def waves(rows, columns, channels=1, seed=5):
    """Smooth light and shade, (rows, columns, channels), from 0 to 1."""
    shades = resize(planes(values(rows // 3, columns // 3, channels, seed=seed)), size=(rows, columns))
    shades = (shades - shades.min()) / (shades.max() - shades.min())
    return shades[0].permute(1, 2, 0).numpy().astype(np.float64)


def colour_image(colour, **fields):
    return Image(colour=planes(colour), **fields)


def cut_out(colour, opacity, depth="float32"):
    """An image from (H, W, C) colours and (H, W) alpha."""
    return Image(colour=planes(colour), alpha=planes(opacity), depth=depth)


def disc(side=32, radius=10):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return ((x**2 + y**2) < radius**2).astype(np.float32)


# Arrays


@pytest.mark.parametrize(
    ("dtype", "white"), [("uint8", 255), ("uint16", 65535), (">u2", 65535), ("float32", 1), ("float64", 1)]
)
@pytest.mark.parametrize("shape", [SIDES, (*SIDES, 1), (*SIDES, 3), (*SIDES, 5)])
def test_an_array_comes_back_as_an_array_of_its_kind(dtype, white, shape):
    x = values(*shape) * white
    x[0, 0], x[0, 1] = 0, white  # the whole range is used, so that nothing is stretched
    x = (np.rint(x) if white > 1 else x).astype(dtype)
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    assert (result.dtype, result.shape) == (x.dtype, (40, 48, *shape[2:]))
    assert result.flags.c_contiguous
    expected = resize(planes(x) / white, 2).clamp(0, 1)[0].permute(1, 2, 0).numpy().reshape(result.shape) * white
    # Integers are rounded, half a level at most; floats are computed in single precision.
    np.testing.assert_allclose(result.astype(float), expected, rtol=0, atol=0.51 if white > 1 else SINGLE)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_an_array_that_is_not_upscaled_comes_back_as_it_was(dtype):
    x = levels(*SIDES, 3, white=np.iinfo(dtype).max if dtype.startswith("u") else 1, dtype=dtype)
    image, restore = image_from(x)
    assert np.array_equal(restore(image), x)


def test_an_image_that_was_read_is_upscaled_as_its_file_is(tmp_path):
    """With its metadata, of which the size of a pixel is halved."""
    path, model_pixel_scale = tmp_path / "map.tif", (33550, "d", 3, (10.0, 10.0, 0.0), True)
    tifffile.imwrite(path, levels(*SIDES, white=60_000, dtype="uint16"), extratags=[model_pixel_scale])
    found = upscale(read(path), method=BICUBIC, run=RUN)
    of_file = read(upscale(path, output=tmp_path / "large.tif", method=BICUBIC, run=RUN))
    assert found.depth == "uint16"
    assert torch.allclose(found.colour.clamp(0, 1), of_file.colour, atol=0.51 / 65535)
    assert {tag for tag in of_file.metadata.tags if tag.code == 33550} <= set(found.metadata.tags)
    assert [tag.code for tag in found.metadata.tags].count(33550) == 1


@pytest.mark.parametrize("path", ["large.png", Path("large.png")])
def test_a_path_in_the_place_of_the_scale_is_refused_with_its_right_place(path):
    with pytest.raises(InputError, match=r"give the path as output=.*large\.png"):
        upscale("photo.png", path)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "int64", "uint64", "bool", ">i2"])
@pytest.mark.parametrize("shape", [SIDES, (*SIDES, 3)])
def test_whole_numbers_are_taken_as_in_files_and_come_back_as_such(tmp_path, dtype, shape):
    lowest = -100 if np.dtype(dtype).kind == "i" else 0
    x = values(*shape) > 0.5 if dtype == "bool" else np.rint(lowest + 200 * values(*shape)).astype(dtype)
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    assert (result.dtype, result.shape) == (x.dtype, (40, 48, *shape[2:]))
    if dtype in ("int8", "int16", "int32", "uint32"):
        tifffile.imwrite(tmp_path / "a.tif", x)
        written = tifffile.imread(upscale(tmp_path / "a.tif", method=BICUBIC, run=RUN))
        ends = np.iinfo(dtype)
        np.testing.assert_allclose(result, written.clip(ends.min, ends.max), rtol=0, atol=0.501)
    assert np.array_equal(upscale(x, 2, method="pixelart", settings={"mode": "nearest"}, run=RUN)[::2, ::2], x)


@pytest.mark.parametrize("offset", [0.0, 1.0, -1e5, 4.6e6, 1e8, 1e9])
@pytest.mark.parametrize("kind", ["array", "masked", "tensor"])
def test_an_offset_of_64_bit_floats_costs_no_digits(offset, kind):
    x = values(*SIDES) - 0.5
    kept = {"array": lambda x: x, "tensor": lambda x: torch.from_numpy(x)[None], "masked": lambda x: np.ma.array(x)}
    if kind == "masked":
        kept["masked"] = lambda x: np.ma.masked_array(x, mask=np.eye(*SIDES, dtype=bool), fill_value=7)
    expected = upscale(kept[kind](x), 2, method=BICUBIC, run=RUN)
    result = upscale(kept[kind](x + offset), 2, method=BICUBIC, run=RUN)
    assert result.dtype in (np.float64, torch.float64) and type(result) is type(expected)
    if kind == "masked":
        assert np.array_equal(result.mask, expected.mask) and result.fill_value == 7
        result, expected = result.filled(offset), expected.filled(0)
    # Of single precision, relative to values of at most 0.5 and of the range that 65,536 levels are left in.
    assert float(abs(result - offset - expected).max()) <= 2e-5


@pytest.mark.parametrize("nodata", [-9999.0, 0.0, np.nan, 1e30])
def test_values_without_data_have_no_part_in_an_offset(nodata):
    x = 4.6e6 + values(*SIDES) / 8
    x[3:6, 2:9] = nodata
    result = upscale(x, 2, method=BICUBIC, run=RUN, nodata=None if np.isnan(nodata) else nodata)
    holes = np.isnan(result) if np.isnan(nodata) else np.isclose(result, nodata, rtol=1e-6, atol=0)
    assert holes[6:12, 4:18].all() and holes.sum() == 6 * 14
    assert len(np.unique(result[~holes])) > 1000 and abs(result[~holes] - 4.6e6).max() < 0.2


@pytest.mark.parametrize("value", [0.3, 7.7, 4.6e6 + 0.1, -1e12 / 3])
def test_a_constant_of_64_bits_is_kept(value):
    assert (upscale(np.full(SIDES, value), 2, method=BICUBIC, run=RUN) == value).all()


@pytest.mark.parametrize(
    "shape",
    [(145, 145, 200), (610, 340, 103), (512, 217, 204), (349, 1905, 144), (20, 24, 200), (64, 64, 64), (9, 30, 16)],
)
def test_spectra_are_pictures_of_many_bands(shape):
    assert image_from(np.zeros(shape, np.uint8))[0].colour.shape == (1, shape[2], *shape[:2])


@pytest.mark.parametrize("shape", [(30, 64, 64), (7, 64, 64), (12, 48, 64), (70, 64, 64), (3, 20, 24), (1, 20, 24)])
def test_stacks_are_no_pictures_of_many_bands(shape):
    with pytest.raises(InputError, match=r"looks like .* stack of pictures; give .*transpose.* x\[i\] .* tensor"):
        image_from(np.zeros(shape, np.uint8))


def test_integer_results_are_rounded_and_clipped():
    _, restore = image_from(levels(1, 4))
    result = restore(Image(colour=torch.tensor([-0.1, 0.4999 / 255, 0.5001 / 255, 1.2]).reshape(1, 1, 1, 4)))
    assert result.tolist() == [[0, 0, 1, 255]]


def test_half_precision_arrays_are_computed_in_single():
    x = values(*SIDES).astype(np.float16)
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    expected = upscale(x.astype(np.float32), 2, method=BICUBIC, run=RUN)
    assert result.dtype == np.float16
    assert np.array_equal(result, expected.astype(np.float16))


def test_an_array_is_not_changed_and_may_be_any_view():
    x = values(*SIDES, 3)
    kept = x.copy()
    x.flags.writeable = False
    turned = upscale(x[::-1, ::-1], 2, method=BICUBIC, run=RUN)
    expected = upscale(x, 2, method=BICUBIC, run=RUN)[::-1, ::-1]
    np.testing.assert_allclose(turned, expected, rtol=0, atol=SINGLE)
    assert np.array_equal(x, kept)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.zeros(5), "\\(H, W\\) or \\(H, W, C\\), got shape \\(5,\\)"),
        (np.zeros((1, 2, 3, 4)), "got shape \\(1, 2, 3, 4\\)"),
        (np.zeros((0, 4)), "is empty"),
        (np.zeros((4, 4), complex), "holds real numbers, got complex128; convert it with x.astype"),
        (np.zeros((4, 4), "M8[s]"), "holds real numbers, got datetime64"),
        (
            np.full((4, 4), 1 << 25),
            "whole numbers up to 33554432, taken exactly up to 16777216 only; give them as 64-bit",
        ),
        (np.full((4, 4), -(1 << 25)), "whole numbers up to 33554432"),
        (np.linspace(1, 2, 400).reshape(20, 20) * 1e300, "values up to 2e\\+300, .* divide them first"),
        (np.linspace(0, 1, 400).reshape(20, 20) * 1e39, "values up to 1e\\+39, .* divide them first"),
        (np.linspace(0, 1, 400).reshape(20, 20) * 1e-40, "no values above 1e-40, .* multiply them first"),
        (torch.linspace(1, 2, 400, dtype=torch.float64).reshape(1, 20, 20) * 1e300, "divide them first"),
        (torch.zeros(4, 4), "\\(C, H, W\\) or \\(1, C, H, W\\), got torch.float32 \\(4, 4\\); add the missing axes"),
        (torch.zeros(2, 3, 4, 4), "one by one"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "floating .* got torch.uint8; give x.float\\(\\) / 255, or an array"),
        (torch.zeros(3, 4, 4, dtype=torch.int16), "floating .* got torch.int16; give x.float\\(\\), or an array"),
        (torch.zeros(3, 0, 4), "got torch.float32 \\(3, 0, 4\\)"),
        ([[0, 1]], "cannot upscale a list; give a path, an innersr.Image, a PIL image, a NumPy array or a tensor"),
        (None, "cannot upscale a NoneType"),
        (b"image.png", "cannot upscale a bytes"),
        (np.full((20, 20), np.nan), "holds no data: all its values are NaN, infinite or no-data values"),
        (torch.full((1, 20, 20), -torch.inf), "holds no data"),
        (np.ma.masked_all(SIDES, "uint8"), "holds no data"),
    ],
)
def test_what_is_not_an_image_is_refused_with_a_remedy(x, text):
    with pytest.raises(InputError, match=text):
        upscale(x, method=BICUBIC, run=RUN)


# Tensors


@pytest.mark.parametrize("shape", [(3, *SIDES), (1, 3, *SIDES), (5, *SIDES), (1, 1, *SIDES)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_a_tensor_comes_back_as_a_tensor_of_its_kind(shape, dtype):
    x = torch.from_numpy(values(*shape)).to(dtype)
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    expected = resize(x.float(), 2).clamp(0, 1).to(dtype)
    assert (result.dtype, result.shape) == (dtype, expected.shape)
    assert torch.allclose(result, expected, rtol=0, atol=SINGLE)


def test_a_tensor_is_neither_changed_nor_differentiated():
    x = torch.from_numpy(values(1, *SIDES)).requires_grad_()
    kept = x.detach().clone()
    assert not upscale(x, 2, method=TAILOR, run=RUN).requires_grad
    assert torch.equal(x, kept)
    assert x.grad is None


# PIL images

KEPT = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F")
CHANGED = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}


@pytest.mark.parametrize(("mode", "expected"), [*zip(KEPT, KEPT, strict=True), *CHANGED.items()])
def test_a_pil_image_comes_back_as_a_pil_image(mode, expected):
    x = picture(mode)
    assert x.mode == mode
    kept = x.tobytes()
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    assert (type(result), result.mode, result.size) == (PILImage.Image, expected, (48, 40))
    assert x.tobytes() == kept


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr", "I;16", "F", "LA", "RGBA"])
def test_the_pixels_of_a_pil_image_are_those_of_its_array(mode):
    x = picture(mode)
    array = np.array(x)
    if mode.endswith("A"):
        array[..., -1] = 255
        x = PILImage.fromarray(array)
    assert np.array_equal(np.asarray(upscale(x, 2, method=BICUBIC, run=RUN)), upscale(array, 2, method=BICUBIC))


@pytest.mark.parametrize("level", [-3, 70_000, 1_000_000])
def test_32_bit_pil_images_do_not_wrap_around_at_16_bits(level):
    x = PILImage.fromarray(np.full(SIDES, level, np.int32))
    result = np.asarray(upscale(x, 2, method=BICUBIC, run=RUN))
    assert result.dtype == np.int32
    assert bool((result == level).all())


def test_a_black_and_white_image_becomes_grey_because_its_edges_do():
    x = PILImage.fromarray(disc() > 0)
    result = np.asarray(upscale(x, 2, method=BICUBIC, run=RUN))
    assert (result.min(), result.max()) == (0, 255)
    assert 0 < ((result > 0) & (result < 255)).mean() < 0.5


@pytest.mark.parametrize(("mode", "expected"), [("L", "LA"), ("RGB", "RGBA"), ("P", "RGBA"), ("1", "LA")])
def test_a_transparent_colour_becomes_alpha(mode, expected):
    """PNG and GIF can name one colour that is not to be seen."""
    x = PILImage.new("RGB", (24, 20), (255, 255, 255))
    x.paste((0, 0, 0), (0, 0, 12, 20))
    x = x.convert(mode)
    x.info["transparency"] = {"L": 0, "RGB": (0, 0, 0), "P": x.getpixel((0, 0)), "1": 0}[mode]
    result = np.asarray(upscale(x, 2, method=BICUBIC, run=RUN).convert("RGBA"))
    assert upscale(x, 2, method=BICUBIC, run=RUN).mode == expected
    assert bool((result[:, :20, 3] == 0).all())
    assert bool((result[:, 28:] == 255).all())


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_a_transparent_value_that_the_mode_cannot_show_is_refused(mode):
    x = PILImage.new(mode, (24, 20))
    x.info["transparency"] = 0
    with pytest.raises(InputError, match=f"mode {mode} cannot become transparent .*; give its path, or delete x.info"):
        upscale(x, 2, method=BICUBIC, run=RUN)


@pytest.mark.parametrize("shape", [(3, 20, 3), (3, 20, 1), (3, 20), (4, 20, 4)])
def test_a_picture_of_few_rows_is_taken_as_it_is(shape):
    assert upscale(np.zeros(shape, np.uint8), 2, method=BICUBIC, run=RUN).shape == (2 * shape[0], 40, *shape[2:])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "P", "CMYK"])
def test_profile_resolution_and_exif_of_a_pil_image_are_kept(mode):
    x = picture(mode)
    facts = {"icc_profile": PROFILE, "dpi": (300, 301), "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}
    x.info.update(facts, comment="of the old picture")
    assert upscale(x, 2, method=BICUBIC, run=RUN).info == facts


@pytest.mark.parametrize(("mode", "expected"), [("LA", "L"), ("RGBA", "RGB"), ("PA", "RGB"), ("RGB", "RGB")])
def test_dropped_alpha_leaves_an_opaque_image(mode, expected):
    assert upscale(picture(mode), 2, method=BICUBIC, run=RUN, alpha="drop").mode == expected


# Files


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_comes_back_as_the_path_of_the_result_beside_it(tmp_path, kind):
    source = tmp_path / "photo.png"
    PILImage.fromarray(levels(*SIDES, 3)).save(source)
    result = upscale(kind(source), 2, method=BICUBIC, run=RUN)
    assert isinstance(result, kind)
    assert Path(result) == tmp_path / "photo_x2.png"
    expected = upscale(np.asarray(PILImage.open(source)), 2, method=BICUBIC, run=RUN)
    assert np.array_equal(np.asarray(PILImage.open(result)), expected)


def test_the_output_may_be_named(tmp_path):
    source, target = tmp_path / "photo.png", tmp_path / "large.tif"
    PILImage.fromarray(levels(*SIDES)).save(source)
    assert upscale(source, 2, method=BICUBIC, run=RUN, output=str(target)) == target
    assert PILImage.open(target).size == (48, 40)


class Untouched:
    """A method that must not come to work."""

    def adapt(self, *_):
        raise AssertionError("minutes of work for a result that cannot be saved")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("photo.png", "photo.png: exists; choose another name, or --overwrite"),
        ("photo.jpg", "photo.jpg: "),  # JPEG holds no alpha
        ("photo.xyz", "photo.xyz: "),
        ("missing/photo.png", "the folder .*missing does not exist"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path, name, text):
    source = tmp_path / "photo.png"
    PILImage.fromarray(levels(*SIDES, 4)).save(source)
    kept = source.read_bytes()
    with pytest.raises(ImageFileError, match=text):
        upscale(source, 2, method=Untouched(), run=RUN, output=tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["photo.png"]
    assert source.read_bytes() == kept


def test_an_image_whose_alpha_is_dropped_fits_a_format_without(tmp_path):
    source = tmp_path / "photo.png"
    PILImage.fromarray(levels(*SIDES, 4)).save(source)
    result = upscale(source, 2, method=BICUBIC, run=RUN, alpha="drop", output=tmp_path / "photo.jpg")
    assert PILImage.open(result).mode == "RGB"


def test_an_existing_result_is_not_overwritten(tmp_path):
    source = tmp_path / "photo.png"
    PILImage.fromarray(levels(*SIDES)).save(source)
    upscale(source, 2, method=BICUBIC, run=RUN)
    written = (tmp_path / "photo_x2.png").read_bytes()
    with pytest.raises(ImageFileError, match="photo_x2.png: exists"):
        upscale(source, 2, method=Untouched(), run=RUN)
    assert (tmp_path / "photo_x2.png").read_bytes() == written


def test_a_missing_file_is_named():
    with pytest.raises(ImageFileError, match="nowhere.png"):
        upscale("nowhere.png", run=RUN)


def test_an_output_for_an_image_in_memory_is_refused():
    with pytest.raises(InputError, match="output is for paths"):
        upscale(levels(*SIDES), output="large.png", run=RUN)


@pytest.mark.parametrize(
    ("scale", "name"),
    [(2, "photo_x2.png"), (1.5, "photo_x1.5.png"), ((2, 3), "photo_x3x2.png"), (4 / 3, "photo_x1.333.png")],
)
def test_a_result_is_named_after_its_scale(scale, name):
    assert default_output(Path("a") / "photo.png", scale) == Path("a") / name


# What the arguments mean


def test_defaults_are_tailor_at_twice_the_size(monkeypatch):
    monkeypatch.setattr("innersr.methods.options.make_method", lambda *_: TAILOR)
    x = levels(*SIDES)
    assert np.array_equal(upscale(x), upscale(x, 2, method=TAILOR, degradation=DOUBLE, run=Run()))


@pytest.mark.parametrize("degradation", [None, DOUBLE])
def test_tailor_by_name_is_tailor_by_default(degradation):
    """It takes as many steps as the image is worth, unless the degradation is given."""
    image = colour_image(values(*SIDES, 3), depth="uint8")
    by_name, by_value = (upscale_image(image, degradation, method, RUN) for method in (make_method("tailor"), Tailor()))
    assert by_name.method == by_value.method == Tailor(steps=15, further_steps=60, by_recurrence=degradation is None)
    assert torch.equal(by_name.image.colour, by_value.image.colour)


def test_a_degradation_brings_its_own_scale():
    assert upscale(levels(*SIDES), 2, method=BICUBIC, degradation=Degradation(scale=3), run=RUN).shape == (60, 72)


@pytest.mark.parametrize("scale", [1, 0.5, -2, float("nan")])
def test_a_scale_that_does_not_enlarge_is_refused(scale):
    with pytest.raises(InputError, match="scale must be above 1, got"):
        upscale(levels(*SIDES), scale, run=RUN)


@pytest.mark.parametrize("options", [{"scale": 1.01}, {"degradation": Degradation(scale=(1.01, 1.0001))}])
def test_a_scale_that_adds_no_pixel_is_refused(options):
    with pytest.raises(InputError, match=r"adds no pixel to an image of 24x20; choose a larger one"):
        upscale(np.zeros((20, 24), np.uint8), method="bicubic", **options)
    assert upscale(np.zeros((20, 24), np.uint8), 1.05, method="bicubic").shape == (21, 25)


def test_an_unknown_alpha_choice_is_refused():
    with pytest.raises(InputError, match="alpha must be one of auto, same, drop, got 'keep'"):
        upscale(levels(*SIDES), method=BICUBIC, run=RUN, alpha="keep")


def test_the_method_learns_on_the_run_that_was_given():
    spy = Spy()
    upscale(levels(*SIDES), method=spy, run=RUN)
    assert spy.run == RUN


def test_every_error_is_one_of_the_package():
    with pytest.raises(InnersrError):
        upscale(levels(8, 8), method=ZSSR, run=RUN)


# upscale_image


def test_depth_notes_and_metadata_stay_with_the_image():
    metadata = Metadata(icc=PROFILE, pixels_per_mm=(11.8, 11.8))
    image = colour_image(values(*SIDES, 3), depth="uint16", metadata=metadata, notes=("turned",))
    result = upscale_image(image, DOUBLE, BICUBIC, RUN).image
    assert (result.depth, result.metadata, result.notes) == ("uint16", metadata, ("turned",))


def test_a_result_tells_its_degradation_time_and_consistency():
    image = colour_image(values(*SIDES, 3), depth="uint8")
    result = upscale_image(image, DOUBLE, BackProjection(steps=3), RUN)
    assert isinstance(result, Result)
    assert result.degradation is DOUBLE
    assert result.seconds > 0
    expected = consistency_psnr(result.image.colour, image.colour, DOUBLE.forward)
    assert result.consistency_psnr == pytest.approx(expected, abs=1e-6)


def test_8_bit_values_reach_the_method_as_they_are():
    spy = Spy()
    colour = values(*SIDES, 3) * 0.1 + 0.4
    upscale_image(colour_image(colour, depth="uint8"), DOUBLE, spy, RUN)
    assert torch.equal(spy.lr, planes(colour))


@pytest.mark.parametrize(
    ("depth", "low", "high"),
    [
        ("uint16", 0.01, 0.0635),
        ("float32", -300.0, 4000.0),
        ("float32", 1e6, 1e6 + 64),
        ("float32", -0.1, 0.9),
        ("float32", 0.1, 1.1),
    ],
)
def test_a_narrow_or_wide_range_is_stretched_for_the_method_and_restored(depth, low, high):
    colour = (waves(*SIDES, 2) * (high - low) + low).astype(np.float32)
    spy = Spy()
    result = upscale_image(colour_image(colour, depth=depth), DOUBLE, spy, RUN).image.colour
    room = SETTINGS.headroom / (1 + 2 * SETTINGS.headroom)
    assert (float(spy.lr.min()), float(spy.lr.max())) == pytest.approx((room, 1 - room), abs=1e-3)
    expected = resize(planes(colour).double(), 2)
    # Single precision of the largest value, and of the differences.
    tolerance = 2**-22 * max(abs(low), abs(high)) + SINGLE * (high - low)
    assert torch.allclose(result.double(), expected, rtol=0, atol=tolerance)
    assert float(result.max()) > float(colour.max()), "nothing is clipped at the extremes of the input"


@pytest.mark.parametrize("method", [BICUBIC, TAILOR])
def test_the_same_data_give_the_same_picture_whatever_their_type(method):
    shades = 0.2 + 0.6 * waves(*SIDES, 3)
    whole = upscale(np.rint(shades * 65535).astype("uint16"), 2, method=method, run=RUN) / 65535
    for unit in (1.0, 0.003, 2500.0):
        result = upscale((shades * unit).astype("float32"), 2, method=method, run=RUN)
        # Rounding to 16 bits is magnified by eight steps of learning.
        np.testing.assert_allclose(result / unit, whole, rtol=0, atol=1e-3)


@pytest.mark.parametrize("level", [65535, 0])
def test_a_hot_or_dead_pixel_changes_nothing_beyond_its_neighbourhood(level):
    x = np.rint((0.03 + 0.02 * waves(40, 40)) * 65535).astype("uint16")
    hot = x.copy()
    hot[20, 20] = level
    spy = Spy()
    clean, result = (upscale(a, 2, method=BICUBIC, run=RUN).astype(float) for a in (x, hot))
    far = np.ones_like(clean, dtype=bool)
    far[34:48, 34:48] = False
    assert np.abs(result - clean)[far].max() <= 1
    assert abs(result[40:42, 40:42].mean() - level) < abs(result[40:42, 40:42].mean() - clean.mean())
    assert result.min() >= min(level, 0.9 * clean.min()), "no dark ring around a hot pixel"
    upscale_image(colour_image(hot / 65535, depth="uint16"), DOUBLE, spy, RUN)
    assert float(spy.lr.max() - spy.lr.min()) > 0.7, "the picture, not the pixel, fills what the method sees"


def test_channels_of_other_units_are_scaled_apart():
    height, slope = 400 + 300 * waves(*SIDES, 1), 0.01 * waves(*SIDES, 1, seed=4)
    spy = Spy()
    result = upscale_image(
        colour_image(np.concatenate([height, slope], -1), depth="float32"), DOUBLE, spy, RUN
    ).image.colour
    assert float(spy.lr[:, 0].max() - spy.lr[:, 0].min()) > 0.8
    assert float(spy.lr[:, 1].max() - spy.lr[:, 1].min()) > 0.8
    assert torch.allclose(result[:, 1:], resize(planes(slope), 2).clamp(min=0), rtol=0, atol=SINGLE)


def test_what_has_no_negative_value_gets_none():
    spots = np.zeros((24, 24), np.float32)
    spots[8:12, 8:12] = 400
    assert upscale(spots, 2, method=BICUBIC, run=RUN).min() == 0
    assert upscale(spots - 1, 2, method=BICUBIC, run=RUN).min() < -1


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("alpha", [None, "auto", "same"])
def test_grey_stays_grey(name, alpha):
    colour = np.repeat(values(*SIDES, 1), 3, axis=-1)
    image = colour_image(colour, depth="uint8") if alpha is None else cut_out(colour, values(*SIDES), "uint8")
    result = upscale_image(image, DOUBLE, made(name), RUN, alpha=alpha or "auto").image.colour
    assert result.shape[1] == 3
    assert bool((result == result[:, :1]).all())


def test_a_12_bit_image_in_16_bits_learns_as_the_8_bit_image_would():
    x = levels(*SIDES, white=4095, dtype="uint16")
    stretched = np.rint((x - x.min()) * (65535 / (x.max() - x.min()))).astype("uint16")
    narrow, wide = (upscale(a, 2, method=TAILOR, run=RUN).astype(float) for a in (x, stretched))
    spread = float(x.max()) - x.min()
    # Learning amplifies the rounding of the stretched copy, 1 in 65535, over its eight steps.
    narrow = ((narrow - x.min()) / spread).clip(0, 1)  # the stretched file ends there
    np.testing.assert_allclose(narrow, wide / 65535, rtol=0, atol=2e-3)


def test_floats_outside_the_unit_range_survive():
    x = (values(*SIDES) * 8848 - 400).astype(np.float32)
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    assert result.min() < -300
    assert result.max() > 8000


@pytest.mark.parametrize("level", [0, 1, 30_000, 65_535])
@pytest.mark.parametrize("method", [BICUBIC, TAILOR, ZSSR])
def test_a_constant_16_bit_image_stays_constant(level, method):
    result = upscale(np.full(SIDES, level, np.uint16), 2, method=method, run=RUN)
    assert bool((result == level).all())


def test_noise_is_given_in_the_units_of_the_image_and_scaled_with_it():
    spy = Spy()
    noisy = Degradation(scale=2, noise=0.01)
    colour = values(*SIDES) * 0.1
    colour[0, 0], colour[0, 1] = 0, 0.1
    result = upscale_image(colour_image(colour, depth="uint16"), noisy, spy, RUN)
    assert spy.degradation.noise == pytest.approx(0.1 / (1 + 2 * SETTINGS.headroom), rel=1e-5)
    assert result.degradation is noisy
    upscale_image(colour_image(colour * 0.01, depth="uint16"), noisy, spy, RUN)
    assert spy.degradation.noise < 1, "noise above the whole range is as good as all"
    upscale_image(colour_image(colour, depth="uint8"), noisy, spy, RUN)
    assert spy.degradation is noisy


@pytest.mark.parametrize("kernel", ["bicubic", "auto"])
@pytest.mark.parametrize(
    ("dtype", "factor", "low"), [("uint16", 4000, 300), ("float32", 3000, -100), ("float32", 1, 0)]
)
def test_an_option_gives_noise_relative_to_the_range_as_the_estimate_does(dtype, factor, low, kernel):
    x = (low + factor * waves(48, 48)[..., 0]).astype(dtype)
    task = ImageTask(image=image_from(x)[0], options=UpscaleOptions(method=DRAFT, kernel=kernel, noise=10))
    adaptation = task.adapt(RUN)
    fitted = adaptation.fitted
    assert (fitted.given if isinstance(fitted, Estimate) else fitted).noise == pytest.approx(10 / 255)
    result = adaptation.apply(task.normalised(RUN))
    assert result.degradation.noise == pytest.approx(10 / 255)
    assert result.notes == () or "treated as 50" not in " ".join(result.notes)


# No data


def heights(side=48):
    """Hills of 100 to 200 m, (side, side) float32, and a hole in them."""
    hole = np.zeros((side, side), bool)
    hole[16:32, 30:] = True
    return (100 + 100 * waves(side, side)[..., 0]).astype(np.float32), hole


@pytest.mark.parametrize("method", [BICUBIC, TAILOR])
@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e20, -3.4028234663852886e38])
def test_values_without_data_stay_and_spread_nowhere(method, value):
    hills, hole = heights()
    result = upscale(np.where(hole, np.float32(value), hills), 2, method=method, run=RUN)
    large = hole.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(result[large], np.full(large.sum(), value, np.float32), equal_nan=True)
    assert 80 < result[~large].min() < result[~large].max() < 220
    other = upscale(np.where(hole, np.float32(np.nan), hills), 2, method=method, run=RUN)
    assert np.array_equal(result[~large], other[~large]), "what fills a hole does not matter"


def test_a_hole_changes_nothing_beyond_the_reach_of_the_filter():
    hills, hole = heights()
    whole, broken = (upscale(x, 2, method=BICUBIC, run=RUN) for x in (hills, np.where(hole, np.float32(np.nan), hills)))
    assert np.abs(whole - broken)[:, :54].max() < 1e-3
    assert np.abs(whole - broken)[:26].max() < 1e-3


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 0), ("uint16", 65535), ("float32", -9999.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_value_that_means_no_data_can_be_given(dtype, value, channels):
    hills, hole = heights()
    colours = hills[..., None] + np.arange(channels)
    x = np.where(hole[..., None], value, colours).astype(dtype)
    x[2, 2, 0] = value  # of colours in integers, a pixel of which a single channel is this value has data
    result = upscale(x, 2, method=BICUBIC, nodata=value, run=RUN)
    large = hole.repeat(2, 0).repeat(2, 1)
    assert bool((result[large] == value).all())
    far = ~large
    far[:12, :12] = False
    assert 80 < result[far].min() < result[far].max() < 220
    assert bool((result[4:6, 4:6, 0] == value).all()) == (channels == 1 or dtype == "float32")


def test_a_masked_array_comes_back_masked():
    hills, hole = heights()
    x = np.ma.MaskedArray(np.where(hole, np.float32(-9999), hills), hole, fill_value=-1)
    result = upscale(x, 2, method=BICUBIC, run=RUN)
    assert np.array_equal(result.mask, hole.repeat(2, 0).repeat(2, 1))
    assert (result.fill_value, result.data[40, 80]) == (-1, -9999)
    assert 80 < result.min() < result.max() < 220
    assert not upscale(np.ma.MaskedArray(hills), 2, method=BICUBIC, run=RUN).mask.any()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("value", ["-9999", "-3.4028234663852886e+38", "0"])
def test_the_no_data_of_a_tiff_is_kept_as_gdal_writes_it(tmp_path, big, value):
    hills, hole = heights()
    x = np.where(hole, np.float32(value), hills)
    tags = [(42113, "s", 0, value, False)]
    tifffile.imwrite(tmp_path / "a.tif", x, extratags=tags, metadata=None, bigtiff=big)
    result = upscale_file(tmp_path / "a.tif", None, UpscaleOptions(method=BICUBIC), RUN)
    large = hole.repeat(2, 0).repeat(2, 1)
    with tifffile.TiffFile(result.path) as tiff:
        assert float(tiff.pages.first.tags["GDAL_NODATA"].value) == float(value)
    written = read(result.path).colour[0, 0].numpy()
    assert bool((written[large] == np.float32(value)).all())
    assert 80 < written[~large].min() < written[~large].max() < 220
    assert any("12.5 % of its values are no data" in note for note in result.image.notes)


def test_a_no_data_value_that_is_given_is_written_into_a_tiff(tmp_path):
    hills, hole = heights()
    save(Image(colour=planes(np.where(hole, -1, hills)), depth="float32"), tmp_path / "a.tif")
    upscale(tmp_path / "a.tif", 2, method=BICUBIC, nodata=-1, run=RUN)
    with tifffile.TiffFile(tmp_path / "a_x2.tif") as tiff:
        assert int(tiff.pages.first.tags["GDAL_NODATA"].value) == -1
    assert float(read(tmp_path / "a_x2.tif").colour[0, 0][~hole.repeat(2, 0).repeat(2, 1)].min()) > 80


def test_nan_is_written_where_a_file_can_hold_it(tmp_path):
    hills, hole = heights()
    tifffile.imwrite(tmp_path / "a.tif", np.where(hole, np.float32(np.nan), hills))
    upscale(tmp_path / "a.tif", 2, method=BICUBIC, run=RUN)
    written = read(tmp_path / "a_x2.tif", missing_ok=True).colour[0, 0].numpy()
    assert np.array_equal(np.isnan(written), hole.repeat(2, 0).repeat(2, 1))


# Alpha


@pytest.mark.parametrize("method", [BICUBIC, TAILOR, ZSSR])
@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_opaque_alpha_stays_opaque_and_changes_no_colour(method, depth):
    colour = values(*SIDES, 3)
    plain = upscale_image(colour_image(colour, depth=depth), DOUBLE, method, RUN).image
    opaque = upscale_image(cut_out(colour, np.ones(SIDES), depth), DOUBLE, method, RUN).image
    assert bool((opaque.alpha == 1).all())
    assert torch.equal(opaque.colour, plain.colour)


@pytest.mark.parametrize("method", [BICUBIC, TAILOR, ZSSR])
def test_hidden_colours_do_not_matter(method):
    shape = disc()
    colour = values(32, 32, 3)
    results = []
    for hidden in (0.0, 1.0):
        seen = np.where(shape[..., None] > 0, colour, hidden)
        results.append(upscale_image(cut_out(seen, shape, "uint8"), DOUBLE, method, RUN).image)
    assert torch.equal(results[0].alpha, results[1].alpha)
    assert torch.equal(results[0].colour, results[1].colour)


@pytest.mark.parametrize("method", [BICUBIC, TAILOR, ZSSR, BackProjection()])
@pytest.mark.parametrize("level", [0.1, 0.5, 1.0])
def test_a_flat_colour_has_no_halo_at_its_edge(method, level):
    """A grey disc on a hidden white ground: every visible pixel of the result is that grey, to 8 bits."""
    shape = disc()
    image = cut_out(np.where(shape > 0, level, 1.0)[..., None], shape, "uint8")
    result = upscale_image(image, DOUBLE, method, RUN).image
    visible = result.alpha > 1 / 255
    assert float((result.colour - level)[visible].abs().max()) < 0.5 / 255
    assert float(result.alpha.min()) >= 0
    assert float(result.alpha.max()) <= 1


@pytest.mark.parametrize("method", [BICUBIC, TAILOR, ZSSR])
def test_alpha_stays_opaque_inside_and_empty_outside(method):
    shape = disc()
    result = upscale_image(cut_out(values(32, 32, 3), shape, "uint8"), DOUBLE, method, RUN).image
    y, x = np.mgrid[:64, :64] - 31.5
    distance = torch.from_numpy(np.hypot(x, y))[None, None] / 2
    assert bool((result.alpha[distance < 8] == 1).all())
    assert bool((result.alpha[distance > 12] == 0).all())
    edge = result.alpha[(distance > 9.5) & (distance < 10.5)]
    assert 0.3 < float(edge.mean()) < 0.7


def test_a_smooth_alpha_is_interpolated():
    ramp = np.tile(np.linspace(0, 1, 24, dtype=np.float32), (20, 1))
    result = upscale_image(cut_out(values(*SIDES, 3), ramp), DOUBLE, BICUBIC, RUN).image
    assert torch.allclose(result.alpha, resize(planes(ramp), 2).clamp(0, 1), rtol=0, atol=SINGLE)


def test_colours_within_an_opaque_region_are_as_sharp_as_without_alpha():
    """The limits that keep halos away hold near transparency only."""
    colour = values(32, 32, 3)
    shape = np.ones((32, 32))
    shape[:, :6] = 0
    plain = upscale_image(colour_image(colour, depth="uint8"), DOUBLE, BICUBIC, RUN).image.colour
    result = upscale_image(cut_out(colour, shape, "uint8"), DOUBLE, BICUBIC, RUN).image
    assert torch.allclose(result.colour[..., 20:], plain[..., 20:], rtol=0, atol=SINGLE)
    hidden = result.colour[..., :8]
    assert float(hidden.min()) > 0.1, "colours under transparency continue the visible ones"
    assert float(hidden.std(-1).max()) < 0.1


def test_same_treats_alpha_as_one_more_band():
    spy = Spy()
    colour, opacity = values(*SIDES, 3), values(*SIDES, seed=8)
    result = upscale_image(cut_out(colour, opacity, "uint8"), DOUBLE, spy, RUN, alpha="same").image
    bands = torch.cat([planes(colour), planes(opacity)], dim=1)
    assert torch.equal(spy.lr, bands)
    expected = resize(bands, 2).clamp(0, 1)
    assert torch.equal(torch.cat([result.colour, result.alpha], dim=1), expected)


def test_drop_leaves_alpha_out():
    colour = values(*SIDES, 3)
    result = upscale_image(cut_out(colour, values(*SIDES), "uint8"), DOUBLE, BICUBIC, RUN, alpha="drop").image
    assert result.alpha is None
    assert torch.equal(result.colour, resize(planes(colour), 2).clamp(0, 1))


# Seamless textures


def rolled(x, rows, columns):
    return x.roll((rows, columns), (-2, -1))


@pytest.mark.parametrize(
    ("alpha", "depth", "scale"),
    [("auto", "uint8", 2), ("auto", "float32", 1.5), ("same", "uint16", 2), ("drop", "uint8", 1.5)],
)
def test_a_seamless_texture_may_begin_anywhere(alpha, depth, scale):
    """Colours, alpha, and what limits the colours near transparency: a disc that lies across the corners."""
    degradation = Degradation(scale=scale, wrap="xy")
    opacity = np.clip(12 - np.hypot(*(np.mgrid[:32, :32] - 15.5)), 0, 1).astype(np.float32)
    still = cut_out(values(32, 32, 3), opacity, depth)
    moved = replace(still, colour=rolled(still.colour, 16, 14), alpha=rolled(still.alpha, 16, 14))
    method = BackProjection(steps=5)
    still, moved = (upscale_image(image, degradation, method, RUN, alpha=alpha).image for image in (still, moved))
    rows, columns = round(16 * scale), round(14 * scale)
    # Sums over the image in another order; dividing by a small alpha magnifies their rounding.
    difference = (moved.colour - rolled(still.colour, rows, columns)).abs()
    assert float(difference.max()) < 1e-3
    assert float(difference.mean()) < 10 * SINGLE
    assert (moved.alpha is None) == (alpha == "drop")
    if moved.alpha is not None:
        assert torch.allclose(moved.alpha, rolled(still.alpha, rows, columns), rtol=0, atol=2e-5)


def test_an_image_that_does_not_wrap_has_borders():
    still = cut_out(values(32, 32, 3), disc())
    moved = replace(still, colour=rolled(still.colour, 16, 14), alpha=rolled(still.alpha, 16, 14))
    still, moved = (upscale_image(image, DOUBLE, BackProjection(steps=5), RUN).image for image in (still, moved))
    assert (moved.colour - rolled(still.colour, 32, 28)).abs().max() > 0.1
    assert (moved.alpha - rolled(still.alpha, 32, 28)).abs().max() > 0.01


def test_the_scale_of_a_seamless_image_becomes_one_of_whole_pixels():
    spy = Spy()
    wrapped = Degradation(scale=1.7, wrap="x")
    result = upscale_image(colour_image(values(*SIDES, 3)), wrapped, spy, RUN)
    assert spy.degradation.scales == result.degradation.scales == (1.7, 41 / 24)
    assert result.image.colour.shape[-2:] == (34, 41)
    whole = Degradation(scale=1.5, wrap="xy")
    upscale_image(colour_image(values(*SIDES, 3), depth="uint8"), whole, spy, RUN)
    assert spy.degradation is whole


@pytest.mark.parametrize(("scale", "wrap", "size"), [(1.7, "", (34, 40)), (1.7, "x", (34, 41)), (1.03, "xy", (21, 25))])
def test_a_seamless_array_comes_back_as_whole_pixels(scale, wrap, size):
    result = upscale(levels(*SIDES), method=BackProjection(), degradation=Degradation(scale=scale, wrap=wrap), run=RUN)
    assert result.shape == size


def test_a_result_tells_the_consistency_of_a_seamless_image():
    image = colour_image(values(*SIDES, 3), depth="uint8")
    result = upscale_image(image, Degradation(scale=2.3, wrap="xy"), BackProjection(steps=3), RUN)
    expected = consistency_psnr(result.image.colour, image.colour, lambda x: result.degradation.forward(x, SIDES))
    assert result.consistency_psnr == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("alpha", ["auto", "same"])
def test_alpha_and_a_stretched_range_go_together(alpha):
    shape = disc()
    height = cut_out(np.where(shape > 0, 500.0, -500.0)[..., None] + values(32, 32, 1), shape)
    result = upscale_image(height, DOUBLE, BICUBIC, RUN, alpha=alpha).image
    inside = result.colour[..., 24:40, 24:40]
    assert 499.8 < float(inside.min()) < float(inside.max()) < 501.2  # cubic interpolation overshoots a little
    assert float(result.alpha[..., 32, 32]) == 1


@pytest.mark.parametrize("scale", [1.5, 3, (2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_has_the_size_of_the_colours_at_any_scale(scale, channels):
    shape = disc()
    degradation = Degradation(scale=scale, kernel=gaussian(1, size=5))
    result = upscale_image(cut_out(values(32, 32, channels), shape, "uint8"), degradation, TAILOR, RUN).image
    assert result.colour.shape == (1, channels, *degradation.hr_size((32, 32)))
    assert result.alpha.shape[-2:] == result.colour.shape[-2:]


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_a_file_with_alpha_travels_from_end_to_end(tmp_path, depth):
    shape = disc()
    metadata = Metadata(icc=PROFILE, pixels_per_mm=(11.811, 11.811))
    image = replace(cut_out(values(32, 32, 3), shape, depth), metadata=metadata)
    save(image, tmp_path / "cut.png")
    result = read(upscale(tmp_path / "cut.png", 2, method=TAILOR, run=RUN))
    assert (result.depth, result.colour.shape) == (depth, (1, 3, 64, 64))
    assert result.metadata.icc == PROFILE
    assert result.metadata.pixels_per_mm == pytest.approx((11.811, 11.811), abs=1e-3)
    assert (float(result.alpha.min()), float(result.alpha.max())) == (0, 1)


def test_upscale_takes_a_method_by_name():
    small = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(upscale(small, method="bicubic"), upscale(small, method=Bicubic()))
    with pytest.raises(InputError, match=f"unknown method 'nearest'; there are {', '.join(METHODS)}"):
        upscale(small, method="nearest")


# What the command line can do, too


def test_a_size_a_kernel_and_noise_may_be_given_as_on_the_command_line():
    x = levels(*SIDES)
    method = BackProjection(steps=3)
    blurred = Degradation(scale=2, kernel=gaussian(1.5), noise=5 / 255)
    expected = upscale(x, method=method, degradation=blurred, run=RUN)
    for kernel in ("gaussian:1.5", gaussian(1.5)):
        result = upscale(x, size="48x", method="backprojection", settings={"steps": 3}, kernel=kernel, noise=5, run=RUN)
        assert np.array_equal(result, expected)


def test_a_jpeg_quality_that_is_given_replaces_the_estimate():
    x = levels(*SIDES, 3)
    given = [
        UpscaleOptions(**options).amended(assumed(planes(x), 2))
        for options in ({}, {"jpeg": 50}, {"noise": 5, "jpeg": 50})
    ]
    assert isinstance(given[0], Estimate)
    assert [(each.given.noise, each.given.compression) for each in given[1:]] == [(0, 0.5), (5 / 255, 0.5)]


def test_a_file_may_get_another_depth_and_replace_another_file(tmp_path):
    source, target = tmp_path / "photo.png", tmp_path / "large.png"
    PILImage.fromarray(levels(*SIDES, 3)).save(source)
    target.write_bytes(b"mine")
    with pytest.raises(ImageFileError, match="exists; choose another name, or --overwrite"):
        upscale(source, method=BICUBIC, output=target, run=RUN)
    assert upscale(source, method=BICUBIC, output=target, depth=16, overwrite=True, run=RUN) == target
    assert read(target).depth == "uint16"
    result = upscale_file(source, target, UpscaleOptions(method=BICUBIC, overwrite=True), RUN)
    assert (result.path, result.notes, read(target).depth) == (target, (), "uint8")


def test_floats_that_integers_cannot_hold_are_refused_before_the_work(tmp_path):
    save(Image(colour=planes(1500 * waves(*SIDES)), depth="float32"), tmp_path / "metres.tif")
    options = UpscaleOptions(method=Untouched(), depth=16)
    with pytest.raises(InputError, match="outside 0 to 1.*--range LOW,HIGH or --range auto.*--depth float"):
        upscale_file(tmp_path / "metres.tif", tmp_path / "a.png", options, RUN)
    highlights = waves(*SIDES)
    highlights[0, :2] = 1.5
    save(Image(colour=planes(highlights), depth="float32"), tmp_path / "light.tif")
    options = UpscaleOptions(method=BICUBIC, depth=16)
    result = read(upscale_file(tmp_path / "light.tif", tmp_path / "b.png", options, RUN).path)
    assert float(result.colour.max()) == 1


def test_a_picture_of_floats_is_refused_with_all_options_that_it_needs(tmp_path):
    in_metres(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match=r"use --depth 16 \(in Python depth=16\), and --range auto"):
        upscale_file(tmp_path / "a.tif", tmp_path / "b.png", UpscaleOptions(method=BICUBIC), RUN)
    options = UpscaleOptions(method=BICUBIC, depth=16, value_range="auto")
    assert upscale_file(tmp_path / "a.tif", tmp_path / "b.png", options, RUN).image.depth == "uint16"


@pytest.mark.parametrize(
    ("method", "kernel", "is_told"),
    [("bicubic", "bicubic", True), ("bicubic", "auto", True), ("pixelart", "auto", False)],
)
def test_a_map_of_classes_gets_a_hint_unless_its_values_are_kept(tmp_path, method, kernel, is_told):
    classes = np.random.default_rng(4).integers(1, 900, (5, 6), np.uint16).repeat(4, 0).repeat(4, 1)
    tifffile.imwrite(tmp_path / "a.tif", classes)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(method=method, kernel=kernel), RUN)
    assert any("classes or labels" in note for note in result.notes) == is_told
    kept = set(np.unique(tifffile.imread(tmp_path / "b.tif"))) <= set(np.unique(classes))
    assert kept == (not is_told)


def in_metres(path):
    """A float file from -100 to 1500, and its values."""
    heights = (np.linspace(-100, 1500, SIDES[0] * SIDES[1], dtype=np.float32)).reshape(*SIDES)
    tifffile.imwrite(path, heights)
    return heights


@pytest.mark.parametrize(
    ("value_range", "low", "high"), [("auto", -100, 1500), ("0,1000", 0, 1000), ((0, 2000), 0, 2000)]
)
def test_a_range_of_floats_becomes_black_to_white(tmp_path, value_range, low, high):
    heights = in_metres(tmp_path / "a.tif")
    options = UpscaleOptions(method="pixelart", depth=16, value_range=value_range)
    result = upscale_file(tmp_path / "a.tif", tmp_path / "a.png", options, RUN)
    expected = np.clip((heights - low) / (high - low), 0, 1).repeat(2, 0).repeat(2, 1)
    assert np.abs(read(tmp_path / "a.png").colour[0, 0].numpy() - expected).max() <= 0.6 / 65535
    (note,) = [note for note in result.notes if "became black to white" in note]
    assert f"from {low} to {high}" in note
    assert ("% beyond were clipped" in note) == (value_range != "auto")


def test_a_range_is_counted_as_the_file_stores_it_and_without_what_is_no_data(tmp_path):
    samples = np.arange(100, 100 + SIDES[0] * SIDES[1], dtype=np.uint16).reshape(*SIDES)
    samples[0, :4] = 65535
    tifffile.imwrite(tmp_path / "a.tif", samples, extratags=[(42113, "s", 0, "65535", False)])
    options = UpscaleOptions(method="pixelart", depth=8, value_range="auto")
    result = upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", options, RUN)
    expected = (samples - 104.0) / (samples[1:].max() - 104.0)
    found = read(tmp_path / "b.tif")
    assert found.depth == "uint8" and found.metadata.nodata is None
    assert np.abs(found.colour[0, 0, 2:].numpy() - expected.repeat(2, 0).repeat(2, 1)[2:]).max() <= 0.6 / 255
    assert any("no-data value is not kept" in note for note in result.notes)


@pytest.mark.parametrize("options", [{"value_range": "0,9"}, {"strips": "always", "value_range": "0,9"}])
def test_nan_is_refused_for_integers_before_the_work(tmp_path, monkeypatch, options):
    samples = np.random.default_rng(0).uniform(0, 9, (64, 64)).astype(np.float32)
    samples[3, 3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", samples)
    monkeypatch.setattr("innersr.pipeline.tasks.examine_normalised", lambda *_, **__: pytest.fail("it was examined"))
    with pytest.raises(InputError, match=r"a\.tif: holds NaN, which integers cannot hold"):
        upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(depth=16, **options), RUN)
    assert not (tmp_path / "b.tif").exists()


def test_a_range_without_integers_is_refused(tmp_path):
    in_metres(tmp_path / "a.tif")
    with pytest.raises(InputError, match="add --depth 16 or --depth 8"):
        upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", UpscaleOptions(value_range="auto"), RUN)


@pytest.mark.parametrize(
    ("alpha", "hidden", "is_said"),
    [
        ("auto", values(SIDES[0], 9, 3), True),
        ("auto", (0.9, 0.1, 0.5), True),  # one colour is one that somebody chose
        ("auto", (0.5, 0.5, 0.5), True),
        ("auto", (0, 0, 0), False),
        ("auto", (1, 1, 1), False),
        ("same", (0.9, 0.1, 0.5), False),
    ],
)
def test_lost_colours_under_transparency_are_reported(alpha, hidden, is_said):
    colour, opacity = values(*SIDES, 3), np.ones(SIDES, np.float32)
    opacity[:, :9], colour[:, :9] = 0, hidden
    result = upscale_image(cut_out(colour, opacity, "uint8"), DOUBLE, BICUBIC, RUN, alpha=alpha)
    assert any("under full transparency" in note for note in result.notes) == is_said


def test_colours_of_an_image_that_is_all_transparent_are_kept():
    colour = values(*SIDES, 3)
    opaque, hidden = (
        upscale_image(cut_out(colour, np.full(SIDES, opacity, np.float32), "uint8"), DOUBLE, BICUBIC, RUN)
        for opacity in (1, 0)
    )
    assert torch.equal(hidden.image.colour, opaque.image.colour)
    assert not hidden.notes


@pytest.mark.parametrize("method", ["supervised", "zssr", "mzsr", "singan", "tailor", "pixelart"])
@pytest.mark.parametrize("case", ["rgb", "two", "four", "nan", "hidden"])
def test_equal_channels_stay_equal(method, case):
    grey = waves(*SIDES).astype(np.float32)
    colour, opacity = grey.repeat({"two": 2, "four": 4}.get(case, 3), 2), np.ones(SIDES, np.float32)
    if case == "nan":
        colour[3:6, 3:6] = np.nan
    if case == "hidden":
        opacity[:, :6] = 0
        colour[:, :6, 0] = 1
    image = cut_out(colour, opacity) if case == "hidden" else colour_image(colour, depth="float32")
    settings = {"steps": 2} if method in ("zssr", "singan") else {}
    result = upscale_image(image, DOUBLE, make_method(method, None, settings), RUN).image
    visible = torch.ones_like(result.colour[:, :1]) if result.alpha is None else (result.alpha > 0).float()
    tint = (result.colour - result.colour[:, :1]).nan_to_num(0) * visible
    assert float(tint.abs().max()) == 0


def test_a_kernel_file_is_read_once_for_all_images(tmp_path):
    file = tmp_path / "kernel.npy"
    np.save(file, gaussian(2.0).numpy())
    options = UpscaleOptions(kernel=file, method="bicubic")
    file.unlink()
    for name in ("a.png", "b.png"):
        PILImage.fromarray(levels(*SIDES, 3)).save(tmp_path / name)
        assert upscale_file(tmp_path / name, None, options, RUN).degradation.kernel is not None


def test_the_files_of_options_are_those_that_they_name():
    @dataclass(frozen=True)
    class Own:
        prior: object
        adapt: object = None

    assert UpscaleOptions(method=Own(torch.nn.Identity()), kernel=gaussian(1.0)).files == ()
    named = UpscaleOptions(method=Own("p.safetensors"), kernel=gaussian(1.0), mask="m.png")
    assert named.files == (Path("p.safetensors"), Path("m.png"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degradation": DOUBLE, "kernel": "bicubic"}, "omit these and size"),
        ({"degradation": DOUBLE, "size": "48x"}, "omit these and size"),
        ({"method": BICUBIC, "preset": "best"}, "preset and settings are for a method by name"),
        ({"depth": 16}, "depth is for paths; a result in memory has the type that was given"),
        ({"value_range": "auto"}, "value_range is for paths"),
        ({"quality": 50, "compression": "lzw"}, "quality and compression are for paths"),
        ({"pages": "first"}, "pages is for paths"),
        ({"frames": "0-3"}, "frames is for paths"),
        ({"strips": "always"}, "strips is for paths"),
        ({"pixel_limit": 10**6}, "pixel_limit is for paths"),
        ({"metadata": "none"}, "metadata is for paths"),
        ({"overwrite": True}, "overwrite is for paths"),
        ({"steady": False}, "steady is for paths"),
        ({"quality": 0}, "quality is from 1 to 100, got 0"),
        ({"quality": 95.5}, "quality is from 1 to 100, got 95.5"),
        ({"value_range": "5"}, "is LOW,HIGH with LOW below HIGH, or auto, got '5'"),
        ({"value_range": (3, 3)}, "is LOW,HIGH with LOW below HIGH"),
        ({"preset": "slow"}, "unknown preset 'slow' of tailor"),
        ({"noise": 255}, "noise is a standard deviation in 255ths of the image's range"),
        ({"jpeg": 0}, "jpeg is from 1 to 100, got 0"),
        ({"degradation": DOUBLE, "jpeg": 60}, "omit these and size"),
        ({"noise": "much"}, "noise is a standard deviation in 255ths of.*got 'much'"),
        ({"noise": "poisson:x"}, "counting noise is poisson:GAIN or poisson:GAIN:READ"),
        ({"jpeg": "60"}, "jpeg must be a number, got '60'"),
        ({"jpeg": 60.5}, "jpeg is from 1 to 100, got 60.5"),
        ({"deblur": "1"}, "deblur must be a number, got '1'"),
        ({"deblur": None}, "deblur must be a number, got None"),
        ({"nodata": "none"}, "nodata must be a number, got 'none'"),
        ({"quality": "best"}, "quality must be a number, got 'best'"),
        ({"pixel_limit": "1e6"}, "pixel_limit must be a number, got '1e6'"),
        ({"noise": True}, "noise is a standard deviation in 255ths of.*got True"),
        ({"scale": "two"}, "must be a number, or a pair of them, got 'two'"),
        ({"scale": (2, 2, 2)}, "must be a number, or a pair of them, got"),
        ({"scale": None}, "must be a number, or a pair of them, got None"),
        ({"nodata": 300}, "no-data must be a value of the image, a whole number from 0 to 255, got 300"),
        ({"nodata": -1}, "a whole number from 0 to 255, got -1"),
        ({"nodata": 0.5}, "a whole number from 0 to 255, got 0.5"),
        ({"nodata": float("nan")}, "a whole number from 0 to 255, got nan"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        upscale(levels(*SIDES), run=RUN, **options)


def test_numbers_of_numpy_are_numbers():
    options = {"noise": np.float32(3), "jpeg": np.int64(60), "kernel": "bicubic"}
    assert upscale(levels(*SIDES), np.int32(2), method=BICUBIC, nodata=np.uint8(7), run=RUN, **options).shape[0] == 40


def test_a_result_that_is_replaced_by_interpolation_says_so():
    class Darkening:
        def adapt(self, _lr, degradation, _run):
            return lambda x: degradation.upsample(x) / 2

    result = upscale_image(Image(colour=planes(levels(*SIDES, 3))), DOUBLE, Darkening(), RUN)
    assert result.method == Bicubic(phase="aligned")
    assert "its mean moved" in result.notes[0]


@pytest.mark.parametrize(("factor", "dtype"), [(1, "uint8"), (257, "uint16"), (40, "float32")])
def test_counting_noise_is_given_in_stored_values(factor, dtype):
    lr = np.random.default_rng(3).poisson(np.linspace(2, 40, 48)[None] + np.zeros((40, 1))) * 5
    scale = 255 if dtype == "float32" else 1
    x = (lr * factor / scale).astype(dtype)
    noise = f"poisson:{5 * factor / scale}"
    task = ImageTask(image=image_from(x)[0], options=UpscaleOptions(kernel="bicubic", noise=noise, method=DRAFT))
    result = task.upscale(RUN)
    middle = result.image.colour[0, 0, 20:-20] * (1 if dtype != "float32" else 1 / factor)
    truth = torch.linspace(2, 40, 96) * 5 / 255
    assert float((middle.mean(0) - truth)[6:-6].abs().max()) < 0.04
    assert float((middle - middle.mean(0)).std()) < 0.03  # the counts have 0.09
    assert result.notes == ()


def test_no_data_and_alpha_keep_counting_noise_out():
    counts = np.random.default_rng(3).poisson(np.linspace(2, 40, 48)[None] + np.zeros((40, 1))).astype(np.float32)
    counts[:10, :10] = -9999
    result = upscale(counts, 2, method=DRAFT, kernel="bicubic", noise="poisson:1", nodata=-9999, run=RUN)
    hole = np.zeros((80, 96), bool)
    hole[:20, :20] = True
    assert bool((result[hole] == -9999).all())
    assert 0 <= result[~hole].min() < result[~hole].max() < 70
    rgba = np.full((24, 24, 4), 255, np.uint8)
    rgba[..., :3] = np.random.default_rng(4).poisson(20, (24, 24, 3)) * 5
    rgba[:, :12, 3] = 0
    large = upscale(PILImage.fromarray(rgba), 2, method=DRAFT, kernel="bicubic", noise="poisson:5", run=RUN)
    alpha = np.asarray(large)[..., 3]
    assert (alpha[:, :20].max(), alpha[:, -20:].min()) == (0, 255)


def test_boards_and_pixel_art_are_interpolated_because_their_blur_cannot_be_estimated(monkeypatch):
    blurred = Degradation(scale=2, kernel=gaussian(2.0), noise=0.2)
    found = Estimate(degradation=blurred, confidence="high", jpeg_quality=30)
    monkeypatch.setattr("innersr.examination.examine", lambda *_, **__: found)
    y, x = torch.meshgrid(torch.arange(32) // 4, torch.arange(32) // 4, indexing="ij")
    board = Image(colour=(0.8 + 0.2 * ((x + y) % 2).float()).expand(1, 3, -1, -1))
    result = upscale_image(board, None, Tailor(steps=0, views=1), RUN)
    assert torch.allclose(result.image.colour, Degradation(scale=2).upsample(board.colour).clamp(0, 1), atol=1e-5)
    assert result.estimate.interpolated == 1
    assert (result.degradation.kernel, result.degradation.noise) == (None, 0)
    assert "drawn with 2 colours" in result.notes[0]


def test_a_kernel_may_be_an_array():
    photo, kernel = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8), gaussian(1.5)
    arguments = {"kernel": kernel.numpy(), "preset": "draft"}
    expected = upscale(photo, **arguments | {"kernel": kernel})
    assert np.array_equal(upscale(photo, **arguments), expected)
    assert torch.equal(Degradation(scale=2, kernel=kernel.numpy()).kernel, Degradation(scale=2, kernel=kernel).kernel)


def test_an_invalid_degradation_is_refused_with_a_remedy():
    photo = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(InputError, match=r"got 'bicubic'; kernel takes names"):
        upscale(photo, degradation="bicubic")
    with pytest.raises(KernelError, match=r"got 'gaussian:2'; innersr.gaussian makes one"):
        Degradation(scale=2, kernel="gaussian:2")
    with pytest.raises(InputError, match=r"size must be a geometry .* got \(32, 32\)"):
        upscale(photo, size=(32, 32))
