"""Files appear under their name whole, or not at all."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from innersr.atomic import remove_partial_files, whole_file

WRITER = """
import sys, time
from pathlib import Path
from innersr.atomic import whole_file
with whole_file(Path("photo.png"), overwrite=True) as partial:
    partial.write_bytes(b"half of it")
    print("begun", flush=True)
    time.sleep(60)
"""


def written(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def other_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("name", ["photo.png", "é" * 127 + "a", "with space", ".hidden"])
def test_a_file_appears_when_the_block_ends(tmp_path, name):
    with whole_file(tmp_path / name, overwrite=False) as partial:
        partial.write_bytes(b"whole")
        assert partial.parent == tmp_path and partial.name.startswith(".")
        assert list(tmp_path.iterdir()) == [partial]
    assert written(tmp_path) == {name: b"whole"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["x" * 300, "missing/photo.png"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path, name, overwrite):
    with (
        pytest.raises(OSError, match="File name too long|No such file") as caught,
        whole_file(tmp_path / name, overwrite=overwrite) as partial,
    ):
        partial.write_bytes(b"whole")
    assert caught.value.filename == str(tmp_path / name) and ".part" not in str(caught.value)
    assert written(tmp_path) == {}


def test_a_full_disk_names_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(OSError, match="No space") as caught, whole_file(tmp_path / "a", overwrite=False):
        raise OSError(errno.ENOSPC, "No space left on device")  # as writing says it
    assert caught.value.filename == str(tmp_path / "a")


def test_a_path_without_a_folder_is_in_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with whole_file(Path("photo.png"), overwrite=False) as partial:
        partial.write_bytes(b"whole")
    assert written(tmp_path) == {"photo.png": b"whole"}


@pytest.mark.skipif(os.name != "posix", reason="sets POSIX permissions")
def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "usual").touch()
    with whole_file(tmp_path / "photo.png", overwrite=False):
        pass
    assert (tmp_path / "photo.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("exception", [OSError, ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("overwrite", [False, True])
def test_after_an_exception_all_is_as_before(tmp_path, exception, overwrite):
    (tmp_path / "photo.png").write_bytes(b"precious")
    with pytest.raises(exception), whole_file(tmp_path / "photo.png", overwrite=overwrite) as partial:
        partial.write_bytes(b"half of it")
        raise exception
    assert written(tmp_path) == {"photo.png": b"precious"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_what_cannot_be_brought_to_the_disk_does_not_appear(tmp_path, monkeypatch, error):
    def fsync(_descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "photo.png").write_bytes(b"precious")
    with pytest.raises(type(error)), whole_file(tmp_path / "photo.png", overwrite=True) as partial:
        partial.write_bytes(b"whole")
    assert written(tmp_path) == {"photo.png": b"precious"}


def test_a_file_is_replaced_on_request(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"old")
    with whole_file(tmp_path / "photo.png", overwrite=True) as partial:
        partial.write_bytes(b"new")
    assert written(tmp_path) == {"photo.png": b"new"}


@pytest.mark.parametrize("has_hard_links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch, has_hard_links):
    refuse_hard_links(monkeypatch, not has_hard_links)
    with pytest.raises(FileExistsError), whole_file(tmp_path / "photo.png", overwrite=False) as partial:
        partial.write_bytes(b"new")
        (tmp_path / "photo.png").write_bytes(b"appeared meanwhile")
    assert written(tmp_path) == {"photo.png": b"appeared meanwhile"}


def test_a_link_to_nothing_is_a_file_that_is_there(tmp_path):
    (tmp_path / "photo.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(FileExistsError), whole_file(tmp_path / "photo.png", overwrite=False):
        pass
    assert (tmp_path / "photo.png").is_symlink() and not (tmp_path / "nothing").exists()


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch):
    refuse_hard_links(monkeypatch, True)
    with whole_file(tmp_path / "photo.png", overwrite=False) as partial:
        partial.write_bytes(b"whole")
    assert written(tmp_path) == {"photo.png": b"whole"}


def refuse_hard_links(monkeypatch, refuse):
    def link(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    if refuse:
        monkeypatch.setattr(os, "link", link)


def test_what_a_link_points_to_is_not_written_to(tmp_path):
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (tmp_path / "photo.png").symlink_to(target)
    with whole_file(tmp_path / "photo.png", overwrite=True) as partial:
        partial.write_bytes(b"new")
    assert written(tmp_path) == {"precious": b"precious", "photo.png": b"new"}
    assert not (tmp_path / "photo.png").is_symlink()


def test_a_link_planted_under_the_partial_name_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("os.urandom", lambda count: b"\xab" * count)
    with whole_file(tmp_path / "photo.png", overwrite=False) as partial:
        pass
    (tmp_path / "precious").write_bytes(b"precious")
    partial.symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError), whole_file(tmp_path / "photo.png", overwrite=True):
        pass
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_threads_that_write_one_path_leave_one_whole_file(tmp_path):
    def write(letter):
        for _ in range(20):
            with whole_file(tmp_path / "photo.png", overwrite=True) as partial:
                for _ in range(10):
                    with partial.open("ab") as stream:
                        stream.write(letter * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = written(tmp_path)
    assert list(content) == ["photo.png"]
    assert content["photo.png"] in (b"a" * 10_000, b"b" * 10_000, b"c" * 10_000)


def test_of_threads_that_may_not_replace_one_wins(tmp_path):
    begin, refused = threading.Barrier(4), []

    def write(number):
        try:
            with whole_file(tmp_path / "photo.png", overwrite=False) as partial:
                partial.write_bytes(b"%d" % number * 1000)
                begin.wait()
        except FileExistsError:
            refused.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = {0, 1, 2, 3} - set(refused)
    assert written(tmp_path) == {"photo.png": b"%d" % winner * 1000}


@pytest.mark.skipif(os.name != "posix", reason="kills by a POSIX signal")
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, other_process):
    (tmp_path / ".innersr-7-notes.part").write_bytes(b"not ours")
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()
    assert len(written(tmp_path)) == 2
    with whole_file(tmp_path / "other.png", overwrite=False) as partial:
        partial.write_bytes(b"whole")
    assert written(tmp_path) == {"other.png": b"whole", ".innersr-7-notes.part": b"not ours"}


@pytest.mark.skipif(os.name != "posix", reason="locks by POSIX means")
def test_what_another_process_still_writes_is_left_to_it(tmp_path, other_process):
    before = written(tmp_path)
    assert other_process.poll() is None
    with whole_file(tmp_path / "other.png", overwrite=False) as partial:
        partial.write_bytes(b"whole")
    assert written(tmp_path) == {"other.png": b"whole", **before}


def test_a_handler_can_remove_all_partial_files_of_the_process(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        whole_file(tmp_path / "a.png", overwrite=True),
        whole_file(tmp_path / "b.png", overwrite=True),
    ):
        assert len(written(tmp_path)) == 2
        remove_partial_files()
        assert written(tmp_path) == {}
    assert written(tmp_path) == {}


@pytest.mark.parametrize("folder", ["missing", "a\0b"])
def test_a_folder_that_cannot_be_written_is_an_error(tmp_path, folder):
    with pytest.raises((OSError, ValueError)), whole_file(tmp_path / folder / "photo.png", overwrite=True):
        pass
