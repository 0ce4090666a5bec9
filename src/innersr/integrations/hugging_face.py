"""Priors on the Hugging Face Hub: one repository holds one prior and its model card.

huggingface_hub logs in (`hf auth login`); downloaded files are checked before they are kept, and run no code.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from innersr.atomic import whole_file
from innersr.errors import FileError, InnersrError, InputError, cannot_write, exists_already, how_to_install
from innersr.networks.priors import check_prior_file, describe_prior, prior_bytes

Returned = TypeVar("Returned")
LICENCES = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "cc0-1.0"),
    *(f"cc-by{more}-4.0" for more in ("", "-sa", "-nd", "-nc", "-nc-sa", "-nc-nd")),
)
"""Those that the Hub knows by these names, and that weights may have."""


def push_prior(prior: str | Path, repository: str, *, is_private: bool = False) -> str:
    """Put a prior and its model card into a repository, which is made unless it is there; return its address.

    Args:
        prior: a packaged one by name, or the path of a file, with its model card beside it.
        repository: OWNER/NAME.
        is_private: of a repository that is made.

    Raises:
        InputError: huggingface_hub is missing, or there is no such prior.
        CheckpointError: the prior cannot be read.
        InnersrError: the Hub cannot be reached, or refuses.
    """
    hub = _hub()
    data, description = prior_bytes(prior), describe_prior(prior)
    files = {"prior.safetensors": data, "README.md": _card(description.card, description.header).encode()}
    api = hub.HfApi(library_name="innersr")
    _answer(repository, lambda: api.create_repo(repository, private=is_private, exist_ok=True))
    operations = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
    network = description.header["network"]["name"]
    message = f"Add a {network} of {description.weights} weights"
    commit = _answer(repository, lambda: api.create_commit(repository, operations, commit_message=message))
    return str(commit.commit_url)


def pull_prior(repository: str, output: str | Path | None = None, *, overwrite: bool = False) -> Path:
    """Get the prior of a repository, checked, and its model card; return the path of the prior.

    Args:
        repository: OWNER/NAME, or OWNER/NAME@REVISION: a commit, a tag or a branch.
        output: the file to write, its name ending in .safetensors; NAME.safetensors in this folder when None.
        overwrite: whether existing files are replaced.

    Raises:
        InputError: huggingface_hub is missing, or a file exists.
        CheckpointError: the repository holds no prior, or a damaged one.
        InnersrError: the Hub cannot be reached, has no such repository, or a file cannot be written.
    """
    hub = _hub()
    name, _, revision = repository.partition("@")
    target = Path(f"{name.rpartition('/')[2]}.safetensors" if output is None else output)
    card = target.with_suffix(".md")
    if target.suffix != ".safetensors":
        raise InputError(f"{target}: the name of a prior ends in .safetensors")
    for path in (target, card):
        if path.exists() and not overwrite:
            raise FileError(exists_already(path))

    options: dict[str, Any] = {"revision": revision or None}
    unreached = _unreached(repository, lambda: hub.HfApi(library_name="innersr").repo_info(name, timeout=10, **options))

    def downloaded(file: str) -> Path:
        if unreached is None:
            return Path(_answer(repository, lambda: hub.hf_hub_download(name, file, **options)))
        try:  # without a network, what was downloaded before
            return Path(hub.hf_hub_download(name, file, local_files_only=True, **options))
        except Exception as error:
            raise unreached from error

    found = {target: downloaded("prior.safetensors"), card: downloaded("README.md")}
    check_prior_file(found[target])
    for path, source in found.items():
        try:
            with whole_file(path, overwrite=overwrite) as partial:
                partial.write_bytes(source.read_bytes())
        except OSError as error:
            raise InnersrError(cannot_write(path, error.strerror)) from error
    return target


def _card(text: str | None, header: dict[str, Any]) -> str:
    """A model card with the metadata that the Hub wants at its head."""
    if text is not None and text.startswith(("---\n", "---\r\n")):
        return text
    metadata = {
        **_licence(header),
        "library_name": "innersr",
        "pipeline_tag": "image-to-image",
        "tags": "[super-resolution, internal-learning]",
    }
    head = "\n".join(["---", *(f"{key}: {value}" for key, value in metadata.items()), "---"])
    body = text if text is not None else f"# A prior of innersr\n\nA `{header['network']['name']}`.\n"
    pull = "innersr prior pull OWNER/NAME -o mine.safetensors"
    use = "innersr upscale --set prior=mine.safetensors photo.jpg"
    return f"{head}\n\n{body.rstrip()}\n\n## Load\n\n```console\n{pull}\n{use}\n```\n"


def _licence(header: dict[str, Any]) -> dict[str, str]:
    """The licence that a prior records, as the Hub writes it."""
    provenance = header.get("provenance")
    recorded = provenance.get("licence") if isinstance(provenance, dict) else None
    if not isinstance(recorded, str) or not recorded.strip():
        return {"license": "unknown"}
    if recorded.lower() in LICENCES:
        return {"license": recorded.lower()}
    return {"license": "other", "license_name": json.dumps(recorded)}


def _answer(repository: str, request: Callable[[], Returned]) -> Returned:
    """The answer of the Hub; its errors become one line."""
    try:
        return request()
    # Of the Hub, of its HTTP library and of the file system: there is no closed list.
    except Exception as error:
        raise _failure(repository, error) from error


def _unreached(repository: str, request: Callable[[], object]) -> InnersrError | None:
    """The error of a request that reached no Hub; errors that are its answers are raised."""
    try:
        request()
    except Exception as error:
        failure = _failure(repository, error)
        if getattr(error, "response", None) is not None:
            raise failure from error
        return failure
    return None


def _failure(repository: str, error: Exception) -> InnersrError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if getattr(error, "response", None) is None:
        return InnersrError(f"{repository}: the Hugging Face Hub was not reached ({reason}); check the network")
    remedy = "check the name and `hf auth whoami`"
    return InnersrError(f"{repository}: the Hugging Face Hub refused ({reason}); {remedy}")


def _hub() -> Any:  # noqa: ANN401 (a module that may be missing)
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise InputError(f"the Hugging Face Hub needs huggingface_hub: {how_to_install('hub')}") from error
