"""Limits of containers, and of jobs on a cluster."""

import os

import pytest

from innersr import control_groups
from innersr.batch.options import BatchOptions
from innersr.control_groups import free_bytes, processors

SLURM = "slurm/job_7/step_0"
GROUPS = [SLURM, "slurm/job_7", "slurm", "."]


@pytest.fixture(autouse=True)
def system(tmp_path, monkeypatch):
    """A system of 64 processors in one group, until files are written: system("memory.max", text)."""
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)

    def write(name, text):
        path = tmp_path / ("proc/self/cgroup" if name == "own" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    return write


def test_without_groups_there_is_no_limit():
    assert (free_bytes(), processors()) == (None, 64)


@pytest.mark.parametrize("limited", GROUPS)
def test_the_least_of_the_groups_around_a_job_counts(system, limited):
    system("own", f"0::/{SLURM}")
    for group in GROUPS:
        system(f"{group}/memory.max", "5000" if group == limited else "max")
        system(f"{group}/memory.current", "2000")
        system(f"{group}/cpu.max", "250000 100000" if group == limited else "max 100000")
    system(f"{limited}/memory.stat", "anon 7\ninactive_file 300")
    system("other/memory.max", "100")
    assert (free_bytes(), processors()) == (3300, 3)


def test_the_first_version_of_groups_has_a_tree_for_each_controller(system):
    system("own", f"9:name=systemd:/x\n4:hugetlb,memory:/{SLURM}\n3:cpu,cpuacct:/pod\n0::/")
    system("memory/memory.limit_in_bytes", str(2**63 - 4096))
    system("memory/memory.usage_in_bytes", "7000")
    system("cpu/cpu.cfs_quota_us", "-1"), system("cpu/cpu.cfs_period_us", "100000")
    assert free_bytes() > 2**62
    assert processors() == 64
    system(f"memory/{SLURM}/memory.limit_in_bytes", "5000")
    system(f"memory/{SLURM}/memory.usage_in_bytes", "2000")
    system(f"memory/{SLURM}/memory.stat", "inactive_file 1\ntotal_inactive_file 300")
    system("cpu/pod/cpu.cfs_quota_us", "50000"), system("cpu/pod/cpu.cfs_period_us", "100000")
    assert (free_bytes(), processors()) == (3300, 1)


@pytest.mark.parametrize("text", ["", "max", "some 100", "5 0", "100000 100000 1"])
def test_what_is_no_limit_is_none(system, text):
    system("cpu.max", text), system("memory.max", text), system("memory.current", "2")
    assert (free_bytes(), processors()) == (None, 64)


@pytest.mark.parametrize(
    ("jobs", "files", "devices", "expected"),
    [
        (None, 7, 0, (1, 4)),
        (None, 8, 0, (4, 1)),
        (None, 8, 1, (1, 4)),
        (None, 7, 2, (1, 4)),
        (None, 8, 2, (2, 2)),
        (None, 9, 16, (9, 1)),
        (2, 3, 0, (2, 2)),
        (9, 2, 0, (2, 1)),
        (6, 8, 2, (6, 1)),
    ],
)
def test_there_are_no_more_threads_than_processors(system, jobs, files, devices, expected):
    system("cpu.max", "400000 100000")
    assert BatchOptions(jobs=jobs).processes(files, devices=devices) == expected


def test_there_are_no_more_processes_than_fit_into_the_memory(monkeypatch):
    monkeypatch.setattr("innersr.batch.options.free_memory", lambda _: 5 << 29)
    assert BatchOptions().processes(100) == (2, 1)
