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

import re


class InnersrError(Exception):
    """Base of everything this package raises on purpose."""


class InputError(InnersrError, ValueError):
    """An argument or a setting is wrong. The command line answers with exit code 2; with 1 if it is about a file."""


class NoDataError(InputError):
    """An image holds no data at all: all its values are NaN, infinite or no-data values."""

    def __init__(self) -> None:
        super().__init__("the image holds no data: all its values are NaN, infinite or no-data values")


class KernelError(InputError):
    """A blur kernel cannot be read, or does not fit the image. There is never a fallback kernel."""


class ImageFileError(InnersrError, OSError):
    """An image file cannot be read or written. The command line answers with exit code 1."""


class CheckpointError(InnersrError):
    """A weights file is damaged, foreign or of an unknown format version."""


class Cancelled(InnersrError):
    """The caller cancelled the run; nothing was written."""


def on_one_line(text: str) -> str:
    r"""A message or a name with control codes, line breaks and changes of direction written as in Python, such as \x1b.

    Names of files may hold them. Terminals obey them, and a reader of lines or of a table would take one for two. Bytes
    that are no characters, \udcff for 0xff, are written so too.
    """
    codes = "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    return re.sub(codes, lambda found: found[0].encode("unicode_escape").decode(), text)


def reason_of(error: BaseException) -> str:
    """The last words of an error of another library, on one printable line of at most 200 characters."""
    detail = getattr(error, "detail", "")  # what libvips said, which pyvips keeps there
    text = (isinstance(detail, str) and detail.strip()) or getattr(error, "strerror", None) or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = ", ".join(dict.fromkeys(lines[-2:]))
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(printable.split()).replace("; ", ", ")[:200] or type(error).__name__


def error_and_remedy(text: str | None) -> tuple[str | None, str | None]:
    """What is wrong, and the remedy that a message names after a semicolon; None where it names none."""
    error, _, remedy = (text or "").partition("; ")
    return error or None, remedy or None


def with_short_paths(message: str) -> str:
    """A message in which of a path, or another part, above 500 characters the first and the last 240 are left."""
    parts = re.split("(: |; )", message)
    return "".join(part if len(part) <= 500 else f"{part[:240]}[...]{part[-240:]}" for part in parts)


def exists_already(path: object) -> str:
    """The message about a file that is there and must not be replaced."""
    return f"{path}: exists; choose another name, or --overwrite (in Python overwrite=True)"


def cannot_write(path: object, reason: str | None) -> str:
    """The message about a file that cannot be written, for a reason such as that of an OSError."""
    return f"{path}: cannot be written ({reason}); check the free space and the permissions of the folder"


def how_to_install(extra: str) -> str:
    """The command that adds an optional part, an extra of pyproject.toml, for messages."""
    return f"pip install '.[{extra}]' in the clone of innersr"
