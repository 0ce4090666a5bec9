"""The log by which the next run knows what is done."""

import pytest

from innersr.batch.manifest import Manifest, digest_of, settings_digest
from innersr.errors import InputError


def add(manifest, output, **fields):
    given = {"source": "a.png", "digest": "d", "settings": "s", "status": "done"}
    if output.exists():
        given |= {"result_size": output.stat().st_size, "result_digest": digest_of(output)}
    return manifest.add(output, **(given | fields))


@pytest.fixture
def result(tmp_path):
    (tmp_path / "a.png").write_bytes(b"result")
    return tmp_path / "a.png"


def reread(folder):
    return Manifest(folder)


def test_what_is_done_is_known_by_bytes_and_settings(tmp_path, result):
    add(Manifest(tmp_path), result)
    manifest = reread(tmp_path)
    assert manifest.is_done(result, "d", "s")
    assert not manifest.is_done(result, "other", "s")
    assert not manifest.is_done(result, "d", "other")


def test_a_result_that_was_changed_or_removed_is_not_done(tmp_path, result):
    add(Manifest(tmp_path), result)
    result.write_bytes(b"edited")  # as many bytes
    assert not reread(tmp_path).is_done(result, "d", "s")
    result.unlink()
    assert not reread(tmp_path).is_done(result, "d", "s")


def test_a_failure_is_not_done_and_the_last_entry_counts(tmp_path, result):
    manifest = Manifest(tmp_path)
    add(manifest, result)
    add(manifest, result, status="failed", error="it broke", remedy="mend it")
    entry = reread(tmp_path).entry(result)
    assert (entry.status, entry.error, entry.remedy) == ("failed", "it broke", "mend it")
    assert not reread(tmp_path).is_done(result, "d", "s")


@pytest.mark.parametrize("end", [b'{"output": "b.p', b"no json\n", b'{"output": 3}\n', b"\xff\xfe\n", b"[1]\n"])
def test_damaged_lines_do_not_count(tmp_path, result, end):
    manifest = Manifest(tmp_path)
    add(manifest, result)
    with manifest.path.open("ab") as stream:
        stream.write(end)
    manifest.close()
    again = reread(tmp_path)
    assert again.is_done(result, "d", "s")
    add(again, tmp_path / "b.png", status="failed")
    assert reread(tmp_path).entry(tmp_path / "b.png").status == "failed"


def test_one_run_at_a_time_writes_into_a_folder(tmp_path, result):
    first = Manifest(tmp_path)
    add(first, result)
    with pytest.raises(InputError, match="another run of innersr writes into this folder; wait"):
        Manifest(tmp_path).lock()
    first.close()
    Manifest(tmp_path).lock()


def test_shards_know_what_the_others_did(tmp_path, result):
    add(Manifest(tmp_path, (2, 3)), result)
    assert Manifest(tmp_path, (1, 3)).is_done(result, "d", "s")


@pytest.mark.parametrize("given", [lambda name: name, lambda name: f"{name}#2", lambda name: {"prior": name}])
def test_settings_are_compared_by_value_and_files_by_their_bytes(tmp_path, given):
    file = tmp_path / "k.npy"
    file.write_bytes(b"1")
    value = given(str(file))
    first = settings_digest({"value": value, "scale": 2})
    assert first == settings_digest({"scale": 2, "value": value})
    assert first != settings_digest({"value": value, "scale": 3})
    assert first != settings_digest({"value": value, "scale": 2}, results=1)
    assert first != settings_digest({"value": f"{file}#1", "scale": 2})
    file.write_bytes(b"2")
    assert first != settings_digest({"value": value, "scale": 2})


def test_shards_share_a_folder_with_each_other_and_not_with_a_whole_run(tmp_path):
    first, second = (Manifest(tmp_path, (number, 2)) for number in (1, 2))
    first.lock(), second.lock()
    for shard in ((1, 1), (1, 2)):
        with pytest.raises(InputError, match="another run of innersr writes into this folder"):
            Manifest(tmp_path, shard).lock()
    first.close(), second.close()
    whole = Manifest(tmp_path)
    whole.lock()
    with pytest.raises(InputError, match="another run of innersr writes into this folder"):
        first.lock()
    whole.close()
    first.lock()


def test_what_a_run_noted_before_the_lock_was_free_is_known(tmp_path):
    early, other = Manifest(tmp_path), Manifest(tmp_path)
    other.add(tmp_path / "a.png", source="a.png", digest="1", settings="2", status="failed")
    other.close()
    early.lock()
    assert early.entry(tmp_path / "a.png").digest == "1"
