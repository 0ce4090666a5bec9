"""What is written down while a network learns: one JSON object a line, TensorBoard events where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SummaryWriter: Any


try:  # of the extra "train"
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    SummaryWriter = None


class Journal:
    """The log of one training.

    Args:
        path: FILE.jsonl; lines of a training that is resumed are kept up to `step`, those after it were lost with
            the weights that they speak of.
        events: folder of TensorBoard events.
        step: that the training goes on from, 0 for a new one, whose journal is begun anew.
    """

    def __init__(self, path: Path, events: Path, step: int) -> None:
        kept = [line for line in _lines(path) if line["step"] <= step] if step else []
        path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._path = path
        self._events = None if SummaryWriter is None else SummaryWriter(str(events), purge_step=step)

    def write(self, step: int, record: dict[str, Any]) -> None:
        """Add a line; figures and figures by name become curves."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **record}) + "\n")
        if self._events is None:
            return
        for name, value in record.items():
            figures = value if isinstance(value, dict) else {"": value}
            for figure, number in figures.items():
                self._events.add_scalar(f"{name}/{figure}".rstrip("/"), number, step)
        self._events.flush()

    def close(self) -> None:
        """End the TensorBoard events."""
        if self._events is not None:
            self._events.close()


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a journal; what a crash left of a last line does not count."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
