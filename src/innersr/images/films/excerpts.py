"""Some frames of a film, as a film of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from innersr.errors import InputError
from innersr.images.films.film import Film, Glimpse
from innersr.images.image import Image


class Excerpt(Film):
    """Neighbouring frames of a film, at their times in it. What comes after them is not read."""

    def __init__(self, whole: Film, numbers: range) -> None:
        self.path, self._whole, self._numbers = whole.path, whole, numbers
        self.facts = replace(whole.facts, notes=(f"frames {numbers[0]} to {numbers[-1]}", *whole.facts.notes))

    def glimpses(self) -> Iterator[Glimpse]:
        """See `Film`.

        Raises:
            InputError: the film has fewer frames.
        """
        start, stop, count = self._numbers.start, self._numbers.stop, 0
        found = itertools.islice(self._whole.glimpses(), stop + 1)  # the one behind tells how long the last is shown
        for count, (glimpse, following) in enumerate(itertools.pairwise(itertools.chain(found, [None])), 1):
            assert glimpse is not None
            if following is not None:
                glimpse = glimpse._replace(duration=following.start - glimpse.start)
            if start < count <= stop:
                yield glimpse
        if count < stop:
            remedy = f"they are numbered from 0 to {count - 1}"
            raise InputError(f"{self.path}: there is no frame {stop - 1} (--frames {start}-{stop - 1}); {remedy}")

    def frames(self, numbers: Iterable[int]) -> Iterator[Image]:
        """See `Film`; the first of the excerpt is 0."""
        return self._whole.frames(self._numbers[number] for number in numbers)
