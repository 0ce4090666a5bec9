"""`innersr upscale` when something is wrong: one line, the right exit code, nothing left behind."""

import errno
import json
import os
import re
import signal

import numpy as np
import pytest
from PIL import Image as PillowImage

from helpers.cli import BICUBIC, GIVEN, failed, names, upscale
from innersr.commands import console as reporter
from innersr.images import codecs as image_codecs
from innersr.pipeline import files, tasks

SAMPLES = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PillowImage.fromarray(SAMPLES).save("photo.png")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "zsr"], "unknown method 'zsr'; there are tailor, zssr, "),
        (["--preset", "slow"], "unknown preset 'slow' of tailor; there are draft, "),
        (["--set", "step=5"], "tailor has no setting 'step'; it has prior, steps, "),
        (["--set", "steps"], "a setting is written name=value, got 'steps'"),
        (["--set", "steps=many"], "setting steps takes int, got 'many'"),
        (["--set", "views=3"], "views must be one of 0, 1, 2, 4, 8, got 3"),
        (["--device", "gpu"], "unknown device 'gpu'"),
        (["--device", "meta"], "device meta is not supported"),
        (["--precision", "fp8"], "precision must be one of auto, fp32, bf16, got 'fp8'"),
        (["--scale", "1"], "scale must be a number from above 1"),
        (["-s", "0"], "scale must be a number from above 1"),
        (["-s", "-2"], "scale must be a number from above 1"),
        (["-s", "nan"], "scale must be a number from above 1"),
        (["-s", "1e308"], "scale must be a number from above 1 to 1000"),
        (["-s", "two"], "scale must be a number from above 1"),
        (["-s", "2", "--size", "96x"], "give --scale or --size, not both"),
        (["-o", "a.png", "--format", "jpg"], "--format would be ignored: -o a.png names the file; leave it out"),
        (["-o", "a.png", "--format", "tif", "--name", "b"], "--name and --format would be ignored: -o a.png names the"),
        (["-o", "a.png", "--in-place"], "--in-place would be ignored: -o a.png names the file; leave it out"),
        (["-o", "large.xyz"], "'.xyz' is not a suffix of an image format that is written; use one of .png, "),
        (["-o", "large"], "the name has no suffix"),
        (["--overwrite", "--existing", "skip"], "--overwrite contradicts --existing skip; give one of them"),
        (["--retry-failed"], "--retry-failed is for several inputs"),
        (["--dry-run", "--status", "rows.jsonl"], "--dry-run writes no --status; leave one of them out"),
        (["--size", "large"], "size must be a geometry"),
        (["--size", "9" * 400 + "x"], "size must be a geometry"),
        (["--size", "50%"], "size 50% enlarges no image"),
        (["--size", "99x>"], "size 99x> enlarges no image"),
        (["--seed", "-1"], "seed must be between 0 and"),
        (["--seed", str(2**63)], "seed must be between 0 and"),
        (["--time-limit", "0"], "time limit must be a positive number of seconds, got 0"),
        (["--time-limit", "-3"], "time limit must be a positive number of seconds, got -3"),
        (["--time-limit", "nan"], "time limit must be a positive number of seconds, got nan"),
        (
            ["--keep-grain", "--kernel", "bicubic"],
            "keep_grain (--keep-grain) has nothing to keep; give noise (--noise)",
        ),
        (["--keep-grain", "--noise", "0"], "without noise keep_grain (--keep-grain) has nothing to keep"),
        (
            ["--noise", "-1"],
            "of the image's range, from 0 to below 255, or poisson:GAIN, got '-1'",
        ),
        (["--noise", "255"], "got '255'"),
        (["--noise", "nan"], "got 'nan'"),
        (["--noise", "poisson:"], "counting noise is poisson:GAIN or poisson:GAIN:READ, of variance"),
        (["--depth", "12"], "depth must be one of keep, 8, 16, float, got '12'"),
        (["--alpha", "premultiply"], "alpha must be one of auto, same, drop, got 'premultiply'"),
        (["--metadata", "all"], "metadata must be one of keep, icc, none, got 'all'"),
        (["--anchor", "left"], "anchor must be one of aligned, centre"),
        (["--tile", "-1"], "tile must be auto, 0 for the whole image at once, or a number of pixels, got '-1'"),
        (["--tile", "large"], "got 'large'"),
        (["--wrap", "yx"], "wrap must be one of '', 'x', 'y', 'xy', got 'yx'"),
        (["--wrap", "both"], "got 'both'; x joins the right edge to the left"),
        (["--kernel", "bicubc"], "there is no kernel 'bicubc'; did you mean bicubic?"),
        (
            ["--kernel", "lanczos"],
            "there is no kernel 'lanczos'; give auto, estimate, bicubic, gaussian:VAR, or a file (.mat .npy .npz .txt",
        ),
        (["--kernel", "lanczos.3"], "there is no kernel 'lanczos.3'; give auto, estimate, bicubic"),
        (["--kernel", 300 * "k"], "; give auto, estimate, bicubic"),
        (["--kernel", "gaussian:0"], "a Gaussian kernel needs positive variances"),
        (["--kernel", "gaussian:1,2"], "a Gaussian kernel is gaussian:VAR or gaussian:V1,V2,THETA"),
        (["--kernel", "gaussian:1e9"], "a Gaussian kernel has variances up to 150"),
        (["-m", "pixelart", "-s", "2.5"], "pixelart enlarges by whole scales, got 2.5; use -s 2, 3 or 4"),
        (["-m", "pixelart", "-s", "2x2.5"], "pixelart enlarges by whole scales, got 2x2.5 (width x height); use -s"),
        (["-m", "supervised", "-s", "2.5"], "no supervised prior is packaged for scale 2.5, only for 2"),
        (["-m", "mzsr", "-s", "5"], "no packaged prior of mzsr fits scale 5"),
        (["-m", "zssr", "--set", "network=subpixel", "-s", "2.5"], "a sub-pixel network needs whole scales, got 2.5"),
        (
            ["-m", "pixelart", "--kernel", "bicubic"],
            "pixelart repeats the pixels as they are, and has no use for kernel",
        ),
        (["-m", "pixelart", "--noise", "3", "--jpeg", "60"], "has no use for noise and jpeg; leave them out, or use"),
        (["-m", "pixelart", "--keep-grain"], "has no use for keep_grain; leave it out"),
        (["-m", "pixelart", "--deblur", "0"], "has no use for deblur; leave it out"),
    ],
)
def test_wrong_usage_is_exit_code_2_before_any_file_is_read(monkeypatch, arguments, message):
    monkeypatch.setattr(files, "read", lambda *_, **__: pytest.fail("a file was read"))
    assert message in failed("photo.png", *arguments, code=2)


@pytest.mark.parametrize(("given", "code"), [(["photo.png"], 2), (["photo.png", "dot.png"], 1)])
@pytest.mark.parametrize("options", [["--frames", "0-1"], ["--pages", "2"]])
def test_an_option_that_is_not_for_the_only_file_is_wrong_usage(given, code, options):
    PillowImage.new("L", (20, 20)).save("photo.png", format="TIFF")
    PillowImage.new("L", (20, 20)).save("dot.png")
    assert upscale(*given, "--name", "{stem}.tif", *options, *BICUBIC).exit_code == code


def test_a_kernel_file_that_cannot_be_used_is_exit_code_1():
    message = "missing.npy: no such file; give the path of a blur kernel"
    assert message in failed("photo.png", "--kernel", "missing.npy")
    assert "photo.png: is coloured; save it as a grey image" in failed("photo.png", "--kernel", "photo.png")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.png", None, "missing.png: no such file"),
        ("empty.png", b"", "empty.png: is empty (0 bytes)"),
        ("text.png", b"hello", "text.png: not an image of a known format"),
        ("cut.png", "half of photo.png", "cut.png: cannot be decoded"),
    ],
)
def test_a_file_that_is_no_image_is_exit_code_1(folder, name, content, message):
    whole = (folder / "photo.png").read_bytes()
    if content is not None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    assert failed(name).startswith(f"error: {message}")


def test_an_image_too_small_to_learn_from_is_named_with_the_remedy():
    PillowImage.fromarray(SAMPLES[:1, :1]).save("dot.png")
    said = failed("dot.png", *GIVEN, "-m", "zssr")
    assert said.startswith("error: dot.png: an image of 1x1 pixels is too small to learn from")
    assert "use the method bicubic" in said
    assert upscale("dot.png", *BICUBIC).exit_code == 0


def test_a_file_name_inside_the_message_is_not_taken_for_the_file_named():
    PillowImage.fromarray(SAMPLES[:1, :1]).save("a", format="PNG")
    assert failed("a", *GIVEN, "-m", "zssr", "-o", "b.png", "-q").startswith("error: a: an image of 1x1 pixels")


def test_a_kernel_larger_than_the_image_is_its_failure():
    PillowImage.fromarray(SAMPLES[:4, :4]).save("dot.png")
    assert failed("dot.png", "-m", "backprojection", "--kernel", "gaussian:2").startswith(
        "error: dot.png: the kernel ("
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "nowhere/large.png"], "the folder nowhere does not exist; create it first"),
        (["-o", "there.png"], "there.png: exists; choose another name"),
        (["-s", "900"], "the result would have 622080000 pixels; use innersr upscale --pixel-limit 622080000"),
        (["--pixel-limit", "3000"], "the result would have 3072 pixels"),
        (["--pixel-limit", "700"], "above the limit of 700"),
    ],
)
def test_a_result_that_cannot_be_written_is_found_out_before_the_work(folder, monkeypatch, arguments, message):
    (folder / "there.png").touch()
    monkeypatch.setattr(tasks, "adapt_given", lambda *_, **__: pytest.fail("the work was begun"))
    said = failed("photo.png", *arguments)
    assert said.startswith("error: photo.png: ") and message in said


def test_json_has_a_line_for_a_file_that_fails(folder):
    (folder / "bad.png").touch()
    result = upscale("bad.png", "photo.png", *BICUBIC, "--json")
    failure, record = map(json.loads, result.stdout.splitlines())
    said = {"input": "bad.png", "error": "bad.png: is empty (0 bytes)", "remedy": "get the file again", "exit_code": 1}
    assert (result.exit_code, failure, record["output"]) == (1, said, "photo_x2.png")


def test_json_has_a_line_for_wrong_usage():
    result = upscale("photo.png", "--depth", "12", "--json")
    said = {"error": "depth must be one of keep, 8, 16, float, got '12'", "remedy": None, "exit_code": 2}
    assert (result.exit_code, json.loads(result.stdout)) == (2, said)


def test_one_bad_file_does_not_stop_the_others(folder):
    (folder / "bad.png").write_text("no image")
    PillowImage.fromarray(SAMPLES).save("zebra.png")
    result = upscale("bad.png", "photo.png", "missing.png", "zebra.png", *BICUBIC)
    assert result.exit_code == 1
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["bad.png", "missing.png"]
    assert names() == ["bad.png", "photo.png", "photo_x2.png", "zebra.png", "zebra_x2.png"]


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")],
)
def test_running_out_of_memory_is_the_failure_of_one_file(monkeypatch, error):
    def too_much(*_given, **_options):
        raise error

    monkeypatch.setattr(tasks, "adapt_given", too_much)
    expected = "error: photo.png: out of memory; use a smaller scale, a smaller --tile, or a machine with more\n"
    assert failed("photo.png", *GIVEN) == expected


def test_a_full_disk_leaves_no_partial_file(monkeypatch):
    def full(_samples, stream, *_given, **_options):
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_codecs, "encode", full)
    said = failed("photo.png", *BICUBIC)
    assert said.startswith("error: photo.png: photo_x2.png: cannot be written") and "free space" in said


def test_a_failure_while_learning_leaves_nothing(monkeypatch):
    def interrupted(*_given, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "adapt_given", interrupted)
    result = upscale("photo.png", *GIVEN)
    assert (result.exit_code, result.stderr) == (130, "interrupted; nothing half-written was left\n")
    assert names() == ["photo.png"]


def test_a_closed_pipe_ends_the_work_quietly(monkeypatch):
    def closed(*_given):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(reporter, "_write", closed)
    result = upscale("photo.png", "missing.png", *BICUBIC)
    assert (result.exit_code, result.output) == (1, "")


@pytest.fixture
def pipe():
    """A named pipe that nobody writes to; what waits for it is interrupted after some seconds."""

    def interrupt(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(20)
    os.mkfifo("pipe.png")
    yield "pipe.png"
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_a_pipe_is_refused_and_not_waited_for(pipe):
    assert "pipe.png: is not a regular file; copy its content to one first" in failed(pipe, *BICUBIC)
    os.mkfifo("pipe")
    assert "pipe: is not a regular file" in failed("pipe", *BICUBIC)
    result = upscale(".", "-o", "out/", "--name", "{stem}_{width}{suffix}", *BICUBIC)
    assert (result.exit_code, names("out")) == (1, ["photo_64.png"])
    assert "pipe.png: is not a regular file" in result.stderr


def test_an_option_with_the_name_of_a_pipe_is_not_waited_for(pipe):
    assert "pipe.png: is not a regular file" in failed("photo.png", "--mask", pipe, *BICUBIC)


def test_a_name_that_gets_too_long_is_reported_in_words():
    name = 251 * "x" + ".png"
    os.link("photo.png", name)
    assert f"{name[:-4]}_x2.png: File name too long; use a shorter one" in failed(name, *BICUBIC)


def test_steadiness_is_said_to_be_for_films():
    said = upscale("photo.png", "--no-steady", *BICUBIC).stderr
    assert said == "note: photo_x2.png: steady (--no-steady) has no effect on pictures\n"


@pytest.mark.parametrize(("suffix", "option"), [("png", "quality"), ("jpg", "compression"), ("tif", "quality")])
def test_an_option_that_the_format_has_no_use_for_is_reported(suffix, option):
    value = {"quality": "50", "compression": "lzw"}[option]
    said = upscale("photo.png", "-o", f"large.{suffix}", f"--{option}", value, *BICUBIC).stderr
    assert f"note: large.{suffix}: {option} (--{option}) has no effect on" in said
    used = {"quality": "jpg", "compression": "tif"}[option]
    assert "no effect" not in upscale("photo.png", "-o", f"l.{used}", f"--{option}", value, *BICUBIC).stderr


@pytest.mark.parametrize(
    ("method", "options", "unused"),
    [
        ("bicubic", ["--keep-grain"], ["keep-grain"]),
        ("bicubic", ["--deblur", "1", "--jpeg", "60"], ["deblur", "jpeg"]),
        ("bicubic", ["--noise", "5", "--kernel", "gaussian:1.5"], ["noise", "kernel"]),
        ("bicubic", ["--noise", "5", "--keep-grain", "--kernel", "bicubic"], []),
        ("bicubic", ["--time-limit", "9"], ["time-limit"]),
        ("pixelart", ["--time-limit", "9"], ["time-limit"]),
        ("supervised", ["--jpeg", "30", "--noise", "20"], ["jpeg", "noise"]),
        ("backprojection", ["--jpeg", "30", "--noise", "20", "--time-limit", "9"], []),
    ],
)
def test_an_option_that_the_method_has_no_use_for_is_reported(method, options, unused):
    result = upscale("photo.png", "-o", "large.png", "-m", method, *options)
    found = re.findall(rf"--([a-z-]+)\)? has no effect with {method}", result.stderr)
    assert (result.exit_code, sorted(found)) == (0, sorted(unused))
    assert "JPEG quality 30" not in result.stdout or "jpeg" not in unused
