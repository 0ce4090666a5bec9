"""Tasks done by several processes, of which any may be killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import torch

from innersr.atomic import remove_partial_files
from innersr.errors import InnersrError, InputError
from innersr.memory import reuse_freed_memory

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Done(NamedTuple, Generic[Task, Answer]):
    """A task, and its answer; None if the process that had it was ended."""

    task: Task
    answer: Answer | None


class _Worker(Generic[Task, Answer]):
    """A process and the task that it has."""

    def __init__(self, function: Callable[[Task], Answer], threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
        self.connection, theirs = context.Pipe()
        arguments = (theirs, function, threads, os.getpid())
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.function = function
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        self.task = task
        self.connection.send(task)

    def answer(self) -> Answer | None:
        """The answer, or None if the process has ended.

        Raises:
            InnersrError: what the task raised, which is a fault of this program.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(answer, Fault):
            raise_fault(answer)
        return answer

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


class Fault(NamedTuple):
    """A failure of a worker, in place of an answer."""

    text: str
    is_input: bool = False
    """Whether it is no fault of this program."""


def answer_or_fault(function: Callable[[Task], Answer], task: Task) -> Answer | Fault:
    """Answer a task in a worker."""
    try:
        return function(task)
    except Exception as error:  # noqa: BLE001 (the process of the command reports it)
        return Fault(f"{type(error).__name__}: {error}")


def raise_fault(fault: Fault) -> NoReturn:
    """Raise the failure of a worker in the process of the command.

    Raises:
        InputError: what the user can mend.
        InnersrError: a fault of this program.
    """
    if fault.is_input:
        raise InputError(fault.text)
    raise InnersrError(f"a worker process failed: {fault.text}; please report it")


def work_in_processes(
    functions: Sequence[Callable[[Task], Answer]], tasks: Iterable[Task], threads: int
) -> Iterator[Done[Task, Answer]]:
    """Yield the tasks as they are done, in any order.

    Args:
        functions: one for each process, of a module that it imports.
        tasks: that can be sent to another process; each is taken when a process is free for it.
        threads: of torch in each.
    """
    waiting = iter(tasks)
    workers: list[_Worker[Task, Answer]] = []
    try:
        for function, first in zip(functions, waiting, strict=False):
            workers.append(_Worker(function, threads))
            workers[-1].give(first)
        while any(worker.task is not None for worker in workers):
            busy = {worker.connection: worker for worker in workers if worker.task is not None}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                task, answer = worker.task, worker.answer()
                assert task is not None
                worker.task = None
                following = next(waiting, None)
                if answer is None:
                    worker.end()
                    workers.remove(worker)
                    if following is not None:
                        workers.append(worker := _Worker(worker.function, threads))
                if following is not None:
                    worker.give(following)
                yield Done(task, answer)
    finally:
        for worker in workers:
            worker.end()


def _serve(connection: Connection, function: Callable[[Any], Any], threads: int, parent: int) -> None:
    """Answer tasks until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends its workers
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    reuse_freed_memory()
    torch.set_num_threads(min(threads, torch.get_num_threads()))  # OMP_NUM_THREADS may leave fewer
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = connection.recv()
            connection.send(answer_or_fault(function, task))


def _leave(*_: object) -> None:
    remove_partial_files()
    os._exit(143)


def _leave_with(parent: int) -> None:
    """End this process when the parent was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    _leave()
