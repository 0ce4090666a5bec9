"""The command line itself: help, usage, exit codes, kernels, doctor. `upscale` has a file of its own."""

import json
import math
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from typer.testing import CliRunner

from innersr.cli.app import app
from innersr.commands import bench as bench_command
from innersr.commands import doctor as doctor_command
from innersr.commands import inspect as inspect_commands
from innersr.commands import kernel as kernel_commands
from innersr.commands import upscale as upscale_command
from innersr.methods.registry import METHOD_PRESETS, METHODS
from innersr.physics import kernels
from innersr.physics.kernel_files import load_kernel, save_kernel
from innersr.version import __version__

KERNEL_COMMANDS = [["kernel", "show"], ["kernel", "estimate"], ["kernel", "convert"]]
COMMANDS = [[], ["upscale"], ["bench"], ["inspect"], ["doctor"], ["kernel"], *KERNEL_COMMANDS]
KERNEL = kernels.gaussian(4.0, 1.0, math.radians(30))


def innersr(*arguments):
    """Run the command in this process; what it raises besides its exit code fails the test."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="innersr")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(*arguments, code=2):
    """Return the one line on stderr of a command that ends with an exit code."""
    result = innersr(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def python(*arguments):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def examples():
    return [
        pytest.param(line.strip(), id=line.strip())
        for command in COMMANDS
        for line in innersr(*command, "--help").stdout.splitlines()
        if line.startswith("    innersr ")
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_ends_with_an_example_of_its_own_on_one_line(command):
    result = innersr(*command, "--help")
    assert result.exit_code == 0
    *_, page_end = result.stdout.split("  Examples:\n")
    assert page_end.startswith("    " + " ".join(["innersr", *command]))
    assert innersr(*command, "-h").stdout == result.stdout


@pytest.mark.parametrize("example", examples())
def test_the_examples_of_the_help_can_be_run(example, monkeypatch):
    started = []
    faces = {upscale_command: ("upscale_files",), bench_command: ("bench",), doctor_command: ("doctor",)}
    faces |= {kernel_commands: ("show_kernel", "convert_kernel", "estimate_kernel")}
    faces |= {inspect_commands: ("inspect_file",)}
    for module, names in faces.items():
        for name in names:
            monkeypatch.setattr(module, name, lambda *given, **_: started.append(given))
    assert innersr(*shlex.split(example)[1:]).exit_code == 0
    assert len(started) == 1


def test_the_help_groups_the_options():
    headings = re.findall(r"^(\S.*):$", innersr("upscale", "--help").stdout, flags=re.MULTILINE)
    assert headings == ["Arguments", "Input and output", "Quality", "Many files", "Performance", "Reporting", "Options"]


def test_the_help_names_every_method_and_preset():
    page = innersr("upscale", "--help").stdout
    for name in [*METHODS, *(preset for presets in METHOD_PRESETS.values() for preset in presets)]:
        assert re.search(rf"\b{name}\b", page), name


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["upscale", "--help"]], ids=" ".join)
def test_help_and_version_import_nothing_that_is_slow(arguments):
    code = (
        "import sys\nfrom innersr.cli import main\nsys.argv = ['innersr', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    print({'torch', 'numpy', 'pyvips', 'rich'} & set(sys.modules))"
    )
    assert python("-c", code, *arguments).endswith("\nset()\n")


def test_the_module_is_the_command():
    assert python("-m", "innersr", "--help") == innersr("--help").stdout


def test_the_version_is_that_of_the_package_and_of_torch():
    installed, _, _ = torch.__version__.partition("+")  # which packages for CUDA leave out of their own version
    assert innersr("--version").stdout.startswith(f"innersr {__version__}, torch {installed}")


def test_without_arguments_the_help_is_shown():
    assert "upscale" in innersr().output
    assert "convert" in innersr("kernel").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enlarge"], "No such command 'enlarge'"),
        (["upscale"], "Missing argument 'IN"),
        (["upscale", "x.png", "--fast"], "No such option"),
    ],
)
def test_what_the_parser_refuses_is_exit_code_2(arguments, message):
    result = innersr(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("given", [["photo.jpg"], ["photo.jpg", "-s", "3"], ["my photo.png"], ["scan"]], ids=" ".join)
def test_a_file_in_place_of_a_command_gives_the_command_in_the_error(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan").touch()
    result = innersr(*given)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(f"did you mean `innersr upscale {shlex.join(given)}`?")


def test_a_file_that_looks_like_options_in_place_of_a_command_gives_the_command_in_the_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-my dash.png").touch()
    result = innersr("-my dash.png", "-s", "3")
    assert result.exit_code == 2
    meant = "did you mean `innersr upscale './-my dash.png' -s 3`?"
    assert result.stderr.splitlines()[-1] == f"Error: -my dash.png is a file, but begins as options do; {meant}"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["upscale", ""], "an argument"),  # else the folder that the shell is in
        (["upscale", "a.png", "-s", ""], "-s"),
        (["upscale", "a.png", "--shard="], "--shard"),
        (["upscale", "a.png", "--overwrite", ""], "an argument"),
        (["kernel", "show", ""], "an argument"),
        (["singan", "sample", "model", "-o", ""], "-o"),
    ],
)
def test_variables_that_are_not_set_are_no_values(arguments, named):
    result = innersr(*arguments)
    assert result.exit_code == 2
    assert f"Error: {named} is empty, as where a variable of the shell is not set; give a value" in result.stderr


def test_files_that_look_like_options_are_explained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.png").touch()
    said = innersr("upscale", "-dash.png").stderr
    assert "-dash.png is a file, but begins as options do; write ./-dash.png" in said
    said = innersr("upscale", "--", "-dash.png", "--scale", "3").stderr
    assert "after -- all arguments are files, and there is no file --scale; write options before it" in said
    assert "-dash.png: is empty" in innersr("upscale", "--", "-dash.png").stderr
    assert "-dash.png: is empty" in innersr("upscale", "./-dash.png").stderr


@pytest.mark.parametrize(
    "given", [["{}"], ["upscale", "-{}"], ["upscale", "--", "-{}"], ["upscale", "a.png", "-o", "{}"]]
)
def test_a_text_that_is_too_long_for_a_name_is_reported(given):
    result = innersr(*(each.format("x" * 300) for each in given))
    assert result.exit_code in (1, 2) and result.stderr.splitlines()[-1].lower().startswith("error: ")
    assert "standard output" not in result.stderr


@pytest.mark.parametrize(
    "given", [["a\x1b[2J.png"], ["upscale", "--x\x1b[2J\n.png"], ["--\x1b[2J"], ["doctor", "a\x1b[2J"]]
)
def test_what_is_refused_is_no_command_of_the_terminal(given):
    result = innersr(*given)
    assert result.exit_code == 2 and "\\x1b[2J" in result.stderr and "\x1b" not in result.stderr


@pytest.mark.parametrize(
    "given", [["upscale", "PATH"], ["PATH"], ["upscale", "a.png", "-o", "PATH"], ["doctor", "PATH"]]
)
def test_a_path_that_is_too_long_is_shortened(given):
    path = "/".join(["folder"] * 1000) + ".png"
    result = innersr(*(path if each == "PATH" else each for each in given))
    assert result.exit_code in (1, 2) and len(result.stderr) < 1500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upscale", "x.png", "--seed", "x"], "--seed must be a whole number, got 'x'"),
        (["upscale", "x.png", "--deblur", "x"], "--deblur must be a number, got 'x'"),
        (["upscale", "x.png", "--deblur", "2"], "--deblur must be at most 1, got '2'"),
        (["upscale", "x.png", "--jpeg", "0"], "--jpeg must be at least 1, got '0'"),
        (["upscale", "x.png", "--quality", "101"], "--quality must be at most 100, got '101'"),
        (["upscale", "x.png", "--jobs=1.5"], "--jobs must be a whole number, got '1.5'"),
        (["upscale", "x.png", "-j", "\x1b"], "--jobs must be a whole number, got '\\x1b'"),
        (["kernel", "convert", "a", "b", "--scale", "nan"], "--scale must be at most 100, got 'nan'"),
    ],
)
def test_numbers_that_an_option_does_not_take_are_refused_as_all_else(arguments, message):
    assert refused(*arguments) == f"error: {message}\n"


@pytest.mark.parametrize("given", [["upscale", "a.png"], ["upscale", "a.png", "b.png"], ["inspect", "a.png"]])
def test_standard_output_takes_no_results(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    assert "results are not written to standard output; name a file" in refused(*given, "-o", "-")


def test_help_fits_into_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    for command in ([], ["upscale"], ["singan", "train"]):
        text, _, _ = innersr(*command, "--help").stdout.partition("Examples:")
        assert max(map(len, text.splitlines())) <= 40
        assert "  -h, --help" in text


def test_doctor_says_versions_devices_and_codecs():
    result = innersr("doctor")
    assert (result.exit_code, result.stderr) == (0, "")
    said = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert {"innersr", "python", "torch", "libvips", "pillow", "devices", "system"} <= set(said)
    assert said["torch"] == torch.__version__
    assert said["devices"].startswith("cpu (")
    assert {name: said[name] for name in ("png", "jpeg", "tiff")} == dict.fromkeys(
        ("png", "jpeg", "tiff"), "read yes, write yes"
    )


def test_doctor_says_which_codecs_are_missing(monkeypatch):
    monkeypatch.setattr(doctor_command, "working_codecs", lambda: {"avif read": True, "avif write": False})
    assert "avif     read yes, write NO" in innersr("doctor").stdout


def test_interrupting_any_command_is_exit_code_130(monkeypatch):
    def interrupted(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor_command, "doctor", interrupted)
    result = innersr("doctor")
    assert (result.exit_code, result.stderr) == (130, "interrupted; nothing half-written was left\n")


def test_a_full_disk_is_exit_code_1(monkeypatch):
    def full(*_given, **_options):
        raise OSError(28, "No space left on device", "rows.jsonl")

    monkeypatch.setattr(bench_command, "bench", full)
    result = innersr("bench", "set5")
    remedy = "check the path, its permissions and the disk"
    assert (result.exit_code, result.stderr) == (1, f"error: rows.jsonl: No space left on device; {remedy}\n")


def test_a_round_kernel_has_no_direction():
    assert innersr("kernel", "show", "gaussian:2").stdout.splitlines()[1] == "variances 2.000 x 2.000 px^2"


def test_a_kernel_is_shown_by_its_measures_and_a_sketch():
    lines = innersr("kernel", "show", "gaussian:4,1,30deg").stdout.splitlines()
    side = KERNEL.shape[0]
    assert lines[0] == f"gaussian:4,1,30deg: {side}x{side}"
    assert lines[1] == "variances 4.000 x 1.000 px^2 at 30 deg"
    assert lines[2] == f"centre of mass {side // 2}.000, {side // 2}.000 (the middle is {side // 2}, {side // 2})"
    sketch = lines[3:]
    assert [len(line) for line in sketch] == [2 * side] * side
    assert sketch[side // 2][side - 1 : side + 1] == "@@"


def test_a_kernel_is_shown_as_json(tmp_path):
    save_kernel(KERNEL, tmp_path / "k.npy")
    record = json.loads(innersr("kernel", "show", tmp_path / "k.npy", "--json").stdout)
    assert record["size"] == list(KERNEL.shape)
    assert record["variances"] == pytest.approx([4, 1], rel=1e-3)
    assert record["angle_degrees"] == pytest.approx(30, abs=0.1)
    assert record["centre_of_mass"] == pytest.approx([KERNEL.shape[0] // 2] * 2, abs=1e-4)


def test_bicubic_is_shown_as_the_kernel_that_antialiasing_amounts_to():
    record = json.loads(innersr("kernel", "show", "bicubic", "--json").stdout)
    assert record["size"] == [8, 8]
    assert record["centre_of_mass"] == pytest.approx([3.5, 3.5], abs=1e-4)


def test_a_conversion_says_what_was_written(tmp_path):
    target = tmp_path / "k.npy"
    assert innersr("kernel", "convert", "gaussian:2", target).stdout == f"gaussian:2 -> {target}  17x17\n"
    record = json.loads(innersr("kernel", "convert", "gaussian:2", target, "--overwrite", "--json").stdout)
    assert (record["kernel"], record["output"], record["size"]) == ("gaussian:2", str(target), [17, 17])
    assert innersr("kernel", "convert", "gaussian:2", target, "--overwrite", "--quiet").stdout == ""


def test_a_plot_does_not_replace_a_file(tmp_path):
    plot = tmp_path / "plot.png"
    assert innersr("kernel", "show", "gaussian:2", "--plot", plot).exit_code == 0
    assert min(PillowImage.open(plot).size) >= 256
    again = innersr("kernel", "show", "gaussian:2", "--plot", plot)
    assert again.exit_code == 1 and "plot.png: exists" in again.stderr
    assert innersr("kernel", "show", "gaussian:2", "--plot", plot, "--overwrite").exit_code == 0


def test_one_kernel_of_a_file_with_several_is_chosen_by_number(tmp_path):
    np.save(tmp_path / "two.npy", np.stack([np.ones((3, 3)), np.eye(3)]))
    assert "holds 2 kernels" in refused("kernel", "show", tmp_path / "two.npy", code=1)
    assert "choose up to #2" in refused("kernel", "show", f"{tmp_path / 'two.npy'}#3", code=1)
    assert innersr("kernel", "convert", f"{tmp_path / 'two.npy'}#2", tmp_path / "eye.txt").exit_code == 0
    assert torch.allclose(load_kernel(tmp_path / "eye.txt"), torch.eye(3) / 3)


@pytest.mark.parametrize(("suffix", "tolerance"), [("npy", 0), ("mat", 0), ("txt", 0), ("png", 2e-5)])
def test_a_converted_kernel_is_the_same_kernel(tmp_path, suffix, tolerance):
    target = tmp_path / f"k.{suffix}"
    result = innersr("kernel", "convert", "gaussian:4,1,30deg", target)
    assert (result.exit_code, result.stderr) == (0, "")
    # A 16-bit PNG rounds every tap to 1/65535 of the largest.
    assert (load_kernel(target) - KERNEL).abs().max() <= tolerance * KERNEL.max()


@pytest.mark.parametrize(("convention", "offset"), [("centred", 0), ("kernelgan", 1.5), ("fkp", -1.5)])
def test_a_convention_moves_the_centre_of_mass(tmp_path, convention, offset):
    target = tmp_path / "k.npy"
    assert innersr("kernel", "convert", "gaussian:2", target, "--convention", convention, "-s", "4").exit_code == 0
    moved = load_kernel(target)
    middle = (moved.shape[0] - 1) / 2
    assert kernels.centre_of_mass(moved) == pytest.approx((middle + offset, middle + offset), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "gauss:2.5"], "there is no kernel 'gauss:2.5'; did you mean gaussian:VAR or gaussian:V1,V2,THETA?"),
        (["show", "lanczos"], "there is no kernel 'lanczos'; give bicubic, gaussian:VAR, or a file (.mat .npy"),
        (["show", "gaussian:0"], "positive variances"),
        (["convert", "gaussian:2", "k.jpg"], "k.jpg: kernels are written as .mat .npy .txt .csv .png .tif"),
        (["convert", "gaussian:2", "k.npy", "--convention", "matlab"], "use one of centred, kernelgan, fkp"),
        (["convert", "gaussian:140", "k.npy", "--convention", "fkp", "-s", "100"], "at most 127x127"),
    ],
)
def test_a_kernel_that_cannot_be_used_is_exit_code_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("kernel", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_without_a_folder_is_exit_code_1(tmp_path):
    said = refused("kernel", "convert", "gaussian:2", tmp_path / "nowhere" / "k.npy", code=1)
    assert "nowhere/k.npy: cannot be written" in said


def test_an_existing_kernel_file_is_replaced_only_when_asked(tmp_path):
    target = tmp_path / "k.npy"
    target.write_bytes(b"mine")
    assert "exists; choose another name" in refused("kernel", "convert", "gaussian:2", target, code=1)
    assert target.read_bytes() == b"mine"
    assert innersr("kernel", "convert", "gaussian:2", target, "--overwrite").exit_code == 0
    assert load_kernel(target).shape == kernels.gaussian(2.0).shape


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings libgomp on Linux")
@pytest.mark.parametrize(
    ("environment", "count"),
    [({}, "5000"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
    ids=["unset", "set"],
)
def test_threads_that_wait_sleep_soon(environment, count):
    """libgomp tells what it read when PyTorch loaded it; spinning threads starve each other on a busy machine."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-m", "innersr", "doctor"],
        env={**others, **environment, "OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr) == [count]
