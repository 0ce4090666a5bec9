"""What becomes of the transparency of films."""

import pytest
from PIL import Image as PillowImage
from tests.helpers.films import half_clear, make_video, scenes

from innersr.images.films import encoders
from innersr.images.films.video_reading import Video
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file
from innersr.run import Run


def upscaled(source, target, **options):
    chosen = UpscaleOptions(method="bicubic", kernel="bicubic", **options)
    return upscale_file(source, target, chosen, Run(device="cpu"))


def opacity(path):
    """Opacity of the uppermost and of the lowest row of the last frame, from 0 to 1; None without alpha."""
    image = list(Video(path).frames(range(3)))[-1]
    return None if image.alpha is None else [float(image.alpha[0, 0, row].mean()) for row in (0, -1)]


@pytest.mark.parametrize("profile", ["4444", "4444xq"])
def test_prores_keeps_its_transparency(tmp_path, profile):
    options = {"codec": "prores_ks", "pixel_format": "yuva444p10le", "options": {"profile": profile}}
    source = make_video(tmp_path / "in.mov", half_clear(scenes(3)), **options)
    result = upscaled(source, tmp_path / "out.mov")
    assert opacity(source) == opacity(tmp_path / "out.mov") == pytest.approx([0, 1], abs=1e-3)
    assert not any("transparency is not kept" in note for note in result.notes)


@pytest.mark.parametrize(("codec", "suffix"), [("libvpx-vp9", ".webm"), ("libvpx-vp9", ".mkv"), ("libvpx", ".webm")])
def test_vp8_and_vp9_keep_their_transparency(tmp_path, codec, suffix):
    """FFmpeg's own decoders of both drop it."""
    options = {"crf": "8", "b": "1M", "cpu-used": "8", "auto-alt-ref": "0"}
    given = {"codec": codec, "pixel_format": "yuva420p", "options": options, "tags": (1, 9, 9, 16)}
    source = make_video(tmp_path / f"in{suffix}", half_clear(scenes(3)), **given)
    result = upscaled(source, tmp_path / f"out{suffix}")
    assert opacity(source) == opacity(tmp_path / f"out{suffix}") == pytest.approx([0, 1], abs=0.02)
    assert not any("transparency is not kept" in note for note in result.notes)
    colours = Video(tmp_path / f"out{suffix}").facts.colours
    assert (colours.primaries, colours.transfer) == (9, 16)
    upscaled(source, tmp_path / "dropped.webm", alpha="drop")
    assert opacity(tmp_path / "dropped.webm") is None


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_transparency_of_vp9_that_a_container_loses_is_reported(tmp_path, suffix):
    given = {"codec": "libvpx-vp9", "pixel_format": "yuva420p", "options": {"crf": "8", "b": "0", "cpu-used": "8"}}
    source = make_video(tmp_path / "in.webm", half_clear(scenes(3)), **given)
    result = upscaled(source, tmp_path / f"out{suffix}")
    assert "transparency is not kept: the frames lie on white" in result.notes
    assert opacity(tmp_path / f"out{suffix}") is None
    assert float(next(Video(tmp_path / f"out{suffix}").frames([0])).colour[..., 0, :].min()) > 0.98


def test_animations_keep_their_transparency_in_webm(tmp_path):
    pictures = [PillowImage.fromarray(levels, "RGBA") for levels in half_clear(scenes(3))]
    pictures[0].save(tmp_path / "in.png", save_all=True, append_images=pictures[1:], duration=40)
    upscaled(tmp_path / "in.png", tmp_path / "out.webm")
    assert opacity(tmp_path / "out.webm") == pytest.approx([0, 1], abs=0.02)


def test_hevc_is_never_given_alpha(tmp_path):
    """libx265 lists formats with alpha even where it was built without."""
    encoder = encoders.encoder_for("hevc", tmp_path / "out.mp4", 95)
    assert "yuva420p" not in encoders.pixel_formats(encoder, tmp_path / "out.mp4")
