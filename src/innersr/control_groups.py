"""Memory and processors that control groups leave this process: limits of containers, SLURM jobs, systemd units."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")  # of the files in /proc and /sys


def free_bytes() -> int | None:
    """Bytes that the process may still allocate, caches of files left out of account; None without a limit."""
    first = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")  # versions of control groups
    second = ("memory.max", "memory.current", "inactive_file")
    found = [_free_bytes_of(group, *second) for group in _groups()]
    found += [_free_bytes_of(group, *first) for group in _groups("memory")]
    return min((amount for amount in found if amount is not None), default=None)


def processors() -> int:
    """Number of processors that the process may use, by its affinity and the quota of its control groups."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [_text(group / "cpu.max").split() for group in _groups()]
    limits += [
        [_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")] for group in _groups("cpu", "cpuacct")
    ]
    for limit in limits:
        with contextlib.suppress(ValueError, ZeroDivisionError):  # no limit: "max", nothing
            quota, period = map(int, limit)
            if quota > 0:  # -1 is none
                count = min(count, math.ceil(quota / period))
    return max(1, count)


def _groups(*controllers: str) -> Iterator[Path]:
    """The folders of the control groups of this process, and of those around them.

    Args:
        controllers: of the first version, of which each may have a tree of its own; none for the second version.
    """
    mount, place = ROOT / "sys/fs/cgroup", Path()
    tops = [mount / each for each in controllers] or [mount]
    for line in _text(ROOT / "proc/self/cgroup").splitlines():
        names, _, path = line.partition(":")[2].partition(":")
        if set(names.split(",")) & set(controllers or ("",)):
            place = Path(path.lstrip("/"))
    for top in tops:
        yield from (top / each for each in (place, *place.parents))


def _free_bytes_of(group: Path, limit: str, used: str, reclaimable: str) -> int | None:
    """Bytes that a control group leaves, by the names of its files; None without a limit."""
    with contextlib.suppress(ValueError):  # no limit: "max", nothing
        most, taken = (int(_text(group / name)) for name in (limit, used))
        cached = dict(line.split(" ", 1) for line in _text(group / "memory.stat").splitlines())
        return max(0, most - taken + int(cached.get(reclaimable, 0)))
    return None


def _text(path: Path) -> str:
    """A small file; "" where it cannot be read, as on other systems."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8").strip()
    return ""
