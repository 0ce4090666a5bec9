"""Which files a command is given: folders, patterns and lists of them."""

import errno
import io
import os
import sys
from pathlib import Path

import pytest

from helpers.bench import draw
from helpers.cli import BICUBIC, failed, names, upscale
from innersr.batch.inputs import find_inputs
from innersr.errors import InputError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(*given, **options):
    """Return the inputs as (path, place in the output folder)."""
    files = find_inputs([Path(path) for path in given], **options).files
    return [(str(file.path), str(file.below)) for file in files]


def test_a_folder_stands_for_the_images_in_it():
    touch("in/b.PNG", "in/a.jpg", "in/.hidden.png", "in/._a.jpg", "in/notes.txt", "in/deep/c.tif", "in/plain")
    touch("in/.bin/d.png")
    Path("in/scan").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert found("in") == [("in/a.jpg", "a.jpg"), ("in/b.PNG", "b.PNG"), ("in/scan", "scan")]
    assert found("in/", recursive=True)[3:] == [("in/deep/c.tif", "deep/c.tif")]
    assert find_inputs([Path("in")]).is_batch


def test_films_in_a_folder_are_left_out_and_that_is_reported():
    """They may take hours, and many folders of photographs hold some."""
    touch("in/a.png", "in/b.AVI", "in/c.mp4", "in/.d.mp4", "in/deep/e.mov")
    assert found("in") == [("in/a.png", "a.png")]
    words = "left out as a film; name films to upscale them too, as in/*.AVI"
    assert find_inputs(["in"]).notes == (f"in/b.AVI and 1 more {words}",)
    assert find_inputs(["in"], recursive=True).notes == (f"in/b.AVI and 2 more {words}",)
    assert [path for path, _ in found("in/*.mp4")] == ["in/c.mp4"]
    Path("in/a.png").unlink()
    with pytest.raises(InputError, match=r"left out as a film; .*; in: no images in this folder"):
        find_inputs(["in"])


def test_a_folder_without_images_is_refused_with_the_remedy():
    touch("in/deep/a.png")
    with pytest.raises(InputError, match="in: no images in this folder; name another one, or enter its folders"):
        find_inputs([Path("in")])


def refuse(monkeypatch, *names):
    """Let folders of these names be unreadable, also for root."""
    scandir = os.scandir

    def scan(path):
        if Path(path).name in names:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)


def test_a_folder_whose_names_alone_can_be_read_is_a_failure(monkeypatch):
    touch("in/a.png", "in/secret/b.png")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "secret")
    result = find_inputs(["in"], recursive=True)
    assert [file.path for file in result.files] == [Path("in/a.png")]
    assert [error.filename for error in result.unread] == ["in/secret"]


def test_a_folder_in_a_folder_that_cannot_be_read_is_a_failure(monkeypatch):
    touch("in/secret/b.png", "in/empty/c.txt")
    draw(Path("in/a.png"), 20, 24, seed=1)
    refuse(monkeypatch, "secret")
    result = upscale("-r", "in", "-o", "out/", *BICUBIC, "--status", "status.jsonl")
    assert result.exit_code == 1 and names("out") == ["a.png"]
    assert "error: in/secret: Permission denied; check the path, its permissions and the disk" in result.stderr
    assert "1 done, 1 failed" in result.stdout and "failed: in/secret\n" in result.stdout
    assert '"in/secret"' in Path("status.jsonl").read_text()
    assert upscale("in", "-o", "out/", *BICUBIC).exit_code == 0  # it is not entered
    assert upscale("-r", "in", "-o", "out/", *BICUBIC, "--dry-run").exit_code == 1


def test_a_folder_that_cannot_be_read_is_refused(monkeypatch):
    Path("secret").mkdir()
    refuse(monkeypatch, "secret")
    with pytest.raises(InputError, match=r"secret: cannot be read \(Permission denied\)"):
        find_inputs([Path("secret")])


def test_links_to_folders_are_not_entered_and_links_to_files_are_inputs():
    touch("in/a.png", "other/b.png", "other/c.png")
    Path("in/link").symlink_to("../other")
    Path("in/round").symlink_to("..")
    Path("in/c.png").symlink_to("../other/c.png")
    assert [path for path, _ in found("in", recursive=True)] == ["in/a.png", "in/c.png"]
    assert find_inputs(["in"], recursive=True).notes == (
        "in/link and 1 more not entered, as a link to a folder; name it to upscale its images",
    )
    assert find_inputs(["in"]).notes == ()
    assert len(find_inputs(["in", "in"], recursive=True).notes) == 1


def test_results_are_no_inputs_unless_they_are_named():
    touch("photo.png", "photo_x2.png", "photo_x1.5.jpg", "photo_x3x2.png", "street_x2.png")
    assert [path for path, _ in found(".")] == ["photo.png", "street_x2.png"]
    assert [path for path, _ in found("*.png")] == ["photo.png", "street_x2.png"]
    assert found("photo_x2.png") == [("photo_x2.png", "photo_x2.png")]
    assert "photo_x1.5.jpg and 2 more left out as an earlier result" in find_inputs([Path()]).notes[0]


def test_results_that_are_named_with_their_inputs_are_left_out():
    """As by *.png, where a shell has expanded it."""
    touch("photo.png", "photo_x2.png", "street_x2.png")
    assert [path for path, _ in found("photo.png", "photo_x2.png", "street_x2.png")] == ["photo.png", "street_x2.png"]
    assert find_inputs(["photo.png", "photo_x2.png"]).is_batch
    assert [path for path, _ in found("photo_x2.png", "street_x2.png")] == ["photo_x2.png", "street_x2.png"]


def test_patterns_match_hidden_files_only_by_their_dot():
    touch("a.png", ".hidden.png", ".bin/b.png")
    assert [path for path, _ in found("*.png")] == ["a.png"]
    assert [path for path, _ in found("**/*.png")] == ["a.png"]
    assert [path for path, _ in found(".h*.png")] == [".hidden.png"]
    assert [path for path, _ in found(".bin/*.png")] == [".bin/b.png"]


def test_the_output_folder_is_no_input():
    touch("in/a.png", "in/out/a.png")
    assert found("in", recursive=True, output=Path("in/out")) == [("in/a.png", "a.png")]


def test_lists_are_read_from_files_and_standard_input(monkeypatch):
    touch("a.png", "b c.png", "in/d.png")
    Path("list.txt").write_text("a.png\r\n\nin\n", encoding="utf-8-sig")
    assert [path for path, _ in found("@list.txt")] == ["a.png", "in/d.png"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"b c.png\0a.png\0")))
    assert [path for path, _ in found("-")] == ["b c.png", "a.png"]
    with pytest.raises(InputError, match=r"@none.txt: the list cannot be read \(No such file or directory\); check"):
        find_inputs([Path("@none.txt")])


def test_a_file_that_is_given_twice_is_one_input():
    touch("a.png", "b.png")
    assert found("b.png", "./a.png", "*.png", str(Path("a.png").absolute())) == [("b.png", "b.png"), ("a.png", "a.png")]
    assert found("a.png", "b.png", "a.png") == [("a.png", "a.png"), ("b.png", "b.png")]


def test_equal_names_keep_their_folders_or_are_numbered():
    touch("x/a.png", "y/a.png", "y/b.png")
    assert [below for _, below in found("x/a.png", "y/a.png", "y/b.png")] == ["x/a.png", "y/a.png", "b.png"]
    assert [below for _, below in found("x", "x/a.png", "y")] == ["x/a.png", "y/a.png", "b.png"]
    touch("z/y/a.png")
    assert [below for _, below in found("z", "y", recursive=True)] == ["y/a.png", "a.png", "b.png"]


def test_the_tree_is_kept_below_the_output_folder():
    for path in ("in/a.png", "in/deep/a.png", "in/deep/er/b.png"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        draw(Path(path), 20, 24)
    result = upscale("-r", "in", *BICUBIC, "-o", "out/")
    assert (result.exit_code, result.stderr) == (0, "")
    assert names("out") == ["a.png", "deep"] and names("out/deep") == ["a.png", "er"]
    assert names("out/deep/er") == ["b.png"] and names("in") == ["a.png", "deep"]


def test_several_inputs_need_a_folder():
    touch("in/a.png")
    wanted = "out.png: with several inputs the output is a folder; write out.png/"
    assert wanted in failed("in", "-o", "out.png", code=2)
    touch("out")
    assert "out: with several inputs the output is a folder; write out/" in failed("in", "-o", "out", code=2)


def test_a_name_without_a_suffix_is_a_folder_for_several_inputs():
    Path("in").mkdir()
    draw(Path("in/a.png"), 20, 24)
    result = upscale("in", *BICUBIC, "-o", "new/out")
    assert (result.exit_code, result.stderr) == (0, "")
    assert names("new/out") == ["a.png"]
