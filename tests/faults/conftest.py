"""Parts so small that an image of 120x150 has several."""

import pytest

from helpers.methods import assumed
from innersr.pipeline import strip_choice, strips


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr(strip_choice, "StripSettings", lambda: strips.StripSettings(side=150, sample=64))
    monkeypatch.setattr("innersr.examination.examine", assumed)
