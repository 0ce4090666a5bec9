"""What films hold beside pictures: sound, subtitles, chapters, texts and the shape of pixels."""

from fractions import Fraction

import pytest
from PIL import Image as PillowImage
from tests.helpers.films import make_video, scenes

from innersr.images.films.animations import Animation
from innersr.images.films.video_reading import Video
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
    lost = ("sound", "chapters") if suffix == ".apng" else ("sound", "chapters", "texts")
    words = [f"its {each} cannot be kept: {kind} files are written without" for each in lost]
    assert notes_about("kept", whole, target) == words
    assert notes_about("kept", whole, target, metadata="none") == words[:1]


def test_texts_of_animations_are_kept_or_missed(tmp_path):
    av = pytest.importorskip("av")
    first, second = (PillowImage.fromarray(frame) for frame in scenes(2))
    first.save(tmp_path / "in.gif", save_all=True, append_images=[second], comment="Grüße".encode())
    words = [f"its texts cannot be kept: {kind} files are written without" for kind in ("GIF", "WebP")]
    assert notes_about("texts", tmp_path / "in.gif", tmp_path / "out.gif") == words[:1]
    assert notes_about("texts", tmp_path / "in.gif", tmp_path / "out.gif", metadata="none") == []
    assert notes_about("texts", tmp_path / "in.gif", tmp_path / "out.apng") == []
    assert notes_about("texts", tmp_path / "out.apng", tmp_path / "out.webp") == words[1:]
    assert notes_about("texts", tmp_path / "out.apng", tmp_path / "out.mkv") == []
    with PillowImage.open(tmp_path / "out.apng") as stored:
        assert stored.text == {"Comment": "Grüße"}
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert "Grüße" in container.metadata.values()
    notes_about("texts", tmp_path / "out.mkv", tmp_path / "back.apng")
    with PillowImage.open(tmp_path / "back.apng") as stored:
        assert "Grüße" in stored.text.values()


def test_what_else_a_gif_holds_is_missed(tmp_path):
    first, second = (PillowImage.fromarray(frame) for frame in scenes(2))
    first.save(tmp_path / "plain.gif", save_all=True, append_images=[second], duration=50, loop=0)
    data = (tmp_path / "plain.gif").read_bytes()
    (tmp_path / "in.gif").write_bytes(data[:-1] + b"\x21\xff\x0bICCRGBG1012\x01a\0" + data[-1:])
    assert Animation(tmp_path / "plain.gif").facts.notes == ()
    assert Animation(tmp_path / "in.gif").facts.notes == ("the colour profile of the GIF is not kept",)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_chapters_are_kept_and_not_missed(tmp_path, suffix):
    source = make_video(tmp_path / "in.mp4", scenes(3), chapters=["One", "Two"])
    assert notes_about("is not kept", source, tmp_path / f"out{suffix}") == []
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        found = [(each["metadata"]["title"], float(each["end"] * each["time_base"])) for each in container.chapters()]
    assert found == [("One", pytest.approx(0.04)), ("Two", pytest.approx(0.08))]


@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_what_says_how_another_file_is_stored_is_not_copied(tmp_path, suffix):
    av = pytest.importorskip("av")
    source = make_video(tmp_path / "in.mp4", scenes(2), texts={"title": "A pan"})
    notes_about("", source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert {key.lower() for key in container.metadata} == {"title", "encoder"}  # the latter of this file
        assert container.metadata["title"] == "A pan"
        stored = {key.lower() for key in container.streams.video[0].metadata}
        assert stored <= {"duration", "language"}


@pytest.mark.parametrize(
    ("aspect", "options", "expected"),
    [
        (1, {"scale": (2, 3)}, Fraction(2, 3)),
        (Fraction(4, 3), {"scale": (3, 4)}, 1),
        (Fraction(4, 3), {"scale": 2}, Fraction(4, 3)),
        (1, {"scale": 1.37}, 1),
        (1, {"size": "101x"}, 1),
    ],
)
def test_pictures_keep_their_shape(tmp_path, aspect, options, expected):
    """A scale for each side is not that of a picture, which is then shown with pixels of another shape."""
    source = make_video(tmp_path / "in.mp4", scenes(2), aspect=aspect)
    notes = notes_about("keep their shape", source, tmp_path / "out.mp4", **options)
    assert Video(tmp_path / "out.mp4").facts.aspect == expected
    assert bool(notes) is (expected != aspect)
    assert bool(notes_about("lose their shape", source, tmp_path / "out.gif", **options)) is (expected != 1)
