"""How much one visitor of the page may ask for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from innersr.errors import InputError
from innersr.settings import check_numbers


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest work that the page accepts; what is above is refused in words.

    Args:
        megabytes: of one uploaded file.
        pixels: of a picture, and of its result.
        seconds: of one piece of work, after which it is stopped; learning that is planned to take longer ends at half
            of it, with what it has learned.
        jobs: at the same time, of all visitors together; others wait.
        waiting: visitors that may wait; a further one is asked to come back.
        files: of one batch.
        idle_minutes: after which the files of a visitor who is away are removed.

    Raises:
        InputError: a value that is not positive.
    """

    megabytes: int = 200
    pixels: int = 100_000_000
    seconds: float = 3600.0
    jobs: int = 1
    waiting: int = 100
    files: int = 50
    idle_minutes: float = 120.0

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self)]
        check_numbers(self, *names)
        for name in names:
            if not getattr(self, name) > 0:
                raise InputError(f"limit {name} must be positive, got {getattr(self, name)}")
