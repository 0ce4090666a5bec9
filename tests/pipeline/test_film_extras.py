"""What films hold beside pictures: sound, subtitles, chapters and texts."""

import pytest
from tests.helpers.films import make_video, scenes

from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file
from innersr.run import Run


def notes_about(word, source, target, **options):
    chosen = UpscaleOptions(method="bicubic", kernel="bicubic", overwrite=True, **options)
    return [note for note in upscale_file(source, target, chosen, Run(device="cpu")).notes if word in note]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
def test_only_what_is_there_is_missed(tmp_path, suffix):
    target = tmp_path / f"out{suffix}"
    kind = {".gif": "GIF", ".webp": "WebP", ".apng": "PNG"}[suffix]
    silent = make_video(tmp_path / "silent.mp4", scenes(2))
    assert notes_about("kept", silent, target) == []
    whole = make_video(tmp_path / "whole.mp4", scenes(2), sound=True, texts={"title": "A pan"}, chapters=["One"])
    words = [f"its {each} cannot be kept: {kind} files are written without" for each in ("sound", "chapters", "texts")]
    assert notes_about("kept", whole, target) == words
    assert notes_about("kept", whole, target, metadata="none") == words[:1]
