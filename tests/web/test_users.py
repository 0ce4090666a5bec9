"""Several users at the same time: each gets their own picture, and nobody else's."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("gradio_client", reason="the page needs the extra web")


def test_users_at_once_get_their_own_pictures_and_nobody_elses():
    run_users = runpy.run_path(str(Path(__file__).parents[2] / "scripts/web_users.py"))["run_users"]
    tally = run_users(4, 32)
    assert len(tally.seconds) == 4
    assert (tally.lost, tally.wrong, tally.shown, tally.left) == ([], 0, [], [])
