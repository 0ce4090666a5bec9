"""Real processes that run `innersr`: for what one process cannot show, such as signals and several that learn together.

On Linux they are forked from a server that has torch imported already, which takes longer than anything they do here.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 60  # that a process may take on a busy machine
# macOS does not promise that a process may be forked once its frameworks are loaded.
_CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
# torch._dynamo is imported by the first optimizer.
_CONTEXT.set_forkserver_preload(["innersr.commands.train", "innersr.commands.singan.train", "torch._dynamo"])


def _run(arguments, environment, folder, out, err):
    with contextlib.suppress(AttributeError):  # Windows has no groups
        os.setpgid(0, 0)  # killed with all processes that it starts
    os.chdir(folder)
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["innersr", *arguments]
    from innersr.cli import main

    main()


class Innersr:
    """A running command, in a process of its own."""

    def __init__(self, arguments, environment, folder):
        self._output = tempfile.TemporaryDirectory(prefix="innersr-output-")
        self._paths = [Path(self._output.name) / name for name in ("out", "err")]
        given = (list(map(str, arguments)), environment, str(Path(folder).absolute()), *map(str, self._paths))
        self._process = _CONTEXT.Process(target=_run, args=given)
        self._process.start()

    @property
    def number(self):
        """Of the process, to the system."""
        return self._process.pid

    def is_alive(self):
        return self._process.is_alive()

    def group(self):
        """The processes that it has started and that have not ended, on Linux."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
                if int(group) == self._process.pid and state not in "ZX":
                    found.append(int(path.parent.name))
        return found

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def wait_for(self, path):
        """Wait until a file is there, or the process has ended."""
        deadline = time.monotonic() + SECONDS
        while not path.exists() and self._process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def wait_for_stderr(self):
        """Wait until something is said on stderr, or the process has ended."""
        deadline = time.monotonic() + SECONDS
        while not self._said()[1] and self._process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def end(self):
        """Wait for the end; return the exit code and what was said on stdout and stderr."""
        self._process.join(SECONDS)
        return (self._process.exitcode, *self._said())

    def _said(self):
        return [path.read_text(encoding="utf-8") if path.exists() else "" for path in self._paths]

    def kill(self):
        with contextlib.suppress(AttributeError, OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._output.cleanup()


@contextlib.contextmanager
def innersr_process(*arguments, folder=".", **environment):
    """Give a running `innersr` with these arguments; end it in any case."""
    process = Innersr(arguments, environment, folder)
    try:
        yield process
    finally:
        process.kill()
