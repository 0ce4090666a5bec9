"""Several films in one command."""

import pytest
from PIL import Image as PillowImage
from tests.helpers.cli import BICUBIC, names, upscale
from tests.helpers.films import make_video, scenes, video_frames

AVI = {"codec": "mpeg4", "options": {"b": "1M"}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ["a.mp4", "b.mkv"]),
        (("--format", "mkv"), ["a.mkv", "b.mkv"]),
        (("--name", "{stem}_large.mov"), ["a_large.mov", "b_large.mov"]),
        (("--format", "webm", "--name", "{stem}_large"), ["a_large.webm", "b_large.webm"]),
    ],
)
def test_several_films_have_the_container_that_was_chosen(tmp_path, options, expected):
    films = make_video(tmp_path / "a.avi", scenes(2), **AVI), make_video(tmp_path / "b.mkv", scenes(2))
    result = upscale(*films, "-o", f"{tmp_path / 'out'}/", *options, *BICUBIC)
    assert (result.exit_code, names(tmp_path / "out")) == (0, expected)
    assert all(len(video_frames(path)[0]) == 2 for path in (tmp_path / "out" / name for name in expected))


def test_a_film_that_is_only_read_becomes_an_mp4_and_that_is_reported(tmp_path):
    result = upscale(make_video(tmp_path / "a.avi", scenes(2), **AVI), *BICUBIC)
    assert names(tmp_path) == ["a.avi", "a_x2.mp4"]
    assert "AVI is read and not written: the result is an MP4 file" in result.stderr


def test_films_are_known_by_their_first_bytes_where_their_names_do_not_tell(tmp_path):
    make_video(tmp_path / "a.mp4", scenes(2)).rename(tmp_path / "a")
    assert upscale(tmp_path / "a", *BICUBIC).exit_code == 0
    assert names(tmp_path) == ["a", "a_x2.mp4"]


def test_a_format_that_is_not_written_is_refused_with_those_that_are(tmp_path):
    PillowImage.new("RGB", (9, 9)).save(tmp_path / "a.png")
    result = upscale(tmp_path / "a.png", "--format", "avi", *BICUBIC)
    assert result.exit_code == 2
    assert ".bmp .mp4 .m4v .mov .mkv .webm .apng" in result.stderr
