"""Samples of large images in files."""

import subprocess
import sys

import numpy as np
import pytest

from innersr.images.large.pixel_file import ResultFile
from innersr.physics.resize import Window


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 7])
def test_a_result_is_read_as_it_was_written(tmp_path, bands, dtype):
    right = (200 * np.random.default_rng(bands).random((70, 50, bands))).astype(dtype)
    pixels = ResultFile(path=tmp_path / "result.tif", height=70, width=50, bands=bands, dtype=dtype)
    pixels.create()
    assert pixels.is_there
    pixels.write(right[:40], 0, 0)
    pixels.write(right[40:, :20], 40, 0)
    pixels.write(right[40:, 20:], 40, 20)
    np.testing.assert_array_equal(pixels.read(Window(0, 0, 70, 50)), right)
    np.testing.assert_array_equal(pixels.as_vips().numpy().reshape(right.shape), right)


PROGRAM = """
import resource, sys
from pathlib import Path
from innersr.images.large.pixel_file import ResultFile
pixels = ResultFile(path=Path(sys.argv[1]), height=8000, width=8000, bands=3, dtype="uint8")
pixels.create()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
pixels.as_vips().avg()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the peak is that of Linux")
def test_a_result_is_not_mapped_into_memory(tmp_path):
    command = [sys.executable, "-c", PROGRAM, tmp_path / "result.tif"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 90  # MiB, of 183 in the file
