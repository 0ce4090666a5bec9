"""What becomes of the transparency of films."""

import pytest
from tests.helpers.films import half_clear, make_video, scenes

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
