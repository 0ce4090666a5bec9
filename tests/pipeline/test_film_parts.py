"""Finished parts of a film: which count, and what becomes of the folder that keeps them."""

import hashlib
import json

import pytest

from innersr.errors import Cancelled, ImageFileError
from innersr.pipeline.film_parts import FilmParts

RECORD = {"consistency": [40.0], "notes": ["a note"]}


@pytest.fixture
def target(tmp_path):
    """A film two parts of which, of b"0" * 9 and b"1" * 9, were done when the run was ended."""
    target = tmp_path / "out.mp4"
    with pytest.raises(Cancelled), FilmParts.opened(target, "a plan") as parts:
        for number in range(2):
            with parts.written(number, RECORD) as path:
                path.write_bytes(b"%d" % number * 9)
        raise Cancelled
    return target


def folder_of(target):
    return target.with_name(f".{target.name}.innersr-parts")


def test_a_part_that_was_done_is_taken_up_by_the_next_run(target):
    with FilmParts.opened(target, "a plan") as parts:
        for number in range(2):
            digest = hashlib.sha256(b"%d" % number * 9).hexdigest()
            assert parts.record(number) == RECORD | {"digest": digest}
            assert parts.path(number).read_bytes() == b"%d" % number * 9
        assert parts.record(2) is None


def test_a_part_that_is_half_written_does_not_count_and_is_written_again(target):
    def write(content, *, is_ended):
        with FilmParts.opened(target, "a plan") as parts:
            with parts.written(2, RECORD) as path:
                path.write_bytes(content)
                if is_ended:
                    raise Cancelled
            assert parts.path(2).read_bytes() == content
            assert parts.record(2) == RECORD | {"digest": hashlib.sha256(content).hexdigest()}

    with pytest.raises(Cancelled):
        write(b"half", is_ended=True)
    names = sorted(path.name for path in folder_of(target).iterdir())
    assert names == ["000000.json", "000000.part", "000001.json", "000001.part", "lock", "plan"]
    write(b"whole", is_ended=False)


def test_a_part_whose_record_was_never_written_does_not_count(target):
    (folder_of(target) / "000001.json").unlink()
    (folder_of(target) / "000000.part").unlink()
    with FilmParts.opened(target, "a plan") as parts:
        assert (parts.record(0), parts.record(1)) == (None, None)


@pytest.mark.parametrize("content", [b"", b"0" * 8, b"0" * 10, b"0" * 8 + b"1"])
def test_a_part_that_another_run_left_damaged_does_not_count(target, content):
    (folder_of(target) / "000000.part").write_bytes(content)
    with FilmParts.opened(target, "a plan") as parts:
        assert parts.record(0) is None
        assert parts.record(1) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text.replace("40.0", "Infinity"),
        lambda text: text.replace("40.0", "1e9"),
        lambda text: text.replace("[40.0]", "40.0"),
        lambda text: text.replace('"a note"', "7"),
        lambda text: text.replace('"digest"', '"sum"'),
        lambda text: f"[{text}]",
        lambda text: json.dumps(json.loads(text) | {"digest": "0" * 64}),
    ],
)
def test_a_part_whose_record_is_damaged_does_not_count_until_it_is_made_again(target, change):
    record = folder_of(target) / "000000.json"
    record.write_text(change(record.read_text()))
    with FilmParts.opened(target, "a plan") as parts:
        assert parts.record(0) is None
        with parts.written(0, RECORD) as path:
            path.write_bytes(b"new")
        assert parts.record(0) == RECORD | {"digest": hashlib.sha256(b"new").hexdigest()}


@pytest.mark.parametrize("damage", ["another", "not text", "missing"])
def test_parts_of_another_plan_are_removed_whatever_lies_there(target, damage):
    folder = folder_of(target)
    (folder / "old" / "older").mkdir(parents=True)
    plan = folder / "plan"
    plan.unlink() if damage == "missing" else plan.write_bytes(b"\xff" if damage == "not text" else b"another plan")
    with FilmParts.opened(target, "a plan") as parts:
        assert sorted(path.name for path in folder.iterdir()) == ["lock", "plan"]
        assert plan.read_text() == "a plan"
        assert parts.record(0) is None


def test_two_runs_do_not_write_one_film(target):
    with FilmParts.opened(target, "a plan"):
        with pytest.raises(ImageFileError, match="another run is writing it"), FilmParts.opened(target, "a plan"):
            pass
        assert (folder_of(target) / "000000.part").exists()


def test_nothing_is_left_of_a_film_that_is_complete(target):
    with FilmParts.opened(target, "a plan"):
        pass
    assert [*target.parent.iterdir()] == []


def test_a_folder_that_cannot_be_made_is_reported_in_one_line(tmp_path):
    folder_of(tmp_path / "out.mp4").write_text("no folder")
    with pytest.raises(ImageFileError, match="cannot be made"), FilmParts.opened(tmp_path / "out.mp4", "a plan"):
        pass
