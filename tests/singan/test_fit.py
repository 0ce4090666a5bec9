"""Learning all scales of a picture: it resumes to the same bytes, says what it does otherwise, keeps a log."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import Cancelled, InnersrError, InputError
from innersr.networks.checkpoints import load_checkpoint, save_checkpoint
from innersr.singan import fit as fitting
from innersr.singan.fit import Callbacks, fit
from innersr.singan.folder import reading
from innersr.singan.folder.log import read_lines
from innersr.singan.folder.reading import load_folder, load_model
from innersr.singan.folder.writing import ModelFolder
from innersr.singan.settings import FIELD
from innersr.singan.training import crop_size as crops
from innersr.singan.training import scale as learning
from innersr.singan.training.crop_size import SHARE, STEP_BYTES, fit_crop_to_memory

CPU = torch.device("cpu")
# Three scales, of which the third has another width and begins with weights of its own.
SETTINGS = tiny(iterations=5, scales=3, doubling=2, penalty_every=3, pool=3, pool_steps=2, crop=16)
QUICK = tiny(scales=2)
SAMPLES = 2  # float32 pictures of which all bytes are compared


class Killed(BaseException):
    """As if the process were gone."""


@pytest.fixture(autouse=True)
def often_saved(monkeypatch):
    """Save and log as often as such short trainings need, and finish their scales sooner."""
    monkeypatch.setattr(fitting, "SAVE_EVERY", 2)
    monkeypatch.setattr(fitting, "LOG_EVERY", 2)
    monkeypatch.setattr(learning, "CALIBRATIONS", 4)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A folder with a model that was learned without an interruption."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(fitting, "LOG_EVERY", 2)
        monkeypatch.setattr(learning, "CALIBRATIONS", 4)
        path = tmp_path_factory.mktemp("straight") / "model"
        learn(path)
    return path


def learn(path, settings=SETTINGS, run=RUN, **others):
    return fit([picture(), picture(sides=(22, 24), seed=9)], settings, run, folder=path, **others)


def stop_after(count):
    """Return what tells to stop after so many iterations."""
    correction = iter([False] * (count - 1) + [True] * 100)
    return lambda: next(correction)


def kill_after(count):
    """Return what kills the training after so many iterations."""
    correction = iter(range(1, 100))

    def callbacks(_learner, _losses):
        if next(correction) == count:
            raise Killed

    return Callbacks(iteration=callbacks)


def logged(path):
    """Return the log without the times."""
    return [
        {name: value for name, value in line.items() if name != "seconds"} for line in read_lines(path / reading.LOG)
    ]


def assert_same_bytes(path, straight):
    assert sorted(file.name for file in path.iterdir()) == ["model.safetensors", "settings.json", "training.jsonl"]
    for name in (reading.MODEL, reading.SETTINGS):
        assert (path / name).read_bytes() == (straight / name).read_bytes()


# Interruptions


@pytest.mark.parametrize("count", [1, 5, 8])
def test_a_training_killed_within_a_scale_resumes_to_the_same_bytes(tmp_path, straight, count):
    path = tmp_path / "model"
    with pytest.raises(Killed):
        learn(path, callbacks=kill_after(count))
    model = learn(path, resume=True)
    assert_same_bytes(path, straight)
    assert torch.equal(model.sample(SAMPLES), load_model(straight).sample(SAMPLES))


@pytest.mark.parametrize("count", [5, 7])
def test_a_training_that_was_stopped_resumes_from_that_very_iteration(tmp_path, straight, count):
    path = tmp_path / "model"
    unfinished = learn(path, should_stop=stop_after(count))
    assert not unfinished.is_complete and len(unfinished.scales) == (count - 1) // 5
    iterations = []
    callbacks = Callbacks(iteration=lambda learner, _: iterations.append((learner.index, learner.iteration)))
    learn(path, resume=True, callbacks=callbacks)
    assert iterations == [(scale, it) for scale in range(3) for it in range(1, 6)][count:]
    assert_same_bytes(path, straight)
    assert [(line["scale"], line["iteration"]) for line in logged(path)] == [
        (line["scale"], line["iteration"]) for line in logged(straight)
    ]


@pytest.mark.parametrize("number", [2, 5, 6, 9, 13])
def test_a_training_killed_as_it_writes_a_file_resumes_to_the_same_bytes(tmp_path, straight, monkeypatch, number):
    replaced, renames = Path.replace, iter(range(100))

    def dying(self, target):
        if next(renames) == number:
            raise Killed
        return replaced(self, target)

    path = tmp_path / "model"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "replace", dying)
        learn(path)
    learn(path, resume=True)
    assert_same_bytes(path, straight)
    assert logged(path) == logged(straight)


def test_a_training_may_be_interrupted_again_and_again(tmp_path, straight):
    path = tmp_path / "model"
    learn(path, should_stop=stop_after(3))
    for _ in range(3):
        assert not learn(path, resume=True, should_stop=stop_after(3)).is_complete
    assert learn(path, resume=True).is_complete
    assert_same_bytes(path, straight)


def test_what_a_kill_left_half_written_is_removed(tmp_path, straight):
    path = tmp_path / "model"
    learn(path, should_stop=stop_after(3))
    (path / ".training.123.safetensors").write_bytes(b"half")
    learn(path, resume=True)
    assert_same_bytes(path, straight)


def test_a_finished_training_resumes_to_itself(tmp_path, straight):
    path = shutil.copytree(straight, tmp_path / "model")
    callbacks = Callbacks(iteration=lambda *_: pytest.fail("it learns again"))
    assert learn(path, resume=True, callbacks=callbacks).is_complete
    assert_same_bytes(path, straight)


def test_without_a_folder_the_same_is_learnt_and_nothing_is_written(tmp_path, straight, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = learn(None)
    assert torch.equal(model.sample(SAMPLES), load_model(straight).sample(SAMPLES))
    assert not list(tmp_path.iterdir())


def test_a_cancelled_training_can_be_resumed(tmp_path, straight):
    correction = iter([False] * 8 + [True])
    with pytest.raises(Cancelled):
        learn(tmp_path / "model", run=dataclasses.replace(RUN, cancelled=lambda: next(correction)))
    learn(tmp_path / "model", resume=True)
    assert_same_bytes(tmp_path / "model", straight)


# What is refused


def test_a_time_limit_is_refused(tmp_path):
    with pytest.raises(InputError, match="half learned spoils all above it; lower iterations"):
        learn(tmp_path / "model", run=dataclasses.replace(RUN, time_limit=9.0))
    assert not list(tmp_path.iterdir())


def test_resuming_needs_a_training(tmp_path):
    with pytest.raises(InputError, match="resuming needs the folder"):
        learn(None, resume=True)
    with pytest.raises(InputError, match="model: there is no training to resume; leave out --resume"):
        learn(tmp_path / "model", resume=True)
    with pytest.raises(InputError, match="does not overwrite"):
        learn(ModelFolder(path=tmp_path, overwrite=True), resume=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([], "one picture at least"),
        ([picture(3), picture(1)], "all with as many channels"),
        ([picture()[0]], r"pictures are \(1, C, H, W\)"),
        ([picture(sides=(9, 20))], "smaller than the coarsest scale"),
    ],
)
def test_pictures_that_cannot_be_learnt_are_refused(pictures, message):
    with pytest.raises(InputError, match=message):
        fit(pictures, tiny(), RUN)


def test_losses_that_are_no_numbers_end_the_training(tmp_path):
    def spoil(learner, _losses):
        next(learner.critic.parameters()).data.fill_(math.nan)

    place = "at iteration 5 of scale 0, for the 4th time; train anew with a smaller"
    with pytest.raises(InnersrError, match=f"NaN or infinite {place}"):
        learn(tmp_path / "model", callbacks=Callbacks(iteration=spoil, note=str))
    assert reading.load_state(tmp_path / "model", load_folder(tmp_path / "model")).iteration == 4


def test_a_step_to_a_loss_of_nan_is_taken_back_and_reported(tmp_path):
    """Also after a stop, from which the training goes on to the same bytes."""

    def spoil(learner, _losses):
        if (learner.index, learner.iteration) == (1, 2):
            next(learner.generator.parameters()).data.fill_(math.nan)

    notes = []
    whole = learn(tmp_path / "whole", callbacks=Callbacks(iteration=spoil, note=notes.append))
    assert [note.partition(":")[0] for note in notes] == ["iteration 3 of scale 1"]
    assert all(bool(tensor.isfinite().all()) for scale in whole.scales for pair in scale.layers for tensor in pair)
    callbacks = Callbacks(iteration=spoil, note=str)
    learn(tmp_path / "model", callbacks=callbacks, should_stop=stop_after(5 + 3))
    again = learn(tmp_path / "model", callbacks=callbacks, resume=True)
    for scale, other in zip(whole.scales, again.scales, strict=True):
        for pair, same in zip(scale.layers, other.layers, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(pair, same, strict=True))


# Who is told what


def test_the_log_has_the_mean_losses_of_every_scale(tmp_path):
    seen = []
    callbacks = Callbacks(iteration=lambda _, losses: seen.append([float(loss) for loss in losses]))
    learn(tmp_path / "model", callbacks=callbacks)
    lines = read_lines(tmp_path / "model" / reading.LOG)
    assert [(line["scale"], line["iteration"]) for line in lines] == [(s, it) for s in range(3) for it in (2, 4, 5)]
    for line, first, count in zip(lines, [0, 2, 4, 5, 7, 9, 10, 12, 14], [2, 2, 1] * 3, strict=True):
        means = torch.tensor(seen[first : first + count]).mean(dim=0)
        # Two float32 numbers were added in another order.
        torch.testing.assert_close(torch.tensor([line["critic"], line["reconstruction"]]), means, rtol=1e-6, atol=1e-7)
    assert [line["seconds"] for line in lines] == sorted(line["seconds"] for line in lines)


def test_lines_of_iterations_that_were_lost_are_dropped(tmp_path):
    path = tmp_path / "model"
    learn(path, should_stop=stop_after(8))
    with (path / reading.LOG).open("a") as file:
        lost = [{"scale": 1, "iteration": 4}, {"scale": 2, "iteration": 1}]
        file.write("".join(json.dumps(line) + "\n" for line in lost) + '{"scale": 1, "iter')
    learn(path, resume=True, should_stop=stop_after(1))
    assert [(line["scale"], line["iteration"]) for line in logged(path)] == [(0, 2), (0, 4), (0, 5), (1, 2), (1, 4)]


def test_seconds_go_on_where_a_training_is_resumed(tmp_path):
    path = tmp_path / "model"
    learn(path, QUICK, should_stop=stop_after(4))
    state = path / reading.STATE
    loaded = load_checkpoint(state)
    save_checkpoint(state, loaded.tensors, {**loaded.header, "seconds": 5000.0})
    learn(path, QUICK, resume=True)
    assert read_lines(path / reading.LOG)[-1]["seconds"] > 5000


def test_progress_names_the_scale_and_its_loss(tmp_path):
    reports = []
    run = dataclasses.replace(RUN, report=reports.append)
    learn(tmp_path / "model", QUICK, run, should_stop=stop_after(4))
    learn(tmp_path / "model", QUICK, run, resume=True)
    ended = [(report.stage, report.done, report.total) for report in reports if report.done == report.total]
    # The second scale was stopped after one of its three iterations.
    assert ended == [("scale 1 of 2", 3, 3), ("scale 2 of 2", 2, 2)]
    assert all(report.loss > 0 for report in reports if report.done)


def test_a_watch_sees_the_model_after_every_scale():
    counts = []
    fit([picture()], QUICK, RUN, callbacks=Callbacks(scale=lambda model: counts.append(len(model.scales))))
    assert counts == [1, 2]


def test_another_version_is_reported_as_a_training_is_resumed(tmp_path, monkeypatch):
    path = tmp_path / "model"
    with monkeypatch.context() as patch:
        patch.setattr("innersr.singan.folder.record.version", lambda _: "0.0.1")
        patch.setattr("innersr.singan.folder.record.__version__", "0.0.1")
        learn(path, should_stop=stop_after(2))
    notes = []
    learn(path, resume=True, callbacks=Callbacks(note=notes.append), should_stop=stop_after(1))
    assert len(notes) == 1 and notes[0].startswith("started with cpu, innersr 0.0.1, torch 0.0.1, continued with cpu, ")


# Memory


def test_crops_are_as_large_as_a_quarter_of_the_memory_allows(monkeypatch):
    settings, sizes = tiny(width=8, doubling=0), [[(40, 50), (80, 100)]]
    pixel = STEP_BYTES * (4 * 8 + 3)
    monkeypatch.setattr(crops, "free_memory", lambda _: SHARE * pixel * 60 * 60)
    smaller, sentence = fit_crop_to_memory(settings, sizes, 3, CPU)
    assert smaller == dataclasses.replace(settings, crop=60)
    assert sentence.startswith("a step at 100x80 pixels would need about ")
    assert sentence.endswith("steps learn from crops of 60x60 pixels instead")
    monkeypatch.setattr(crops, "free_memory", lambda _: SHARE * pixel * 80 * 100)
    assert fit_crop_to_memory(settings, sizes, 3, CPU) == (settings, "")


def test_crops_fit_the_widest_scale_and_are_never_larger_than_asked(monkeypatch):
    sizes = [[(90, 90), (100, 100)], [(90, 95), (100, 100)]]
    settings = tiny(width=8, doubling=1)  # 8 features, then 16
    monkeypatch.setattr(crops, "free_memory", lambda _: SHARE * STEP_BYTES * (4 * 16 + 3) * 50 * 50)
    assert fit_crop_to_memory(settings, sizes, 3, CPU)[0].crop == 50
    cropped = dataclasses.replace(settings, crop=40)
    assert fit_crop_to_memory(cropped, sizes, 3, CPU) == (cropped, "")
    monkeypatch.setattr(crops, "free_memory", lambda _: 0)
    assert fit_crop_to_memory(cropped, sizes, 3, CPU)[0].crop == FIELD


def test_crops_made_smaller_to_fit_the_memory_are_reported_and_kept_as_a_training_is_resumed(tmp_path, monkeypatch):
    path, notes = tmp_path / "model", []
    with monkeypatch.context() as patch:
        patch.setattr(crops, "free_memory", lambda _: SHARE * STEP_BYTES * (4 * 4 + 3) * 14 * 14)
        learn(path, QUICK, callbacks=Callbacks(note=notes.append), should_stop=stop_after(1))
        assert len(notes) == 1 and notes[0].endswith("14x14 pixels instead")
        with pytest.warns(UserWarning, match="14x14 pixels instead"):
            learn(None, QUICK, should_stop=stop_after(1))
    assert learn(path, QUICK, resume=True).settings == dataclasses.replace(QUICK, crop=14)
    with pytest.raises(InputError, match="with crop=0, not 14"):
        learn(path, dataclasses.replace(QUICK, crop=14), resume=True)
