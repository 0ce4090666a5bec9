"""The table at the end of a batch: every file where they are few, else the slowest ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from innersr.batch.status import StatusRow
from innersr.commands.bars import cut_short
from innersr.errors import on_one_line

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """(width, height) of an image and of its result."""

    before: Size
    after: Size


def files_table(rows: Sequence[StatusRow], sizes: dict[str, Sizes], width: int | None) -> list[str]:
    """Lines of a table of at most 20 files, or of the five that took longest.

    Args:
        rows: the outcomes.
        sizes: by input, where they are known.
        width: in characters; None for as wide as the table is.
    """
    most, slowest = 20, 5  # files that are seen at a glance
    is_whole = len(rows) <= most
    if not is_whole:
        timed = sorted((row for row in rows if row.status == "done"), key=lambda row: -row.seconds)
        rows = timed[:slowest]
    folder = _common_folder(row.input for row in rows)
    lines = [("file" if is_whole else "slowest", "from", "to", "s", "state")]
    for row in rows:
        found = sizes.get(row.input)
        before, after = ("", "") if found is None else (f"{w}x{h}" for w, h in (found.before, found.after))
        seconds = f"{row.seconds:.1f}" if row.seconds else ""
        about = "" if row.error is None else f": {row.error.removeprefix(f'{row.input}: ')}"
        lines.append((row.input.removeprefix(folder), before, after, seconds, row.status + about))
    return _laid_out(lines, width) if rows else []


def _laid_out(lines: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Rows of a name, figures and a text, in columns; where they are wider than that, name and text are cut.

    Without a width a very long name widens its own row alone.
    """
    gap, least_name, least_text, most_name = 2, 9, 12, 80  # characters
    figures = [max(map(len, column)) for column in list(zip(*lines, strict=True))[1:-1]]
    name, text = (max(cell_len(on_one_line(line[place])) for line in lines) for place in (0, -1))
    if width is not None:
        left = width - sum(figures) - gap * (len(figures) + 1)
        name = min(name, max(least_name, left - min(text, least_text)))
    else:
        name = min(name, most_name)
    return [
        _cut(
            _padded(line[0], name, is_cut=width is not None)
            + "".join(" " * gap + cell.rjust(each) for cell, each in zip(line[1:-1], figures, strict=True))
            + f"{' ' * gap}{line[-1]}",
            width,
        ).rstrip()
        for line in lines
    ]


def _cut(text: str, width: int | None) -> str:
    shown = on_one_line(text)
    return shown if width is None else cut_short(shown, width)


def _padded(text: str, width: int, *, is_cut: bool) -> str:
    shown = on_one_line(text)
    if cell_len(shown) <= width:
        return set_cell_size(shown, width)
    return cut_short(shown, width) if is_cut else shown


def _common_folder(paths: Iterable[str]) -> str:
    prefix = os.path.commonprefix([*paths])
    return prefix[: prefix.rfind("/") + 1]
