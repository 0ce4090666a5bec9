"""The files of visitors: their own, and gone with them."""

import asyncio

import pytest

from innersr.errors import ImageFileError, InputError
from innersr.web.visitors import OwnFiles, Visitor, Visitors, browser_of, bundled_examples


@pytest.fixture
def visitors(tmp_path):
    return Visitors(tmp_path, idle_seconds=60)


def sent(visitors, name="photo.png"):
    path = visitors.uploads / "hash" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"picture")
    return path


def test_a_visitor_keeps_the_session_of_the_tab(visitors):
    assert visitors.of("anna") is visitors.of("anna")
    assert visitors.of("anna").folder != visitors.of("bert").folder


def test_files_die_with_the_session(visitors):
    anna, path = visitors.of("anna"), sent(visitors)
    visitors.upload(anna, path)
    (anna.new_folder() / "result.png").write_bytes(b"result")
    visitors.close("anna")
    assert not path.exists() and not anna.folder.exists()
    assert anna.stop.is_set()  # what was going on


def test_a_file_that_two_have_sent_stays_until_both_have_left(visitors):
    path = sent(visitors)  # Gradio keeps equal files once
    for name in ("anna", "bert"):
        visitors.upload(visitors.of(name), path)
    visitors.close("anna")
    assert path.exists()
    visitors.close("bert")
    assert not path.exists()


def test_files_of_others_and_of_the_machine_are_refused(visitors, tmp_path):
    theirs = visitors.of("bert").new_folder() / "result.png"
    theirs.write_bytes(b"result")
    secret = tmp_path.parent / "secret.png"
    secret.write_bytes(b"secret")
    link = visitors.uploads / "link.png"
    link.symlink_to(secret)
    for path in (theirs, secret, link, visitors.uploads / ".." / ".." / "secret.png", "/etc/passwd", visitors.uploads):
        with pytest.raises(InputError, match="not one that you sent"):
            visitors.upload(visitors.of("anna"), path)


def test_the_bundled_examples_may_be_used_and_stay(visitors):
    example = bundled_examples() / "towers.png"
    assert visitors.upload(visitors.of("anna"), str(example)) == example
    visitors.close("anna")
    assert example.exists()


def test_nothing_sent_is_said_so(visitors):
    with pytest.raises(InputError, match="no picture yet"):
        visitors.upload(visitors.of("anna"), None)


def test_the_files_of_those_who_left_without_a_word_are_removed(tmp_path):
    visitors = Visitors(tmp_path, idle_seconds=0)
    anna = visitors.of("anna")
    with anna.working():
        visitors.of("bert")
        assert anna.folder.exists()  # it is worked on
    visitors.of("bert")
    assert not anna.folder.exists()


def test_one_order_at_a_time(visitors):
    anna = visitors.of("anna")
    with anna.working(), pytest.raises(InputError, match="still being worked on"), anna.working():
        pass
    with anna.working():
        assert anna.is_working


def test_errors_name_files_without_their_folders(visitors):
    error = ImageFileError(f"{sent(visitors, 'a photo.png')}: is no image; use another than {sent(visitors)}")
    assert visitors.in_words(error) == "a photo.png: is no image; use another than photo.png"


def test_a_file_is_shown_to_the_browser_it_belongs_to_only(visitors):
    anna, program = visitors.of("anna", "cookie"), visitors.of("bert")
    made = anna.new_folder() / "result.png"
    made.write_bytes(b"result")
    found = sent(visitors)
    visitors.upload(anna, found)
    roundabout = f"/{made.parent}/../{made.parent.name}/result.png"  # with two slashes in front
    for path in (made, found, roundabout):
        shown = [visitors.may_fetch(str(path), browser) for browser in ("cookie", "other", "")]
        assert shown == [True, False, False], path
    assert visitors.may_fetch(str(program.folder / "result.png"), "other")  # that keeps no cookies: by its name alone
    visitors.upload(visitors.of("carl", "other"), found)  # the same picture
    assert visitors.may_fetch(str(found), "other")


def test_a_session_is_of_one_browser(visitors):
    assert visitors.of("anna", "cookie") is not visitors.of("anna", "other")


@pytest.mark.parametrize("header", ["", "a=b", "innersr", "innersr=\x00;;=", "\xff"])
def test_cookies_of_others_are_none(header):
    assert browser_of(header) == ""


def test_a_stop_is_of_the_order_that_is_worked_on_alone(tmp_path):
    visitor = Visitor(tmp_path)
    visitor.stop.set()
    with visitor.working():
        assert not visitor.stop.is_set()


def test_who_leaves_while_sending_a_file_is_no_fault_of_the_page(visitors):
    """Each was a page of the log."""
    requests = pytest.importorskip("starlette.requests")

    async def app(_scope, _receive, _send):
        raise requests.ClientDisconnect

    scope = {"type": "http", "path": "/gradio_api/upload", "headers": []}
    asyncio.run(OwnFiles(app, visitors)(scope, None, None))
