"""Several processes that learn together: they learn what one would, and end together."""

import contextlib
import os
import signal
import socket

import pytest
import torch
from typer.testing import CliRunner

from helpers.processes import innersr_process
from helpers.training import largest_difference, write_photos
from innersr.cli.train import train_app
from innersr.errors import InputError
from innersr.networks.checkpoints import load_checkpoint
from innersr.training import distributed
from innersr.training.distributed import ProcessGroup, device_of_environment, joined, process_group_of_environment

TINY = ["--device", "cpu", "--precision", "fp32", "--batch", "4", "--set", "width=6", "--set", "depth=3"]
SUPERVISED = ["supervised", "--data", "photos", *TINY]
SUM = 1e-6  # relative: gradients are summed in another order


def test_tasks_are_shared_out():
    shares = [list(ProcessGroup(rank, 3).share(8)) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert [ProcessGroup(rank, 3).leads for rank in range(3)] == [True, False, False]


def test_one_process_adds_nothing():
    tensor = torch.ones(3)
    ProcessGroup().add_up([tensor])
    assert tensor.tolist() == [1, 1, 1]


def test_tensors_of_any_layout_are_added_up(monkeypatch):
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda flat: flat.mul_(2))  # as if the other rank had the same
    tensors = [torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last), torch.ones(2)]
    expected = [2 * tensor for tensor in tensors]
    ProcessGroup(0, 2).add_up(tensors)
    assert all(torch.equal(a, b) for a, b in zip(tensors, expected, strict=True))


def test_torchrun_says_which_process_this_is(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert process_group_of_environment() == ProcessGroup(0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert process_group_of_environment() == ProcessGroup(2, 4)


def test_every_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert (device_of_environment("cuda"), device_of_environment("cpu")) == ("cuda:3", "cpu")
    monkeypatch.delenv("LOCAL_RANK")
    assert device_of_environment("cuda") == "cuda"


def test_several_processes_need_a_device_that_connects_them():
    with (
        pytest.raises(InputError, match="together on cuda or cpu, got mps"),
        joined(ProcessGroup(0, 2), torch.device("mps")),
    ):
        pass


@contextlib.contextmanager
def two_processes(folder, *arguments):
    """Start a supervised training in two processes, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    command = ["train", *SUPERVISED, *arguments]
    with (
        innersr_process(*command, folder=folder, RANK="0", **place) as first,
        innersr_process(*command, folder=folder, RANK="1", **place) as second,
    ):
        yield first, second


def test_two_processes_learn_what_one_does(tmp_path, monkeypatch):
    write_photos(tmp_path / "photos", sides=(110, 105))
    arguments = ["--steps", 4, "--out"]
    with two_processes(tmp_path, *arguments, "two.safetensors") as processes:
        monkeypatch.chdir(tmp_path)
        assert CliRunner().invoke(train_app, [*SUPERVISED, *map(str, arguments), "one.safetensors"]).exit_code == 0
        ends = [process.end() for process in processes]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert [bool(out) for _, out, _ in ends] == [True, False]  # only the first reports
    one, two = (load_checkpoint(tmp_path / f"{name}.state.safetensors").tensors for name in ("one", "two"))
    weights = [{name: t for name, t in state.items() if name.startswith("network")} for state in (one, two)]
    assert largest_difference(*weights) < SUM * max(float(t.abs().max()) for t in weights[0].values())
    lines = [(tmp_path / f"{name}.jsonl").read_text().count("\n") for name in ("one", "two")]
    assert lines == [1, 1]


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_signal_to_any_process_ends_all_after_the_same_step(tmp_path):
    write_photos(tmp_path / "photos", sides=(110, 105))
    arguments = ["--steps", 100_000, "--out", "two.safetensors", "--checkpoint-every", 1]
    with two_processes(tmp_path, *arguments) as processes:
        processes[0].wait_for(tmp_path / "two.state.safetensors")
        processes[1].send_signal(signal.SIGTERM)
        ends = [process.end() for process in processes]
    assert [code for code, _, _ in ends] == [130, 143], ends
    step = load_checkpoint(tmp_path / "two.state.safetensors").header["step"]
    assert f"stopped after step {step} of 100000" in ends[0][2]
    assert ends[1][1:] == ("", "")
