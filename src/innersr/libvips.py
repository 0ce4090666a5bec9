"""Exclusive use of libvips, whose buffer of error messages is shared by all threads of the process."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import pyvips

from innersr.errors import ImageFileError


@contextlib.contextmanager
def libvips_alone() -> Iterator[None]:
    """Context manager, and decorator, for one operation of libvips, which has the error messages to itself.

    Raises:
        ImageFileError: in a forked process whose parent used libvips: its threads are missing, and it would hang.
    """
    _state.check()
    with _state.lock:
        _state.is_used = True
        pending_errors()
        yield


def pending_errors() -> str:
    """The messages in the error buffer of libvips, which is cleared.

    pyvips clears it only when it raises, and not when a message is not UTF-8: then every later error fails too.
    """
    messages: str = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer()).decode("utf-8", "replace")
    pyvips.vips_lib.vips_error_clear()
    return messages


class _State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_used = self._is_lost = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._lose)

    def check(self) -> None:
        if self._is_lost:
            raise ImageFileError(
                "this process was forked from one that had read or written images, and libvips works in the first "
                'only; start it by spawn: multiprocessing.get_context("spawn")'
            )

    def _lose(self) -> None:
        self._is_lost = self.is_used or self.lock.locked()


_state = _State()
