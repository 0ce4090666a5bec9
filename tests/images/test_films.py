from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from tests.helpers.films import make_video, scenes

from innersr.errors import ImageFileError
from innersr.images.films.animations import Animation
from innersr.images.films.film import Glimpse, levels_of
from innersr.images.films.recognition import is_video
from innersr.images.films.shots import timeline_of
from innersr.images.films.video_reading import Video
from innersr.images.image import Image


def glimpses(frames, spacing=40):
    return [
        Glimpse(spacing * number, 0, np.asarray(PillowImage.fromarray(levels).resize((32, 32))))
        for number, levels in enumerate(frames)
    ]


def shots_of(frames):
    return [(shot.start, shot.stop) for shot in timeline_of(glimpses(frames), 40).shots]


def test_scenes_are_shots():
    assert shots_of(scenes(9, 12, 7)) == [(0, 9), (9, 21), (21, 28)]


def test_motion_is_no_cut():
    assert shots_of(scenes(30)[::4]) == [(0, 8)]


def test_noise_is_no_cut():
    draws = np.random.default_rng(0)
    assert shots_of(list(draws.integers(0, 256, (12, 32, 48, 3), np.uint8))) == [(0, 12)]


def test_a_flash_is_no_shot():
    frames = scenes(14)
    frames[6] = np.full_like(frames[6], 255)
    assert shots_of(frames) == [(0, 14)]


def test_the_last_frame_lasts_as_long_as_usual():
    assert [time.duration for time in timeline_of(glimpses(scenes(3)), 33).times] == [40, 40, 33]


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        (b"\0\0\0\x20ftypisom", True),
        (b"\0\0\0\x20ftypavif", False),
        (b"\0\0\0\x20ftypheic", False),
        (b"\x1a\x45\xdf\xa3", True),
        (b"RIFF\0\0\0\0AVI LIST", True),
        (b"RIFF\0\0\0\0WEBPVP8 ", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_videos_are_known_by_their_first_bytes(tmp_path, head, is_one):
    path = tmp_path / "file.dat"
    path.write_bytes(head)
    assert is_video(path) is is_one


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (1, 6, 6, 6), (2, 1, 1, 1)])
def test_frames_have_the_colours_of_the_film(tmp_path, tags, pixel_format):
    grey_ramp = [np.full((32, 48, 3), (level, 255 - level, 128), np.uint8) for level in (0, 60, 200, 255)]
    path = make_video(tmp_path / "in.mp4", grey_ramp, tags=tags, pixel_format=pixel_format, options={"crf": "1"})
    for found, levels in zip(Video(path).frames(range(4)), grey_ramp, strict=True):
        error = np.abs(255 * found.colour[0].permute(1, 2, 0).numpy() - levels).max()
        assert error < 4  # rounding of Y, Cb and Cr in studio range, and CRF 1


@pytest.mark.parametrize(("height", "matrix"), [(32, 6), (718, 6), (720, 1)])
def test_what_is_not_tagged_has_the_colours_of_its_size(tmp_path, height, matrix):
    """BT.601 (6) below 720 lines, BT.709 (1) from there on, as players take it."""
    path = make_video(tmp_path / "in.mp4", [np.full((height, 16, 3), 90, np.uint8)], tags=(1, 2, 2, 2))
    assert Video(path).facts.colours.matrix == matrix


@pytest.mark.parametrize("has_alpha", [False, True])
def test_half_transparent_frames_lie_on_white_where_alpha_is_lost(has_alpha):
    image = Image(colour=torch.full((1, 3, 2, 2), 0.2), alpha=torch.full((1, 1, 2, 2), 0.5))
    levels = levels_of(image, is_grey=False, has_alpha=has_alpha, is_deep=False)
    assert levels[0, 0].tolist() == ([51, 51, 51, 128] if has_alpha else [153, 153, 153])  # 0.2 * 0.5 + 0.5


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_turned_films_are_upright(tmp_path, degrees, turns):
    frames = scenes(2)
    path = make_video(tmp_path / "in.mp4", frames, rotation=degrees, aspect=Fraction(4, 3))
    turned = next(Video(path).frames([0])).colour[0].permute(1, 2, 0).numpy()
    plain = next(Video(make_video(tmp_path / "plain.mp4", frames)).frames([0])).colour[0].permute(1, 2, 0).numpy()
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0)).rotation
    assert np.array_equal(turned, np.rot90(plain, round(stored / 90)))
    assert turned.shape == ((48, 32, 3) if turns % 2 else (32, 48, 3))
    facts = Video(path).facts
    assert facts.size == turned.shape[:2]
    assert facts.aspect == (Fraction(3, 4) if turns % 2 else Fraction(4, 3))


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.webm", "in.avi"])
def test_a_film_that_was_cut_short_is_refused(tmp_path, name):
    codec = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}} if name.endswith("webm") else {}
    codec = codec if name != "in.avi" else {"codec": "mpeg4", "options": {"b": "1M"}}
    path = make_video(tmp_path / name, scenes(75), sound=True, **codec)
    if name == "in.mp4":  # with its table in front, so that the half of it opens
        av = pytest.importorskip("av")
        with (
            av.open(str(path)) as source,
            av.open(str(tmp_path / "f.mp4"), "w", options={"movflags": "faststart"}) as o,
        ):
            stream = o.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    packet.stream = stream
                    o.mux(packet)
        path = tmp_path / "f.mp4"
    list(Video(path).glimpses())
    cut = tmp_path / f"cut{path.suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        ImageFileError, match=rf"^{cut}: cannot be decoded( at frame \d+)? \([^;]*\); it may be damaged"
    ):
        list(Video(cut).glimpses())


@pytest.mark.parametrize("name", ["in.mp4", "in.mov", "in.mkv", "in.webm"])
def test_a_film_may_begin_late(tmp_path, name):
    codec = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}} if name.endswith("webm") else {}
    path = make_video(tmp_path / name, scenes(3), times=[2000, 2040, 2080], **codec)
    assert len(list(Video(path).glimpses())) == 3


def test_frames_that_were_left_out_of_an_avi_are_not_missed(tmp_path):
    options = {"codec": "mpeg4", "options": {"b": "1M"}}
    path = make_video(tmp_path / "in.avi", scenes(4), times=[0, 40, 120, 200], **options)
    assert [glimpse.start for glimpse in Video(path).glimpses()] == [0, 40, 120, 200]


def test_a_file_without_a_film_is_refused(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.layout = "mono"
        for block in range(8):
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            noise.sample_rate, noise.pts = 48000, 1024 * block
            container.mux(stream.encode(noise))
        container.mux(stream.encode(None))
    with pytest.raises(ImageFileError, match=f"^{path}: has no video stream"):
        Video(path)
    (tmp_path / "text.mp4").write_bytes(b"no film at all, but a text of some length")
    with pytest.raises(ImageFileError, match="cannot be decoded"):
        Video(tmp_path / "text.mp4")


def test_frames_are_the_ones_that_were_asked_for(tmp_path):
    frames = scenes(8)
    pictures = [PillowImage.fromarray(levels) for levels in frames]
    pictures[0].save(tmp_path / "in.png", save_all=True, append_images=pictures[1:], duration=40)
    found = list(Animation(tmp_path / "in.png").frames([1, 4, 7]))
    for image, number in zip(found, (1, 4, 7), strict=True):
        assert np.array_equal((255 * image.colour[0]).round().byte().permute(1, 2, 0).numpy(), frames[number])
