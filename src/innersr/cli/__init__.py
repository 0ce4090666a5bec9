"""The command line."""

# Built in, for signal imports enum and functools, during which Ctrl-C would print a traceback.
import _signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False  # as that of typing, which takes as long to import as all else here
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]


def main() -> "NoReturn":
    """Run the command line and exit: 0 done, 1 a file failed, 2 wrong usage, 130 or 143 interrupted.

    The rest is imported here, where an interrupt is one line and no traceback.
    """
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # ends the process as SIGTERM does
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed, as for some daemons; the lowest free descriptor is that stream's
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 (until the end)
    _let_waiting_threads_sleep()
    from innersr.commands.interrupts import exit_on_interrupts

    exit_on_interrupts()
    try:
        from innersr.cli.app import run_app

        run_app()
    except (ImportError, OSError, MemoryError, RuntimeError) as error:  # imports, or a thread, found no memory
        if _is_out_of_memory(error):
            sys.stderr.write("error: out of memory; close other programs, or use a machine with more\n")
        elif isinstance(error, OSError):  # of ctypes
            sys.stderr.write(f"error: {error}; a library is damaged or missing: install innersr anew\n")
        else:
            raise
        sys.exit(1)
    sys.exit()


def _let_waiting_threads_sleep() -> None:
    """Let OpenMP's threads sleep soon where they wait for each other, unless the environment says otherwise.

    By default they spin some 300,000 times first. Where another program takes a processor, most of the time is lost so.
    libgomp reads this when PyTorch is loaded; worker processes inherit it.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")  # with fewer, threads that soon have work are asleep


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; a module that cannot be loaded for want of it is an ImportError."""
    known = sys.modules.get("innersr.memory")
    is_known = known is not None and known.is_out_of_memory(error)
    return is_known or isinstance(error, MemoryError) or "map segment from shared object" in str(error)
