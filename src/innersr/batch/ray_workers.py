"""Tasks done by actors of Ray, on one machine or on a cluster, as `workers` does them by processes."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from innersr.batch.workers import Answer, Done, Fault, Task, answer_or_fault, raise_fault
from innersr.errors import InputError, how_to_install
from innersr.memory import reuse_freed_memory


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """The cluster that has the actors.

    Args:
        address: of an existing one, such as "auto", "10.0.0.1:6379" or "ray://host:10001"; None starts one on this
            machine, which ends with the work.
        actors: their number; None for as many as the cluster has processors, or graphics processors with `on_gpu`.
        on_gpu: whether each actor has a graphics processor of its own.
        attempts: how often a task is begun whose actor is lost.
    """

    address: str | None = None
    actors: int | None = None
    on_gpu: bool = False
    attempts: int = 3


def check_ray() -> None:
    """Raise InputError if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        remedy = f"{how_to_install('ray')}, or leave --engine out"
        raise InputError(f"--engine ray needs the package ray; {remedy}")


def work_on_ray(
    function: Callable[[Task], Answer], tasks: Iterable[Task], cluster: RayCluster
) -> Iterator[Done[Task, Answer]]:
    """Yield the tasks as they are done, in any order; those whose actors were lost again and again without answer.

    An actor has one thread of torch, stays in the folder of this process, and keeps what the function loads.

    Args:
        function: of a module, which each actor imports.
        tasks: that can be sent to another machine; each is taken when an actor is free for it.
        cluster: that has the actors.

    Raises:
        InputError: no cluster answers, or its actors cannot begin.
    """
    check_ray()
    import ray

    _connect(ray, cluster)
    try:
        yield from _Pool(ray, function, tasks, cluster).work()
    finally:
        ray.shutdown()


def _connect(ray: Any, cluster: RayCluster) -> None:  # noqa: ANN401 (the module)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use otherwise
    quiet = {"log_to_driver": False, "logging_level": "CRITICAL"}
    smallest_store = 80 << 20  # bytes; only paths are sent
    own = {"num_cpus": cluster.actors, "include_dashboard": False, "object_store_memory": smallest_store}
    try:
        _check_reachable(cluster.address)
        ray.init(cluster.address or "local", **quiet, **({} if cluster.address else own))
    except Exception as error:  # noqa: BLE001 (Ray raises all kinds of them)
        what = str(error).strip().split("\n")[0] or type(error).__name__
        remedy = "start one, or leave --address out"
        raise InputError(f"{cluster.address or 'ray'}: no Ray cluster answers ({what}); {remedy}") from error


def _check_reachable(address: str | None) -> None:
    """Raise OSError if nothing listens at host:port or ray://host:port: Ray tries for minutes."""
    match = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address or "")
    if match is not None:
        socket.create_connection((match[1], int(match[2])), timeout=5).close()


class _Pool:
    """Actors, and the task of each."""

    def __init__(
        self,
        ray: Any,  # noqa: ANN401 (the module)
        function: Callable[[Any], Any],
        tasks: Iterable[Any],
        cluster: RayCluster,
    ) -> None:
        self._ray, self._function, self._waiting, self._cluster = ray, function, iter(tasks), cluster
        resources: dict[str, Any] = {"num_gpus": 1} if cluster.on_gpu else {"num_cpus": 1}
        self._actor = ray.remote(**resources)(_Answering)
        self._busy: dict[Any, tuple[Any, tuple[Any, int] | None]] = {}
        """Actors and (task, attempt) by what they will return; without a task those that begin."""
        self._ready: deque[tuple[Any, int]] = deque()
        """(task, attempt) of lost actors, or of the next task."""
        self._failed_begins = 0

    def work(self) -> Iterator[Done[Any, Any]]:
        """Yield the tasks as they are done."""
        name = "GPU" if self._cluster.on_gpu else "CPU"
        for _ in range(self._cluster.actors or max(1, int(self._ray.cluster_resources().get(name, 1)))):
            self._begin()
        while self._busy:
            (ref, *_), _ = self._ray.wait([*self._busy], num_returns=1)
            actor, given = self._busy.pop(ref)
            done = self._answer(ref, actor, given)
            if done is not None:
                yield done
            if all(task is None for _, task in self._busy.values()) and not self._has_more():
                return

    def _has_more(self) -> bool:
        """Whether a task is left; if none is ready, the next one is taken from `tasks`."""
        if not self._ready:
            self._ready.extend((task, 1) for task in itertools.islice(self._waiting, 1))
        return bool(self._ready)

    def _answer(self, ref: Any, actor: Any, given: tuple[Any, int] | None) -> Done[Any, Any] | None:  # noqa: ANN401
        """What an actor returned, if it had a task; give it, or one in place of a lost one, the next."""
        try:
            answer = self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            return self._replace(actor, given, error)
        except self._ray.exceptions.RayError as error:
            raise _not_ready(error) from error
        if isinstance(answer, Fault):
            raise_fault(answer)
        if self._has_more():
            task, attempt = self._ready.popleft()
            self._busy[actor.answer.remote(self._function, task)] = actor, (task, attempt)
        return None if given is None else Done(given[0], answer)

    def _replace(self, actor: Any, given: tuple[Any, int] | None, error: Exception) -> Done[Any, Any] | None:  # noqa: ANN401
        self._ray.kill(actor)  # which may only be out of reach
        self._failed_begins += given is None
        if self._failed_begins > self._cluster.attempts:
            raise _not_ready(error) from error
        self._begin()
        if given is None:
            return None
        task, attempt = given
        if attempt >= self._cluster.attempts:
            return Done(task, None)
        self._ready.append((task, attempt + 1))
        return None

    def _begin(self) -> None:
        """Start an actor; it is given a task when it has begun, for a cluster may have no place for all."""
        actor = self._actor.remote()
        self._busy[actor.begin.remote(str(Path.cwd()))] = actor, None


def _not_ready(error: Exception) -> InputError:
    what = str(error).strip().split("\n")[-1]
    return InputError(f"the Ray workers do not start ({what}); install this innersr on all machines of the cluster")


class _Answering:
    """An actor."""

    def begin(self, folder: str) -> Fault | None:
        """Go to the folder of the command, from which paths lead."""
        torch.set_num_threads(1)
        reuse_freed_memory()
        try:
            os.chdir(folder)
        except OSError as error:
            remedy = "all machines of a Ray cluster need it, on a shared file system"
            return Fault(f"{folder}: this folder is not on every machine ({error.strerror}); {remedy}", is_input=True)
        return None

    def answer(self, function: Callable[[Any], Any], task: Any) -> Any:  # noqa: ANN401 (of any type)
        """Answer a task."""
        return answer_or_fault(function, task)
