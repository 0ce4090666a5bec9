"""The options of a batch, checked before anything is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from innersr.batch.places import EXISTING, Naming
from innersr.batch.ray_workers import check_ray
from innersr.batch.remote import place_of
from innersr.batch.status import check_status
from innersr.control_groups import processors
from innersr.errors import InputError
from innersr.memory import free_memory


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How many files are upscaled by one command.

    Args:
        recursive: whether the folders in folders are entered.
        name, file_format: see `Naming`.
        existing: what happens where there is a file already: "skip" keeps the results of the same input bytes and
            settings, replaces this program's own older results, and refuses others; "overwrite", "rename" (photo-2.png)
            and "error". None: "skip" for several files, "error" for one.
        dry_run: whether only the plan is shown.
        status: file or address, .jsonl or .parquet, for a row per file.
        retry_failed: whether only the files are upscaled that failed in the last run.
        jobs: processes, or actors of Ray; None for as many as there are processors, or graphics processors that the
            run may use, where there are eight files or more.
        engine: what does the work: "local" processes, or "ray".
        address: of a Ray cluster; None starts one on this machine.
        shard: part of the files, as "2/8"; None for all.

    Raises:
        InputError: a value that is none of these.
    """

    recursive: bool = False
    name: str = ""
    file_format: str = ""
    existing: str | None = None
    dry_run: bool = False
    status: str | Path | None = None
    retry_failed: bool = False
    jobs: int | None = None
    shard: str | None = None
    engine: str = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.existing not in (None, *EXISTING):
            raise InputError(f"--existing must be one of {', '.join(EXISTING)}, got {self.existing}")
        if self.dry_run and self.status is not None:
            raise InputError("--dry-run writes no --status; leave one of them out")
        if self.status_file is not None:
            check_status(self.status_file)
        if self.engine not in ("local", "ray"):
            raise InputError(f"--engine must be local or ray, got {self.engine}")
        if self.engine == "ray":
            check_ray()
        elif self.address is not None:
            raise InputError("--address is that of a Ray cluster; add --engine ray")
        _ = self.naming, self.part  # which are checked as they are computed

    @cached_property
    def status_file(self) -> Path | None:
        """The path or address of `status`."""
        return None if self.status is None else place_of(self.status)

    @cached_property
    def naming(self) -> Naming:
        """Names of the results."""
        return Naming(pattern=self.name, format=self.file_format)

    @cached_property
    def part(self) -> tuple[int, int]:
        """(number, of how many) of the shard, from 1."""
        match = re.fullmatch(r"(\d+)/(\d+)", self.shard or "1/1")
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(f"--shard is I/N, such as 2/8 for the second of eight parts, got {self.shard}")
        return int(match[1]), int(match[2])

    def processes(self, files: int, *, devices: int = 0) -> tuple[int, int]:
        """Number of processes for `files` files on a number of devices, 0 for the processors; and threads of each.

        It depends on all files of the command, and not on what is left of them, for the number of threads may change
        the last digit of a result.
        """
        cores = processors()
        fewest, memory_each = 8, 1 << 30  # files that are worth the start of processes; bytes for one
        if self.jobs is not None:
            return min(self.jobs, files), max(1, cores // self.jobs)
        if files < fewest:
            return 1, cores
        if devices:
            return min(devices, files), max(1, cores // devices)
        jobs = max(1, min(cores, files, free_memory(torch.device("cpu")) // memory_each))
        return jobs, 1
