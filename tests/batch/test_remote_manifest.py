"""The manifest of results at an address: an object for each, in a file system in memory."""

import json

import pytest

from innersr.batch.remote import place_of, version_of
from innersr.batch.remote_manifest import RemoteManifest
from innersr.errors import ImageFileError

DONE = {"source": "a.png", "digest": "input", "settings": "set", "status": "done"}


@pytest.fixture
def folder():
    """A folder of results at an address, emptied afterwards."""
    pytest.importorskip("upath", reason="fsspec is not installed: pip install '.[cloud]'")
    place = place_of("memory://results")
    place.mkdir(parents=True, exist_ok=True)
    yield place
    place.fs.store.clear()


def written(folder, name="a.png", content=b"result", **fields):
    """A result with its entry, as a run leaves them."""
    output = folder / name
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(content)
    manifest = RemoteManifest(folder)
    manifest.add(output, **DONE | {"result_size": len(content), "result_digest": version_of(output)} | fields)
    return output


def only_object(folder):
    (found,) = (folder / ".innersr").iterdir()
    return found


def test_what_a_run_did_the_next_one_knows(folder):
    output = written(folder)
    assert RemoteManifest(folder).is_done(output, "input", "set")
    assert not RemoteManifest(folder).is_done(output, "another input", "set")
    assert not RemoteManifest(folder).is_done(output, "input", "other settings")
    assert not RemoteManifest(folder).is_done(folder / "b.png", "input", "set")


@pytest.mark.parametrize("change", ["other bytes", "another size", "removed"])
def test_a_result_that_somebody_changed_is_not_done_and_not_replaced(folder, change):
    output = written(folder)
    output.unlink() if change == "removed" else output.write_bytes(b"RESULT" if change == "other bytes" else b"longer")
    manifest = RemoteManifest(folder)
    assert not manifest.is_done(output, "input", "set")
    assert not manifest.may_replace(output)


@pytest.mark.parametrize(("status", "is_ours", "may_be"), [("started", True, True), ("failed", False, False)])
def test_what_an_ended_run_left_may_be_replaced_if_it_was_its_own(folder, status, is_ours, may_be):
    output = written(folder, content=b"half", status=status, is_ours=is_ours, result_digest="")
    assert RemoteManifest(folder).may_replace(output) is may_be
    assert not RemoteManifest(folder).is_done(output, "input", "set")


def test_results_of_one_name_in_two_folders_have_entries_of_their_own(folder):
    first, second = written(folder, "x/a.png"), written(folder, "y/a.png", settings="others")
    manifest = RemoteManifest(folder)
    assert (manifest.entry(first).output, manifest.entry(second).output) == ("x/a.png", "y/a.png")
    assert manifest.is_done(first, "input", "set") and manifest.is_done(second, "input", "others")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:0],
        lambda text: text[:-9],
        lambda text: "[" * 10**5 + text,
        lambda text: f"[{text}]",
        lambda text: json.dumps({**json.loads(text), "result_size": "many"}),
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "status"}),
    ],
)
def test_a_damaged_entry_is_reported_and_replaced_by_the_next_result(folder, damage):
    output, notes = written(folder), []
    entry = only_object(folder)
    entry.write_text(damage(entry.read_text()))
    manifest = RemoteManifest(folder, notes.append)
    assert not manifest.is_done(output, "input", "set") and not manifest.may_replace(output)
    assert notes == [f"{entry}: is damaged, and does not count; its result is taken for another file"]
    written(folder)
    assert only_object(folder) == entry
    assert RemoteManifest(folder, notes.append).is_done(output, "input", "set") and len(notes) == 1


def test_an_entry_that_another_run_removes_meanwhile_does_not_count(folder):
    output = written(folder)
    manifest = RemoteManifest(folder)
    assert manifest.entry(folder / "b.png") is None  # the entries were listed
    only_object(folder).unlink()
    assert manifest.entry(output) is None


def test_objects_that_are_no_entries_do_not_matter(folder):
    (folder / ".innersr").mkdir(exist_ok=True)
    (folder / ".innersr" / "notes.txt").write_bytes(b"of somebody")
    output = written(folder)
    assert RemoteManifest(folder).is_done(output, "input", "set")


def test_a_storage_that_fails_is_reported_by_its_address(folder, monkeypatch):
    output = written(folder)

    def refuse(*_arguments, **_options):
        raise PermissionError("no entry for you")

    monkeypatch.setattr(type(folder.fs), "cat_file", refuse)
    monkeypatch.setattr(type(folder.fs), "_open", refuse)
    with pytest.raises(ImageFileError, match=r"memory://.*cannot be reached \(no entry for you\)"):
        RemoteManifest(folder).entry(output)
