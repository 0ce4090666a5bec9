"""Losses that are no numbers: what was learnt before comes back, learning goes on, and the result says so."""

from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, SMALL, image, made
from helpers.priors import prior_for
from innersr.blind.kernelgan import estimator
from innersr.blind.kernelgan.estimator import KernelGAN
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.methods import mzsr, tailor, zssr
from innersr.methods.mzsr import MZSR
from innersr.methods.options import UpscaleOptions
from innersr.physics.degradation import Degradation
from innersr.pipeline.adaptation import upscale_image
from innersr.pipeline.files import upscale_file
from innersr.singan.training import scale

DOUBLE = Degradation(scale=2)
LEARNERS = {
    "tailor": made("tailor", SMALL | {"refresh": "0"}, steps=30),
    "zssr": made("zssr", SMALL | {"refresh": "0"}, steps=30),
    "mzsr": MZSR(prior=prior_for("mzsr"), learning_rates=(1e-3,), steps=20),
    "mzsr of results": MZSR(prior=prior_for("mzsr"), father="sharpened", steps=20),
}
MODULES = {"tailor": (tailor, "super_resolve_padded"), "zssr": (zssr, "_enlarged")}


def picture(**values):
    return Image(colour=image(3, (48, 48)), **values)


def with_nan_at(monkeypatch, name, step):
    """Let the network's output be NaN at one call in learning."""
    module, function = MODULES.get(name, (None, "loss_of"))
    if module is None:
        from innersr.methods import maml

        places = [maml, mzsr]
    else:
        places = [module]
    given, calls = getattr(places[0], function), []

    def planted(*arguments, **named):
        calls.append(None)
        result = given(*arguments, **named)
        return result * torch.nan if len(calls) == step else result

    for place in places:
        monkeypatch.setattr(place, function, planted)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_loss_of_nan_costs_a_step_and_is_reported(monkeypatch, name):
    undisturbed = upscale_image(picture(), DOUBLE, LEARNERS[name], RUN)
    with_nan_at(monkeypatch, name, 12)
    result = upscale_image(picture(), DOUBLE, LEARNERS[name], RUN)
    assert result.notes == (
        *undisturbed.notes,
        "learning diverged once: the last sound weights were restored, and it went on at 0.1 of its rate",
    )
    assert float((result.image.colour - undisturbed.image.colour).abs().mean()) < 0.02
    assert "learning" not in " ".join(undisturbed.notes)


def test_kernelgan_and_singan_say_it_too(monkeypatch):
    notes, given, calls = [], estimator.gan_loss, []

    def planted(*arguments):
        calls.append(None)
        return given(*arguments) * (torch.nan if len(calls) == 170 else 1)

    monkeypatch.setattr(estimator, "gan_loss", planted)
    kernel = KernelGAN(steps=60, crop=40, learning_rate=5e-3, width=16)
    kernel.estimate(image(1, (48, 48)), 2, RUN, notes.append)
    assert [note.partition(":")[0] for note in notes] == [
        "learning diverged once"
    ]  # the discriminator; with its buffers
    singan, calls, loss = made("singan", engine="network"), [], scale.adversarial_loss

    def spoiled(*arguments):
        calls.append(None)
        return loss(*arguments) * (torch.nan if len(calls) == 3 else 1)

    monkeypatch.setattr(scale, "adversarial_loss", spoiled)
    result = upscale_image(Image(colour=image(3)), DOUBLE, singan, RUN)
    assert "learning diverged once" in " ".join(result.notes)
    assert bool(result.image.colour.isfinite().all())


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_a_rate_that_learning_cannot_bear_leaves_a_picture(name, rate):
    rates = {"learning_rates": (rate,)} if isinstance(LEARNERS[name], MZSR) else {"learning_rate": rate}
    result = upscale_image(picture(), DOUBLE, replace(LEARNERS[name], **rates), RUN)
    plain = upscale_image(picture(), DOUBLE, made("bicubic"), RUN).image.colour
    assert bool(result.image.colour.isfinite().all())
    assert float((result.image.colour - plain).abs().mean()) < 0.1
    assert "learning diverged" in " ".join(result.notes)


def test_a_result_that_is_no_number_is_interpolated():
    class Broken:
        def adapt(self, *_given):
            return lambda x: x.repeat_interleave(2, -1).repeat_interleave(2, -2) * torch.nan

    result = upscale_image(picture(), DOUBLE, Broken(), RUN)
    assert bool(result.image.colour.isfinite().all())
    assert "it holds NaN or infinite values" in result.notes[0]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_region_of_huge_values_leaves_finite_ones(tmp_path, name):
    values = picture(depth="float32")
    values.colour[..., 3:9, 3:9] = 3e37
    save(values, tmp_path / "in.tif")
    options = UpscaleOptions(method=LEARNERS[name], kernel="bicubic")
    result = upscale_file(tmp_path / "in.tif", tmp_path / "out.tif", options, RUN)
    assert bool(read(result.path).colour.isfinite().all())


def test_what_went_wrong_is_kept_with_what_was_learnt(tmp_path, monkeypatch):
    save(picture(), tmp_path / "in.png")
    with_nan_at(monkeypatch, "tailor", 5)
    options = UpscaleOptions(method=LEARNERS["tailor"], kernel="bicubic", save_adapted=tmp_path / "kept.safetensors")
    first = upscale_file(tmp_path / "in.png", tmp_path / "out.png", options, RUN)
    options = UpscaleOptions(adapted=tmp_path / "kept.safetensors")
    again = upscale_file(tmp_path / "in.png", tmp_path / "again.png", options, RUN)
    assert "learning diverged once" in first.notes[0]
    assert first.notes[0] in again.notes
