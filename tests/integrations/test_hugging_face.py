"""Priors on the Hub, which here is a folder: nothing is asked of the network."""

import json
import re
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest
from typer.testing import CliRunner

from helpers.priors import write_prior
from innersr.cli.app import app
from innersr.errors import CheckpointError, InnersrError, InputError
from innersr.integrations.hugging_face import pull_prior, push_prior
from innersr.networks.priors import describe_prior, load_prior, prior_bytes

hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub: pip install '.[hub]'")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The folder that stands for the Hub; its functions take what huggingface_hub's take."""
    folder = tmp_path / "hub"
    real, real_download, calls = hub.HfApi, hub.hf_hub_download, []

    def create_repo(repository, **choices):
        calls.append(choices)
        (folder / repository).mkdir(parents=True, exist_ok=choices["exist_ok"])

    def create_commit(repository, operations, **_):
        for operation in operations:
            (folder / repository / operation.path_in_repo).write_bytes(operation.path_or_fileobj)
        return SimpleNamespace(commit_url=f"https://hub/{repository}/commit/1")

    def download(repository, file, **choices):
        calls.append(choices)
        path = folder / repository / file
        if not path.is_file():
            raise hub.errors.LocalEntryNotFoundError(f"404 Client Error.\n\nRepository Not Found: {repository}")
        return str(path)

    def repo_info(repository, **_):
        if not (folder / repository).is_dir():
            error = hub.errors.HfHubHTTPError.__new__(hub.errors.RepositoryNotFoundError)
            error.args, error.response = (
                (f"404 Client Error.\n\nRepository Not Found: {repository}",),
                SimpleNamespace(),
            )
            raise error

    api = create_autospec(real, instance=True)
    api.repo_info.side_effect = repo_info
    api.create_repo.side_effect, api.create_commit.side_effect = create_repo, create_commit
    monkeypatch.setattr(hub, "HfApi", create_autospec(real, return_value=api))
    monkeypatch.setattr(hub, "hf_hub_download", create_autospec(real_download, side_effect=download))
    return SimpleNamespace(folder=folder, calls=calls, api=api)


@pytest.fixture
def prior(tmp_path):
    path = write_prior(tmp_path / "mine.safetensors")
    path.with_suffix(".md").write_text("# Mine\n\nOf cells.\n", encoding="utf-8")
    return path


def test_what_is_pushed_is_pulled(store, prior, tmp_path):
    assert push_prior(prior, "me/cells", is_private=True) == "https://hub/me/cells/commit/1"
    assert store.calls[0] == {"private": True, "exist_ok": True}
    pulled = pull_prior("me/cells", tmp_path / "theirs.safetensors")
    assert pulled.read_bytes() == prior.read_bytes()
    assert "Of cells." in describe_prior(pulled).card
    assert type(load_prior(pulled)) is type(load_prior(prior))


@pytest.mark.usefixtures("store")
def test_a_packaged_prior_is_pushed_by_its_name(tmp_path):
    push_prior("mixture", "me/mixture")
    assert pull_prior("me/mixture", tmp_path / "x.safetensors").read_bytes() == prior_bytes("mixture")


def test_the_card_has_the_metadata_of_the_hub_once(store, prior):
    push_prior(prior, "me/cells")
    card = (store.folder / "me/cells/README.md").read_text()
    head, body = re.fullmatch(r"---\n(.*?)\n---\n\n(.*)", card, re.DOTALL).groups()
    assert {"license: unknown", "library_name: innersr"} <= set(head.splitlines())
    assert body.startswith("# Mine\n\nOf cells.\n\n## Load")
    prior.with_suffix(".md").write_text(card)
    push_prior(prior, "me/cells")
    assert (store.folder / "me/cells/README.md").read_text() == card


@pytest.mark.parametrize(
    ("recorded", "lines"),
    [
        ("Apache-2.0", ["license: apache-2.0"]),
        ("CC-BY-NC-4.0", ["license: cc-by-nc-4.0"]),
        ("Ours: ask", ["license: other", 'license_name: "Ours: ask"']),
        (None, ["license: unknown"]),
        ("", ["license: unknown"]),
        (["MIT"], ["license: unknown"]),
    ],
)
def test_the_card_has_the_licence_that_the_prior_records(store, tmp_path, recorded, lines):
    prior = write_prior(tmp_path / "mine.safetensors", provenance={"licence": recorded})
    push_prior(prior, "me/cells")
    card = (store.folder / "me/cells/README.md").read_text()
    assert [line for line in card.splitlines() if line.startswith("license")] == lines


@pytest.mark.usefixtures("store")
def test_a_prior_without_a_card_gets_one(prior):
    prior.with_suffix(".md").unlink()
    push_prior(prior, "me/cells")
    assert (
        "A prior of innersr" in pull_prior("me/cells", prior.with_name("b.safetensors")).with_suffix(".md").read_text()
    )


def test_a_revision_stands_behind_the_name(store, prior, tmp_path):
    push_prior(prior, "me/cells")
    pull_prior("me/cells@v2", tmp_path / "b.safetensors")
    assert [call.get("revision") for call in store.calls] == [None, "v2", "v2"]


def test_a_pulled_file_that_is_no_prior_is_not_kept(store, tmp_path):
    (store.folder / "me/evil").mkdir(parents=True)
    (store.folder / "me/evil/prior.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    (store.folder / "me/evil/README.md").write_bytes(b"")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        pull_prior("me/evil", tmp_path / "evil.safetensors")
    assert not [*tmp_path.glob("evil*")]


def test_without_a_network_the_hub_is_asked_once_and_what_is_cached_is_used(store, prior, tmp_path):
    push_prior(prior, "me/cells")
    store.api.repo_info.side_effect = OSError("Name or service not known")
    assert pull_prior("me/cells", tmp_path / "b.safetensors").read_bytes() == prior.read_bytes()
    assert store.calls[-1]["local_files_only"]
    said = r"^me/none: the Hugging Face Hub was not reached \(Name or service not known\); check the network$"
    with pytest.raises(InnersrError, match=said):
        pull_prior("me/none", tmp_path / "c.safetensors")


def test_errors_of_the_hub_are_one_line(store, prior):
    del store
    with pytest.raises(InnersrError, match=r"^me/none: .*404 Client Error. Repository Not Found: me/none.*hf auth"):
        pull_prior("me/none", prior.with_name("b.safetensors"))


@pytest.mark.usefixtures("store")
def test_existing_files_stay(prior, tmp_path):
    push_prior(prior, "me/cells")
    (tmp_path / "cells.md").write_text("mine")
    for name, words in (("cells.safetensors", "cells.md: exists"), ("cells.txt", "ends in .safetensors")):
        with pytest.raises(InputError, match=words):
            pull_prior("me/cells", tmp_path / name)
    assert pull_prior("me/cells", tmp_path / "cells.safetensors", overwrite=True).is_file()


@pytest.mark.usefixtures("store")
def test_the_commands_print_address_and_path(prior, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pushed = CliRunner().invoke(app, ["prior", "push", str(prior), "me/cells", "--json"])
    assert json.loads(pushed.stdout)["address"] == "https://hub/me/cells/commit/1"
    assert (
        CliRunner()
        .invoke(app, ["prior", "pull", "me/cells"])
        .stdout.startswith("cells.safetensors; for `innersr upscale")
    )
    assert load_prior(tmp_path / "cells.safetensors")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install '\.\[hub\]'"):
        push_prior("tailor", "me/tailor")
