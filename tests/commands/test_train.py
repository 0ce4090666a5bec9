"""`innersr train`: what it makes of its arguments, and that an interruption loses nothing."""

import json
import os
import re
import signal

import pytest
import torch
from typer.testing import CliRunner

from helpers.processes import innersr_process
from helpers.training import largest_difference, write_photos
from innersr.cli.train import COMMANDS, EXAMPLES, train_app
from innersr.commands import interrupts
from innersr.commands.interrupts import deferred_interrupts
from innersr.networks.checkpoints import load_checkpoint
from innersr.networks.priors import describe_prior, load_prior
from innersr.training.crops import EXTRA_SHARE
from innersr.training.learner import TrainingSchedule
from innersr.training.objectives.mzsr import MZSRObjective
from innersr.training.objectives.supervised import SupervisedObjective
from innersr.training.objectives.tailor import TailorObjective
from innersr.training.registry import OBJECTIVES, make_objective

TINY = {
    "supervised": ["width=6", "depth=3", "crop=16"],
    "mzsr": ["width=6", "depth=3", "images=2", "patch=16", "inner_steps=2"],
    "tailor": ["width=6", "depth=3", "hidden=4", "crop=13", "small_crop=13"],
    "predictor": ["width=6", "hidden=8", "crop=13"],
    "mixture": ["hidden=8", "examples=2", "crop=32"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder that has two photographs in photos/."""
    write_photos(tmp_path / "photos", sides=(110, 105))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(objective, *more):
    settings = [word for setting in TINY[objective] for word in ("--set", setting)]
    own = ["--data", "photos", "--out", "prior.safetensors", "--steps", "3", "--batch", "2", "--device", "cpu"]
    return [objective, *own, *settings, *map(str, more)]


def train(objective, *more):
    """Run the command in this process."""
    result = CliRunner().invoke(train_app, arguments(objective, *more))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(objective, *more, code=2):
    """Return the one line on stderr of a command that was refused."""
    result = train(objective, *more)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (code, "", 1)
    return result.stderr


def names(folder):
    """Return the names in a folder, except TensorBoard's, which is there only where that is installed."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".tensorboard")


@pytest.mark.parametrize("objective", COMMANDS)
def test_a_training_leaves_a_prior_its_state_and_its_log(objective, folder, tmp_path_factory):
    large = write_photos(tmp_path_factory.mktemp("large") / "photos", sides=(180, 180))  # for mixture's crops at x4
    result = train(objective, "--data", large, "--validate", "photos", "--licence", "CC0-1.0", "--json")
    assert result.exit_code == 0, result.stderr
    assert names(folder) == ["photos", "prior.jsonl", "prior.safetensors", "prior.state.safetensors"]
    record = json.loads(result.stdout)
    assert (record["output"], record["steps"]) == ("prior.safetensors", 3)
    assert record["validation"] == json.loads((folder / "prior.jsonl").read_text())["validation"]
    provenance = load_checkpoint("prior.safetensors", "prior").header["provenance"]
    first, value = TINY[objective][0].split("=")
    assert (provenance["licence"], provenance["settings"][first]) == ("CC0-1.0", int(value))
    assert provenance["data"][0]["files"] == 2


def test_there_is_a_command_for_every_objective():
    assert list(COMMANDS) == list(OBJECTIVES)


@pytest.mark.parametrize("objective", COMMANDS)
def test_help_has_examples(objective):
    text = CliRunner().invoke(train_app, [objective, "--help"]).stdout
    assert f"innersr train {objective} --data photos" in text
    assert all(option in text for option in ("--resume", "--set", "--initial", "--licence", "--threads"))


@pytest.mark.parametrize(
    ("objective", "line"), [(objective, line) for objective in EXAMPLES for line in EXAMPLES[objective]]
)
def test_the_examples_name_settings_that_there_are(objective, line):
    settings = dict(setting.split("=") for setting in re.findall(r"--set (\S+)", line))
    assert make_objective(objective, settings)


def test_a_second_training_does_not_replace_the_first():
    assert train("tailor").exit_code == 0
    assert "prior.safetensors: exists; --resume continues it, --overwrite starts anew" in refused("tailor", code=1)
    assert "--resume or --overwrite, not both" in refused("tailor", "--resume", "--overwrite")
    assert train("tailor", "--overwrite").exit_code == 0


def test_other_settings_are_not_resumed():
    assert train("tailor").exit_code == 0
    assert "was started with learning_rate=0.001, not 0.01" in refused(
        "tailor", "--resume", "--set", "learning_rate=0.01"
    )


def test_nothing_to_resume_is_reported():
    assert "prior.state.safetensors: there is no such file to resume" in refused("tailor", "--resume", code=1)


def test_a_training_starts_from_a_prior(folder):
    assert train("supervised").exit_code == 0
    (folder / "prior.safetensors").rename("first.safetensors")
    slow = ["--overwrite", "--initial", "./first.safetensors", "--set", "learning_rate=1e-9"]
    assert train("mzsr", *slow).exit_code == 0
    weights = [dict(load_prior(f"./{name}.safetensors").state_dict()) for name in ("first", "prior")]
    assert largest_difference(*weights) < 1e-6
    assert load_checkpoint("prior.safetensors").header["provenance"]["initial"] == "first.safetensors"
    assert "the weights are those of another network" in refused("tailor", *slow)


def test_too_small_images_are_counted(folder):
    small = write_photos(folder / "small", 1, (10, 12))
    (small / "0.png").rename("photos/small.png")
    assert "note: 1 of 3 images are too small for crops of 100 pixels" in train("tailor").stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("colour=red", "tailor has no setting 'colour'; it has width, depth,"),
        ("width=wide", "setting width takes int, got 'wide'"),
        ("optimizer=sgd", "optimizer must be one of adam, muon, got 'sgd'"),
        ("clip=0", "clip must be above 0"),
        ("width", "a setting is written name=value"),
    ],
)
def test_wrong_settings_are_refused(setting, said):
    assert said in refused("tailor", "--set", setting)


def test_settings_go_to_the_objective_or_its_schedule():
    objective, schedule = make_objective("tailor", {"width": "32", "x3": "0", "steps": "500", "schedule": "paper"})
    assert objective == TailorObjective(width=32, x3=0.0)
    assert schedule == TrainingSchedule(steps=500, schedule="paper")
    assert make_objective("tailor", {"mistaken": "0.3"})[0] == TailorObjective(kernel_error=0.3)
    objective, schedule = make_objective("mzsr", {"subpixel": "yes", "learning_rate": "2e-4"})
    assert objective == MZSRObjective(subpixel=True)
    assert schedule.learning_rate == 2e-4


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_signals_are_noted_and_a_late_second_one_is_obeyed_at_once(number, monkeypatch):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), deferred_interrupts() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # as torchrun passes it on
        assert should_stop()
        monkeypatch.setattr(interrupts, "SECOND_THOUGHT", 0.0)
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_training_that_was_stopped_resumes_to_the_same_result(folder):
    asked = arguments("tailor", "--steps", 60, "--checkpoint-every", 2, "--precision", "fp32")
    with innersr_process("train", *asked) as process:
        process.wait_for(folder / "prior.state.safetensors")
        process.send_signal(signal.SIGTERM)
        end = process.end()
    step = load_checkpoint("prior.state.safetensors", "training").header["step"]
    said = f"note: stopped after step {step} of 60; the same command with --resume continues it\n"
    assert end == (143, "", said)
    assert 2 <= step < 60
    assert names(folder) == ["photos", "prior.jsonl", "prior.state.safetensors"]
    assert train("tailor", "--steps", 60, "--precision", "fp32", "--resume").exit_code == 0
    interrupted = load_checkpoint("prior.state.safetensors").tensors
    assert train("tailor", "--steps", 60, "--precision", "fp32", "--overwrite").exit_code == 0
    assert largest_difference(interrupted, load_checkpoint("prior.state.safetensors").tensors) == 0


def test_memory_that_runs_out_is_reported(monkeypatch):
    def allocate(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(SupervisedObjective, "loss", allocate)
    result = train("supervised")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("error: out of memory; use a smaller --batch")


def test_threads_are_as_asked():
    before = torch.get_num_threads()
    try:
        assert train("supervised", "--threads", 2).exit_code == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_prior_that_knows_compression_learns_from_chains_and_drawn_pictures(folder):
    assert train("tailor").exit_code == 0
    (folder / "prior.safetensors").rename(folder / "small.safetensors")
    larger = ["--set", "chains=true", "--set", "depth=4", "--set", "width=8", "--initial", "small.safetensors"]
    assert train("tailor", *larger, "--drawn", 2, "--overwrite").exit_code == 0
    provenance = describe_prior("prior.safetensors").header["provenance"]
    data = provenance["data"]
    assert provenance["settings"]["extra_share"] == EXTRA_SHARE
    assert [(source["folder"], source["files"]) for source in data] == [("photos", 2), ("drawn pictures, seed 0", 2)]
    network = load_prior("prior.safetensors")
    assert (network.depth, network.width, network.knows_compression) == (4, 8, True)
    assert "leave kernel_error" in refused("tailor", *larger, "--set", "jpeg=0.1", "--overwrite")


def test_a_deeper_network_begins_with_a_shallower_prior(folder):
    assert train("tailor").exit_code == 0
    (folder / "prior.safetensors").rename(folder / "shallow.safetensors")
    assert train("tailor", "--initial", "shallow.safetensors", "--set", "depth=4", "--overwrite").exit_code == 0
    deep = load_prior("prior.safetensors")
    assert deep.depth == 4
    begun = load_prior("shallow.safetensors").body[0].weight
    nearest = min(float((layer.weight - begun).abs().max()) for layer in deep.body)
    assert nearest < 0.1  # three steps change little
