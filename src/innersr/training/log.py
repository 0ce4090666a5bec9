"""Training log: one JSON object per line, and TensorBoard events where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innersr.json_lines import append_record, read_records, write_records

SummaryWriter: Any


try:  # of the extra "train"
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    SummaryWriter = None


class TrainingLog:
    """The log of one training.

    Args:
        path: FILE.jsonl. Lines after `step` are removed: they belong to weights that were lost.
        events: folder of TensorBoard events.
        step: at which the training is resumed; 0 starts a new log.
    """

    def __init__(self, path: Path, events: Path, step: int) -> None:
        write_records(path, [line for line in read_records(path) if line["step"] <= step] if step else [])
        self._path = path
        self._events = None if SummaryWriter is None else SummaryWriter(str(events), purge_step=step)

    def write(self, step: int, record: dict[str, Any]) -> None:
        """Append a line. Figures, and figures by name, become TensorBoard curves; texts and lists do not."""
        append_record(self._path, {"step": step, **record})
        if self._events is None:
            return
        for name, value in record.items():
            figures = value if isinstance(value, dict) else {"": value}
            for figure, number in figures.items():
                if isinstance(number, int | float):
                    self._events.add_scalar(f"{name}/{figure}".rstrip("/"), number, step)
        self._events.flush()

    def close(self) -> None:
        """Close the TensorBoard writer."""
        if self._events is not None:
            self._events.close()
