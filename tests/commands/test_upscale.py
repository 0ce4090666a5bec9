"""`innersr upscale` from files to files, as a user meets it."""

import io
import json
import math
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from helpers.cli import BICUBIC, GIVEN, failed, names, upscale
from helpers.priors import prior_for
from innersr import examination
from innersr.commands.console import Reporter
from innersr.images.io import read
from innersr.methods.registry import make_method
from innersr.methods.tailor import Tailor
from innersr.metrics.fidelity import psnr_y
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_files import save_kernel
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.pipeline import adaptation, tasks
from innersr.run import Progress

WIDTH, HEIGHT = 48, 40
TINY = [*GIVEN, *("--set", f"prior={prior_for('tailor')}"), *("--set", "steps=5"), *("--set", "crop=12")]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that names are as short as on a command line."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def samples(bands=3, dtype=np.uint8, height=HEIGHT, width=WIDTH):
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (3 + band)) * np.cos(columns / (5 - band)) for band in range(bands)]
    top = np.iinfo(dtype).max
    return ((np.stack(waves, 2).squeeze() * 0.4 + 0.5) * top).astype(dtype)


def draw(name="photo.png", pixels=None, **options):
    PillowImage.fromarray(samples() if pixels is None else pixels).save(name, **options)
    return name


def done(*arguments):
    result = upscale(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def record(*arguments):
    """Return the one JSON object that the command says."""
    return json.loads(done(*arguments, "--json"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def size_of(name):
    return PillowImage.open(name).size


def test_the_result_lies_beside_the_input():
    draw("photo.png")
    said = done("photo.png", *GIVEN, "--preset", "draft")
    assert said.startswith("photo.png -> photo_x2.png  48x40 -> 96x80  ")
    assert names() == ["photo.png", "photo_x2.png"]
    assert size_of("photo_x2.png") == (96, 80)


def test_the_result_goes_to_a_named_file_in_the_format_of_its_name():
    draw("photo.png")
    done("photo.png", *BICUBIC, "-o", "large.tif")
    assert PillowImage.open("large.tif").format == "TIFF"


def test_several_results_go_to_a_folder_under_their_names(folder):
    (folder / "out").mkdir()
    done(draw("a.png"), draw("b.jpg"), *BICUBIC, "-o", "out")
    assert names("out") == ["a.png", "b.jpg"]
    assert size_of("out/b.jpg") == (96, 80)


def test_a_folder_with_a_slash_is_created(folder):
    done(draw("a.png"), *BICUBIC, "-o", "out/")
    done(draw("b.png"), *BICUBIC, "-o", f"{folder}/out/")
    assert names("out") == ["a.png", "b.png"]


def test_several_inputs_need_a_folder():
    draw("a.png"), draw("b.png")
    assert "out.png: with several inputs the output is a folder; write out.png/" in failed(
        "a.png", "b.png", "-o", "out.png", code=2
    )
    assert "--compare takes one input" in failed("a.png", "b.png", "--compare", "c.png", code=2)


def test_a_pattern_that_the_shell_left_alone_is_expanded(folder):
    draw("b.png"), draw("a.png"), draw("c.jpg")
    said = done("*.png", *BICUBIC).splitlines()
    assert [line.split()[0] for line in said if "->" in line] == ["a.png", "b.png"]
    absolute = done(folder / "[c]*.jpg", *BICUBIC)
    assert absolute.startswith(f"{folder / 'c.jpg'} -> ")
    assert "*.gif: no such file" in failed("*.gif", *BICUBIC)


@pytest.mark.parametrize("name", ["photo[1].png", ":smile:.png", "[bold]x.png", "Ünïcode 写真.png", "a b.png"])
def test_a_name_is_taken_and_printed_as_it_is(name):
    draw(name)
    said = record(name, *BICUBIC)
    assert said["input"] == name and said["output"] in names()
    assert done(name, *BICUBIC, "--overwrite").startswith(f"{name} -> ")


@pytest.mark.skipif(sys.platform != "linux", reason="only there are file names any bytes")
def test_a_name_that_is_no_text_is_printed_in_escapes():
    name = os.fsdecode(b"bad\xff.png")
    draw(name)
    assert done(name, *BICUBIC).startswith("bad\\udcff.png -> ")
    assert "bad\\udcff_x2.png: exists" in failed(name, *BICUBIC)


@pytest.mark.parametrize(
    ("scale", "size", "name"),
    [
        ("2", (96, 80), "photo_x2.png"),
        ("1.5", (72, 60), "photo_x1.5.png"),
        ("3x2", (144, 80), "photo_x3x2.png"),
        ("x2", (96, 80), "photo_x2.png"),
    ],
)
def test_the_scale_may_be_any_number_or_a_pair(scale, size, name):
    draw("photo.png")
    said = record("photo.png", "-s", scale, *TINY)
    assert size_of(name) == size == tuple(said["output_size"])
    assert said["output"] == name


@pytest.mark.parametrize("blind", [[], GIVEN])
def test_a_size_for_smaller_images_leaves_a_larger_one_as_it_is(blind):
    draw("photo.png")
    note = "is as large already as --size 30x30< asks for, and stays as it is"
    assert upscale("photo.png", "--size", "30x30<", "-o", "same.png", *blind).stderr == f"note: same.png: {note}\n"
    assert np.array_equal(*(PillowImage.open(name) for name in ("same.png", "photo.png")))
    said = json.loads(upscale("photo.png", "--size", "30x30<", "--json", *blind).stdout)
    assert (said["output"], said["scale"], said["output_size"]) == ("photo_x1.png", [1, 1], [48, 40])
    assert said["notes"] == [note]


@pytest.mark.parametrize(
    ("geometry", "size"),
    [
        ("96x", (96, 80)),
        ("x80", (96, 80)),
        ("96x200", (96, 80)),
        ("96x200^", (240, 200)),
        ("100x90!", (100, 90)),
        ("100x200<", (100, 83)),
        ("150%", (72, 60)),
        ("7680@", (96, 80)),
    ],
)
def test_the_size_may_be_a_geometry(geometry, size):
    draw("photo.png")
    assert record("photo.png", "--size", geometry, *BICUBIC, "-o", "large.png")["output_size"] == list(size)
    assert size_of("large.png") == size


@pytest.mark.parametrize("geometry", ["24x", "x20", "60x20!"])
def test_a_size_that_shrinks_this_image_is_its_failure(geometry):
    draw("photo.png")
    said = failed("photo.png", "--size", geometry, *BICUBIC)
    assert said.startswith(f"error: photo.png: size {geometry} makes ") and "only enlarges" in said


def test_the_method_is_tailor_unless_we_say():
    said = record(draw("photo.png"), *TINY)
    tiny = Tailor(prior=prior_for("tailor"), steps=5, further_steps=0, by_recurrence=False, crop=12)
    assert (said["method"], said["settings"]) == ("tailor", vars(tiny))


def test_an_image_of_one_pixel_is_upscaled():
    draw("dot.png", np.full((1, 1, 3), 90, np.uint8))
    done("dot.png", *TINY)
    assert np.asarray(PillowImage.open("dot_x2.png")).tolist() == [[[90] * 3] * 2] * 2


def test_the_method_its_preset_and_its_settings_are_recorded():
    draw("photo.png")
    tiny = [*("--set", "steps=5"), *("--set", "pixels=1000"), *("--set", "width=8"), *("--set", "depth=3")]
    said = record("photo.png", *GIVEN, "-m", "zssr", "--preset", "draft", *tiny, "--seed", "7")
    assert said["method"] == "zssr" and said["seed"] == 7
    draft = replace(make_method("zssr", "draft"), steps=5, pixels=1000, width=8, depth=3)
    assert said["settings"] == json.loads(json.dumps(vars(draft)))
    assert (said["input_size"], said["output_size"], said["scale"]) == ([48, 40], [96, 80], [2, 2])
    assert (said["kernel"], said["noise"], said["device"], said["notes"]) == ("bicubic", 0, "cpu", [])
    assert said["wrap"] == ""
    assert 10 < said["consistency_psnr"] < 200 and 0 <= said["seconds"] < 60


def test_bicubic_writes_what_the_resampler_computes():
    draw("photo.png")
    done("photo.png", *BICUBIC)
    expected = resize(read("photo.png").colour, 2).clamp(0, 1)
    assert (read("photo_x2.png").colour - expected).abs().max() <= 0.5 / 255 + 1e-6


def test_the_same_seed_gives_the_same_bytes(folder):
    draw("photo.png")
    kept = ("--set", "learning_rate=1e-4")  # what is learnt at a higher rate harms, and is undone
    for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        done("photo.png", *TINY, *kept, "--seed", seed, "-o", name)
    a, b, c = ((folder / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b != c


def test_the_kernel_that_blurred_the_image_gives_the_better_result():
    sharp = torch.from_numpy(samples(height=80, width=96)).permute(2, 0, 1)[None] / 255
    lr = Degradation(scale=2, kernel=gaussian(2.0))(sharp)
    draw("photo.png", (lr[0] * 255).round().byte().permute(1, 2, 0).numpy())
    figures = {}
    for kernel in ("gaussian:2.0", "bicubic"):
        done("photo.png", "-m", "backprojection", "--kernel", kernel, "-o", "large.png", "--overwrite")
        figures[kernel] = psnr_y(read("large.png").colour, sharp, 2)
    assert figures["gaussian:2.0"] > figures["bicubic"] + 3  # dB; it is about 10


@pytest.mark.parametrize("file", ["k.npy", "k.mat", "k.txt"])
def test_a_kernel_file_does_what_its_name_would(folder, file):
    draw("photo.png")
    save_kernel(gaussian(4.0, 1.0, math.pi / 6), file)
    for kernel, name in ((file, "a.png"), (f"gaussian:4,1,{math.pi / 6}", "b.png"), ("gaussian:4,1,30deg", "c.png")):
        done("photo.png", "-m", "backprojection", "--kernel", kernel, "-o", name)
    a, b, c = ((folder / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b == c


def test_the_anchor_moves_the_image():
    draw("photo.png")
    for anchor in ("aligned", "centre"):
        done("photo.png", "-m", "backprojection", "--kernel", "gaussian:2", "--anchor", anchor, "-o", f"{anchor}.png")
    aligned, centre = (np.asarray(PillowImage.open(f"{anchor}.png")) for anchor in ("aligned", "centre"))
    assert np.abs(aligned.astype(int) - centre).max() > 10


def test_noise_is_given_in_8_bit_levels_and_ends_the_agreement():
    pixels = samples() + np.random.default_rng(0).integers(-10, 11, (HEIGHT, WIDTH, 3))
    draw("photo.png", pixels.clip(0, 255).astype(np.uint8))
    exact = record("photo.png", "-m", "backprojection", "--kernel", "gaussian:2")
    noisy = record("photo.png", "-m", "backprojection", "--kernel", "gaussian:2", "--noise", "10", "--overwrite")
    assert (exact["noise"], noisy["noise"]) == (0, 10)
    assert noisy["consistency_psnr"] < exact["consistency_psnr"]
    # The correction ends as soon as the residual is as large as the noise: 20 log10(255 / 10) = 28.1 dB.
    assert 28 < noisy["consistency_psnr"] < 34


def test_the_jpeg_quality_is_given_as_a_strength():
    draw("photo.png")
    told = record("photo.png", "-m", "backprojection", *GIVEN, "--jpeg", "50")
    assert (told["compression"], record("photo.png", *BICUBIC, "--overwrite")["compression"]) == (0.5, 0)


@pytest.fixture
def given(monkeypatch):
    """What the pipeline is given by the command: (image, degradation, options, run)."""
    calls, adapt_given = [], tasks.adapt_given

    def record(*arguments, **options):
        calls.append(arguments)
        return adapt_given(*arguments, **options)

    monkeypatch.setattr(tasks, "adapt_given", record)
    return calls


@pytest.mark.parametrize(("tile", "expected"), [("auto", None), ("0", 0), ("24", 24)])
def test_the_size_of_the_tiles_reaches_the_run(given, tile, expected):
    done(draw("photo.png"), *BICUBIC, "--tile", tile)
    assert given[0][3].tile == expected


def test_tiles_are_chosen_for_us_unless_we_say(given):
    done(draw("photo.png"), *BICUBIC)
    assert given[0][3].tile is None


def test_tiles_change_no_pixel_but_by_rounding():
    """What float32 rounds differently may lie on both sides of half a level; a seam is 1 % of the image."""
    draw("photo.png")
    for tile in ("0", "16"):
        done("photo.png", *TINY, "--tile", tile, "-o", f"{tile}.png")
    whole, tiled = (np.asarray(PillowImage.open(f"{tile}.png")).astype(int) for tile in ("0", "16"))
    assert np.abs(whole - tiled).max() <= 1
    assert np.count_nonzero(whole != tiled) <= 1e-3 * whole.size


@pytest.mark.parametrize("wrap", ["x", "y", "xy"])
def test_the_axes_that_wrap_reach_the_degradation_and_the_record(given, wrap):
    draw("photo.png")
    said = record("photo.png", *BICUBIC, "--wrap", wrap)
    assert (given[0][1].wrap, said["wrap"]) == (wrap, wrap)


@pytest.mark.parametrize(
    ("arguments", "size", "scale"),
    [
        (["-s", "1.7"], (81, 68), [1.7, 1.7]),  # 81.6 is rounded down
        (["-s", "1.7", "--wrap", "x"], (82, 68), [82 / 48, 1.7]),
        (["-s", "1.77", "--wrap", "xy"], (85, 71), [85 / 48, 71 / 40]),
        (["-s", "1.01", "--wrap", "xy"], (49, 41), [49 / 48, 41 / 40]),  # one pixel more at least
        (["--size", "101x", "--wrap", "xy"], (101, 84), [101 / 48, 84 / 40]),
    ],
)
def test_a_broken_scale_that_wraps_is_fitted_to_whole_pixels(arguments, size, scale):
    draw("photo.png")
    said = record("photo.png", "-m", "backprojection", *GIVEN, *arguments, "-o", "large.png")
    assert size_of("large.png") == size == tuple(said["output_size"])
    assert said["scale"] == pytest.approx(scale, abs=1e-12)


def test_a_texture_that_wraps_may_begin_anywhere():
    draw("a.png"), draw("b.png", np.roll(samples(), (7, 9), (0, 1)))
    for name in ("a.png", "b.png"):
        done(name, "-m", "backprojection", *GIVEN, "--wrap", "xy", "-o", f"large-{name}")
    a, b = (np.asarray(PillowImage.open(f"large-{name}.png")).astype(int) for name in "ab")
    assert np.abs(np.roll(a, (14, 18), (0, 1)) - b).max() <= 1  # where rounding to 8 bits is a close decision


@pytest.mark.parametrize(("choice", "mode"), [("auto", "RGBA"), ("same", "RGBA"), ("drop", "RGB")])
def test_alpha_is_kept_or_dropped(choice, mode):
    draw("sprite.png", samples(4))
    done("sprite.png", *BICUBIC, "--alpha", choice)
    assert PillowImage.open("sprite_x2.png").mode == mode


def test_alpha_in_a_format_without_it_is_refused_with_the_remedy():
    draw("sprite.png", samples(4))
    assert 'JPEG holds no alpha; write .png or .tif, or use --alpha drop (in Python alpha="drop")' in failed(
        "sprite.png", "-o", "a.jpg"
    )
    done("sprite.png", *BICUBIC, "-o", "a.jpg", "--alpha", "drop")


def test_sixteen_bits_in_a_format_of_eight_are_refused_with_the_remedy():
    draw("scan.png", samples(1, np.uint16))
    assert "JPEG holds 8 bits, not 16 bits; write .png or .tif, or use --depth 8 (in Python depth=8)" in failed(
        "scan.png", "-o", "a.jpg"
    )
    done("scan.png", *BICUBIC, "-o", "a.jpg", "--depth", "8")
    done("scan.png", *BICUBIC)
    assert (read("a.jpg").depth, read("scan_x2.png").depth) == ("uint8", "uint16")
    assert (read("a.jpg").colour - read("scan_x2.png").colour).abs().max() < 0.03  # of JPEG


@pytest.mark.parametrize(("choice", "depth"), [("keep", "uint8"), ("16", "uint16"), ("float", "float32")])
def test_the_depth_may_be_raised(choice, depth):
    draw("photo.png")
    result = upscale("photo.png", *BICUBIC, "-o", "large.tif", "--depth", choice)
    note = "note: large.tif: its values from 0 to 255 became 0 to 1\n"
    assert (result.exit_code, result.stderr) == (0, note if choice == "float" else "")
    assert read("large.tif").depth == depth


@pytest.mark.parametrize(("choice", "is_kept"), [("keep", True), ("icc", True), ("none", False)])
def test_the_resolution_is_kept_unless_metadata_is_none(choice, is_kept):
    draw("photo.png", dpi=(300, 300))
    done("photo.png", *BICUBIC, "--metadata", choice)
    assert (read("photo_x2.png").metadata.pixels_per_mm == pytest.approx((300 / 25.4,) * 2, rel=1e-3)) is is_kept


def test_lower_quality_makes_a_smaller_file(folder):
    draw("photo.png")
    for quality in (100, 20):
        done("photo.png", *BICUBIC, "-o", f"{quality}.jpg", "--quality", quality)
    assert (folder / "20.jpg").stat().st_size < 0.7 * (folder / "100.jpg").stat().st_size


def test_a_file_is_replaced_only_when_asked(folder):
    draw("photo.png")
    (folder / "photo_x2.png").write_bytes(b"mine")
    assert "photo_x2.png: exists; choose another name" in failed("photo.png", *BICUBIC)
    assert (folder / "photo_x2.png").read_bytes() == b"mine"
    done("photo.png", *BICUBIC, "--overwrite")
    assert size_of("photo_x2.png") == (96, 80)


def test_json_is_one_object_a_file_and_nothing_else(folder):
    draw("a.png"), draw("b.png")
    (folder / "bad.png").write_text("no image")
    result = upscale("a.png", "bad.png", "b.png", *BICUBIC, "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["input"] for line in result.stdout.splitlines()] == ["a.png", "bad.png", "b.png"]
    assert result.stderr.startswith("error: bad.png: ") and result.stderr.count("\n") == 1


def test_perfect_consistency_is_null_in_json(monkeypatch):
    draw("photo.png")
    apply = adaptation.Adaptation.apply

    def perfect(*given, **options):
        return replace(apply(*given, **options), consistency_psnr=math.inf)

    monkeypatch.setattr(adaptation.Adaptation, "apply", perfect)
    assert record("photo.png", *BICUBIC)["consistency_psnr"] is None


def test_counting_noise_is_recorded_in_8_bit_levels():
    method = ("-m", "backprojection", *GIVEN)
    draw("photo.png")
    said = record("photo.png", *method, "--noise", "poisson:5.1:2.5")
    assert said["counting"] == {"gain": 5.1, "read": 2.5, "black": 0}
    assert 5 < said["noise"] < 40
    assert record("photo.png", *method, "--noise", "5", "--overwrite")["counting"] is None


def test_an_image_is_normalised_once(monkeypatch):
    calls, normalise = [], tasks.normalise
    for module in (tasks, adaptation, examination):
        monkeypatch.setattr(module, "normalise", lambda *given, **named: calls.append(1) or normalise(*given, **named))
    draw("photo.png")
    record("photo.png", "-m", "bicubic")
    assert len(calls) == 1


def test_notes_go_to_stderr_and_into_the_record():
    PillowImage.fromarray(samples()).save("photo.jpg", format="PNG")
    result = upscale("photo.jpg", *BICUBIC, "--json")
    assert result.stderr == "note: photo.jpg: holds PNG data, in spite of its name\n"
    assert json.loads(result.stdout)["notes"] == ["holds PNG data, in spite of its name"]


@pytest.mark.parametrize(("name", "result"), [("photo", "photo.png"), ("photo.v2", "photo.v2.png")])
def test_a_result_has_the_suffix_of_what_an_input_without_one_holds(name, result):
    PillowImage.fromarray(samples()).save(name, format="PNG")
    upscale(name, *BICUBIC, "-o", "out/")
    upscale(name, *BICUBIC)
    assert (names("out"), names()) == ([result], sorted([name, "out", result.replace(".png", "_x2.png")]))


def test_quiet_says_nothing_but_errors():
    PillowImage.fromarray(samples()).save("photo.jpg", format="PNG")
    result = upscale("photo.jpg", *BICUBIC, "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert "exists" in failed("photo.jpg", *BICUBIC, "-q")


def test_verbose_says_the_settings():
    result = upscale(draw("photo.png"), *TINY, "-v")
    assert result.stderr.startswith("tailor {'prior': ") and result.stderr.count("\n") == 1


def test_the_comparison_is_a_labelled_picture_with_both_halves():
    done(draw("photo.png"), *TINY, "--compare", "look.png")
    assert names() == ["look.png", "photo.png", "photo_x2.png"]
    sheet = np.asarray(PillowImage.open("look.png")).astype(int)
    half = sheet.shape[1] // 2
    label = (sheet[:30] != sheet[0, 0]).any(axis=2)
    assert label[:, :half].any() and label[:, half:].any()
    left, right = sheet[40:200, 20:300], sheet[40:200, half + 20 : half + 300]
    assert np.abs(left - right).mean() < 40 and np.ptp(left) > 100


def test_the_comparison_of_one_grey_scan_shows_its_whole_range():
    draw("scan.png", samples(1, np.uint16) // 16)  # 12 bits of 16
    done("scan.png", *BICUBIC, "--compare", "look.png")
    assert np.asarray(PillowImage.open("look.png"))[60:200, 20:300].max() > 240


def test_the_comparison_shows_a_transparent_picture_on_white():
    pixels = np.zeros((24, 24, 4), np.uint8)
    pixels[:12] = (255, 0, 255, 0)  # a colour that nobody sees
    pixels[12:] = (0, 0, 0, 255)
    PillowImage.fromarray(pixels).save("sprite.png")
    assert upscale("sprite.png", *BICUBIC, "--compare", "look.png").exit_code == 0
    sheet = np.asarray(PillowImage.open("look.png")).astype(int)
    is_magenta = (sheet[..., 0] > 200) & (sheet[..., 1] < 100) & (sheet[..., 2] > 200)
    assert not is_magenta.any()


@pytest.mark.parametrize("compare", ["photo.png", "photo_x2.png", "./photo_x2.png"])
def test_the_comparison_needs_a_file_of_its_own(folder, compare):
    draw("photo.png")
    before = (folder / "photo.png").read_bytes()
    assert "is another file of this command" in failed("photo.png", *BICUBIC, "--compare", compare, "--overwrite")
    assert (folder / "photo.png").read_bytes() == before


def test_a_comparison_that_cannot_be_written_is_found_out_before_the_work():
    draw("photo.png"), draw("look.png")
    assert "look.png: exists" in failed("photo.png", *BICUBIC, "--compare", "look.png")
    assert "nowhere does not exist" in failed("photo.png", *BICUBIC, "--compare", "nowhere/look.png")


def test_bars_with_loss_and_time_left_are_drawn_on_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def drawn(stream, **choices):
        monkeypatch.setattr(sys, "stderr", stream)
        reporter = Reporter(verbose=False, as_json=False, **choices)
        with reporter.progress("photo[/b].png") as report:
            if report is not None:
                report(Progress(stage="learn", done=3, total=10, seconds=1.0, loss=0.12345))
        return stream.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    seen = drawn(Terminal(), quiet=False)
    assert not re.search(r"\x1b\[[0-9;]*m", seen)
    assert "photo[/b].png: learn" in seen and "3/10 loss 0.1235 0:00:02 left" in seen
    assert drawn(Terminal(), quiet=True) == ""
    monkeypatch.delenv("NO_COLOR")
    assert re.search(r"\x1b\[[0-9;]+m", drawn(Terminal(), quiet=False))
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in drawn(Terminal(), quiet=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert drawn(io.StringIO(), quiet=False) == ""
