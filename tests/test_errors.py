"""Errors in one line."""

import errno

import pytest
import pyvips

from innersr.errors import error_and_remedy, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ValueError("one\n two\n\nthree\nthree"), "three"),
        (ValueError("too short\n  at byte 8;\tof 9"), "too short, at byte 8, of 9"),
        (pyvips.Error("unable to call", "pngload: not enough data\n"), "pngload: not enough data"),
        (pyvips.Error("unable to call", ""), "unable to call"),
        (ValueError("\x1b[31mé\u202e"), "[31mé"),
        (ValueError(), "ValueError"),
        (ValueError(300 * "x"), 200 * "x"),
    ],
)
def test_the_reason_of_another_librarys_error_is_one_printable_line(error, reason):
    assert reason_of(error) == reason


def test_no_part_of_a_reason_is_taken_for_the_remedy():
    reason = reason_of(ValueError("first\nsecond; third"))
    found = error_and_remedy(f"a.png: cannot be decoded ({reason}); get it again")
    assert found == ("a.png: cannot be decoded (first, second, third)", "get it again")
