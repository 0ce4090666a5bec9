"""The devices of a batch: each process has one, and all devices that the run may use are used alike."""

from collections import Counter

import pytest
import torch

from helpers.bench import draw
from helpers.cli import BICUBIC, upscale
from innersr.batch.workers import Done
from innersr.commands.batch import distribution


@pytest.fixture
def given(tmp_path, monkeypatch):
    """The devices of the files, done by pretended processes on a machine with three GPUs, by the device asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for number in range(9):
        draw(tmp_path / f"in/{number}.png", 8, 8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    current = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    seen = []

    def silently(job):
        seen.append(job.run.device)
        return distribution.FileOutcome(seconds=0, error="nothing was done")

    def work(functions, tasks, threads):
        assert threads >= 1
        for place, task in enumerate(tasks):
            yield Done(task, functions[place % len(functions)](task))

    monkeypatch.setattr(distribution, "upscale_silently", silently)
    monkeypatch.setattr(distribution, "work_in_processes", work)

    def devices(*arguments):
        seen.clear(), current.clear()
        upscale("in", "-o", "out/", *BICUBIC, *arguments)
        return Counter(seen), current

    return devices


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_each_process_of_a_batch_has_a_device_of_its_own(given, device):
    seen, current = given("--device", device)
    assert seen == {"cuda:0": 3, "cuda:1": 3, "cuda:2": 3}
    assert set(current) == set(seen)  # so that no process takes memory of another device


def test_more_processes_than_devices_are_spread_evenly(given):
    assert given("--device", "cuda", "--jobs", "9")[0] == {"cuda:0": 3, "cuda:1": 3, "cuda:2": 3}
    assert given("--device", "cuda", "--jobs", "2")[0] == {"cuda:0": 5, "cuda:1": 4}


def test_a_device_with_a_number_stays_one_device(given):
    assert given("--device", "cuda:1", "--jobs", "2") == ({"cuda:1": 9}, [])
    assert given("--device", "cpu", "--jobs", "2") == ({"cpu": 9}, [])


def test_ray_gives_out_the_devices_itself(given, monkeypatch):
    clusters = []
    monkeypatch.setattr("innersr.batch.options.check_ray", lambda: None)
    monkeypatch.setattr(distribution, "work_on_ray", lambda *given: clusters.append(given[2]) or iter(()))
    given("--device", "cuda", "--engine", "ray")
    assert [(cluster.on_gpu, cluster.actors) for cluster in clusters] == [(True, None)]
    refused = upscale("in", "-o", "out/", "--device", "cuda:1", "--engine", "ray", *BICUBIC)
    assert refused.exit_code == 2 and "each actor a device of its own; use --device cuda" in refused.stderr
