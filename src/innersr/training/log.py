"""What is written down while a network learns: one JSON object a line, TensorBoard events where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innersr.json_lines import append_record, read_records, write_records

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
        write_records(path, [line for line in read_records(path) if line["step"] <= step] if step else [])
        self._path = path
        self._events = None if SummaryWriter is None else SummaryWriter(str(events), purge_step=step)

    def write(self, step: int, record: dict[str, Any]) -> None:
        """Add a line; figures and figures by name become curves."""
        append_record(self._path, {"step": step, **record})
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
