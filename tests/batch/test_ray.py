"""Tasks done by actors of Ray, of which one is killed."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from helpers.bench import draw
from helpers.cli import BICUBIC, names, upscale
from helpers.tasks import upscale_dying_once
from innersr.batch.options import BatchOptions
from innersr.batch.ray_workers import RayCluster, _Answering, _Pool, work_on_ray
from innersr.errors import InnersrError, InputError


def test_a_cluster_of_two_actors_gives_the_local_bytes_though_one_is_killed(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # for the function that kills its actor
    Path("in").mkdir()
    for seed, name in enumerate("abcd"):
        draw(Path(f"in/{name}.png"), 20, 24, seed=seed)
    Path("in/g.png").write_text("no image")
    arguments = ["in", "-m", "zssr", "--set", "steps=2", "--kernel", "bicubic", "--jobs", "2"]
    assert upscale(*arguments, "-o", "local/", "--jobs", "1", "--status", "local.jsonl").exit_code == 1
    monkeypatch.setattr("innersr.commands.batch.distribution.upscale_silently", upscale_dying_once)
    result = upscale(*arguments, "-o", "ray/", "--engine", "ray", "--status", "ray.jsonl")
    assert result.exit_code == 1 and "4 done, 1 failed" in result.stdout, result.stderr
    said = [line for line in result.stderr.splitlines() if " of 5 files" not in line]  # a busy machine takes longer
    assert len(said) == 1 and said[0].startswith("error: in/g.png: ")
    assert names("ray") == sorted([*names("local"), "dead"])
    for name in names("local"):
        assert Path("ray", name).read_bytes() == Path("local", name).read_bytes()

    def rows(path):
        rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
        return sorted((row["input"], row["status"], row["error"], row["remedy"]) for row in rows)

    assert rows("ray.jsonl") == rows("local.jsonl")
    assert "4 skipped, 1 failed" in upscale(*arguments, "-o", "ray/").stdout  # one manifest for both


@dataclass(eq=False, kw_only=True)
class Promise:
    """What a pretended actor returns when it is asked for: of a task, or of the folder where it begins."""

    actor: int
    given: object
    answer: Callable[[], object]


class PretendedRay:
    """A cluster without processes, with three graphics processors.

    Args:
        places: how many actors it has processors for; the others begin when one is killed.
        loses: whether the actor that is given this is lost.
    """

    def __init__(self, places=8, loses=lambda _: False):
        self.exceptions = SimpleNamespace(RayActorError=ConnectionError, RayError=RuntimeError)
        self.places, self.loses = places, loses
        self.begun, self.asked, self.killed, self.calls = [], [], [], []

    def init(self, address, **settings):
        self.calls.append((address, settings.get("num_cpus")))

    def shutdown(self):
        self.calls.append("shutdown")

    def cluster_resources(self):
        return {"CPU": 8.0, "GPU": 3.0}

    def remote(self, **resources):
        def actor(kind):
            one, number = kind(), len(self.begun)
            self.begun.append(resources)
            begin, answer = (
                SimpleNamespace(remote=partial(self.ask, number, method)) for method in (one.begin, one.answer)
            )
            return SimpleNamespace(begin=begin, answer=answer, number=number)

        return lambda kind: SimpleNamespace(remote=lambda: actor(kind))

    def ask(self, actor, method, *given):
        assert len(self.asked) < 50, "asks for ever"
        self.asked.append(given[-1])
        return Promise(actor=actor, given=given[-1], answer=partial(method, *given))

    def wait(self, promises, num_returns):
        alive = [number for number in range(len(self.begun)) if number not in self.killed]
        kept = [promise for promise in promises if promise.actor in alive[: self.places]]
        assert kept, "waits for ever"
        return kept[:num_returns], []

    def get(self, promise):
        if self.loses(promise.given):
            raise ConnectionError("the actor is lost")
        return promise.answer()

    def kill(self, actor):
        self.killed.append(actor.number)


@pytest.fixture
def one_process(monkeypatch):
    """Let pretended actors leave the threads of this process as they are; give the numbers that they set."""
    numbers = []
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    return numbers


def answers(ray, function, tasks, **cluster):
    return {done.task: done.answer for done in _Pool(ray, function, tasks, RayCluster(**cluster)).work()}


def test_there_is_an_actor_for_each_graphics_processor(one_process):
    for on_gpu, resources in ((True, [{"num_gpus": 1}] * 3), (False, [{"num_cpus": 1}] * 8)):
        ray = PretendedRay()
        assert answers(ray, abs, range(-5, 0), on_gpu=on_gpu) == {-5: 5, -4: 4, -3: 3, -2: 2, -1: 1}
        assert ray.begun == resources
    assert set(one_process) == {1}  # thread for each actor


@pytest.mark.usefixtures("one_process")
def test_a_task_whose_actors_are_lost_is_begun_three_times():
    ray = PretendedRay(loses=lambda given: given == -2)
    assert answers(ray, abs, range(-4, 0), actors=2) == {-4: 4, -3: 3, -2: None, -1: 1}
    assert ray.asked.count(-2) == 3
    assert len(ray.begun) == 2 + 3 and len(ray.killed) == 3  # each lost one is replaced, and ended where it still runs


@pytest.mark.usefixtures("one_process")
def test_actors_that_never_begin_are_reported():
    ray = PretendedRay(loses=lambda given: given == str(Path.cwd()))
    with pytest.raises(
        InputError, match=r"Ray workers do not start \(the actor is lost\); install this innersr on all"
    ):
        answers(ray, abs, range(-4, 0), actors=2)


@pytest.mark.usefixtures("one_process")
def test_no_actor_is_waited_for_that_has_no_place():
    assert answers(PretendedRay(places=1), abs, range(-4, 0), actors=3) == {-4: 4, -3: 3, -2: 2, -1: 1}


@pytest.mark.usefixtures("one_process")
def test_tasks_are_taken_when_an_actor_is_free():
    taken = []
    tasks = (taken.append(number) or number for number in range(20))
    ahead = [
        len(taken) - number for number, _ in enumerate(_Pool(PretendedRay(), abs, tasks, RayCluster(actors=2)).work())
    ]
    assert max(ahead) <= 4  # one done, those of two actors, and one that tells whether there are more


@pytest.mark.usefixtures("one_process")
def test_a_fault_of_a_task_ends_the_work():
    with pytest.raises(InnersrError, match="a worker process failed: TypeError: .* please report it"):
        answers(PretendedRay(), abs, ["text"])


@pytest.mark.usefixtures("one_process")
def test_an_actor_is_in_the_folder_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # and back afterwards
    (tmp_path / "work").mkdir()
    assert _Answering().begin(str(tmp_path / "work")) is None
    assert Path.cwd() == tmp_path / "work"
    fault = _Answering().begin(str(tmp_path / "missing"))
    assert fault.is_input and "missing: this folder is not on every machine (No such file" in fault.text


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize(("address", "made"), [(None, ("local", 2)), ("auto", ("auto", None))])
def test_the_cluster_is_left_however_the_work_ends(monkeypatch, address, made):
    cluster, ray = RayCluster(address=address, actors=2), PretendedRay()
    monkeypatch.setattr("innersr.batch.ray_workers.check_ray", lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert len([*work_on_ray(abs, range(3), cluster)]) == 3
    with pytest.raises(InnersrError):
        next(work_on_ray(abs, ["text"], cluster))
    work = work_on_ray(abs, range(3), cluster)
    next(work)
    work.close()  # as an interrupt does
    assert ray.calls == 3 * [made, "shutdown"]


def test_ray_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"--engine ray needs the package ray; pip install '\.\[ray\]'"):
        BatchOptions(engine="ray")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"engine": "dask"}, "--engine must be local or ray, got dask"), ({"address": "auto"}, "add --engine ray")],
)
def test_wrong_engines_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        BatchOptions(**options)


def test_a_cluster_that_does_not_answer_is_reported_in_one_line(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    draw(tmp_path / "a.png", 20, 24)
    arguments = ["--engine", "ray", "--address", "127.0.0.1:1", "-o", tmp_path / "out.png", *BICUBIC]
    result = upscale(tmp_path / "a.png", *arguments)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "127.0.0.1:1: no Ray cluster answers" in result.stderr
