"""`learn_picture`: the same model from whatever holds the picture, and found again in its folder."""

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

import innersr
from helpers.singan import RUN, TINY
from innersr.images.image import Image
from innersr.methods.registry import METHOD_PRESETS
from innersr.singan.learn import make_settings
from innersr.singan.settings import SINGAN_PRESETS, SinGAN

LEVELS = (torch.rand(20, 24, 3, generator=torch.Generator().manual_seed(2)) * 255).byte().numpy()


def learned(x, **others):
    return innersr.learn_picture(x, TINY, run=RUN, **others)


def sample(model):
    return model.sample(run=RUN)


@pytest.fixture(scope="module")
def expected():
    """Return a sample of what is learned of LEVELS."""
    return sample(learned(LEVELS))


@pytest.mark.parametrize("kind", ["path", "name", "image", "pil", "tensor", "list"])
def test_whatever_holds_the_picture_is_learnt(kind, tmp_path, expected):
    pil = PillowImage.fromarray(LEVELS)
    pil.save(tmp_path / "a.png")
    planes = torch.from_numpy(LEVELS).permute(2, 0, 1).float() / 255
    given = {
        "path": tmp_path / "a.png",
        "name": str(tmp_path / "a.png"),
        "image": Image(colour=planes[None]),
        "pil": pil,
        "tensor": planes,
        "list": [LEVELS],
    }
    assert torch.equal(sample(learned(given[kind])), expected)


def test_several_pictures_are_one_subject():
    model = learned([LEVELS, LEVELS[:, ::-1]])
    assert len(model.sizes) == 2
    assert model.is_complete


def test_the_model_is_found_in_its_folder(tmp_path, expected):
    learned(LEVELS, folder=tmp_path / "model")
    assert torch.equal(sample(innersr.load_picture_model(tmp_path / "model", RUN)), expected)
    with pytest.raises(innersr.InputError, match="holds this model already"):
        learned(LEVELS, folder=tmp_path / "model")
    assert torch.equal(sample(learned(LEVELS, folder=tmp_path / "model", resume=True)), expected)
    assert torch.equal(sample(learned(LEVELS, folder=tmp_path / "model", overwrite=True)), expected)


def test_what_holds_no_picture_is_refused(tmp_path):
    with pytest.raises(innersr.InputError, match="one image at least"):
        learned([])
    with pytest.raises(innersr.InputError, match="a dict"):
        learned({})
    with pytest.raises(innersr.ImageFileError, match="no such file"):
        learned(tmp_path / "none.png")
    with pytest.raises(innersr.InputError, match="unknown preset 'slow'"):
        innersr.learn_picture(LEVELS, "slow")
    with pytest.raises(innersr.InputError, match="smaller than the coarsest scale"):
        innersr.learn_picture(np.zeros((20, 24), np.uint8))


@pytest.mark.parametrize("preset", SINGAN_PRESETS)
def test_presets_are_settings(preset):
    assert make_settings(preset) == SinGAN(**SINGAN_PRESETS[preset])


def test_singan_has_the_preset_names_of_the_other_methods():
    assert {name for presets in METHOD_PRESETS.values() for name in presets if "-" not in name} == set(SINGAN_PRESETS)
    assert make_settings() == make_settings("balanced")
    assert [make_settings(name).iterations for name in SINGAN_PRESETS] == [150, 500, 1500, 2000]


def test_the_former_name_of_a_preset_is_understood_with_a_warning():
    with pytest.warns(DeprecationWarning, match="'fast' of singan is called 'balanced' now"):
        assert make_settings("fast") == make_settings("balanced")


def test_settings_are_read_from_text():
    given = {"iterations": "7", "noise": "0.2", "critic_norm": "no", "rescaling": "consingan"}
    changed = make_settings("paper", {**given, "block_widths": "32,64,128,256,512"})
    assert changed == SinGAN(
        iterations=7, noise=0.2, critic_norm=False, rescaling="consingan", block_widths=(32, 64, 128, 256, 512)
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"colour": "red"}, "singan has no setting 'colour'; it has min_size"),
        ({"block_widths": "1.5"}, "setting block_widths takes whole numbers separated by commas, got '1.5'"),
        ({"block_widths": "1,2"}, "block_widths must be 5 numbers"),
        ({"iterations": "0"}, "iterations, critic_steps"),
    ],
)
def test_wrong_settings_are_refused(setting, said):
    with pytest.raises(innersr.InputError, match=said):
        make_settings("balanced", setting)
