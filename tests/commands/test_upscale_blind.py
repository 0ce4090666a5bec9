"""Upscaling without being told what happened to the image: who finds it out, from what, and what becomes of it."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from helpers.cli import failed
from helpers.cli import upscale as upscale_command
from innersr.blind.estimate import Candidate, Estimate
from innersr.commands import upscale as commands
from innersr.errors import InputError
from innersr.examination import channels_of, examine_image
from innersr.images.image import Image
from innersr.inference.continuation import fill_unknown
from innersr.methods import options
from innersr.methods.baselines import BackProjection, Bicubic
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.resize import resize
from innersr.pipeline.adaptation import upscale_image
from innersr.pipeline.files import upscale
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
SIDES = (20, 24)  # pixels
KERNEL = gaussian(4.0, 1.0, math.radians(30))
NOISE = 2.55 / 255
SAID = "blur: 2.0x1.0 px at 30 deg, noise 2.5/255, confidence high"


@dataclass(frozen=True, kw_only=True)
class Spy:
    """A method that remembers what it was told, and interpolates."""

    told: list

    def adapt(self, _lr, degradation, _run):
        self.told.append(degradation)
        return degradation.upsample


@pytest.fixture
def noise_found():
    """Standard deviation of the noise that is found out."""
    return NOISE


@pytest.fixture
def examined(monkeypatch, noise_found):
    """Let the same be found out about every image; return what was examined: [(lr, scale)]."""
    calls = []

    def examine(lr, scale, _run=None, **_):
        calls.append((lr, scale))
        degradation = Degradation(scale=scale, kernel=KERNEL, noise=noise_found)
        return Estimate(degradation=degradation, confidence="high", jpeg_quality=None)

    monkeypatch.setattr("innersr.examination.examine", examine)
    return calls


@pytest.fixture
def unexaminable(monkeypatch):
    """Fail where an image is examined."""
    monkeypatch.setattr("innersr.examination.examine", lambda *_, **__: pytest.fail("the image was examined"))


@pytest.fixture
def told(monkeypatch):
    """Let the command take a method that notes the degradations which it is told."""
    degradations = []
    monkeypatch.setattr(options, "make_method", lambda *_: Spy(told=degradations))
    monkeypatch.setattr(commands, "settings_of", lambda _: {})
    return degradations


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder of its own that has photo.png."""
    monkeypatch.chdir(tmp_path)
    PillowImage.fromarray(levels()).save("photo.png")
    return tmp_path


def levels(white=255, dtype=np.uint8, bands=3, seed=0):
    noise = torch.rand(1, bands, 7, 8, generator=torch.Generator().manual_seed(seed))
    values = resize(noise, size=SIDES).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    return np.rint(values * white).astype(dtype).squeeze()


def done(*arguments):
    result = upscale_command(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


# The command


@pytest.mark.usefixtures("folder", "examined")
def test_one_line_for_each_file_says_what_was_found_out():
    PillowImage.fromarray(levels(seed=1)).save("other.png")
    said = done("photo.png", "other.png", "-m", "backprojection").splitlines()
    assert said[0] == f"photo.png: {SAID}"
    assert said[1].startswith("photo.png -> photo_x2.png  ")
    assert said[2] == f"other.png: {SAID}"
    assert said[3].startswith("other.png -> other_x2.png  ")
    assert said[-1].startswith("2 done in ") and len(said) == 8  # a table of two files between them


@pytest.mark.usefixtures("folder", "examined")
def test_the_reported_estimate_is_the_one_used():
    said = done("photo.png", "-m", "backprojection", "--noise", "30", "--jpeg", "60", "-o", "a.png").splitlines()[0]
    assert "noise 30.0/255, JPEG quality about 60" in said
    given = ["--noise", "30", "--jpeg", "60", "-o", "b.png", "--json"]
    record = json.loads(done("photo.png", "-m", "backprojection", *given))
    assert (record["noise"], record["estimate"]["noise"]) == (30, 2.55)  # what was used and what was found


@pytest.mark.usefixtures("folder", "unexaminable")
def test_interpolation_estimates_nothing():
    assert done("photo.png", "-m", "bicubic").startswith("photo.png -> ")
    record = json.loads(done("photo.png", "-m", "bicubic", "-o", "b.png", "--json"))
    assert (record["kernel"], record["estimate"], record["noise"]) == (None, None, 0)


@pytest.mark.usefixtures("folder", "examined")
def test_json_holds_what_was_found_out_in_the_record_alone():
    record = json.loads(done("photo.png", "-m", "backprojection", "--json"))
    assert (record["kernel"], record["noise"], record["keep_grain"]) == ("auto", 2.55, False)
    assert record["estimate"] == {
        "summary": SAID,
        "covariance": [3.25, 1.299, 1.75],
        "noise": 2.55,
        "counting": None,
        "jpeg_quality": None,
        "confidence": "high",
        "interpolated": 0.0,
        "regions": [],
    }


@pytest.mark.usefixtures("folder", "examined")
def test_quiet_does_not_print_the_estimate():
    assert done("photo.png", "-m", "bicubic", "--quiet") == ""


@pytest.mark.usefixtures("folder", "examined")
@pytest.mark.parametrize("noise_found", [0.0])
def test_what_was_found_out_does_what_the_kernel_of_that_name_would(folder):
    done("photo.png", "-m", "backprojection", "-o", "auto.png")
    done("photo.png", "-m", "backprojection", "--kernel", "gaussian:4,1,30deg", "-o", "given.png")
    assert (folder / "auto.png").read_bytes() == (folder / "given.png").read_bytes()


@pytest.mark.usefixtures("folder", "examined")
def test_an_estimate_does_what_its_kernel_and_noise_would(folder):
    done("photo.png", "-m", "backprojection", "-o", "auto.png")
    told = ["--kernel", "gaussian:4.0,1.0,30deg", "--noise", "2.55"]
    done("photo.png", "-m", "backprojection", *told, "-o", "given.png")
    auto, given = (np.asarray(PillowImage.open(folder / f"{name}.png"), dtype=int) for name in ("auto", "given"))
    assert np.abs(auto - given).max() <= 1  # level, of rounding: one kernel was measured and made again


@pytest.mark.usefixtures("folder", "unexaminable")
@pytest.mark.parametrize("kernel", ["bicubic", "gaussian:2.0"])
def test_a_given_kernel_is_taken_unexamined_and_its_noise_is_what_was_given(told, kernel):
    record = json.loads(done("photo.png", "--kernel", kernel, "--json"))
    done("photo.png", "--kernel", kernel, "--noise", "5.1", "--overwrite")
    assert (record["kernel"], record["estimate"], record["noise"]) == (kernel, None, 0)
    assert [degradation.noise for degradation in told] == [0, pytest.approx(0.02)]
    assert (told[0].kernel is None) == (kernel == "bicubic")


@pytest.mark.usefixtures("folder", "examined")
@pytest.mark.parametrize(("given", "noise"), [([], 2.55), (["--noise", "10.2"], 10.2), (["--noise", "0"], 0)])
def test_noise_that_is_given_outweighs_what_was_found_out(told, given, noise):
    record = json.loads(done("photo.png", *given, "--json"))
    assert told[0].noise == pytest.approx(noise / 255)
    torch.testing.assert_close(told[0].kernel, KERNEL, rtol=0, atol=1e-6)
    assert (record["noise"], record["estimate"]["noise"]) == (noise, 2.55)


@pytest.mark.usefixtures("folder", "examined")
def test_the_anchor_of_given_kernels_does_not_move_what_was_found_out(told):
    done("photo.png", "--anchor", "centre")
    assert told[0].offsets == pytest.approx(Degradation(scale=2, kernel=KERNEL).offsets)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "asked", "scales"),
    [
        (["-s", "3x2"], (2, 3), (2, 3)),
        (["-s", "1.7"], 1.7, (1.7, 1.7)),
        (["-s", "1.7", "--wrap", "x"], 1.7, (1.7, 41 / 24)),
        (["--wrap", "xy"], 2, (2, 2)),
        (["--size", "50x50!"], (50 / 20, 50 / 24), (50 / 20, 50 / 24)),
    ],
)
def test_an_image_is_examined_at_the_scale_that_was_asked_for_and_then_fitted(examined, told, arguments, asked, scales):
    done("photo.png", *arguments, "-o", "large.png")
    assert [scale for _, scale in examined] == [asked]
    assert told[0].scales == pytest.approx(scales)
    assert told[0].wrap == (arguments[-1] if "--wrap" in arguments else "")


@pytest.mark.usefixtures("folder", "unexaminable")
def test_nothing_is_examined_for_a_result_that_cannot_be_written():
    PillowImage.fromarray(levels(seed=1)).save("there.png")
    assert "there.png: exists" in failed("photo.png", "-o", "there.png")


@pytest.mark.usefixtures("examined")
def test_the_grain_is_put_back_when_asked_for(folder):
    done("photo.png", "-m", "backprojection", "--set", "steps=1", "-o", "clean.png")
    said = json.loads(done("photo.png", "-m", "backprojection", "--set", "steps=1", "--keep-grain", "--json"))
    assert said["keep_grain"] is True
    assert (folder / "clean.png").read_bytes() != (folder / "photo_x2.png").read_bytes()


# The library


def test_an_image_is_examined_at_the_scale_of_the_call_unless_its_degradation_is_given(examined):
    x, method = levels(), BackProjection()
    known = Estimate(degradation=Degradation(scale=3, kernel=KERNEL, noise=NOISE), confidence="high").given
    result = upscale(x, 3, method=method, run=RUN)
    assert [scale for _, scale in examined] == [3]
    assert np.array_equal(result, upscale(x, method=method, degradation=known, run=RUN))
    assert len(examined) == 1


def test_a_file_is_examined_once(tmp_path, examined):
    PillowImage.fromarray(levels()).save(tmp_path / "photo.png")
    assert upscale(tmp_path / "photo.png", 2, method=BackProjection(), run=RUN) == tmp_path / "photo_x2.png"
    assert len(examined) == 1


@pytest.mark.usefixtures("unexaminable")
@pytest.mark.parametrize("scale", [1, 0.5, math.nan])
def test_a_scale_that_does_not_enlarge_is_refused_before_the_image_is_examined(scale):
    with pytest.raises(InputError, match="scale must be above 1, got"):
        upscale(levels(), scale, run=RUN)
    with pytest.raises(InputError, match="scale must be above 1, got"):
        upscale_image(Image(colour=torch.rand(1, 3, 8, 8)), None, Bicubic(), RUN, scale=scale)


@pytest.mark.usefixtures("examined")
def test_a_result_holds_the_estimate_and_none_where_the_degradation_was_given():
    image = Image(colour=torch.rand(1, 3, *SIDES))
    found = upscale_image(image, None, Bicubic(), RUN, scale=3)
    assert found.estimate.summary == SAID
    assert found.degradation.scales == (3, 3) and found.degradation.noise == found.estimate.given.noise == NOISE
    assert upscale_image(image, Degradation(scale=3), Bicubic(), RUN).estimate is None


def test_an_estimate_can_be_made_first_and_changed(examined):
    image, seen = Image(colour=torch.rand(1, 3, *SIDES)), []
    estimate = examine_image(image, 1.7, RUN)
    seamless = replace(estimate, degradation=replace(estimate.degradation, wrap="x"))
    result = upscale_image(image, seamless, Spy(told=seen), RUN)
    assert len(examined) == 1
    assert result.estimate is seamless
    assert seen[0].scales == (1.7, 41 / 24) and result.image.colour.shape[-2:] == (34, 41)


def test_the_estimate_is_made_of_what_methods_see_of_a_narrow_range(examined):
    colour = torch.rand(1, 2, *SIDES) * 0.05 + 0.3
    image, seen = Image(colour=colour, depth="uint16"), []
    upscale_image(image, None, Spy(told=seen), RUN)
    lr, _ = examined[0]
    assert float(lr.max() - lr.min()) > 0.8
    assert torch.equal(lr, channels_of(image, RUN))
    assert seen[0].noise == pytest.approx(NOISE), "found out in what methods see, it is not stretched again"
    upscale_image(image, Degradation(scale=2, noise=NOISE), Spy(told=seen), RUN)
    assert seen[1].noise > 12 * NOISE


@pytest.mark.parametrize("alpha", ["auto", "same", "drop"])
def test_the_estimate_is_made_of_what_methods_see_of_transparent_images(examined, alpha):
    colour, opacity = torch.rand(1, 3, *SIDES), torch.rand(1, 1, *SIDES)
    opacity[..., :4] = 0
    image = Image(colour=colour, alpha=opacity, depth="uint8")
    examine_image(image, 2, RUN, alpha=alpha)
    expected = {"auto": fill_unknown(colour, opacity > 0), "same": torch.cat([colour, opacity], 1), "drop": colour}
    assert torch.equal(examined[0][0], expected[alpha])


@pytest.mark.usefixtures("examined")
def test_grain_is_kept_in_the_library_too_and_only_of_noise():
    x = levels()
    smooth, grainy = (upscale(x, method=BackProjection(steps=1), run=RUN, keep_grain=kept) for kept in (False, True))
    assert not np.array_equal(smooth, grainy)
    ideal = Degradation(scale=2)
    first, second = (
        upscale(x, method=Bicubic(), degradation=ideal, run=RUN, keep_grain=kept) for kept in (False, True)
    )
    assert np.array_equal(first, second)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("options", "share"), [([], 0.5), (["--deblur", "1"], 0), (["--kernel", "estimate"], 0)])
def test_the_line_says_what_is_interpolated_after_the_options(monkeypatch, options, share):
    found = Degradation(scale=2, kernel=KERNEL)
    mixture = (Candidate(Degradation(scale=2), 0.3), Candidate(found, 0.2))
    estimate = Estimate(degradation=found, confidence="low", mixture=mixture)
    monkeypatch.setattr("innersr.examination.examine", lambda *_, **__: estimate)
    record = json.loads(done("photo.png", "-m", "backprojection", "--json", *options))
    assert record["estimate"]["interpolated"] == share
    assert ("interpolated" in record["estimate"]["summary"]) == (share > 0)
