"""A training as a whole: an interruption changes nothing, and the prior says where it comes from."""

import json
import math
import re
import time
from dataclasses import replace

import pytest
import torch

from helpers.methods import RUN, image
from helpers.training import OBJECTIVES, SCHEDULE, largest_difference, pool, session, stop_after
from innersr.errors import CheckpointError, InnersrError, InputError
from innersr.networks.checkpoints import load_checkpoint, save_checkpoint
from innersr.networks.int8 import from_int8, to_int8
from innersr.networks.priors import load_prior
from innersr.training import session as session_module
from innersr.training import state as state_module
from innersr.training.distributed import ProcessGroup
from innersr.training.objective import Loss
from innersr.training.session import Outputs

BF16 = replace(RUN, precision="bf16")


def state_of(one):
    return load_checkpoint(one.outputs.state, "training")


def log_of(one):
    return [json.loads(line) for line in one.outputs.log.read_text(encoding="utf-8").splitlines()]


def two_sessions(folder, *names, **others):
    """Return two equal trainings that write into different folders."""
    made = []
    for name in ("straight", "interrupted"):
        (folder / name).mkdir()
        made.append(session(folder / name, *names, **others))
    return made


@pytest.mark.parametrize(
    ("objective", "run"),
    [
        *[pytest.param(objective, RUN, id=f"{objective}, fp32") for objective in OBJECTIVES],
        *[
            pytest.param(objective, BF16, id=f"{objective}, bf16")
            for objective in ("supervised", "mzsr", "tailor", "predictor")
        ],
    ],
)
def test_an_interrupted_training_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path, objective, run):
    straight, interrupted = two_sessions(tmp_path, objective, run=run)
    assert straight.learn() == (6, True, {})
    assert interrupted.learn(should_stop=stop_after(3)) == (3, False, {})
    assert not interrupted.outputs.prior.exists()
    assert interrupted.learn(resume=True) == (6, True, {})
    states = state_of(straight), state_of(interrupted)
    assert largest_difference(states[0].tensors, states[1].tensors) == 0
    assert straight.outputs.prior.read_bytes() == interrupted.outputs.prior.read_bytes()


def test_the_state_is_saved_as_often_as_asked(tmp_path, monkeypatch):
    saved = []

    def save(path, tensors, header):  # noqa: ARG001 (the signature of save_checkpoint)
        saved.append((header["kind"], header.get("step")))

    for module in (session_module, state_module):
        monkeypatch.setattr(module, "save_checkpoint", save)
    session(tmp_path, outputs=Outputs(prior=tmp_path / "a.safetensors", save_every=2)).learn()
    assert saved == [("training", 2), ("training", 4), ("training", 6), ("prior", None)]
    saved.clear()
    session(tmp_path, outputs=Outputs(prior=tmp_path / "a.safetensors", save_seconds=0.0)).learn()
    assert [step for _, step in saved] == [1, 2, 3, 4, 5, 6, None]


def test_a_crash_goes_on_from_the_last_saved_state(tmp_path):
    outputs = [Outputs(prior=tmp_path / f"{name}.safetensors", save_every=2) for name in ("straight", "crashed")]
    straight, crashed = (session(tmp_path, outputs=each) for each in outputs)
    asked = iter([False] * 4)
    with pytest.raises(StopIteration):
        crashed.learn(should_stop=lambda: next(asked))
    assert state_of(crashed).header["step"] == 4
    straight.learn()
    crashed.learn(resume=True)
    assert largest_difference(state_of(straight).tensors, state_of(crashed).tensors) == 0


def test_the_prior_does_not_depend_on_the_time(tmp_path, monkeypatch):
    first, second = two_sessions(tmp_path, "supervised")
    first.learn()
    begun, now = time.monotonic(), time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: begun + 1000 * (now() - begun))
    second.learn()
    assert first.outputs.prior.read_bytes() == second.outputs.prior.read_bytes()
    assert log_of(second)[-1]["seconds"] > log_of(first)[-1]["seconds"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", log_of(second)[-1]["date"])


def test_the_log_has_loss_rate_time_and_validation(tmp_path):
    outputs = Outputs(prior=tmp_path / "a.safetensors", validate_every=4)
    one = session(tmp_path, "supervised", outputs=outputs, validation=(image(3, (48, 48)),))
    outcome = one.learn()
    lines = log_of(one)
    assert [line["step"] for line in lines] == [4, 6]
    assert 0 < lines[0]["loss"] < 0.5
    assert lines[0]["rate"] == pytest.approx(SCHEDULE.learning_rate * SCHEDULE.rate_share(3))
    assert 0 < lines[0]["seconds"] <= lines[1]["seconds"] < 60
    assert 0 <= lines[0]["data_share"] < 1
    assert lines[1]["validation"] == outcome.validation
    assert set(outcome.validation) == {"bicubic x2", "g2.0d x2"}


def test_validation_is_of_the_average(tmp_path):
    one = session(tmp_path, "supervised", validation=(image(3, (48, 48)),))
    expected = one.learn().validation
    network = one.objective.network()
    tensors = state_of(one).tensors
    network.load_state_dict({n.removeprefix("average."): t for n, t in tensors.items() if n.startswith("average.")})
    assert one.objective.validate(network, one.validation, RUN) == expected


def test_the_prior_is_the_average_in_8_bits_and_says_where_it_comes_from(tmp_path):
    one = session(tmp_path, provenance={"licence": "CC0-1.0"})
    one.learn()
    loaded, tensors = load_prior(one.outputs.prior).state_dict(), state_of(one).tensors
    expected = from_int8(to_int8({name: tensors[f"average.{name}"] for name in loaded}))
    assert all(torch.equal(loaded[name], expected[name].float()) for name in loaded)
    provenance = load_checkpoint(one.outputs.prior).header["provenance"]
    assert provenance["settings"] == one.settings
    assert provenance["data"] == [{"folder": "photos", "files": 2, "sha256": "0"}]
    assert provenance["licence"] == "CC0-1.0"
    assert provenance["code"].startswith("innersr ")
    assert (provenance["settings"]["seed"], provenance["settings"]["steps"]) == (0, 6)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"schedule": replace(SCHEDULE, steps=7)}, "was started with steps=6, not 7"),
        ({"objective": replace(OBJECTIVES["tailor"], batch=4)}, "was started with batch=3, not 4"),
        ({"objective": replace(OBJECTIVES["tailor"], seed=1)}, "was started with seed=0, not 1"),
        ({"objective": OBJECTIVES["supervised"]}, "started with objective=TailorObjective, not SupervisedObjective"),
        ({"pool": pool(sha256="1")}, r"was started with data=\['0'\], not \['1'\]"),
        ({"run": BF16}, "was started with precision=float32, not bfloat16"),
        ({"initial": OBJECTIVES["tailor"].network().state_dict()}, "was started with initial=None, not "),
    ],
    ids=["steps", "batch", "seed", "objective", "data", "precision", "initial"],
)
def test_other_settings_are_not_resumed(tmp_path, changed, said):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(1))
    with pytest.raises(InputError, match=said):
        replace(one, **changed).learn(resume=True)


def test_a_state_that_is_older_than_a_setting_is_resumed_with_its_default(tmp_path):
    session(tmp_path).learn(should_stop=stop_after(2))
    state = tmp_path / "prior.state.safetensors"
    tensors, header = load_checkpoint(state, "training")
    del header["settings"]["kernel_error"]
    save_checkpoint(state, tensors, header)
    with pytest.raises(InputError, match=r"was started with kernel_error=0\.0, not 0\.5"):
        replace(session(tmp_path), objective=replace(OBJECTIVES["tailor"], kernel_error=0.5)).learn(resume=True)
    assert session(tmp_path).learn(resume=True).is_finished


def test_a_state_without_a_share_of_extra_images_had_the_default(tmp_path):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(2))
    state = tmp_path / "prior.state.safetensors"
    tensors, header = load_checkpoint(state, "training")
    assert header["settings"].pop("extra_share") == 0.06
    save_checkpoint(state, tensors, header)
    with pytest.raises(InputError, match=r"was started with extra_share=0\.06, not 0\.5"):
        replace(one, pool=pool()._replace(extra_share=0.5)).learn(resume=True)
    assert one.learn(resume=True).is_finished


def test_a_state_with_the_setting_names_of_version_0_1_is_resumed(tmp_path):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(2))
    state = tmp_path / "prior.state.safetensors"
    tensors, header = load_checkpoint(state, "training")
    settings = header["settings"]
    settings["mistaken"], settings["grain"] = settings.pop("kernel_error"), settings.pop("coloured_noise")
    settings["lesson"] = settings.pop("objective").replace("Objective", "Lesson")
    save_checkpoint(state, tensors, header)
    with pytest.raises(InputError, match=r"was started with coloured_noise=0\.0, not 0\.5"):
        replace(one, objective=replace(OBJECTIVES["tailor"], coloured_noise=0.5)).learn(resume=True)
    assert one.learn(resume=True).is_finished


def test_the_end_may_be_moved_where_changes_are_allowed(tmp_path):
    one = session(tmp_path, may_change=True)
    one.learn(should_stop=stop_after(2))
    changed = replace(one, schedule=replace(SCHEDULE, steps=4), objective=replace(OBJECTIVES["tailor"], batch=2))
    assert changed.learn(resume=True) == (4, True, {})
    assert [line["changed"] for line in log_of(one) if "changed" in line] == [{"batch": 2, "steps": 4}]
    with pytest.raises(InputError, match="was started with seed=0, not 1"):
        replace(changed, objective=replace(changed.objective, seed=1)).learn(resume=True)


def test_the_prior_so_far_is_written_after_each_validation(tmp_path):
    one = session(tmp_path, outputs=Outputs(prior=tmp_path / "prior.safetensors", validate_every=2))
    one.learn(should_stop=stop_after(3))
    header = load_checkpoint(one.outputs.prior, "prior").header
    assert (header["provenance"]["step"], header["provenance"]["settings"]["steps"]) == (2, 6)


def test_how_often_to_save_may_change_on_resuming(tmp_path):
    session(tmp_path).learn(should_stop=stop_after(2))
    outputs = Outputs(prior=tmp_path / "prior.safetensors", save_every=1, validate_every=1)
    assert session(tmp_path, outputs=outputs).learn(resume=True).is_finished


def test_nothing_to_resume_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"prior\.state\.safetensors: there is no such file to resume"):
        session(tmp_path).learn(resume=True)


def test_a_damaged_state_is_reported(tmp_path):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(1))
    one.outputs.state.write_bytes(one.outputs.state.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"prior\.state\.safetensors: is damaged"):
        one.learn(resume=True)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"step": -5}, r"Expected `int` >= 0 - at `\$\.step`"),
        ({"step": 1000}, "step 1000 of 6"),
        ({"step": 1.5}, r"Expected `int`, got `float` - at `\$\.step`"),
        ({"step": None}, "Expected `int`, got `null`"),
        ({"seconds": "7"}, "Expected `float`, got `str`"),
        ({"seconds": 1e300}, "Expected `float` <= "),
        ({"moments": "none"}, "Invalid enum value 'none'"),
        ({"settings": []}, "Expected `object`, got `array`"),
        ({"settings": {}}, "missing required field `objective`"),
        ({"batch": "3"}, r"Expected `int`, got `str` - at `\$\.batch`"),
        ({"batch": 0}, "must be 1 at least"),
        ({"learning_rate": -1.0}, "must be above 0"),
        ({"schedule": "linear"}, "one of cosine, cooldown, paper"),
        ({"data": "0"}, "Expected `array`, got `str`"),
        ({"precision": "int8"}, "Invalid enum value 'int8'"),
        ({"lesson": 3}, "Expected `str`, got `int`"),
    ],
    ids=str,
)
def test_every_field_of_a_state_is_checked(tmp_path, header, said):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(2))
    tensors, own = state_of(one)
    to_settings = header.keys() <= own["settings"].keys() | {"lesson"}
    changed = {"settings": own["settings"] | header} if to_settings else header
    save_checkpoint(one.outputs.state, tensors, own | changed)
    with pytest.raises(CheckpointError, match=rf"prior\.state\.safetensors: is damaged \(.*{said}.*start anew"):
        one.learn(resume=True)


def test_a_state_whose_moments_are_missing_is_refused(tmp_path):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(2))
    tensors, header = state_of(one)
    save_checkpoint(one.outputs.state, {n: t for n, t in tensors.items() if not n.startswith("adam.")}, header)
    with pytest.raises(CheckpointError, match=r"is damaged .*lacks 'adam\.0\.step'"):
        one.learn(resume=True)


def test_a_state_of_version_0_1_lacks_the_moments_of_unused_parameters(tmp_path):
    one = session(tmp_path, "tailor, logarithmic")
    one.learn(should_stop=stop_after(2))
    tensors, header = state_of(one)
    unused = [name.rpartition(".")[0] for name, tensor in tensors.items() if name.endswith(".step") and tensor == 0]
    assert unused  # the layers of a scale that is not trained
    del header["moments"]
    save_checkpoint(one.outputs.state, {n: t for n, t in tensors.items() if n.rpartition(".")[0] not in unused}, header)
    assert one.learn(resume=True).is_finished


def test_a_state_beyond_the_last_step_is_refused(tmp_path):
    one = session(tmp_path, may_change=True)
    one.learn(should_stop=stop_after(5))
    with pytest.raises(InputError, match="is at step 5 already; set steps=5 or more"):
        replace(one, schedule=replace(SCHEDULE, steps=4)).learn(resume=True)


def test_a_state_that_does_not_fit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    one = session(tmp_path)
    one.learn(should_stop=stop_after(2))
    tensors, header = state_of(one)
    save_checkpoint(one.outputs.state, tensors | {"network.film.bias": torch.zeros(3)}, header)
    monkeypatch.setattr(state_module, "load_checkpoint", pytest.fail)
    with pytest.raises(CheckpointError, match=r"is damaged .*wrong shape 'network\.film\.bias \(3,\)"):
        one.learn(resume=True)


def test_a_training_goes_on_without_the_damaged_lines_of_its_log(tmp_path):
    one = session(tmp_path, validation=())
    one.learn(should_stop=stop_after(1))
    one.outputs.log.write_bytes(b'{"step": "1"}\n\xff\n' + one.outputs.log.read_bytes())
    with pytest.warns(
        UserWarning, match=r"prior\.jsonl: line 1 is damaged; the log is kept as prior\.damaged\.jsonl, "
    ):
        assert one.learn(resume=True).is_finished
    assert [line["step"] for line in log_of(one)] == [1, 6]


def test_a_finished_training_that_is_resumed_gives_the_same_prior(tmp_path):
    one = session(tmp_path)
    one.learn()
    before = load_checkpoint(one.outputs.prior)
    one.outputs.prior.unlink()
    assert one.learn(resume=True) == (6, True, {})
    assert largest_difference(load_checkpoint(one.outputs.prior).tensors, before.tensors) == 0


def diverging(folder, *steps, **changes):
    """A session whose loss is NaN at some steps."""

    class Diverging(type(OBJECTIVES["supervised"])):
        def loss(self, network, crops, run):
            loss = super().loss(network, crops, run).value
            return Loss(loss * math.nan if crops.step in steps else loss)

    objective = Diverging(width=6, depth=3, batch=2, crop=16)
    outputs = Outputs(prior=folder / "prior.safetensors", save_every=2)
    return replace(session(folder, outputs=outputs), objective=objective, **changes)


def test_a_step_to_a_loss_of_nan_is_taken_back_and_reported(tmp_path):
    notes = []
    one = diverging(tmp_path, 2, note=notes.append)
    assert one.learn().is_finished
    sentence = "learning diverged once: the last sound weights were restored, and it went on at 0.1 of its rate"
    assert notes == [f"step 3: {sentence}"]
    assert [line["diverged"] for line in log_of(one) if "diverged" in line] == [sentence]
    lines = log_of(one)
    taken_back = next(place for place, line in enumerate(lines) if "diverged" in line)
    share = session(tmp_path).schedule.rate_share(lines[-1]["step"] - 1)
    assert lines[-1]["rate"] == pytest.approx(0.1 * session(tmp_path).schedule.learning_rate * share)
    assert taken_back < len(lines) - 1
    (tmp_path / "sound").mkdir()
    other = diverging(tmp_path / "sound")
    other.learn()
    weights, sound = (load_checkpoint(each.outputs.prior).tensors for each in (one, other))
    assert all(math.isfinite(float(tensor.float().sum())) for tensor in weights.values())
    assert 0 < largest_difference(weights, sound) < 0.1


def test_a_training_that_was_taken_back_is_resumed_to_the_same_bytes(tmp_path):
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    for folder in (whole, parts):
        folder.mkdir()
    one, other = diverging(whole, 1, note=str), diverging(parts, 1, note=str)
    one.learn()
    asked = iter([False] * 2 + [True] * 9)
    assert other.learn(should_stop=lambda: next(asked)).step == 3
    assert state_of(other).header["diverged"] == 1
    other.learn(resume=True)
    first, second = (load_checkpoint(each.outputs.prior).tensors for each in (one, other))
    assert largest_difference(first, second) == 0


def test_a_loss_that_is_no_number_again_and_again_ends_the_training_and_keeps_the_last_state(tmp_path):
    one = diverging(tmp_path, 2, 3, 4, 5, note=str)
    with pytest.raises(InnersrError, match="NaN or infinite at step 6, for the 4th time; start again with a smaller"):
        one.learn()
    assert state_of(one).header["step"] == 4


def test_too_few_tasks_for_the_processes_are_refused(tmp_path):
    with pytest.raises(InputError, match="a batch of 3 is too small for 4 processes"):
        session(tmp_path, group=ProcessGroup(0, 4))


def test_progress_is_reported(tmp_path):
    reports = []
    session(tmp_path, run=replace(RUN, report=reports.append)).learn()
    assert (reports[-1].stage, reports[-1].done, reports[-1].total) == ("learn", 6, 6)
    assert reports[-1].loss > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("prior.pt", "the output is a .safetensors file"),
        ("missing/a.safetensors", "missing does not exist; create it first"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused(tmp_path, name, said):
    with pytest.raises(InputError, match=said):
        Outputs(prior=tmp_path / name)
