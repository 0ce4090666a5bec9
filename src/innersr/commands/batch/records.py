"""Records of a batch: what earlier runs did with each file, and what this one does, in the manifests of the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from innersr.batch.inputs import BatchFile
from innersr.batch.manifest import Entry, InputDigest, Manifest, ResultLog, digest_of
from innersr.batch.options import BatchOptions
from innersr.batch.places import Places
from innersr.batch.remote import is_remote
from innersr.batch.remote_manifest import RemoteManifest
from innersr.commands.console import in_words
from innersr.commands.upscale_file import FileJob, FileOutcome
from innersr.errors import ImageFileError, InnersrError, error_and_remedy
from innersr.paths import is_one_file


class FileRecord:
    """What is recorded of one input in the manifest of its folder of results.

    Args:
        manifest: of that folder.
        settings: digest of all that the bytes of a result depend on beside the input, see `settings_digest`.
        source: the input.
        digest: of the input now.
        planned: its result, but for a free name.
    """

    def __init__(self, manifest: ResultLog, settings: str, source: Path, digest: InputDigest, planned: Path) -> None:
        self._manifest, self._settings, self._source, self._digest = manifest, settings, source, digest
        self._planned = planned
        self._is_ours = False  # see `Entry.is_ours`

    def may_replace(self, target: Path) -> bool:
        """Whether the file there is a result of this program that nobody has changed."""
        return self._manifest.may_replace(target)

    def is_done(self, target: Path) -> bool:
        """Whether the result is there; in place also where the input is that result already."""
        if not is_one_file(self._source, target):
            return self._manifest.is_done(target, self._digest.value, self._settings)
        entry = self._manifest.entry(target)
        return entry is not None and entry.settings == self._settings and self._holds_result(target, entry)

    def check_original(self, target: Path) -> None:
        """Raise ImageFileError for an input that is a result in place already, of whatever settings."""
        entry = self._manifest.entry(target)
        is_in_place = entry is not None and entry.is_in_place and is_one_file(self._source, target)
        if entry is not None and is_in_place and self._holds_result(target, entry):
            remedy = "its original is gone; --overwrite enlarges it once more"
            raise ImageFileError(f"{target}: is the result of an earlier run with --in-place; {remedy}")

    def _holds_result(self, target: Path, entry: Entry) -> bool:
        if entry.status == "started":  # a run was cut off before or after it replaced the input
            return self._digest.value not in ("", entry.digest)
        return self._manifest.is_unchanged(target)

    def begin(self, job: FileJob) -> None:
        """Note that the work on the file begins: what is there then is whole, and its own."""
        self._digest = self._digest.again(self._source)
        exists = job.target.exists() or job.target.is_symlink()
        self._is_ours = not exists or (self.may_replace(job.target) and job.options.overwrite)
        self._note(job.target, "started", is_ours=self._is_ours)

    def refuse(self, target: Path, error: Exception) -> None:
        """Note a failure before the work began: a result that is there stays known, with what it was made of."""
        earlier, (message, remedy) = self._manifest.entry(target), error_and_remedy(in_words(error))
        if earlier is not None and (earlier.result_digest or earlier.is_in_place):
            self._manifest.amend(earlier, error=message, remedy=remedy)
        else:
            is_ours = earlier is not None and earlier.is_ours
            self._note(target, "failed", is_ours=is_ours, error=message, remedy=remedy)

    def checked(self, job: FileJob, outcome: FileOutcome) -> FileOutcome:
        """The outcome, or the failure that it is where the input was changed meanwhile."""
        is_new = outcome.error is None and not is_one_file(job.source, job.target)
        if not is_new or self._digest.again(job.source) == self._digest:
            return outcome
        self._is_ours = True
        error = f"{job.source}: changed while it was upscaled; upscale it again"
        messages = [each for each in outcome.messages if each[0] != "result"]
        messages.append(("failure", (InnersrError(error), 1, job.source)))
        return replace(outcome, error=error, messages=messages)

    def finish(self, job: FileJob, outcome: FileOutcome) -> None:
        """Note the outcome; a result under a free name (--existing rename) ends a failure under the first one."""
        is_done = outcome.error is None
        earlier = self._manifest.entry(self._planned)
        if is_done and job.target != self._planned and earlier is not None and earlier.has_failed:
            known = {} if earlier.status == "done" else {"status": "done", "result_digest": ""}
            self._manifest.amend(earlier, error=None, remedy=None, **known)
        error, remedy = error_and_remedy(outcome.error)
        self._note(
            job.target,
            "done" if is_done else "failed",
            is_ours=not is_done and self._is_ours,
            result_size=job.target.stat().st_size if is_done else 0,
            result_digest=digest_of(job.target) if is_done else "",
            result_modified=job.target.stat().st_mtime if is_done else 0.0,
            seconds=round(outcome.seconds, 2),
            error=error,
            remedy=remedy,
        )

    def _note(self, target: Path, status: str, **more: Any) -> None:  # noqa: ANN401 (of an entry)
        self._manifest.add(
            target,
            source=str(self._source),
            digest=self._digest.value,
            size=self._digest.size,
            modified=self._digest.modified,
            settings=self._settings,
            status=status,
            is_in_place=is_one_file(self._source, target),
            **more,
        )


class BatchRecords:
    """The manifests of the folders of results, each opened and locked when it is first needed.

    Args:
        places: where the results of the files lie.
        batch: options of the batch. A dry run locks no folder, and trusts sizes and times.
        settings: from a result to those of `FileRecord`.
        note: called with a sentence where a manifest is damaged.
    """

    def __init__(
        self, places: Places, batch: BatchOptions, settings: Callable[[Path], str], note: Callable[[str], None]
    ) -> None:
        self._places, self._batch, self._settings, self._note = places, batch, settings, note
        self._manifests: dict[Path, ResultLog] = {}
        self._records: dict[Path, FileRecord] = {}

    def last_entry(self, file: BatchFile, target: Path) -> Entry | None:
        """The entry of a result by earlier runs."""
        return self._manifest(file).entry(target)

    def open(self, file: BatchFile, target: Path) -> FileRecord:
        """The record of a file, whose digest is computed."""
        manifest, source = self._manifest(file), file.path
        entry = manifest.entry(target) if self._batch.dry_run else None
        # A file that cannot be read has no digest; its error is raised where it is upscaled.
        digest = InputDigest.of(source) if entry is None else entry.input.again(source)
        self._records[source] = FileRecord(manifest, self._settings(target), source, digest, target)
        return self._records[source]

    def refuse(self, file: BatchFile, target: Path, error: Exception) -> None:
        """Note that a file that was opened failed before the work on it began."""
        if not self._batch.dry_run and file.path in self._records:
            self._records[file.path].refuse(target, error)

    def opened(self, source: Path) -> FileRecord:
        """The record of an input that was opened."""
        return self._records[source]

    def close(self) -> None:
        """Release the folders for other runs."""
        for manifest in self._manifests.values():
            manifest.close()

    def _manifest(self, file: BatchFile) -> ResultLog:
        root = self._places.root(file)
        if root not in self._manifests:
            dry_run = self._batch.dry_run
            manifest: ResultLog = (
                RemoteManifest(root, self._note)
                if is_remote(root)
                else Manifest(root, self._batch.part, self._note, trusts_times=dry_run)
            )
            self._manifests[root] = manifest
            if not dry_run:
                manifest.lock()
        return self._manifests[root]
