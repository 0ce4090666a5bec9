"""Ctrl-C and SIGTERM: a prompt end with exit code 130 or 143, and nothing left behind."""

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

import innersr
from helpers.processes import innersr_process
from innersr.atomic import whole_file
from innersr.commands import interrupts
from innersr.commands.interrupts import NUMBERS, deferred_interrupts, prompt_interrupts

PROMPTLY = 2.0  # seconds; it takes about 0.2, and up to a second within a long C call
WORK = """
import hashlib, sys, time
from pathlib import Path
from innersr.atomic import whole_file
from innersr.commands.interrupts import prompt_interrupts
with prompt_interrupts(), whole_file(Path("photo.png"), overwrite=False) as partial:
    partial.write_bytes(b"half of it")
    print("begun", file=sys.stderr, flush=True)
    WORK
"""
SOURCE = str(Path(innersr.__file__).parents[1])
LONG_C_CALL = 'hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)'  # minutes without a look at signals
SWALLOWER = """
    try:
        time.sleep(60)
    except KeyboardInterrupt:  # as callbacks and some imports do
        time.sleep(60)
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


@contextlib.contextmanager
def started(folder, *arguments):
    """Give a running process that has said its first line on stderr; end it in any case."""
    # One thread: many on a busy machine take turns that have nothing to do with signals.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stderr.readline() != b""
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupted(process, number):
    """Send a signal; return the exit code, the seconds until the end, and what was said since."""
    begin = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, time.monotonic() - begin, out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_learning_ends_promptly_and_leaves_nothing(tmp_path, number):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    PillowImage.fromarray(pixels).save(tmp_path / "photo.png")
    command = ["upscale", "photo.png", "--kernel", "bicubic", "--set", "steps=100000", "-v", "--device", "cpu"]
    with innersr_process(*command, folder=tmp_path) as process:
        process.wait_for_stderr()
        time.sleep(0.5)  # the settings are said just before the work begins
        begin = time.monotonic()
        process.send_signal(number)
        code, out, err = process.end()
        seconds = time.monotonic() - begin
    assert (code, out) == (128 + number, "")
    assert err.splitlines()[1:] == ["interrupted; nothing half-written was left"]
    assert seconds < PROMPTLY
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    ("work", "number"),
    [(LONG_C_CALL, signal.SIGTERM), (SWALLOWER, signal.SIGINT)],
    ids=["a long C call, SIGTERM", "what swallows interrupts, Ctrl-C"],
)
def test_work_that_does_not_end_is_ended_and_its_partial_files_removed(tmp_path, work, number):
    with started(tmp_path, "-c", WORK.replace("WORK", work)) as process:
        time.sleep(0.5)  # until it is in there
        code, seconds, said = interrupted(process, number)
    assert (code, said) == (128 + number, b"interrupted; nothing half-written was left\n")
    assert seconds < PROMPTLY
    assert list(tmp_path.iterdir()) == []


def test_another_signal_does_not_end_the_process(monkeypatch):
    # A handler of Python's own for any signal wakes the watching thread too; without patience it ends at once.
    monkeypatch.setattr(interrupts, "PATIENCE", 0.0)
    seen = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _frame: seen.append(number))
    try:
        with prompt_interrupts():
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.2)  # an interrupted process would have ended by now
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert seen == [signal.SIGUSR1]


def test_an_interrupt_that_is_handled_in_time_is_a_keyboard_interrupt(tmp_path):
    begin = time.monotonic()
    with whole_file(tmp_path / "later.png", overwrite=False) as partial:
        with pytest.raises(KeyboardInterrupt), prompt_interrupts():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        assert time.monotonic() - begin < PROMPTLY
        time.sleep(1)  # the watching thread would have ended this process by now
        assert partial.exists()


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_every_signal_that_ends_a_process_lets_it_clean_up(tmp_path, number):
    with (
        pytest.raises(KeyboardInterrupt),
        prompt_interrupts(),
        whole_file(tmp_path / "never.png", overwrite=False) as partial,
    ):
        assert partial.exists() and signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN)
        os.kill(os.getpid(), number)
        time.sleep(30)
    assert list(tmp_path.iterdir()) == []


def test_hardly_a_module_is_imported_before_an_interrupt_is_silent():
    code = (
        "import os, sys\nbefore = set(sys.modules)\nimport innersr.cli\n"
        "print(*sorted(set(sys.modules) - before - set(sys.builtin_module_names)))"
    )
    # Without site, so that only what is imported here counts.
    command, environment = [sys.executable, "-S", "-c", code], os.environ | {"PYTHONPATH": SOURCE}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["innersr", "innersr.cli", "innersr.version"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupt_before_there_is_a_handler_ends_the_process_silently(number):
    code = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'innersr.commands.interrupts':\n            os.kill(os.getpid(), {int(number)})\n"
        "from innersr.cli import main\nsys.meta_path.insert(0, Finder())\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")  # which shells call 130 and 143


@pytest.mark.parametrize("name", ["innersr.cli.app", "innersr.commands.console", "innersr.commands.doctor"])
@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_an_interrupt_while_modules_are_imported_is_one_line(name, number):
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {name!r}:\n"
        f"            try:\n                os.kill(os.getpid(), {int(number)})\n"
        "            except BaseException as error:\n                raise ImportError(name) from error\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from innersr.cli import main\nsys.argv = ['innersr', 'doctor']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == "interrupted; nothing half-written was left\n"


@pytest.mark.parametrize("module", ["innersr.cli.app", "innersr.commands.doctor"])
@pytest.mark.parametrize("kind", ["MemoryError", "ImportError", "OSError"])
def test_memory_that_runs_out_while_modules_are_imported_is_one_line(kind, module):
    """The last is what ctypes raises, by which PyTorch loads its libraries."""
    text = f"{kind}('x.so: failed to map segment from shared object')"
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n            raise {text}\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from innersr.cli import main\nsys.argv = ['innersr', 'doctor']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: out of memory; close other programs, or use a machine with more\n"


def test_a_library_that_cannot_be_loaded_is_one_line():
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'innersr.commands.doctor':\n            raise OSError('x.so: invalid ELF header')\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from innersr.cli import main\nsys.argv = ['innersr', 'doctor']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: x.so: invalid ELF header; a library is damaged or missing: install innersr anew\n"


def test_a_signal_that_is_ignored_stays_ignored():
    number = NUMBERS[-1]
    previous = signal.signal(number, signal.SIG_IGN)  # as nohup does
    try:
        with prompt_interrupts():
            signal.raise_signal(number)
            time.sleep(0.05)
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, previous)


def test_the_settings_of_the_tests_need_no_signal_that_windows_lacks(monkeypatch):
    for name in ("SIGHUP", "SIGQUIT"):
        monkeypatch.delattr(signal, name, raising=False)
    runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_deferred_signal_is_asked_for_with_its_exit_code(number):
    with prompt_interrupts(), deferred_interrupts() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), number)
        assert should_stop()
    assert should_stop.exit_code == 128 + number


def test_the_handlers_from_before_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with prompt_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1
