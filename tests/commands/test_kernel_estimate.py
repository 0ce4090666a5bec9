"""`innersr kernel estimate` and the comparison of two kernels, as a user meets them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from typer.testing import CliRunner

from innersr.blind.estimate import Candidate, Estimate
from innersr.cli.app import app
from innersr.commands import kernel as kernel_commands
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.kernel_files import load_kernel, save_kernel

DARKEST, ELLIPSE = (5, 48, 97), (240, 110, 20)  # colours of the drawing
KERNEL = kernels.gaussian(4.0, 1.0, math.radians(30))
SAID = "blur: 2.0x1.0 px at 30 deg, noise 2.6/255, JPEG quality about 70, confidence medium"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder of its own that has photo.png."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    PillowImage.fromarray(pixels).save("photo.png")
    return tmp_path


@pytest.fixture
def examined(monkeypatch):
    """Let the same be found out about every image, and return the scales that it was examined at."""
    scales = []

    def examine(_lr, scale, _run=None, **_):
        scales.append(scale)
        degradation = Degradation(scale=scale, kernel=KERNEL, noise=0.01)
        return Estimate(degradation=degradation, confidence="medium", jpeg_quality=70)

    monkeypatch.setattr("innersr.examination.examine", examine)
    return scales


def found(monkeypatch, degradation, confidence="high"):
    estimate = Estimate(degradation=degradation, confidence=confidence)
    monkeypatch.setattr("innersr.examination.examine", lambda *_, **__: estimate)


def kernel_command(*arguments):
    result = CliRunner().invoke(app, ["kernel", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def done(*arguments):
    result = kernel_command(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(*arguments, code=2):
    before = sorted(path.name for path in Path.cwd().iterdir())
    result = kernel_command(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert sorted(path.name for path in Path.cwd().iterdir()) == before
    return result.stderr


def pixels_of(name):
    return np.asarray(PillowImage.open(name)).astype(int)


def holds(pixels, colour, slack=30):
    return bool((np.abs(pixels - np.array(colour)).max(-1) < slack).any())


@pytest.mark.usefixtures("examined")
def test_the_kernel_is_described_sketched_written_and_drawn():
    said = done("estimate", "photo.png", "-o", "kernel.npy", "--plot", "kernel.png").splitlines()
    assert said[0] == f"photo.png: {SAID}"
    assert [len(line) for line in said[1:]] == [2 * KERNEL.shape[1]] * KERNEL.shape[0]
    assert torch.equal(load_kernel("kernel.npy"), Degradation(scale=2, kernel=KERNEL).kernel)
    assert holds(pixels_of("kernel.png"), DARKEST) and holds(pixels_of("kernel.png"), ELLIPSE)


@pytest.mark.parametrize(("given", "scale"), [([], 2), (["-s", "3"], 3), (["--scale", "2x1.5"], (1.5, 2))])
def test_the_scale_is_what_the_image_is_examined_at(examined, given, scale):
    said = json.loads(done("estimate", "photo.png", *given, "--json"))
    assert examined == [scale]
    assert said["scale"] == list(Degradation(scale=scale).scales[::-1])


def test_nothing_is_said_to_be_interpolated(monkeypatch):
    degradation = Degradation(scale=2, kernel=KERNEL)
    doubtful = Estimate(degradation=degradation, confidence="low", mixture=(Candidate(degradation, 0.64),))
    assert "36 % interpolated" in doubtful.summary
    monkeypatch.setattr(kernel_commands, "examine_image", lambda *_, **__: doubtful)
    assert json.loads(done("estimate", "photo.png", "--json"))["summary"] == doubtful.believed().summary
    assert "interpolated" not in done("estimate", "photo.png")


@pytest.mark.usefixtures("examined")
def test_json_holds_the_kernels_measures_and_all_that_was_found_out():
    said = json.loads(done("estimate", "photo.png", "-o", "k.mat", "--json"))
    assert (said["kernel"], said["method"], said["output"], said["summary"]) == ("photo.png", "fast", "k.mat", SAID)
    assert (said["noise"], said["jpeg_quality"], said["confidence"]) == (2.55, 70, "medium")
    assert said["variances"] == pytest.approx([4, 1], rel=1e-3)
    assert said["covariance"] == pytest.approx([3.25, 1.299, 1.75], abs=1e-3)
    assert said["size"] == list(KERNEL.shape) and 0 <= said["seconds"] < 60


def test_an_image_that_was_only_shrunk_has_the_kernel_of_shrinking(monkeypatch):
    found(monkeypatch, Degradation(scale=2))
    assert done("estimate", "photo.png", "-o", "k.npy").startswith("photo.png: blur: none beyond shrinking, noise 0.0")
    folded = Degradation(scale=2).effective_kernel().kernel
    assert torch.allclose(load_kernel("k.npy"), folded)
    found(monkeypatch, Degradation(scale=1.5))
    said = refused("estimate", "photo.png", "-s", "1.5", code=1)
    assert "nothing but shrinking was found, estimate at a whole --scale" in said


def test_a_kernel_that_belongs_to_bicubic_subsampling_has_that_folded_in(monkeypatch):
    both = Degradation(scale=2, kernel=kernels.gaussian(1.0), subsampling="bicubic")
    found(monkeypatch, both)
    done("estimate", "photo.png", "-o", "k.npy")
    x = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    again = Degradation(scale=2, kernel=load_kernel("k.npy"))
    inner = (..., slice(6, -6), slice(6, -6))  # folded, the border is extended once, not twice
    assert torch.allclose(again.forward(x)[inner], both.forward(x)[inner], rtol=0, atol=2e-6)


def test_kernelgan_is_given_what_methods_see_the_scale_and_the_run(monkeypatch):
    given = []

    class KernelGAN:
        def estimate(self, lr, scale, run, _note):
            given.append((lr, scale, run))
            return Degradation(scale=scale, kernel=KERNEL)

    monkeypatch.setattr(kernel_commands, "KernelGAN", KernelGAN)
    monkeypatch.setattr("innersr.examination.examine", lambda *_, **__: pytest.fail("the image was examined"))
    circumstances = ["--seed", "7", "--device", "cpu", "--time-limit", "30"]
    said = done("estimate", "photo.png", "--method", "kernelgan", "-s", "4", *circumstances, "-o", "k.txt")
    assert said.startswith("photo.png: blur: 2.0x1.0 px at 30 deg, as KernelGAN sees it\n")
    ((lr, scale, run),) = given
    assert torch.equal(lr, torch.from_numpy(pixels_of("photo.png") / 255).float().permute(2, 0, 1)[None])
    assert (scale, run.seed, run.device, run.time_limit) == (4, 7, "cpu", 30)
    assert torch.allclose(load_kernel("k.txt"), KERNEL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "gan"], "method must be one of fast, kernelgan, got 'gan'"),
        (["-o", "k.jpg"], "k.jpg: kernels are written as .mat .npy .txt .csv .png .tif"),
        (["-o", "nowhere/k.npy"], "nowhere/k.npy: cannot be written, as the folder nowhere does not exist"),
        (["-o", "photo.png"], "photo.png: is another file of this command"),
        (["-o", "k.png", "--plot", "./k.png"], "k.png: is another file of this command"),
        (["-s", "1"], "scale must be a number from above 1"),
        (["--time-limit", "0"], "time limit must be a positive number"),
    ],
)
def test_what_cannot_work_is_refused_before_the_image_is_read(monkeypatch, arguments, message):
    monkeypatch.setattr(kernel_commands, "read_with_no_data", lambda *_: pytest.fail("the image was read"))
    code = 1 if "does not exist" in message else 2
    assert message in refused("estimate", "photo.png", *arguments, code=code)


@pytest.mark.usefixtures("examined")
def test_files_are_replaced_only_when_asked():
    done("estimate", "photo.png", "-o", "k.npy", "--plot", "p.png")
    assert "k.npy: exists; choose another name" in refused("estimate", "photo.png", "-o", "k.npy", code=1)
    assert "p.png: exists" in refused("estimate", "photo.png", "--plot", "p.png", code=1)
    done("estimate", "photo.png", "-o", "k.npy", "--plot", "p.png", "--overwrite")


def test_an_image_too_small_for_kernelgan_is_named():
    PillowImage.new("RGB", (40, 31)).save("small.png")
    said = refused("estimate", "small.png", "--method", "kernelgan", code=1)
    assert "small.png: KernelGAN needs at least 32x32 pixels, the image has 40x31" in said


def test_a_missing_image_is_exit_code_1():
    assert "missing.png: no such file" in refused("estimate", "missing.png", code=1)


# Two kernels


def test_two_kernels_are_shown_by_their_measures_and_their_difference():
    said = done("show", "gaussian:4,1,30deg", "gaussian:4,1,75deg").splitlines()
    assert said[1] == "variances 4.000 x 1.000 px^2 at 30 deg"
    assert said[3] == "covariance xx 3.250, xy 1.299, yy 1.750 px^2"
    assert said[4].startswith("gaussian:4,1,75deg: ") and said[5].endswith(" at 75 deg")
    assert said[8] == "angle between the long axes 45 deg"
    assert said[9].startswith("centred: kernel PSNR ")
    first, second = said[len(said) // 2 + 5].split(" | ")
    assert len(first) == len(second) and first != second


def test_two_kernels_are_compared_as_json_wherever_they_lie():
    save_kernel(torch.nn.functional.pad(KERNEL, (4, 0, 0, 2)), "moved.npy")
    said = json.loads(done("show", "moved.npy", "gaussian:4,1,30deg", "--json"))
    assert [record["kernel"] for record in said["kernels"]] == ["moved.npy", "gaussian:4,1,30deg"]
    assert said["angle_difference_degrees"] == pytest.approx(0, abs=1e-3)
    assert said["psnr"] is None and said["correlation"] == pytest.approx(1)  # null stands for infinity
    assert "angle between the long axes none (one is round)" in done("show", "gaussian:2", "gaussian:4,1,0")
    same = json.loads(done("show", "gaussian:2", "gaussian:2", "--json"))
    assert same["kernels"][0]["covariance"] == pytest.approx([2, 0, 2], abs=1e-3)


def test_two_kernels_are_drawn_side_by_side_with_their_difference():
    done("show", "gaussian:4,1,30deg", "gaussian:1", "--plot", "both.png")
    done("show", "gaussian:4,1,30deg", "--plot", "one.png")
    both, one = pixels_of("both.png"), pixels_of("one.png")
    third = both.shape[1] // 3
    assert both.shape[1] > 2.5 * one.shape[1]
    assert holds(both[:, :third], ELLIPSE) and holds(both[:, third : 2 * third], ELLIPSE)
    rest = both[:, 2 * third :]
    assert (rest[..., 0] - rest[..., 2] > 60).any()  # red
