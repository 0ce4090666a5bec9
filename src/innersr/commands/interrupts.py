"""Ctrl-C within a second, even while a long C call runs, with nothing half-written left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from innersr.atomic import remove_partial_files

SECOND_THOUGHT = 3.0  # seconds after which another signal is meant to end the work at once
PATIENCE = 0.7  # seconds that the work has to stop by itself
EXIT_CODE = 130  # what shells give a program that SIGINT ended
MESSAGE = "interrupted; nothing half-written was left"


@contextlib.contextmanager
def prompt_interrupts() -> Iterator[None]:
    """Make SIGINT and SIGTERM raise KeyboardInterrupt, and end the process if that takes too long.

    Python delivers the exception between two of its own instructions; a convolution or an encoder may run for
    seconds in between. A thread that the signal wakes gives the work a moment to end by itself; if it does not,
    the thread removes the partial files of `whole_file` and exits.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    ended = threading.Event()
    thread = threading.Thread(target=_exit_if_late, args=(reader, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(previous_fd)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writer)  # the thread reads the end of the pipe and returns
        thread.join()
        os.close(reader)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Only record SIGINT and SIGTERM: yield whether one came. A second one, if late, interrupts.

    For use within `prompt_interrupts`, whose watching thread sees none of these signals. A second one at once has the
    same cause: a terminal sends Ctrl-C to torchrun and to its processes, and torchrun passes it on to them.
    """
    came: list[float] = []

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a handler)
        came.append(time.monotonic())
        if came[-1] - came[0] > SECOND_THOUGHT:
            raise KeyboardInterrupt

    watching = signal.set_wakeup_fd(-1)
    handlers = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(watching, warn_on_full_buffer=False)


def exit_at_once() -> NoReturn:
    """End the process with the exit code of an interrupt: Python would take torch apart first, for a second or two."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(EXIT_CODE)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a handler)
    raise KeyboardInterrupt


def _exit_if_late(reader: int, ended: threading.Event) -> None:
    while number := os.read(reader, 1):
        if number[0] in (signal.SIGINT, signal.SIGTERM):
            break
    if not number or ended.wait(PATIENCE):
        return
    remove_partial_files()
    show_cursor = "\x1b[?25h" * sys.stderr.isatty()  # progress bars hide it
    os.write(2, f"{show_cursor}{MESSAGE}\n".encode())
    os._exit(EXIT_CODE)
