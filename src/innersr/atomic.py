"""Writes a file whole or not at all."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

LONGEST_NAME = 255  # bytes, on every file system in use


def partial_path(path: Path) -> Path:
    """Return the hidden name that `save` writes to until the file is complete: same folder, same suffix."""
    name = f".{path.stem}.{os.getpid()}{path.suffix}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f".{zlib.crc32(os.fsencode(path.stem)):08x}.{os.getpid()}{path.suffix}"
    return path.with_name(name)
