"""Uncompressed samples of a large image in a file, read and written part by part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
import tifffile

from innersr.images.samples import Samples
from innersr.physics.resize import Window


@dataclass(frozen=True, kw_only=True)
class PixelFile:
    """Samples (height, width, bands), row by row.

    Args:
        path: of the file.
        height, width, bands: of the image.
        dtype: "uint8", "uint16", "float32" or another of NumPy.
        start: bytes before the first sample.
    """

    path: Path
    height: int
    width: int
    bands: int
    dtype: str
    start: int = 0

    @property
    def byte_count(self) -> int:
        """Length of the file when it is complete."""
        return self._place(self.height, 0)

    @property
    def is_there(self) -> bool:
        """Whether the file is there, in its full length."""
        return self.path.exists() and self.path.stat().st_size == self.byte_count

    def read(self, window: Window) -> Samples:
        """The samples of a part, (rows, columns, bands)."""
        rows, columns = window.bottom - window.top, window.right - window.left
        part = np.empty((rows, columns * self.bands), self.dtype)
        with self.path.open("rb", buffering=0) as stream:
            for row, samples in enumerate(part):
                stream.seek(self._place(window.top + row, window.left))
                if stream.readinto(samples) != samples.nbytes:  # type: ignore[arg-type]  # an array is a buffer
                    raise OSError(f"{self.path}: was cut short")
        return part.reshape(rows, columns, self.bands)

    def write(self, samples: Samples, top: int, left: int) -> None:
        """Overwrite the part that begins at a place by samples, (rows, columns, bands); they are on the disk then.

        Raises:
            OSError: the disk is full, or the file is not there.
        """
        with self.path.open("r+b", buffering=0) as stream:
            for row, line in enumerate(np.ascontiguousarray(samples, self.dtype).reshape(len(samples), -1)):
                stream.seek(self._place(top + row, left))
                rest = memoryview(line.tobytes())
                while rest:
                    rest = rest[stream.write(rest) :]
            os.fsync(stream.fileno())

    def _place(self, row: int, column: int) -> int:
        """Offset of a pixel in the file."""
        return self.start + (row * self.width + column) * self.bands * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, kw_only=True)
class ResultFile(PixelFile):
    """Samples of a result, uint8, uint16 or float32, in a BigTIFF.

    A file without a header would be mapped into memory as a whole by libvips.
    """

    start: int = 1 << 22  # room for the header, which lists all strips

    def create(self) -> None:
        """Make the file in its full length, which takes no room yet; OSError if that cannot be."""
        strip = 1 << 22  # bytes that libvips reads at a time
        with tifffile.TiffWriter(self.path, bigtiff=True) as writer:
            writer.write(
                None,
                shape=(self.height, self.width, self.bands) if self.bands > 1 else (self.height, self.width),
                dtype=self.dtype,
                photometric="minisblack",  # any number of bands
                planarconfig="contig" if self.bands > 1 else None,
                rowsperstrip=max(1, strip // (self._place(1, 0) - self.start)),
                align=self.start,
                metadata=None,
                software=False,
            )

    def as_vips(self) -> pyvips.Image:
        """The image, read from the disk from top to bottom as libvips needs it."""
        return pyvips.Image.tiffload(str(self.path), access="sequential")
