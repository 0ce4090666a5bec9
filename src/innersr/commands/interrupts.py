"""Interrupts within a second, even during a long C call, with nothing half-written left behind.

The exit codes are those that shells give to programs that a signal ended: 130 for Ctrl-C, 143 for SIGTERM.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from innersr.atomic import remove_partial_files

SECOND_THOUGHT = 3.0  # seconds after which another signal is meant to end the work at once
PATIENCE = 0.7  # seconds that the work has to stop by itself
NUMBERS = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")  # Windows lacks the last two
    if (number := getattr(signal, name, None)) is not None
)
MESSAGE = "interrupted; nothing half-written was left"


@contextlib.contextmanager
def prompt_interrupts() -> Iterator[None]:
    """Make the signals that end a process raise KeyboardInterrupt, and end it if that takes too long.

    Python delivers the exception between two of its own instructions; a convolution or an encoder may run for
    seconds in between. A thread that the signal wakes gives the work a moment to end by itself; if it does not,
    the thread removes the partial files of `whole_file` and exits.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    handlers = _handled(_interrupt)
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


class StopRequest:
    """A request to stop by a signal; calling it tells whether one came. `exit_code` is that signal's."""

    def __init__(self) -> None:
        self._came = 0.0
        self._number: int = signal.SIGINT

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self._came > 0

    @property
    def exit_code(self) -> int:
        """The exit code of the signal that came; that of Ctrl-C if another process got it."""
        return 128 + self._number

    def note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature of a handler)
        """Record a signal; raise KeyboardInterrupt if it is a second one, and late."""
        if not self._came:
            self._came, self._number = time.monotonic(), number
        elif time.monotonic() - self._came > SECOND_THOUGHT:
            raise KeyboardInterrupt(number)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[StopRequest]:
    """Only record the signals that end a process: yield whether one came. A second one, if late, interrupts.

    For use within `prompt_interrupts`, whose watching thread sees none of these signals. A second one at once has the
    same cause: a terminal sends Ctrl-C to torchrun and to its processes, and torchrun passes it on to them.
    """
    request = StopRequest()
    watching = signal.set_wakeup_fd(-1)
    handlers = _handled(request.note)
    try:
        yield request
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(watching, warn_on_full_buffer=False)


def exit_on_interrupts() -> None:
    """Make the signals end the process at once, without a traceback: for imports, before there is any work."""
    _handled(lambda number, _frame: _exit(number))


def exit_code_of(error: KeyboardInterrupt) -> int:
    """The exit code of the signal that raised an error."""
    return 128 + (error.args[0] if error.args else int(signal.SIGINT))


def is_exit_code(code: object) -> bool:
    """Whether an exit code is that of an interrupt."""
    return code in [128 + number for number in NUMBERS]


def exit_at_once(code: int) -> NoReturn:
    """End the process: Python would take torch apart first, for a second or two."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _handled(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Set a handler; return those from before. Signals that are ignored, as under nohup, stay ignored."""
    numbers = [number for number in NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in numbers}


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of a handler)
    raise KeyboardInterrupt(number)


def _exit_if_late(reader: int, ended: threading.Event) -> None:
    while number := os.read(reader, 1):
        if number[0] in NUMBERS:
            break
    if number and not ended.wait(PATIENCE):
        _exit(number[0])


def _exit(number: int) -> NoReturn:
    remove_partial_files()
    with contextlib.suppress(OSError):
        show_cursor = "\x1b[?25h" * os.isatty(2)  # progress bars hide it
        os.write(2, f"{show_cursor}{MESSAGE}\n".encode())
    os._exit(128 + number)
