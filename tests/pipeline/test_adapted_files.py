"""What was learnt from one image, kept in a file, and applied to the next."""

import json
import pickle  # noqa: TID251 (its own)
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import torch

from helpers.methods import made
from innersr.blind.estimate import Candidate, Estimate, EstimatedRegion
from innersr.errors import CheckpointError, ImageFileError, InputError
from innersr.images.image import Image
from innersr.images.io import read
from innersr.inference.normalisation import normalise
from innersr.methods.options import UpscaleOptions
from innersr.methods.registry import METHODS
from innersr.methods.tailor import Tailor
from innersr.methods.upscalers.module import parts_of, with_run
from innersr.networks.checkpoints import load_checkpoint, save_checkpoint
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.physics.noise.counting import CountingNoise
from innersr.pipeline.adaptation import adapt_image
from innersr.pipeline.adapted_files import load_adaptation, save_adaptation
from innersr.pipeline.files import upscale
from innersr.pipeline.tasks import ImageTask
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
BLURRED = Degradation(scale=2, kernel=gaussian(1.5), noise=0.02)
KEPT = [name for name in METHODS if name != "singan"]
MIXTURE = Estimate(
    degradation=BLURRED,
    confidence="medium",
    jpeg_quality=80,
    mixture=(Candidate(BLURRED, 0.5), Candidate(Degradation(scale=2, noise=0.02), 0.3)),
)


def picture(height=32, width=40, seed=1, channels=3, depth="uint8"):
    generator = torch.Generator().manual_seed(seed)
    return Image(colour=torch.rand(1, channels, height, width, generator=generator), depth=depth)


def seen(image):
    return normalise(image, RUN, "auto")


def learnt(name, cause=BLURRED, image=None):
    return adapt_image(seen(image or picture()), cause, made(name), RUN)


def bytes_of(adaptation, image):
    return adaptation.apply(seen(image)).image.colour.numpy().tobytes()


@pytest.mark.parametrize("name", KEPT)
def test_what_was_kept_gives_the_same_bytes(tmp_path, name):
    adaptation, path = learnt(name), tmp_path / "camera.safetensors"
    save_adaptation(adaptation, path)
    loaded = load_adaptation(path, RUN)
    for other in (picture(), picture(20, 26, seed=2)):
        assert bytes_of(loaded, other) == bytes_of(adaptation, other)
    save_adaptation(loaded, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["tailor", "zssr", "bicubic"])
@pytest.mark.parametrize(
    "cause",
    [
        MIXTURE,
        replace(MIXTURE, mixture=(Candidate(MIXTURE.degradation, 1.0000000447034836),)),  # rounded in float32
        MIXTURE.with_given(counting=CountingNoise(gain=0.02, read=0.01)),
        Degradation(scale=(2, 3), counting=CountingNoise(gain=0.02), anchor="centre"),
        Degradation(scale=1.5, compression=0.3, wrap="x"),
    ],
)
def test_estimates_and_noise_are_kept_with_it(tmp_path, name, cause):
    adaptation, path = learnt(name, cause, picture(depth="uint16")), tmp_path / "camera.safetensors"
    save_adaptation(adaptation, path)
    loaded, other = load_adaptation(path, RUN), picture(24, 40, seed=2, depth="uint16")
    assert bytes_of(loaded, other) == bytes_of(adaptation, other)
    before, after = (each.apply(seen(other)) for each in (adaptation, loaded))
    assert after.degradation.noise == before.degradation.noise
    assert (after.estimate and after.estimate.summary) == (before.estimate and before.estimate.summary)


def test_noise_relative_to_the_range_is_kept_as_such(tmp_path):
    options = UpscaleOptions(kernel="bicubic", noise=10, method=made("tailor"))
    adaptation = ImageTask(image=picture(depth="uint16"), options=options).adapt(RUN)
    save_adaptation(adaptation, tmp_path / "a.safetensors")
    loaded, other = load_adaptation(tmp_path / "a.safetensors", RUN), picture(24, 40, seed=2, depth="uint16")
    assert bytes_of(loaded, other) == bytes_of(adaptation, other)
    assert loaded.apply(seen(other)).degradation.noise == pytest.approx(10 / 255)


@pytest.mark.parametrize("name", METHODS)
def test_upscalers_pickle_without_their_callbacks(name):
    run = replace(RUN, report=lambda _: None, cancelled=lambda: False)
    image = picture(22, 18)
    x, upscaler = image.colour, adapt_image(seen(image), BLURRED, made(name), run).upscaler
    again = pickle.loads(pickle.dumps(upscaler))  # noqa: S301 (its own)
    assert torch.equal(again(x), upscaler(x))
    assert again.run.report is None
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), upscaler.parameters(), strict=True))


def test_another_run_has_its_own_reports_and_the_same_weights():
    upscaler, reports = learnt("tailor", MIXTURE).upscaler, []
    other = with_run(upscaler, replace(RUN, report=reports.append))
    x = picture().colour
    assert torch.equal(other(x), upscaler(x))
    assert reports
    assert upscaler.run.report is None
    assert [p.data_ptr() for p in other.parameters()] == [p.data_ptr() for p in upscaler.parameters()]


def test_a_grey_page_is_upscaled_by_what_was_learnt_in_colour():
    for name in ("zssr", "mzsr", "tailor"):
        adaptation = learnt(name)
        grey = picture(seed=3, channels=1)
        result = adaptation.apply(seen(replace(grey, colour=grey.colour.expand(1, 3, -1, -1))))
        assert result.image.colour.shape == (1, 3, 64, 80)
        assert torch.equal(result.image.colour[:, 0], result.image.colour[:, 2])


@pytest.mark.parametrize("name", ["zssr", "mzsr"])
@pytest.mark.parametrize(("own", "other"), [(1, 3), (3, 5)])
def test_other_channels_are_refused(name, own, other):
    adaptation = learnt(name, image=picture(channels=own))
    with pytest.raises(InputError, match=f"trained on {own} channels, got {other}; learn anew"):
        adaptation.apply(seen(picture(channels=other)))


def test_an_image_of_several_parts_is_not_kept(tmp_path):
    cells = torch.tensor([[True, False]])
    cause = replace(MIXTURE, regions=(EstimatedRegion(MIXTURE, cells), EstimatedRegion(MIXTURE, ~cells)))
    adaptation = learnt("tailor", cause)
    assert len(list(parts_of(adaptation.upscaler))) == 7  # regions, two mixtures of two
    with pytest.raises(InputError, match="of several parts is for that image alone"):
        save_adaptation(adaptation, tmp_path / "camera.safetensors")


def files(tmp_path):
    """Two pictures of one camera."""
    from innersr.images.io import save

    for number in (1, 2):
        save(picture(seed=number), tmp_path / f"{number}.png")
    return tmp_path / "1.png", tmp_path / "2.png", tmp_path / "camera.safetensors"


def test_the_next_picture_goes_on_with_what_the_first_one_taught(tmp_path):
    first, second, kept = files(tmp_path)
    options = {"kernel": "gaussian:1.5", "method": made("tailor"), "run": RUN}
    upscale(first, save_adapted=kept, **options)
    learns = tmp_path / "own.png"
    upscale(second, output=learns, **options)
    result = upscale(second, adapted=kept, run=RUN)
    again = upscale(first, adapted=kept, output=tmp_path / "again.png", run=RUN)
    assert again.read_bytes() == (tmp_path / "1_x2.png").read_bytes()
    assert result.read_bytes() != learns.read_bytes()


def test_pages_and_frames_go_on_with_what_a_picture_taught(tmp_path, monkeypatch):
    first, second, kept = files(tmp_path)
    options = {"kernel": "gaussian:1.5", "method": made("tailor"), "run": RUN}
    upscale(first, save_adapted=kept, **options)
    for module in ("tasks", "films"):
        monkeypatch.setattr(f"innersr.pipeline.{module}.adapt_given", lambda *_: pytest.fail("it learnt anew"))
    pictures = [PIL.Image.open(path).convert("RGB") for path in (second, first)]
    pages, film = tmp_path / "pages.tif", tmp_path / "film.png"
    pictures[0].save(pages, save_all=True, append_images=pictures[1:])
    pictures[0].save(film, save_all=True, append_images=pictures[1:], duration=50)
    page = upscale(pages, adapted=kept, pages="1", run=RUN, output=tmp_path / "page.png")
    assert torch.equal(read(page).colour, read(tmp_path / "1_x2.png").colour)
    upscale(pages, adapted=kept, run=RUN)
    with PIL.Image.open(upscale(film, adapted=kept, run=RUN, steady=False)) as shown:
        shown.seek(1)
        frame = torch.from_numpy(np.array(shown.convert("RGB"))).permute(2, 0, 1)[None] / 255
    assert float((frame - read(page).colour).abs().max()) <= 1.01 / 255


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 3}, r"was learnt for scale 2, not 3; ask for 2 \(-s 2\), or learn anew"),
        ({"method": "zssr"}, "was learnt by tailor, not by zssr; leave the method out"),
        ({"kernel": gaussian(1.0), "noise": 0}, "cannot be combined with kernel and noise; leave that out"),
        ({"preset": "draft"}, "cannot be combined with preset"),
        ({"save_adapted": "other.safetensors"}, "cannot be combined with save_adapted"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, words):
    first, second, kept = files(tmp_path)
    upscale(first, save_adapted=kept, method=made("tailor"), kernel="bicubic", run=RUN)
    with pytest.raises(InputError, match=words):
        upscale(second, adapted=kept, run=RUN, **options)
    assert not (tmp_path / "2_x2.png").exists()


def test_a_place_that_cannot_be_written_is_refused_before_learning(tmp_path):
    first, _, kept = files(tmp_path)
    slow = Tailor(steps=10**6)
    with pytest.raises(InputError, match=r"--save-adapted writes a file NAME\.safetensors"):
        upscale(first, save_adapted=tmp_path / "camera.png", method=slow)
    kept.write_bytes(b"mine")
    with pytest.raises(ImageFileError, match="exists; choose another name"):
        upscale(first, save_adapted=kept, method=slow)
    assert kept.read_bytes() == b"mine"
    with pytest.raises(InputError, match="what singan learns is kept in no file"):
        upscale(first, save_adapted=tmp_path / "new.safetensors", method="singan")


CHANGES = {
    "method": "nosuch",
    "settings": {"steps": "many"},
    "channels": 0,
    "networks": [],
    "cause": {},
    "given": {"degradations": [], "estimate": None},
}


@pytest.mark.parametrize("key", CHANGES)
def test_damaged_headers_are_refused(tmp_path, key):
    path = tmp_path / "camera.safetensors"
    save_adaptation(learnt("tailor"), path)
    tensors, header = load_checkpoint(path)
    save_checkpoint(path, tensors, {**header, key: CHANGES[key]})
    with pytest.raises(CheckpointError, match=r"camera\.safetensors: is damaged"):
        load_adaptation(path, RUN)


def test_what_a_damaged_header_holds_is_not_printed_whole(tmp_path):
    path = tmp_path / "camera.safetensors"
    save_adaptation(learnt("zssr"), path)
    tensors, header = load_checkpoint(path)
    save_checkpoint(path, tensors, {**header, "settings": {**header["settings"], "network": [0] * 10_000}})
    with pytest.raises(CheckpointError, match="network must be one of auto") as caught:
        load_adaptation(path, RUN)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_numbers_that_no_degradation_has_are_refused(tmp_path):
    path = tmp_path / "camera.safetensors"
    save_adaptation(learnt("zssr", MIXTURE), path)
    tensors, header = load_checkpoint(path)
    text = json.dumps(header)
    for old, new in (('"noise": 0.02', '"noise": 2.0'), ("[[0, 0.5]", "[[7, 0.5]"), ("[[0, 0.5]", "[[0, 5.0]")):
        assert old in text
        save_checkpoint(path, tensors, json.loads(text.replace(old, new)))
        with pytest.raises(CheckpointError, match="is damaged"):
            load_adaptation(path, RUN)


def test_a_prior_is_no_adaptation(tmp_path):
    path = tmp_path / "camera.safetensors"
    tensors = {"x": torch.ones(1)}
    save_checkpoint(path, tensors, {"kind": "prior"})
    with pytest.raises(CheckpointError, match="is a checkpoint of kind prior, not adapted"):
        load_adaptation(path, RUN)
