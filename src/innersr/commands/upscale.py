"""Upscale image files, one after the other or by several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from innersr.batch.inputs import BatchFile, find_inputs
from innersr.batch.manifest import settings_digest
from innersr.batch.options import BatchOptions
from innersr.batch.places import Places, free_name, size_in_header
from innersr.batch.remote import output_folder, reached
from innersr.batch.status import save_status
from innersr.commands.batch.distribution import Distribution
from innersr.commands.batch.records import BatchRecords
from innersr.commands.batch.report import BatchReport
from innersr.commands.console import Reporter, in_words
from innersr.commands.upscale_file import FileJob, FileOutcome
from innersr.errors import ImageFileError, InnersrError, InputError, exists_already
from innersr.methods.options import UpscaleOptions
from innersr.methods.registry import name_of, settings_of
from innersr.networks.priors import packaged_priors
from innersr.paths import is_one_file
from innersr.physics.geometry import parse_scale
from innersr.physics.resize import Scale
from innersr.pipeline.tasks import unused_by_format
from innersr.run import Run
from innersr.settings import parse_settings


def upscale_files(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    run: Run,
    *,
    inputs: Sequence[str | Path],
    output: str | None,
    compare: Path | None,
    scale: str | None,
    size: str | None,
    settings: Sequence[str] | None,
    in_place: bool,
    **others: Any,  # noqa: ANN401 (of several types)
) -> int:
    """Upscale files; return the exit code, 1 if any of them failed.

    Args:
        inputs: files, folders, patterns that the shell has left alone, lists, and addresses; see `find_inputs`.
        output: a file, or a folder, which is made where it ends in a slash; beside the inputs when None.
        compare: file for bicubic and the result side by side.
        in_place: whether a result replaces its own input: where there is no output, or that is the input's folder.
        others: further fields of `UpscaleOptions`, and those of `BatchOptions`.
    """
    if scale is not None and size is not None:
        raise InputError("give --scale or --size, not both")
    batch = BatchOptions(
        **{field.name: others.pop(field.name) for field in fields(BatchOptions) if field.name in others}
    )
    if others.get("overwrite") and batch.existing not in (None, "overwrite"):
        raise InputError(f"--overwrite contradicts --existing {batch.existing}; give one of them")
    if in_place and batch.existing == "rename":
        raise InputError("--in-place contradicts --existing rename; give one of them")
    options = UpscaleOptions(
        scale=parse_scale(scale or "2"), size=size, settings=parse_settings(settings or ()), **others
    )
    found = find_inputs(inputs, recursive=batch.recursive, output=output_folder(output))
    for note in found.notes:
        reporter.note(note)
    _check_number(batch, options, compare, is_batch=found.is_batch)
    places = Places(found, output, in_place=in_place, naming=batch.naming)
    places.check()
    workers = Distribution(batch, run, len(found.files))
    reporter.verbose(f"{options.method} {settings_of(options.chosen_method)} on {run.torch_device}, {run.dtype}")
    work = _Work(places, options, run, batch, reporter, is_batch=found.is_batch, compare=compare)
    try:
        for error in found.unread:
            work.fail(Path(error.filename), error)
        plan = list(work.plan(found.files))
        if batch.dry_run:
            work.report.plan(work.jobs(plan))
            return work.exit_code
        if not plan and batch.retry_failed:
            reporter.note(work.no_failures)
        work.report.begin(len(plan))
        jobs = map(work.begin, work.jobs(plan))
        for job, outcome in workers.done(jobs, reporter, is_batch=found.is_batch):
            with reached(job.source), reached(job.target):
                work.finish(job, outcome)
        work.report.end()
        if batch.status_file is not None:
            save_status(batch.status_file, work.report.rows)
        return work.exit_code
    finally:
        work.close()


def _check_number(batch: BatchOptions, options: UpscaleOptions, compare: Path | None, *, is_batch: bool) -> None:
    """Raise InputError for options that are for several inputs where there is one, or the other way round."""
    if batch.retry_failed and not is_batch:
        raise InputError("--retry-failed is for several inputs, of which some have failed; leave it out for one")
    if is_batch and compare is not None:
        raise InputError("--compare takes one input")
    if options.save_adapted is not None and is_batch:
        raise InputError("--save-adapted keeps what is learnt from one input; give one, then the others with --adapted")


class _Work:
    """The work on the files of a command: `plan` names the results, `jobs` checks each, `begin` and `finish` record it.

    The files are upscaled elsewhere, see `Distribution`. What changes meanwhile is the report and, of a batch, the
    records; a single file has them only in place, or where `--existing skip` asks for them.
    """

    def __init__(  # noqa: PLR0913 (what a command has)
        self,
        places: Places,
        options: UpscaleOptions,
        run: Run,
        batch: BatchOptions,
        reporter: Reporter,
        *,
        is_batch: bool,
        compare: Path | None,
    ) -> None:
        self._places, self._options, self._run, self._compare = places, options, run, compare
        self._batch, self._reporter, self._is_batch = batch, reporter, is_batch
        self._existing = "overwrite" if options.overwrite else batch.existing or ("skip" if is_batch else "error")
        self.report = BatchReport(reporter, is_batch=is_batch)
        settings = _settings_digests(options, run)
        keeps_records = is_batch or self._existing == "skip" or places.in_place
        self._records = BatchRecords(places, batch, settings, reporter.note) if keeps_records else None
        self._failure = 1  # exit code
        self._is_known = False  # whether an earlier run met one of the files

    @property
    def exit_code(self) -> int:
        """1 if a file failed; 2 if it is the only one, and not for the options."""
        return self._failure if self.report.failed else 0

    @property
    def no_failures(self) -> str:
        """Why `--retry-failed` has nothing to do."""
        unknown = "no earlier run is recorded for these files, and no failure; leave out --retry-failed to upscale them"
        return "no file failed in the last run" if self._is_known else unknown

    def plan(self, files: Sequence[BatchFile]) -> Iterator[tuple[BatchFile, Path]]:
        """The files of this shard and their results; no file is read whole. All shards name all files alike."""
        number, count = self._batch.part
        for place, file in enumerate(files):
            is_mine = place % count == number - 1
            try:
                with reached(file.path):
                    target = self._target(file)
            except (InnersrError, OSError) as error:
                if isinstance(error, InputError) and self._places.has_output:
                    raise  # before anything is read
                if is_mine:
                    self.fail(file.path, error)
                continue
            if is_mine and self._is_selected(file, target):
                yield file, target

    def _is_selected(self, file: BatchFile, target: Path) -> bool:
        """Whether a file failed, if only such are asked for; its folder is locked for this run."""
        if self._records is None:
            return True
        entry = self._records.last_entry(file, target)
        self._is_known |= entry is not None
        if self._batch.retry_failed and (entry is None or not entry.has_failed):
            self.report.add(file.path, target, "skipped")
            return False
        return True

    def jobs(self, plan: Iterable[tuple[BatchFile, Path]]) -> Iterator[FileJob]:
        """Yield the jobs of a plan, each file checked when its turn comes; skipped and failed ones are reported."""
        for file, target in plan:
            try:
                with reached(file.path), reached(target):
                    job = self._job(file, target)
            except (InnersrError, OSError) as error:
                self.fail(file.path, error)
                if self._records is not None:
                    self._records.refuse(file, target, error)
                self.report.advance()
                continue
            if job is None:
                self.report.add(file.path, target, "skipped")
                self.report.advance()
            else:
                yield job

    def fail(self, path: Path, error: Exception) -> None:
        """Report a file or folder that failed before the work on it began."""
        self._reporter.failure(error, 1, path)
        self.report.add(path, None, "failed", error=in_words(error))

    def _target(self, file: BatchFile) -> Path:
        return self._places.target(file, *self._geometry(file.path), name_of(self._options.chosen_method))

    def _job(self, file: BatchFile, target: Path) -> FileJob | None:
        """The job of a file; None where its result is there already."""
        options = self._options
        if self._records is not None:
            record = self._records.open(file, target)
            if self._existing == "skip" and record.is_done(target):
                return None
            if self._existing == "skip" and record.may_replace(target):
                options = replace(options, overwrite=True)  # its own result, of another input or other settings
            if self._existing != "overwrite":
                record.check_original(target)
        if target.exists() and self._existing == "rename":
            target = free_name(target)
        if self._existing == "overwrite":
            options = replace(options, overwrite=True)
        if target.exists() and not options.overwrite and not is_one_file(file.path, target):
            if self._existing == "error":
                raise ImageFileError(exists_already(target))
            remedy = "use --existing overwrite or --existing rename, or another folder"
            raise ImageFileError(f"{target}: exists, and is not an unchanged result of an earlier run; {remedy}")
        if not self._batch.dry_run:
            self._places.prepare(target)
        return FileJob(
            source=file.path,
            target=target,
            options=options,
            run=self._run,
            compare=self._compare,
            is_alone=not self._is_batch,
        )

    def begin(self, job: FileJob) -> FileJob:
        """Record that the work on a file begins."""
        if self._records is not None:
            with reached(job.source), reached(job.target):
                self._records.opened(job.source).begin(job)
        return job

    def finish(self, job: FileJob, outcome: FileOutcome) -> None:
        """Report the outcome of a file, and record it."""
        record = None if self._records is None else self._records.opened(job.source)
        if record is not None:
            outcome = record.checked(job, outcome)
        self._failure = outcome.exit_code
        for method, arguments in outcome.messages:
            getattr(self._reporter, method)(*arguments)
        self.report.add(
            job.source,
            job.target,
            "done" if outcome.error is None else "failed",
            error=outcome.error,
            seconds=outcome.seconds,
            sizes=outcome.sizes,
        )
        self.report.advance()
        if record is not None:
            record.finish(job, outcome)

    def close(self) -> None:
        """End the report, and release the folders of the results for other runs."""
        self.report.close()
        if self._records is not None:
            self._records.close()

    def _geometry(self, source: Path) -> tuple[Scale, tuple[int, int]]:
        """Scale and (height, width) of the result of a file, as its header says.

        Raises:
            ImageFileError: the image would be shrunk, or no pixel added to it.
        """
        size = size_in_header(source) if self._places.needs_size() else None
        if size is None:
            return self._options.scale, (0, 0)  # reading it will say what is wrong
        try:
            return self._options.geometry(size)
        except InputError as error:
            raise ImageFileError(f"{source}: {error}") from error


def _settings_digests(options: UpscaleOptions, run: Run) -> Callable[[Path], str]:
    """From a result to a digest of all that its bytes depend on beside its input."""
    without_effect = ("overwrite", "pixel_limit")
    given = {field.name: getattr(options, field.name) for field in fields(options) if field.name not in without_effect}
    given |= {"method": repr(options.chosen_method), "priors": packaged_priors(), "seed": run.seed}
    given |= {"device": run.torch_device.type, "dtype": str(run.dtype), "time_limit": run.time_limit}

    @cache  # a setting may be a file that is read
    def digest(unused: tuple[str, ...]) -> str:
        return settings_digest(given | dict.fromkeys(unused))

    return lambda target: digest(unused_by_format(target))
