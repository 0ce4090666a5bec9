"""Model folders: what was learned comes back to the byte; what is damaged, foreign or another's is refused."""

import dataclasses
import hashlib
import json
import os
import resource
import shutil
from pathlib import Path

import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import CheckpointError, InnersrError, InputError
from innersr.networks.checkpoints import load_checkpoint, save_checkpoint
from innersr.singan.fit import fit
from innersr.singan.folder import log as journal
from innersr.singan.folder.reading import LOG, MODEL, SETTINGS, STATE, load_folder, load_model
from innersr.singan.folder.record import MAX_CHANNELS, Record, parse_record, picture_digest
from innersr.singan.folder.writing import ModelFolder, resume
from innersr.singan.pictures import PictureSource
from innersr.singan.training import scale as learning

CPU = torch.device("cpu")
QUICK = tiny(scales=2, iterations=2)
SOURCE = PictureSource(bands=2, depth="uint16", alpha="learnt", ranges=((0, 1.5), (-3.25, 9)), icc=b"\0profile\xff")


@pytest.fixture(autouse=True, scope="module")
def sooner():
    """Finish scales sooner."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(learning, "CALIBRATIONS", 3)
        yield


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Return a folder with a complete model, "whole", and an unfinished one, "part"."""
    path = tmp_path_factory.mktemp("originals")
    fit([picture()], QUICK, RUN, folder=ModelFolder(path=path / "whole", source=SOURCE))
    fit([picture()], QUICK, RUN, folder=ModelFolder(path=path / "part", source=SOURCE), should_stop=stop_after(3))
    return path


@pytest.fixture
def whole(originals, tmp_path):
    return shutil.copytree(originals / "whole", tmp_path / "whole")


@pytest.fixture
def part(originals, tmp_path):
    return shutil.copytree(originals / "part", tmp_path / "part")


def stop_after(count):
    correction = iter([False] * (count - 1) + [True] * 100)
    return lambda: next(correction)


def learn(path, settings=QUICK, run=RUN, source=SOURCE, overwrite=False, shown=None, **others):
    folder = ModelFolder(path=path, source=source, overwrite=overwrite)
    return fit([picture() if shown is None else shown], settings, run, folder=folder, **others)


def rewrite(file, tensors=None, **header):
    """Write a checkpoint once more with some tensors or parts of its header changed; None leaves one out."""
    loaded = load_checkpoint(file)
    changed = {name: tensor for name, tensor in (loaded.tensors | (tensors or {})).items() if tensor is not None}
    save_checkpoint(file, changed, loaded.header | header)


def edit(path, **changes):
    """Change values of a settings.json, and of what refers to it nothing."""
    file = path / SETTINGS
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refusal(act, error=CheckpointError):
    with pytest.raises(error) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def strides_of(model):
    return [tensor.stride() for scale in model.scales for pair in scale.layers for tensor in pair]


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


# What comes back


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("others", [{}, {"block_widths": (4, 6, 8, 6, 4)}, {"doubling": 1}], ids=str)
def test_samples_of_a_loaded_model_have_the_same_bytes(tmp_path, channels, others):
    settings = dataclasses.replace(QUICK, iterations=1, matching=1, **others)
    model = fit([picture(channels), picture(channels, (18, 21))], settings, RUN, folder=tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    bare = [dataclasses.replace(one, scales=(), pictures=()).__dict__ for one in (loaded, model)]
    assert bare[0] == bare[1]
    assert all(torch.equal(a, b) for a, b in zip(loaded.pictures, model.pictures, strict=True))
    assert torch.equal(loaded.sample(2, size=(31, 17)), model.sample(2, size=(31, 17)))
    assert torch.equal(loaded.reconstruct(picture=1), model.reconstruct(picture=1))
    assert strides_of(loaded) == strides_of(model)


def test_weights_are_stored_in_float32(whole):
    assert {tensor.dtype for tensor in load_checkpoint(whole / MODEL, "picture").tensors.values()} == {torch.float32}


def test_a_folder_knows_what_it_holds(whole):
    saved = load_folder(whole)
    assert saved.record.source == SOURCE
    assert saved.record.settings == QUICK and saved.record.seed == RUN.seed
    assert saved.record.pictures[0].sha256 == picture_digest(picture())
    assert torch.equal(saved.pictures[0], picture())  # 24 pixels are no more than the max_size of the tiny settings
    assert sorted(contents(whole)) == [MODEL, SETTINGS, LOG]


def test_the_settings_are_for_people_to_read(whole):
    text = (whole / SETTINGS).read_text()
    lines = text.splitlines()
    assert '    "iterations": 2,' in lines and '  "seed": 3,' in lines and '    "depth": "uint16",' in lines
    assert '  "sizes": [[[11, 14], [20, 24]]],' in lines
    assert len(lines) < 60


def test_the_digest_of_a_picture_depends_on_its_values_and_its_shape():
    one = picture(1, (2, 6))
    assert picture_digest(one) == hashlib.sha256(b"1x1x2x6" + one.numpy().tobytes()).hexdigest()
    assert len({picture_digest(x) for x in (one, one.reshape(1, 1, 3, 4), one + 1e-6)}) == 3
    assert picture_digest(one.transpose(2, 3).contiguous().transpose(2, 3)) == picture_digest(one)


def test_settings_that_were_unknown_when_a_folder_was_written_have_their_defaults(tmp_path, monkeypatch):
    as_text = Record.as_text

    def older(record):
        values = json.loads(as_text(record))
        del values["settings"]["pool_steps"]
        return json.dumps(values)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "as_text", older)
        learn(tmp_path / "old")
    assert load_folder(tmp_path / "old").record.settings == QUICK
    assert load_model(tmp_path / "old").is_complete


# An unfinished model


def test_an_unfinished_model_says_how_far_it_is(part):
    text = refusal(lambda: load_model(part), InputError)
    assert text == (
        f"{part}: 1 of 2 scales are trained; finish the training first, the same command with --resume continues it"
    )
    assert len(load_folder(part).model.scales) == 1


def test_a_state_that_is_gone_is_missed(part):
    (part / STATE).unlink()
    assert "no such file, so the training cannot go on" in refusal(lambda: learn(part, resume=True))


# A folder of something else


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"settings": dataclasses.replace(QUICK, iterations=9)}, "holds a model with iterations=2, not 9; "),
        ({"settings": dataclasses.replace(QUICK, noise=0, width=5)}, "with width=4, not 5, with noise=0.1, not 0; "),
        ({"run": dataclasses.replace(RUN, seed=4)}, "with seed=3, not 4; "),
        ({"run": dataclasses.replace(RUN, precision="bf16")}, "with precision=float32, not bfloat16; "),
        (
            {"shown": picture(seed=9)},
            f"picture (24x20 of SHA-256 {picture_digest(picture())[:12]}, not 24x20 of SHA",
        ),
        ({"source": dataclasses.replace(SOURCE, depth="uint8")}, "of images that differ in depth; "),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_folder_refuses_another_picture_and_other_settings(whole, others, message, resume):
    before = contents(whole)
    text = refusal(lambda: learn(whole, **others, resume=resume), InputError)
    assert text.startswith(f"{whole}: holds a model ") and message in text and text.endswith("--overwrite")
    assert contents(whole) == before


def test_a_folder_is_replaced_with_overwrite(whole, tmp_path):
    settings = dataclasses.replace(QUICK, iterations=1)
    learn(whole, settings, overwrite=True)
    learn(tmp_path / "new", settings)
    assert {**contents(whole), LOG: b""} == {**contents(tmp_path / "new"), LOG: b""}


def test_the_same_model_is_not_begun_again_by_mistake(part):
    assert "holds this model already; --resume continues it" in refusal(lambda: learn(part), InputError)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("names", [["photo.png"], ["photo.png", SETTINGS], ["photo.png", MODEL]])
def test_a_folder_with_files_of_others_is_left_alone(tmp_path, names, overwrite):
    for name in names:
        (tmp_path / name).write_text("{}")
    before = contents(tmp_path)
    text = refusal(lambda: learn(tmp_path, overwrite=overwrite), InnersrError)
    assert "holds other files (photo.png)" in text or (SETTINGS in text and not overwrite)
    assert contents(tmp_path) == before


def test_a_folder_in_which_a_first_training_was_killed_takes_the_next(tmp_path):
    (tmp_path / ".innersr-1-0123456789abcdef.part").write_bytes(b"half a model")
    assert learn(tmp_path).is_complete
    assert sorted(contents(tmp_path)) == [MODEL, SETTINGS, LOG]


def test_files_beside_a_model_outlive_it(whole):
    (whole / "preview.png").write_bytes(b"x")
    learn(whole, overwrite=True)
    assert (whole / "preview.png").exists() and load_model(whole).is_complete


def test_a_part_of_a_model_is_replaced_only_with_overwrite(whole):
    (whole / SETTINGS).unlink()
    assert "holds a part of a model" in refusal(lambda: learn(whole), InputError)
    learn(whole, overwrite=True)
    assert load_model(whole).is_complete


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot be a model folder" in refusal(lambda: learn(tmp_path / "file"), InputError)
    assert "No such file or directory" in refusal(lambda: learn(tmp_path / "none" / "model"), InputError)
    assert "holds no model (no settings.json)" in refusal(lambda: load_model(tmp_path))
    assert "none: no such file or folder" in refusal(lambda: load_model(tmp_path / "none"))


def test_a_full_disk_leaves_the_old_model(part, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    before = contents(part)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "cannot be written (No space left on device)" in refusal(lambda: learn(part, resume=True))
    assert contents(part) == before
    assert learn(part, resume=True).is_complete


def test_more_channels_than_a_folder_may_have_are_refused(tmp_path):
    shown = torch.zeros(1, MAX_CHANNELS + 1, 12, 12)
    assert "1 to 1024 channels, got 1025" in refusal(lambda: learn(tmp_path, source=None, shown=shown), InputError)


# Damage


@pytest.mark.parametrize("name", [SETTINGS, MODEL, STATE])
def test_a_damaged_bit_is_refused_or_changes_nothing_but_numbers(part, name):
    """A bit of a weight gives another weight; all that says what the numbers are is believed as it was, or refused."""
    file, data = part / name, (part / name).read_bytes()
    original = resume(part, load_folder(part).record, CPU)
    text_end = len(data) if name == SETTINGS else 8 + int.from_bytes(data[:8], "little")
    draws, refused = torch.Generator().manual_seed(5), 0
    for _ in range(80):
        at, bit = (int(torch.randint(most, (), generator=draws)) for most in (text_end, 8))
        file.write_bytes(data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :])
        try:
            saved, state = resume(part, load_folder(part).record, CPU)
        except CheckpointError as error:
            assert str(error).startswith(f"{part}") and str(error).isprintable()
            refused += 1
            continue
        # Spaces between the parts of a JSON text may change without a consequence.
        assert state == original[1] and [s.amplitude for s in saved.model.scales] == [
            s.amplitude for s in original[0].model.scales
        ]
        assert dataclasses.replace(saved.record, versions={}) == dataclasses.replace(original[0].record, versions={})
    assert refused > 60


@pytest.mark.parametrize("name", [SETTINGS, MODEL, STATE])
def test_files_that_are_cut_short_are_refused(part, name):
    data, record = (part / name).read_bytes(), load_folder(part).record
    for length in range(0, len(data) - 2, max(1, len(data) // 23)):
        (part / name).write_bytes(data[:length])
        assert str(part / name) in refusal(lambda: resume(part, record, CPU))


@pytest.mark.parametrize(
    ("tensors", "header", "message"),
    [
        ({"scales.0.1.bias": None}, {}, "lacks 'scales.0.1.bias'"),
        ({"scales.1.0.bias": torch.zeros(4)}, {}, "has unexpected 'scales.1.0.bias'"),
        ({"scales.0.1.bias": torch.zeros(5)}, {}, "has of wrong shape 'scales.0.1.bias (5,) not (4,)'"),
        ({"scales.0.1.bias": torch.full((4,), torch.nan)}, {}, "NaN or infinite values in 'scales.0.1.bias'"),
        ({"scales.0.1.bias": torch.zeros(4, dtype=torch.int8)}, {}, "has of wrong type 'scales.0.1.bias'"),
        ({"pictures.0": torch.zeros(1, 3, 20, 23)}, {}, "wrong shape 'pictures.0 (1, 3, 20, 23) not (1, 3, 20, 24)'"),
        ({}, {"amplitudes": [1.0, 1.0, 1.0]}, "no amplitudes"),
        ({}, {"amplitudes": [-1.0]}, "are not numbers"),
        ({}, {"amplitudes": ["x"]}, "are not numbers"),
        ({}, {"amplitudes": None}, "no amplitudes"),
        ({}, {"record": "0"}, "does not belong to the settings.json beside it"),
        ({}, {"kind": "training"}, "is a checkpoint of kind training, not picture"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_that_does_not_fit_its_settings_is_refused(part, tensors, header, message):
    rewrite(part / MODEL, tensors, **header)
    text = refusal(lambda: load_folder(part))
    assert text.startswith(f"{part / MODEL}: ") and message in text


@pytest.mark.parametrize(
    ("tensors", "header", "message"),
    [
        ({"generator._convolutions.0.weight": None}, {}, "lacks 'generator._convolutions.0.weight'"),
        ({"adam.0.0.exp_avg": None}, {}, "lacks 'adam.0.0.exp_avg'"),
        ({"adam.1.0.exp_avg_sq": torch.zeros(3)}, {}, "wrong shape 'adam.1.0.exp_avg_sq (3,)"),
        ({"adam.9.0.step": torch.zeros(())}, {}, "unexpected 'adam.9.0.step'"),
        ({"generator._norms.0.num_batches_tracked": torch.zeros(())}, {}, "wrong type"),
        ({}, {"scale": 2}, "is damaged (scale 2, iteration 1)"),
        ({}, {"scale": -1}, "is damaged"),
        ({}, {"iteration": 3}, "is damaged"),
        ({}, {"iteration": True}, "is damaged"),
        ({}, {"seconds": None}, "is damaged"),
        ({}, {"record": None}, "does not belong"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_state_that_does_not_fit_its_model_is_refused(part, tensors, header, message):
    rewrite(part / STATE, tensors, **header)
    text = refusal(lambda: learn(part, resume=True))
    assert text.startswith(f"{part / STATE}: ") and message in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "made by a newer innersr (format 2); update innersr"),
        ({"format": True}, "it has no format"),
        ({"seed": 3.0}, "Expected `int`, got `float` - at `$.seed`"),
        ({"seed": True}, "Expected `int`, got `bool` - at `$.seed`"),
        ({"device": "cpu\n"}, "texts must be printable"),
        ({"versions": {"torch": "x" * 201}}, "texts must be printable"),
        ({"seed": -1}, "seeds are from 0"),
        ({"extra": 1}, "unknown field 'extra'"),
        ({"channels": 4}, "the source has 3 channels, the pictures have 4"),
        ({"sizes": [[[11, 14], [20]]]}, "Expected `array` of length 2, got 1 - at `$.sizes[0][1]`"),
        ({"sizes": [[[11, 14], [0, 24]]]}, "scales have 1 to"),
        ({"sizes": [[[11, 14], [20, 10**12]]]}, "scales have 1 to"),
        ({"sizes": [[[11, 14]] * 257]}, "as many scales, from 1 to 256"),
        ({"sizes": []}, "sizes for each picture, got 0 of 1"),
        ({"settings": {"width": 10**9}}, "widths must be from 1 to 1024"),
        ({"settings": {"width": "4"}}, "Expected `int`, got `str` - at `$.settings.width`"),
        ({"settings": {"noise": 10**400}}, "is damaged (Number out of range - at `$.settings.noise`)"),
        ({"crop_asked": 5}, "crop must be 0 or at least 11"),
        ({"settings": {"wdth": 4}}, "unknown field 'wdth'"),
        ({"source": {"bands": 3, "icc": "*"}}, "is damaged"),
        ({"source": {"bands": 3, "depth": "int4"}}, "depth must be one of"),
        ({"source": None}, "Expected `object`, got `null` - at `$.source`"),
        ({"seed": 4}, "does not belong to the settings.json beside it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_settings_that_were_changed_or_damaged_are_refused(whole, changes, message):
    edit(whole, **changes)
    text = refusal(lambda: load_folder(whole))
    assert text.startswith(str(whole)) and message in text


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 99_999, '{"seed": NaN}', '{"seed": 1e999}', "\udcff"])
def test_a_file_without_a_json_object_is_refused(whole, text):
    (whole / SETTINGS).write_text(text, errors="surrogateescape")
    assert refusal(lambda: load_model(whole)).startswith(f"{whole / SETTINGS}: is damaged")


def test_folders_that_were_mixed_are_noticed(whole, tmp_path):
    learn(tmp_path / "other", dataclasses.replace(QUICK, noise=0.2))
    shutil.copyfile(tmp_path / "other" / MODEL, whole / MODEL)
    assert "does not belong to the settings.json beside it" in refusal(lambda: load_model(whole))


def test_no_more_memory_is_taken_than_the_file_has(whole):
    values = json.loads((whole / SETTINGS).read_text())
    values["settings"]["block_widths"], values["sizes"] = [1024] * 5, [[[11, 14]] * 3]
    (whole / SETTINGS).write_text(json.dumps(values))
    rewrite(whole / MODEL, record=parse_record((whole / SETTINGS).read_bytes(), "")[1], amplitudes=[1.0] * 3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = refusal(lambda: load_folder(whole))
    assert "lacks 'scales.0.5.weight'" in text
    assert "'scales.0.0.weight (4, 3, 3, 3) not (1024, 3, 3, 3)'" in text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 2**16  # KiB: not even one scale's 150 MB


def test_a_model_of_more_numbers_than_a_folder_may_have_is_refused(tmp_path):
    wide = dataclasses.replace(QUICK, width=1024, widest=1024, scales=6, ratio=0.9)
    said = "a model has at most 134217728 weights and values of pictures, not "
    assert said in refusal(lambda: learn(tmp_path / "new", wide), InputError)


def test_settings_that_are_no_settings_are_not_read(whole):
    os.truncate(whole / SETTINGS, 9 << 20)
    assert "is larger than 8 MiB" in refusal(lambda: load_folder(whole))


# The log


def test_lines_that_are_damaged_are_left_out(tmp_path):
    file = tmp_path / LOG
    assert journal.read_lines(file) == []
    sound = {"scale": 0, "iteration": 2, "critic": -0.5, "reconstruction": 0.25, "seconds": 1.5}
    journal.add_line(file, sound)
    for name, value in (("scale", "0"), ("seconds", None), ("reconstruction", -1.0), ("critic", 1e308)):
        journal.add_line(file, sound | {name: value})
    with file.open("ab") as stream:
        stream.write(b'[]\n{"scale": 0, "iteration": 3}\n\xff\n' + b"[" * 99_999 + b'\n{"scale": 0, "iter')
    assert journal.read_lines(file) == [sound]


def test_a_damaged_log_is_set_aside_when_a_training_goes_on(part):
    before = (part / LOG).read_bytes()
    damaged = b'{"scale": 0, "iteration": 1, "critic": NaN, "reconstruction": 0.5, "seconds": 1}\n' + before
    (part / LOG).write_bytes(damaged)
    with pytest.warns(
        UserWarning, match=r"training\.jsonl: line 1 is damaged; the log is kept as training\.damaged\.jsonl"
    ):
        assert learn(part, resume=True).is_complete
    assert (part / "training.damaged.jsonl").read_bytes() == damaged
    assert (part / LOG).read_bytes().startswith(before)


def test_a_log_that_cannot_be_written_is_reported(tmp_path):
    text = refusal(lambda: journal.add_line(Path(tmp_path / "none" / LOG), {}))
    assert "cannot be written (No such file or directory)" in text
