"""Settings of every test."""

import os
import signal

from innersr.commands.interrupts import NUMBERS

# A shell's background jobs and nohup ignore signals, and so would all processes that tests start and interrupt.
for number in NUMBERS:
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# The test runner fills the processor with processes already; threads on top of them only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start

import torch  # noqa: E402 (reads the line above)

torch.set_num_threads(1)
