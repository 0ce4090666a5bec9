"""Tasks done by several processes."""

import os

import pytest

from helpers.tasks import answer
from innersr.batch.workers import work_in_processes
from innersr.errors import InnersrError


def test_all_tasks_are_done_though_processes_are_killed():
    done = dict(work_in_processes([answer], [1, "die", 2], threads=1))
    assert done.pop("die") is None
    assert {task: value[:2] for task, value in done.items()} == {1: (2, 1), 2: (4, 1)}
    assert os.getpid() not in {value[2] for value in done.values()}


def test_a_fault_of_the_program_is_raised():
    with pytest.raises(InnersrError, match="ValueError: a fault; please report it"):
        list(work_in_processes([answer], ["fail"], threads=1))


def test_processes_take_no_more_threads_than_the_environment_allows(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert dict(work_in_processes([answer], [1], threads=4))[1][1] == 2
