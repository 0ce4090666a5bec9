"""What people type, as values: scales, sizes, kernels, degradations, methods."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from innersr.errors import InputError, KernelError, KernelFileError
from innersr.methods.baselines import BackProjection, Bicubic
from innersr.methods.registry import METHOD_PRESETS, METHODS, make_method, parse_method
from innersr.methods.zssr import ZSSR
from innersr.physics import kernels
from innersr.physics.geometry import check_size, parse_scale, parse_size, parse_tile, scale_text
from innersr.physics.kernel_files import save_kernel
from innersr.physics.named_degradations import parse_degradation, parse_gaussian, parse_kernel
from innersr.settings import parse_settings

SIZE = (40, 48)  # height, width
SIDES = st.integers(1, 4000)


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("2", 2.0),
        ("x2", 2.0),
        ("2x", 2.0),
        ("X1.5", 1.5),
        ("1.001", 1.001),
        ("3x2", (2.0, 3.0)),
        ("3×2", (2.0, 3.0)),
        ("2X1", (1.0, 2.0)),
        (" 4 ", 4.0),
        ("1e3", 1000),
    ],
)
def test_a_scale_is_a_number_or_width_by_height(text, scale):
    assert parse_scale(text) == scale


def test_a_pair_of_factors_has_the_order_of_a_size():
    assert parse_size("144x80!", SIZE) == tuple(s * n for s, n in zip(parse_scale("3x2"), SIZE, strict=True))


@pytest.mark.parametrize("scale", [2, 1.5, (2, 3), (1.25, 1)])
def test_a_scale_is_written_as_it_is_read(scale):
    assert parse_scale(scale_text(scale)) == scale


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "0",
        "-2",
        "0.5",
        "nan",
        "inf",
        "-inf",
        "two",
        "",
        "x",
        "xx2",
        "x2x",
        "x2x3",
        "2x3x4",
        "1x1",
        "2x0.5",
        "1e308",
    ],
)
def test_an_invalid_scale_is_refused_with_the_text(text):
    with pytest.raises(
        InputError, match="scale must be a number from above 1 to 1000, or a pair such as 3x2"
    ) as caught:
        parse_scale(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "width", "height"),
    [
        ("96", 96, 80),
        ("96x", 96, 80),
        ("x80", 96, 80),
        ("96x200", 96, 80),  # the largest that fits
        ("200x80", 96, 80),
        ("96x200^", 240, 200),  # the smallest that covers
        ("96^", 96, 80),
        ("100x90!", 100, 90),
        ("100x!", 100, 40),
        ("x90!", 48, 90),
        ("100x200<", 100, 83),
        ("150%", 72, 60),
        ("150%x200%", 72, 80),
        ("150x200%", 72, 80),
        ("100%x112.5%", 48, 45),
        ("7680@", 96, 80),
        ("7679@", 95, 79),  # at most so many pixels
        (" 96x ", 96, 80),
    ],
)
def test_a_size_is_an_imagemagick_geometry(text, width, height):
    assert parse_size(text, SIZE) == (height, width)


def test_halves_are_rounded_up_as_imagemagick_does():
    assert parse_size("150%", (3, 5)) == (5, 8)
    assert parse_size("10x", (3, 4)) == (8, 10)


@pytest.mark.parametrize("text", ["24x", "x20", "24x20", "60x20!", "1@", "200%x50%"])
def test_a_geometry_that_does_not_enlarge_this_image_is_refused(text):
    with pytest.raises(InputError, match="of an image of 48x40; innersr only enlarges: use any image tool to shrink"):
        parse_size(text, SIZE)


@pytest.mark.parametrize("text", ["48x40", "101%", "1920@"])
def test_a_geometry_of_an_images_own_size_is_refused_with_the_mark_that_leaves_it(text):
    with pytest.raises(InputError, match="makes 48x40 of an image of 48x40; choose a larger one, or set < behind it"):
        parse_size(text, SIZE)


@pytest.mark.parametrize("text", ["50%", "100%", "1%", " 50% ", "50%x100%"])
def test_a_geometry_that_enlarges_no_image_is_refused_before_there_is_one(text):
    with pytest.raises(InputError, match="enlarges no image"):
        check_size(text)


@pytest.mark.parametrize("text", ["48x40<", "30x30<", "30x90<", "24x<"])
def test_a_size_for_smaller_images_is_that_of_a_larger_image_itself(text):
    assert parse_size(text, SIZE) == SIZE


@pytest.mark.parametrize("text", ["100x100>", "9999x>"])
def test_the_mark_for_shrinking_is_refused_with_the_one_for_enlarging(text):
    with pytest.raises(InputError, match=f"enlarges no image: > is ImageMagick's mark.*; {text[:-1]}< enlarges"):
        check_size(text)


@pytest.mark.parametrize(
    "text",
    ["", "x", "big", "0x", "x0", "0x0", "-96x", "96xx", "96x80x", "9.5x", "%", "@", "!", "nan%", "96x80!^", "1" * 10]
    + ["9" * 400 + "x", "9" * 400 + "%", "९६x"],
)
def test_an_invalid_geometry_is_refused(text):
    with pytest.raises(InputError, match="size must be a geometry such as 1920x, x1080"):
        check_size(text)


@given(SIDES, SIDES, SIDES, SIDES)
@example(3, 7, 9, 8)
def test_a_fit_touches_the_box_and_keeps_the_aspect_ratio(height, width, columns, rows):
    try:
        fitted = parse_size(f"{columns}x{rows}", (height, width))
    except InputError:
        assert columns <= width + 1 or rows <= height + 1
        return
    assert fitted[0] <= rows and fitted[1] <= columns
    assert fitted[0] == rows or fitted[1] == columns
    assert abs(fitted[0] / height - fitted[1] / width) <= 0.5 / min(height, width)  # half a pixel, of rounding


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_cover_leaves_no_gap(height, width, columns, rows):
    try:
        covering = parse_size(f"{columns}x{rows}^", (height, width))
    except InputError:
        assert columns <= width and rows <= height
        return
    assert covering[0] >= rows and covering[1] >= columns
    assert covering[0] == rows or covering[1] == columns


@given(SIDES, SIDES, st.integers(1, 10**15 - 1))
def test_an_area_is_never_exceeded(height, width, area):
    try:
        rows, columns = parse_size(f"{area}@", (height, width))
    except InputError:
        return
    assert height * width < rows * columns <= area


@pytest.mark.parametrize(
    ("text", "tile"), [("auto", None), ("AUTO", None), (" auto ", None), ("0", 0), ("64", 64), (" 64 ", 64), ("1", 1)]
)
def test_a_tile_is_a_number_of_pixels_or_auto(text, tile):
    assert parse_tile(text) == tile


@pytest.mark.parametrize("text", ["", "-1", "64.0", "64px", "64x64", "none", "1e3", "inf", "0x10", "९", "1" * 10])
def test_an_invalid_tile_is_refused_with_the_text(text):
    message = "tile must be auto, 0 for the whole image at once, or a number of pixels, got "
    with pytest.raises(InputError, match=message) as caught:
        parse_tile(text)
    assert repr(text) in str(caught.value)


def test_bicubic_is_the_degradation_without_a_kernel():
    degradation = parse_kernel("bicubic", 3, noise=0.1)
    assert (degradation.kernel, degradation.subsampling, degradation.noise) == (None, "bicubic", 0.1)


@pytest.mark.parametrize(
    ("text", "kernel"),
    [
        ("gaussian:2.0", kernels.gaussian(2.0)),
        ("gaussian:4,1,0.5", kernels.gaussian(4.0, 1.0, 0.5)),
        ("gaussian:4,1,-30deg", kernels.gaussian(4.0, 1.0, -math.pi / 6)),
        ("gaussian:1, 2, 3", kernels.gaussian(1.0, 2.0, 3.0)),
    ],
)
def test_a_gaussian_is_named_by_its_variances_and_its_angle(text, kernel):
    degradation = parse_kernel(text, 2)
    assert torch.equal(parse_gaussian(text), kernel)
    assert torch.equal(degradation.kernel, kernel)
    assert degradation.subsampling == "direct"


@pytest.mark.parametrize(
    "text",
    ["gaussian:", "gaussian:wide", "gaussian:1,2", "gaussian:1,2,3,4", "gaussian:1,2,", "gaussian:1,,3"]
    + ["gaussian:1,2,inf", "gaussian:1,2,nandeg", "gaussian:1,2,deg"],
)
def test_a_misspelt_gaussian_is_refused_with_the_right_spelling(text):
    with pytest.raises(KernelError, match="gaussian:VAR or gaussian:V1,V2,THETA"):
        parse_kernel(text, 2)


@pytest.mark.parametrize("text", ["gaussian:0", "gaussian:-1", "gaussian:nan", "gaussian:1,0,0", "gaussian:1,-1,0"])
def test_a_variance_is_positive(text):
    with pytest.raises(KernelError, match="needs positive variances"):
        parse_kernel(text, 2)


@pytest.mark.parametrize("angle", ["30", "-30", "6.3"])
def test_degrees_in_place_of_radians_are_refused_with_the_right_spelling(angle):
    with pytest.raises(KernelError, match=f"up to 2 pi, got 'gaussian:1,2,{angle}'; for degrees write {angle}deg"):
        parse_kernel(f"gaussian:1,2,{angle}", 2)
    assert parse_gaussian("gaussian:1,2,-6.28").shape == parse_gaussian("gaussian:1,2,360deg").shape


@pytest.mark.parametrize("text", ["gaussian:1e9", "gaussian:inf", "gaussian:1,151,0"])
def test_a_gaussian_wider_than_a_kernel_file_is_refused_before_it_is_computed(text):
    with pytest.raises(KernelError, match="variances up to 150"):
        parse_kernel(text, 2)
    assert max(parse_gaussian("gaussian:150").shape) <= 127


def test_a_kernel_file_is_read_with_its_anchor_and_noise(tmp_path):
    kernel = kernels.gaussian(1.5, 0.7, 0.3)
    save_kernel(kernel, tmp_path / "k.npy")
    degradation = parse_kernel(str(tmp_path / "k.npy"), (2, 3), anchor="centre", noise=0.02)
    assert torch.equal(degradation.kernel, kernel)
    assert degradation.anchor == tuple(side // 2 for side in kernel.shape)
    assert (degradation.scales, degradation.noise) == ((2, 3), 0.02)


@pytest.mark.parametrize("text", ["bicubc", "Bicubic", "missing.npy", "", "gauss:2"])
def test_a_mistyped_kernel_is_refused(text):
    with pytest.raises(KernelError):
        parse_kernel(text, 2)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("bicubc", "bicubic"), ("Bicubic", "bicubic"), ("estimat", "estimate"), ("gausian:2", "gaussian:VAR or")],
)
def test_a_misspelt_kernel_is_answered_with_the_name_that_was_meant(text, meant):
    with pytest.raises(KernelError, match=f"no kernel '{text}'; did you mean {meant}"):
        parse_kernel(text, 2)


def test_a_kernel_file_may_be_called_almost_as_a_kernel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KernelError, match="no such file"):
        parse_kernel("bicubic.npy", 2)
    save_kernel(kernels.gaussian(1.0), "bicubic.npy")
    assert parse_kernel("bicubic.npy", 2).kernel is not None


@pytest.mark.parametrize("kernel", ["bicubic", "gaussian:1"])
def test_an_unknown_anchor_is_refused_for_every_kernel(kernel):
    with pytest.raises(InputError, match="anchor must be one of aligned, centre"):
        parse_kernel(kernel, 2, anchor="left")


@pytest.mark.parametrize(
    ("text", "kernel", "subsampling"),
    [
        ("g0.2d", kernels.gaussian(0.2, size=21), "direct"),
        ("g2.0d", kernels.gaussian(2.0, size=21), "direct"),
        ("g2d", kernels.gaussian(2.0, size=21), "direct"),
        ("g1.3b", kernels.gaussian(1.3, size=21), "bicubic"),
        ("ganid", kernels.gaussian(4.0, 1.0, -0.5, size=21), "direct"),
    ],
)
def test_the_benchmark_degradations_are_those_of_mzsr(text, kernel, subsampling):
    degradation = parse_degradation(text, 2)
    assert torch.equal(degradation.kernel, kernel)
    assert (degradation.subsampling, degradation.anchor) == (subsampling, (10.0, 10.0))


def test_the_bicubic_degradation_has_no_kernel():
    assert parse_degradation("bicubic", 4).kernel is None


def test_random_kernels_follow_from_the_seed_and_the_name_of_the_image():
    def draw(text, name):
        return parse_degradation(text, 2, name).kernel

    assert draw("random:1", "a.png").shape == (11, 11)
    assert torch.equal(draw("random:1", "a.png"), draw("random:1", "a.png"))
    assert not torch.equal(draw("random:1", "a.png"), draw("random:1", "b.png"))
    assert not torch.equal(draw("random:1", "a.png"), draw("random:2", "a.png"))


@pytest.mark.parametrize("text", ["random:", "random:x", "random:-1", "random:1.5", "random:²"])
def test_a_random_seed_is_a_whole_number(text):
    with pytest.raises(InputError, match="random:SEED needs a whole number"):
        parse_degradation(text, 2)


@pytest.mark.parametrize("text", ["g2.0", "g2.0x", "gd", "", "blur"])
def test_an_unknown_degradation_is_refused_with_the_known_ones(text):
    with pytest.raises(InputError, match=r"unknown degradation .* there are bicubic, bicubic-uint8, gVARd"):
        parse_degradation(text, 2)


def test_a_missing_kernel_file_is_no_unknown_degradation():
    with pytest.raises(KernelFileError, match=r"^missing.mat: no such file"):
        parse_degradation("missing.mat", 2)


def test_a_kernel_file_is_a_degradation(tmp_path):
    save_kernel(kernels.gaussian(1.0), tmp_path / "k.txt")
    assert parse_degradation(str(tmp_path / "k.txt"), 2).subsampling == "direct"


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("bicubic", Bicubic()),
        ("backprojection:steps=7", BackProjection(steps=7)),
        ("zssr", make_method("zssr")),
        ("zssr:", make_method("zssr")),
        ("zssr:preset=draft", make_method("zssr", "draft")),
        ("zssr:preset=draft;steps=9", replace(make_method("zssr", "draft"), steps=9)),
        ("zssr:steps=9;preset=draft", replace(make_method("zssr", "draft"), steps=9)),
        ("zssr:self_ensemble=no; learning_rate = 1e-4", replace(ZSSR(), self_ensemble=False, learning_rate=1e-4)),
    ],
)
def test_a_method_is_a_name_with_settings(text, method):
    assert parse_method(text) == method


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown method ''"),
        ("zsr", f"unknown method 'zsr'; there are {', '.join(METHODS)}"),
        ("zssr:preset=slow", f"unknown preset 'slow' of zssr; there are {', '.join(METHOD_PRESETS['zssr'])}"),
        ("zssr:step=5", "zssr has no setting 'step'; it has steps"),
        ("zssr:steps=many", "setting steps takes int, got 'many'"),
        ("zssr:steps", "a setting is written name=value, got 'steps'"),
        ("zssr:self_ensemble=maybe", "setting self_ensemble takes bool"),
        ("zssr:depth=1", "depth at least 2"),
        ("bicubic:phase=left", "phase must be one of"),
    ],
)
def test_an_unknown_method_is_refused_with_the_known_ones(text, message):
    with pytest.raises(InputError) as caught:
        parse_method(text)
    assert message in str(caught.value)


def test_settings_are_names_and_values():
    assert parse_settings(["steps=5", " width = 8 ", "schedule=a=b"]) == {"steps": "5", "width": "8", "schedule": "a=b"}
    assert parse_settings([]) == {}


@pytest.mark.parametrize("text", ["steps", "=5", "steps=", " = ", ""])
def test_a_setting_without_a_name_or_a_value_is_refused(text):
    with pytest.raises(InputError, match="a setting is written name=value"):
        parse_settings(["width=8", text])
