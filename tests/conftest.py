"""Settings of every test."""

import torch

# The test runner fills the processor with processes already; threads on top of them only wait for each other.
torch.set_num_threads(1)
