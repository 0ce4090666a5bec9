"""Exceptions, one small tree.

InnersrError
├── InputError            an argument or a setting is wrong; nothing was started
│   └── KernelError       a blur kernel cannot be read or used
├── ImageFileError        an image file cannot be read or written
├── CheckpointError       a weights file is damaged or foreign
└── Cancelled             the caller asked the work to stop

Every message is one line that names what was given, what was wrong with it and what to do instead.
"""

from __future__ import annotations


class InnersrError(Exception):
    """Base of everything this package raises on purpose."""


class InputError(InnersrError, ValueError):
    """An argument or a setting is wrong. The command line answers with exit code 2."""


class KernelError(InputError):
    """A blur kernel cannot be read, or does not fit the image. There is never a fallback kernel."""


class ImageFileError(InnersrError, OSError):
    """An image file cannot be read or written. The command line answers with exit code 1."""


class CheckpointError(InnersrError):
    """A weights file is damaged, foreign or of an unknown format version."""


class Cancelled(InnersrError):
    """The caller cancelled the run; nothing was written."""


def how_to_install(extra: str) -> str:
    """The command that adds an optional part, an extra of pyproject.toml, for messages."""
    return f"pip install '.[{extra}]' in the clone of innersr"
