"""Settings of every test."""

import os

# The test runner fills the processor with processes already; threads on top of them only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start

import torch  # noqa: E402 (reads the line above)

torch.set_num_threads(1)
