"""Distribution of the files of a command among processes, devices, or the actors of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle, islice

import torch

from innersr.batch.options import BatchOptions
from innersr.batch.ray_workers import RayCluster, work_on_ray
from innersr.batch.workers import Done, work_in_processes
from innersr.commands.console import Reporter
from innersr.commands.upscale_file import FileJob, FileOutcome, upscale_job, upscale_silently
from innersr.errors import InnersrError, InputError
from innersr.run import Run


class Distribution:
    """Upscales the files of a command in one process, several, or the actors of a cluster.

    Args:
        batch: its options `jobs` and `engine`.
        run: its device, without a number, stands for all devices of its kind.
        files: number of all files of the command.

    Raises:
        InputError: a device with a number for Ray, each of whose actors has a device of its own.
    """

    def __init__(self, batch: BatchOptions, run: Run, files: int) -> None:
        self._batch, self._run = batch, run
        self._devices = run.devices
        on_gpu = run.torch_device.type != "cpu"
        if batch.engine == "ray" and on_gpu and run.torch_device.index is not None:
            kind = run.torch_device.type
            raise InputError(f"--engine ray gives each actor a device of its own; use --device {kind}")
        self._processes, self._threads = batch.processes(files, devices=len(self._devices) if on_gpu else 0)

    def done(
        self, jobs: Iterable[FileJob], reporter: Reporter, *, is_batch: bool
    ) -> Iterator[tuple[FileJob, FileOutcome]]:
        """Yield the jobs as they are done."""
        if self._batch.engine == "ray":
            on_gpu = self._run.torch_device.type == "cuda"
            cluster = RayCluster(address=self._batch.address, actors=self._batch.jobs, on_gpu=on_gpu)
            yield from map(_with_outcome, work_on_ray(upscale_silently, jobs, cluster))
            return
        if self._processes > 1:
            several = len(self._devices) > 1
            functions = [partial(upscale_on, device) if several else upscale_silently for device in self._devices]
            each = [*islice(cycle(functions), self._processes)]
            yield from map(_with_outcome, work_in_processes(each, jobs, self._threads))
            return
        before = torch.get_num_threads()
        if self._batch.jobs is not None and is_batch:
            torch.set_num_threads(min(self._threads, before))  # OMP_NUM_THREADS may leave fewer
        try:
            for job in jobs:
                yield job, upscale_silently(job) if job.is_remote else upscale_job(job, reporter)
        finally:
            torch.set_num_threads(before)


def upscale_on(device: str, job: FileJob) -> FileOutcome:
    """Upscale a file on a device with a number, and return the outcome with its messages."""
    if torch.device(device).type == "cuda":
        torch.cuda.set_device(device)  # else CUDA takes some hundred MB of the first one too
    return upscale_silently(replace(job, run=replace(job.run, device=device)))


def _with_outcome(done: Done[FileJob, FileOutcome]) -> tuple[FileJob, FileOutcome]:
    """A job and its outcome, which is a failure where the process was lost."""
    job, outcome = done
    if outcome is None:
        error = "the process that upscaled it was killed, perhaps because memory ran out; use fewer --jobs"
        messages = [("failure", (InnersrError(error), 1, job.source))]
        outcome = FileOutcome(seconds=0.0, error=error, messages=messages)
    return job, outcome
