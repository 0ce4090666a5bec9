"""Files at addresses: read, listed, written whole, and known again; what goes wrong is told in one line."""

import builtins
import contextlib
import json
import tempfile
from pathlib import Path

import pytest

from helpers.bench import draw
from helpers.cli import BICUBIC, upscale
from innersr.batch.inputs import find_inputs
from innersr.batch.remote import output_folder, place_of, version_of
from innersr.errors import InputError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yield tmp_path
    assert list((tmp_path / "temporary").iterdir()) == []  # nothing is left over


@pytest.fixture
def memory(folder):
    """A folder in memory with pictures, emptied afterwards."""
    pytest.importorskip("upath", reason="fsspec is not installed: pip install '.[cloud]'")
    yield filled("memory://bucket", folder)
    place_of("memory://").fs.store.clear()


@pytest.fixture(scope="session")  # a second server of one process would keep the buckets of the first
def s3(tmp_path_factory):
    """The address of a bucket of a local server."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install '.[cloud]'")
    server_module = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[s3]' flask")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("AWS_ACCESS_KEY_ID", "key"), patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        place_of("s3://scans").mkdir()
        yield filled("s3://scans", tmp_path_factory.mktemp("s3"))


def filled(bucket, folder):
    for index, name in enumerate(("a.png", "b.png", "deep/a.png", "deep/.hidden.png", "deep/.bin/d.png", "notes.txt")):
        place = place_of(f"{bucket}/in/{name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(draw(folder / "drawn.png", 20, 24, seed=index).read_bytes())
    return bucket


def found(*given, **options):
    return [(str(file.path), file.below.as_posix()) for file in find_inputs(given, **options).files]


def statuses(*arguments, code=0):
    result = upscale(*arguments, *BICUBIC, "--status", "status.jsonl")
    assert result.exit_code == code, result.stderr
    rows = map(json.loads, Path("status.jsonl").read_text().splitlines())
    return {row["input"].split("/in/")[-1]: row["status"] for row in rows}


def test_folders_patterns_and_lists_name_addresses(memory):
    top = f"{memory}/in"
    assert found(top) == [(f"{top}/a.png", "a.png"), (f"{top}/b.png", "b.png")]
    assert found(top, recursive=True)[2:] == [(f"{top}/deep/a.png", "deep/a.png")]
    assert found(f"{top}/*.png") == found(top) == found(f"{top}/a.png", f"{top}/b.png", f"{top}/a.png")
    assert [below for _, below in found(f"{top}/a.png", f"{top}/deep/a.png")] == ["a.png", "deep/a.png"]
    Path("list.txt").write_text(f"{top}/b.png\ndrawn.png\n")
    assert found("@list.txt") == [(f"{top}/b.png", "b.png"), ("drawn.png", "drawn.png")]
    assert find_inputs([f"{top}/"]).is_batch
    place_of(f"{memory}/empty").mkdir()
    with pytest.raises(InputError, match=f"{memory}/empty: no images in this folder"):
        find_inputs([f"{memory}/empty/"])


@pytest.mark.parametrize("storage", ["memory", "s3"])
def test_a_batch_from_address_to_address_is_that_of_local_files(storage, request):
    bucket = request.getfixturevalue(storage)
    names = ("a.png", "b.png", "deep/a.png")
    for name in names:
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        Path("in", name).write_bytes(place_of(f"{bucket}/in/{name}").read_bytes())
    assert set(statuses("-r", "in", "-o", "local/").values()) == {"done"}
    remote = ("-r", f"{bucket}/in", "-o", f"{bucket}/out/")
    assert statuses(*remote) == dict.fromkeys(names, "done")
    for name in names:
        assert place_of(f"{bucket}/out/{name}").read_bytes() == Path("local", name).read_bytes()
    assert statuses(*remote) == dict.fromkeys(names, "skipped")
    place_of(f"{bucket}/in/b.png").write_bytes(draw(Path("drawn.png"), 20, 24, seed=9).read_bytes())
    assert statuses(*remote) == dict.fromkeys(names, "skipped") | {"b.png": "done"}
    place_of(f"{bucket}/out/a.png").write_bytes(b"edited")
    result = upscale(*remote, *BICUBIC)
    assert result.exit_code == 1 and f"{bucket}/out/a.png: exists, and is not an unchanged" in result.stderr
    assert upscale(*remote, *BICUBIC, "--existing", "overwrite").exit_code == 0
    assert place_of(f"{bucket}/out/a.png").read_bytes() == Path("local/a.png").read_bytes()


@pytest.mark.parametrize("storage", ["memory", "s3"])
def test_other_bytes_of_the_same_number_are_another_version(storage, request):
    place, versions = place_of(f"{request.getfixturevalue(storage)}/version.txt"), []
    for content in (b"one", b"two", b"one"):
        place.write_bytes(content)
        place.fs.invalidate_cache()
        versions.append(version_of(place))
    place.unlink()
    assert versions[0] == versions[2] != versions[1]


@pytest.mark.parametrize("storage", ["memory", "s3"])
def test_what_failed_at_an_address_is_tried_again(storage, request):
    bucket = request.getfixturevalue(storage)
    remote, broken = (f"{bucket}/in", "-o", f"{bucket}/again/"), place_of(f"{bucket}/in/b.png")
    sound = broken.read_bytes()
    broken.write_bytes(b"no image")
    assert statuses(*remote, code=1) == {"a.png": "done", "b.png": "failed"}
    broken.write_bytes(sound)
    place_of(f"{bucket}/again/a.png").unlink()
    assert statuses(*remote, "--retry-failed") == {"a.png": "skipped", "b.png": "done"}
    assert not place_of(f"{bucket}/again/a.png").exists()


def test_results_beside_addresses_are_no_inputs_of_the_next_run(memory):
    for status in ("done", "skipped"):
        assert statuses(f"{memory}/in", "--name", "{stem}-large") == dict.fromkeys(("a.png", "b.png"), status)


def test_results_of_equal_names_at_another_address_are_no_inputs(memory):
    assert upscale("-r", f"{memory}/in", "-o", f"{memory}/out/", *BICUBIC).exit_code == 0
    assert [below for _, below in found(memory, recursive=True)] == ["in/a.png", "in/b.png", "in/deep/a.png"]


def test_a_repeated_batch_in_place_at_an_address_enlarges_nothing_twice(memory):
    for status in ("done", "skipped"):
        result = upscale(f"{memory}/in", "--in-place", *BICUBIC, "--status", "status.jsonl")
        assert result.exit_code == 0, result.stderr
        assert [json.loads(line)["status"] for line in Path("status.jsonl").read_text().splitlines()] == [status] * 2


def test_one_file_goes_to_an_address_and_from_one(memory):
    result = upscale("drawn.png", "-o", f"{memory}/large.png", *BICUBIC)
    assert result.exit_code == 0 and f"drawn.png -> {memory}/large.png  24x20 -> 48x40" in result.stdout
    assert upscale("drawn.png", "-o", "large.png", *BICUBIC).exit_code == 0
    assert place_of(f"{memory}/large.png").read_bytes() == Path("large.png").read_bytes()
    again = upscale("drawn.png", "-o", f"{memory}/large.png", *BICUBIC)
    assert again.exit_code == 1 and f"{memory}/large.png: exists; choose another name" in again.stderr
    assert upscale(f"{memory}/large.png", "-o", "larger.png", *BICUBIC).exit_code == 0
    assert output_folder(f"{memory}/in") == place_of(f"{memory}/in")


def test_a_bad_file_at_an_address_is_reported_by_its_address(memory):
    place_of(f"{memory}/in/b.png").write_bytes(b"no image")
    result = upscale(f"{memory}/in", "-o", "out/", *BICUBIC, "--status", f"{memory}/status.jsonl")
    assert result.exit_code == 1 and result.stderr.startswith(f"error: {memory}/in/b.png: ")
    assert str(Path.cwd()) not in result.stderr
    row = json.loads(place_of(f"{memory}/status.jsonl").read_text().splitlines()[1])
    assert row["status"] == "failed" and row["error"].startswith(f"{memory}/in/b.png: ")
    missing = upscale(f"{memory}/in/none.png", "-o", "out/", *BICUBIC)
    assert missing.exit_code == 1 and f"{memory}/in/none.png" in missing.stderr and missing.stderr.count("\n") == 1


def test_a_damaged_entry_is_reported_and_does_not_count(memory):
    remote = (f"{memory}/in", "-o", f"{memory}/out/")
    statuses(*remote)
    for entry in place_of(f"{memory}/out/.innersr").iterdir():
        entry.write_bytes(b"{")
    result = upscale(*remote, *BICUBIC)
    assert result.exit_code == 1 and ".json: is damaged, and does not count" in result.stderr


def test_a_storage_that_refuses_is_reported_in_one_line(s3, monkeypatch):
    import s3fs

    def said(code, *arguments):
        result = upscale(*arguments, *BICUBIC)
        assert result.exit_code == code and result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    remedy = "check the address, the connection and the credentials"
    none = "cannot be reached (The specified bucket does not exist)"
    assert f"s3://none/a: {none}; {remedy}" in said(1, "s3://none/a/", "-o", "out/")
    assert f"s3://none/out.png: {none}; {remedy}" in said(1, f"{s3}/in/a.png", "-o", "s3://none/out.png")
    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true"), monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    assert f"cannot be reached (Unable to locate credentials); {remedy}" in said(1, f"{s3}/in", "-o", "out/")
    s3fs.S3FileSystem.clear_instance_cache()


def test_packages_that_are_missing_are_named(monkeypatch):
    load = builtins.__import__

    def without(name, *arguments):
        if name == "upath":
            raise ImportError("No module named 'upath'")
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"s3://b/a.png: such an address needs .*pip install '.\[cloud\]'"):
        place_of("s3://b/a.png")
    monkeypatch.undo()
    pytest.importorskip("upath")
    with pytest.raises(InputError, match="nonsense://b: is not an address that fsspec knows"):
        place_of("nonsense://b")
