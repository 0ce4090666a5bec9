"""Selections of pages or frames. Both are counted from 0, and ranges include both ends."""

from __future__ import annotations

import re

from innersr.errors import InputError


def parse_pages(text: str, count: int | None = None) -> tuple[int, ...]:
    """The pages, from 0 and in rising order, that a text such as "all", "first" or "0,3-7" names.

    Args:
        text: numbers and ranges, both ends included, between commas.
        count: of the pages that there are; None before they are counted: the text is checked, nothing is returned.

    Raises:
        InputError: the text is something else, or names a page that there is not.
    """
    ends = {"all": (0, None), "first": (0, 0)}
    form = "pages (--pages) are all, first, or numbers from 0 such as 0,3-7"
    ranges = [ends.get(text) or _range(text, part, form) for part in text.split(",")]
    if count is None:
        return ()
    last = max(low if high is None else high for low, high in ranges)
    if last >= count:
        remedy = f"they are numbered from 0 to {count - 1}"
        raise InputError(f"there is no page {last} (--pages {text}); {remedy}")
    named = {page for low, high in ranges for page in range(low, (count - 1 if high is None else high) + 1)}
    return tuple(sorted(named))


def parse_frames(text: str) -> range:
    """The frames, from 0, that a text such as "100-199" or "100:199" names, both ends included.

    Raises:
        InputError: the text is something else.
    """
    low, high = _range(text, text, "frames (--frames) are numbers from 0, both ends included, such as 100-199")
    return range(low, high + 1)


def _range(text: str, part: str, form: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})(?:[-:](\d{1,9}))?", part.strip(), re.ASCII)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if low > high:
        raise InputError(f'{form}, got "{text}"')
    return low, high
