"""Training log: one JSON object per line, and TensorBoard events where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from innersr.errors import CheckpointError, cannot_write
from innersr.json_lines import append_record, line_of, recover_records
from innersr.networks.checkpoints import write_whole

SummaryWriter: Any


try:  # of the extra "train"
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    SummaryWriter = None


class TrainingLine(TypedDict):
    """What every line has; losses, rates and validations are for people and TensorBoard only."""

    step: Annotated[int, Meta(ge=0)]


class TrainingLog:
    """The log of one training.

    Args:
        path: FILE.jsonl. Lines after `step` are removed: they belong to weights that were lost.
        events: folder of TensorBoard events.
        step: at which the training is resumed; 0 starts a new log.
        note: called where lines are damaged, see `recover_records`.

    Raises:
        CheckpointError: the log cannot be read or written.
    """

    def __init__(self, path: Path, events: Path, step: int, note: Callable[[str], None]) -> None:
        self._path = path
        try:
            lines = recover_records(path, TrainingLine, note) if step else []
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror}); move it away") from error
        write_whole(path, "".join(line_of(line) for line in lines if line["step"] <= step).encode())
        self._events = None if SummaryWriter is None else SummaryWriter(str(events), purge_step=step)

    def write(self, step: int, record: dict[str, Any]) -> None:
        """Append a line. Figures, and figures by name, become TensorBoard curves; texts and lists do not."""
        try:
            append_record(self._path, {"step": step, **record})
        except OSError as error:
            raise CheckpointError(cannot_write(self._path, error.strerror)) from error
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
