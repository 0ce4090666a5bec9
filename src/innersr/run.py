"""Execution settings: device, precision, seed, tile size, time limit, progress, cancellation.

Knows nothing about pixels or papers.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from innersr.errors import Cancelled, InputError

REPORT_INTERVAL = 0.1  # seconds between two progress reports


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a long loop: `done` of at most `total` steps of `stage`."""

    stage: str
    done: int
    total: int
    seconds: float
    loss: float | None = None
    limit: float | None = None
    """Seconds after which the loop ends unfinished; None for no limit."""

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the loop ends, None before the first step is done."""
        if not self.done:
            return None
        estimate = self.seconds / self.done * (self.total - self.done)
        return estimate if self.limit is None else max(0.0, min(estimate, self.limit - self.seconds))


@dataclass(frozen=True, kw_only=True)
class Run:
    """Execution settings of a computation.

    The time limit counts from `start`, which the pipeline calls once per image, and `adapt` unless it has been called.

    Args:
        device: "auto" (CUDA, then MPS, then CPU), or any torch device name.
        precision: of network passes in training, and of Tailor's in general; "auto" is bf16 where the device computes
            it natively and the image has no more levels than 8 bits, else fp32. All else is always computed in fp32.
        seed: of every random draw. Same seed, settings, device and number of threads give the same bytes.
        tile: side in LR pixels of the tiles that a network is applied to; 0 for the whole image at once, None for
            a size that fits the free memory. Results change by rounding at most.
        time_limit: seconds per image after which learning ends with its current weights; None for no limit.
        report: called with a `Progress` at the start of a loop, at most ten times a second during it, and at its end,
            except where the loop has reached its aim early.
        cancelled: called once per step; `Cancelled` is raised when it returns True.
        started: reading of the monotonic clock at `start`; None before.

    Raises:
        InputError: unknown device or precision, a negative tile, or a time limit that is not positive.
    """

    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    tile: int | None = None
    time_limit: float | None = None
    report: Callable[[Progress], None] | None = field(default=None, compare=False)
    cancelled: Callable[[], bool] | None = field(default=None, compare=False)
    started: float | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "fp32", "bf16"):
            raise InputError(f"precision must be one of auto, fp32, bf16, got {self.precision!r}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise InputError(f"time limit must be a positive number of seconds, got {self.time_limit}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed must be between 0 and 2^63 - 1, got {self.seed}")
        if self.tile is not None and self.tile < 0:
            raise InputError(f"tile must be a number of pixels, or 0 for the whole image at once, got {self.tile}")
        _check_device(self.torch_device)

    @property
    def torch_device(self) -> torch.device:
        """The torch device that `device` stands for on this machine."""
        if self.device != "auto":
            try:
                return torch.device(self.device)
            except RuntimeError:
                raise InputError(f"unknown device {self.device!r}; use auto, cpu, cuda, cuda:1 or mps") from None
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")

    @property
    def devices(self) -> list[str]:
        """Names of all devices of this machine that `device` stands for: one, unless it is a kind without a number."""
        device = self.torch_device
        count = 1 if device.index is not None else _count_of(device.type)
        return [str(device)] if count < 2 else [f"{device.type}:{number}" for number in range(count)]  # noqa: PLR2004

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of network passes."""
        wants_bf16 = self.precision == "bf16" or (self.precision == "auto" and _has_native_bf16(self.torch_device))
        return torch.bfloat16 if wants_bf16 else torch.float32

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Context in which network passes run at this run's precision."""
        if self.dtype is torch.float32:
            return contextlib.nullcontext()
        return _Autocast(self.torch_device.type, self.dtype)

    def generator(self) -> torch.Generator:
        """A new generator with this run's seed; on the CPU, so that draws do not depend on the device."""
        return torch.Generator().manual_seed(self.seed)

    def start(self) -> Run:
        """This run with its clock started; the same run if it has been started already."""
        return self if self.started is not None else replace(self, started=time.monotonic())

    def time_used(self) -> float:
        """Fraction of the time limit that has passed; above 1 it is over. 0 without a limit or before `start`."""
        if self.time_limit is None or self.started is None:
            return 0.0
        return (time.monotonic() - self.started) / self.time_limit

    def check_cancelled(self) -> None:
        """Raise `Cancelled` if the caller wants to stop."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("cancelled")

    def steps(self, stage: str, total: int, *, limited: bool = True) -> Steps:
        """Iterator over range(total) that reports progress and can be cancelled.

        A `limited` one ends at the time limit, as learning may; its clock starts here if it is not running.
        """
        return Steps(self.start() if limited else self, stage, total, limited=limited)


class _Autocast(torch.autocast):
    """Autocast that drops its cache of rounded weights at its end, even within an autocast of the caller.

    PyTorch drops it when the outermost autocast ends; until then, weights in training would seem to stay the same.
    """

    def __exit__(self, *raised: Any) -> None:  # noqa: ANN401 (as torch.autocast has it)
        super().__exit__(*raised)
        torch.clear_autocast_cache()


class Steps:
    """A counted loop. `note(loss)` attaches the latest loss to the next report."""

    def __init__(self, run: Run, stage: str, total: int, *, limited: bool) -> None:
        self._run, self._stage, self._total, self._limited = run, stage, total, limited
        self._loss: Tensor | float | None = None

    def note(self, loss: Tensor | float) -> None:
        """Remember the loss; a tensor is read from the device only when a report is due."""
        self._loss = loss

    def __iter__(self) -> Iterator[int]:
        started, reported = time.monotonic(), -REPORT_INTERVAL
        done = 0
        for done in range(self._total):
            self._run.check_cancelled()
            seconds = time.monotonic() - started
            if self._limited and self._run.time_used() > 1:
                break
            if seconds - reported >= REPORT_INTERVAL:
                self._report(done, seconds)
                reported = seconds
            yield done
        else:
            done = self._total
        self._report(done, time.monotonic() - started)

    def _report(self, done: int, seconds: float) -> None:
        if self._run.report is None:
            return
        loss = None if self._loss is None else float(self._loss)
        limit = self._run.time_limit if self._limited else None
        if limit is not None:
            limit = seconds + limit * (1 - self._run.time_used())
        self._run.report(
            Progress(stage=self._stage, done=done, total=self._total, seconds=seconds, loss=loss, limit=limit)
        )


def generator_of(seed: int, *place: int) -> torch.Generator:
    """A generator for one place of a computation, such as (step, index): whole numbers from -1 on.

    Its draws depend neither on earlier ones nor on interruptions.
    """
    value = seed & (2**63 - 1)
    for part in place:
        # splitmix64, so that neighbouring places share nothing
        value = (value + 0x9E3779B97F4A7C15 * (part + 1)) % 2**64
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
        value ^= value >> 31
    return torch.Generator().manual_seed(value % 2**63)


def stage_name(stage: str, number: int, count: int) -> str:
    """Name a stage of work on group `number`, from 0, of `count`."""
    return stage if count == 1 else f"{stage}, band {number + 1} of {count}"


def _check_device(device: torch.device) -> None:
    if device.type not in ("cpu", "cuda", "mps", "xpu"):
        raise InputError(f"device {device} is not supported; use auto, cpu, cuda, mps or xpu")
    if (device.index or 0) >= _count_of(device.type):
        raise InputError(f"device {device} is not available on this machine; use cpu or auto")


def _count_of(kind: str) -> int:
    """Number of devices of a kind."""
    if kind in ("cuda", "xpu"):
        return torch.cuda.device_count() if kind == "cuda" else torch.xpu.device_count()
    return 1 if kind == "cpu" else int(torch.backends.mps.is_available())


def _has_native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _has_native_bf16_cpu()


@functools.cache
def _has_native_bf16_cpu() -> bool:
    """Whether the processor multiplies bf16 and oneDNN may use that; else oneDNN emulates it, slowly."""
    without = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
    return os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() not in without and torch.cpu._is_avx512_bf16_supported()
