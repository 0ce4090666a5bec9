"""Tasks done by actors of Ray, of which one is killed."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from helpers.bench import draw
from helpers.cli import BICUBIC, names, upscale
from helpers.tasks import upscale_dying_once
from innersr.batch.options import BatchOptions
from innersr.batch.ray_workers import RayCluster, _Pool
from innersr.errors import InputError


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


class PretendedRay:
    """A cluster without processes: three graphics processors, whose actors answer at once."""

    def __init__(self):
        self.exceptions = SimpleNamespace(RayActorError=ConnectionError, RayError=RuntimeError)
        self.begun = []

    def cluster_resources(self):
        return {"CPU": 8.0, "GPU": 3.0}

    def remote(self, **resources):
        def actor(kind):
            one = kind()
            self.begun.append(resources)
            begin, answer = (SimpleNamespace(remote=partial(partial, each)) for each in (one.begin, one.answer))
            return SimpleNamespace(begin=begin, answer=answer)

        return lambda kind: SimpleNamespace(remote=lambda: actor(kind))

    def wait(self, refs, num_returns):
        return refs[:num_returns], refs[num_returns:]

    def get(self, ref):
        return ref()


def test_there_is_an_actor_for_each_graphics_processor(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    for on_gpu, resources in ((True, [{"num_gpus": 1}] * 3), (False, [{"num_cpus": 1}] * 8)):
        ray = PretendedRay()
        done = [*_Pool(ray, abs, range(-5, 0), RayCluster(on_gpu=on_gpu)).work()]
        assert sorted(one.answer for one in done) == [1, 2, 3, 4, 5]
        assert ray.begun == resources


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


def test_a_cluster_that_does_not_answer_is_told_in_one_line(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: pip install '.[ray]'")
    draw(tmp_path / "a.png", 20, 24)
    arguments = ["--engine", "ray", "--address", "127.0.0.1:1", "-o", tmp_path / "out.png", *BICUBIC]
    result = upscale(tmp_path / "a.png", *arguments)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "127.0.0.1:1: no Ray cluster answers" in result.stderr
