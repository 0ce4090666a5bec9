"""Ctrl-C within a second, even while a long C call runs, with nothing half-written left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

PATIENCE = 0.7  # seconds that the work has to stop by itself
EXIT_CODE = 130  # what shells give a program that SIGINT ended


@contextlib.contextmanager
def prompt_interrupts(partial_files: list[Path]) -> Iterator[None]:
    """Make SIGINT and SIGTERM raise KeyboardInterrupt, and end the process if that takes too long.

    Python delivers the exception between two of its own instructions; a convolution or an encoder may run for
    seconds in between. A thread that the signal wakes waits for a moment, removes the files, and exits.

    Args:
        partial_files: what to remove then; the caller keeps the list up to date.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    thread = threading.Thread(target=_exit_if_late, args=(reader, partial_files), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writer)  # the thread reads the end of the pipe and returns
        thread.join()
        os.close(reader)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a handler)
    raise KeyboardInterrupt


def _exit_if_late(reader: int, partial_files: list[Path]) -> None:
    if not os.read(reader, 1):
        return
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(0.02)
        if not threading.main_thread().is_alive():
            return
    for file in partial_files:
        file.unlink(missing_ok=True)
    os._exit(EXIT_CODE)
