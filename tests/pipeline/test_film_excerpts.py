"""Parts of films, chosen by the numbers of their frames."""

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.helpers.films import make_video, scenes, seconds, sound_packets, video_frames

from innersr.errors import InputError
from innersr.images.films.excerpts import Excerpt
from innersr.images.films.video_reading import Video
from innersr.images.selections import parse_frames
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file
from innersr.run import Run


def upscaled(source, target, **options):
    return upscale_file(
        source, target, UpscaleOptions(method="bicubic", kernel="bicubic", **options), Run(device="cpu")
    )


def levels(path):
    return np.stack([frame.to_ndarray(format="rgb24") for frame in video_frames(path)[0]])


def test_frames_are_counted_as_pages_from_0_with_both_ends():
    assert parse_frames("3-7") == parse_frames("3:7") == range(3, 8)
    assert parse_frames("0") == range(1)
    for text in ("", "7-3", "-3", "3-", "1,2", "all"):
        with pytest.raises(InputError, match=r"frames \(--frames\) are numbers from 0, both ends included"):
            UpscaleOptions(frames=text)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_part_of_a_film_has_its_own_frames_times_and_sound(tmp_path, suffix):
    times = [0, 40, 80, 130, 170, 240, 250, 290, 330, 370, 410, 480]
    lossless = {"codec": "ffv1", "pixel_format": "yuv420p", "options": {"level": "3"}}
    source = make_video(tmp_path / "in.mkv", scenes(6, 6), times=times, sound=True, **lossless)
    whole, part = tmp_path / "whole.mkv", tmp_path / f"part{suffix}"
    upscaled(source, tmp_path / "whole.mkv")
    upscaled(source, part, frames="3-8")
    if suffix == ".mkv":
        assert np.array_equal(levels(part), levels(whole)[3:9])
    assert len(levels(part)) == 6
    assert seconds(part) == pytest.approx([(time - 130) / 1000 for time in times[3:9]], abs=1e-3)
    begin, end = 0.130, 0.370
    expected = [(content, time - begin) for content, time in sound_packets(source) if begin <= time < end]
    found = sound_packets(part)
    assert [content for content, _ in found] == [content for content, _ in expected]
    assert [time for _, time in found] == pytest.approx([time for _, time in expected], abs=2e-3)


def test_the_last_frame_is_shown_until_the_next_one_of_the_film(tmp_path):
    source = make_video(tmp_path / "in.mkv", scenes(5), times=[0, 40, 80, 500, 540], codec="ffv1", options={})
    glimpses = list(Excerpt(Video(source), range(1, 3)).glimpses())
    assert [(each.start, each.duration) for each in glimpses] == [(40, 40), (80, 420)]


def test_what_comes_after_the_part_is_not_read(tmp_path):
    source = make_video(tmp_path / "in.mkv", scenes(60), codec="ffv1", pixel_format="yuv420p", options={"level": "3"})
    data = source.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    upscaled(tmp_path / "cut.mkv", tmp_path / "out.mkv", frames="0-3")
    assert len(levels(tmp_path / "out.mkv")) == 4


def test_chapters_are_cut_with_the_film(tmp_path):
    av = pytest.importorskip("av")
    plain = make_video(tmp_path / "plain.mkv", scenes(20), codec="ffv1", pixel_format="yuv420p", options={"level": "3"})
    with av.open(str(plain)) as read, av.open(str(tmp_path / "in.mkv"), "w") as written:
        unit = video_frames(plain)[1][1]
        ends = [(0, 0.2), (0.2, 0.4), (0.4, 0.8)]
        written.set_chapters(
            [
                {
                    "id": n,
                    "start": round(a / unit),
                    "end": round(b / unit),
                    "time_base": unit,
                    "metadata": {"title": f"{n}"},
                }
                for n, (a, b) in enumerate(ends, 1)
            ]
        )
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.size:
                packet.stream = stream
                written.mux(packet)
    upscaled(tmp_path / "in.mkv", tmp_path / "out.mkv", frames="7-12")  # 0.28 to 0.52 s
    with av.open(str(tmp_path / "out.mkv")) as found:
        chapters = [
            (
                each["metadata"]["title"],
                float(each["start"] * each["time_base"]),
                float(each["end"] * each["time_base"]),
            )
            for each in found.chapters()
        ]
    assert chapters == [("2", pytest.approx(0), pytest.approx(0.12)), ("3", pytest.approx(0.12), pytest.approx(0.24))]


@pytest.mark.parametrize("name", ["in.gif", "in.webp", "in.png"])
def test_a_part_of_an_animation(tmp_path, name):
    pictures = [PillowImage.fromarray(frame) for frame in scenes(6)]
    times = [40, 50, 60, 70, 80, 90]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=times, loop=2, lossless=True)
    result = upscaled(tmp_path / name, None, frames="2:4")
    with PillowImage.open(result.path) as shown:
        durations = []
        for number in range(shown.n_frames):
            shown.seek(number)
            shown.load()
            durations.append(shown.info["duration"])
            assert np.abs(np.asarray(shown.convert("RGB"))[::2, ::2].astype(int) - scenes(6)[2 + number]).mean() < 20
    assert durations == [60, 70, 80]


@pytest.mark.parametrize(
    ("name", "target", "options", "words"),
    [
        ("in.gif", None, {"frames": "3-6"}, r"there is no frame 6 \(--frames 3-6\); they are numbered from 0 to 4"),
        ("in.gif", None, {"frames": "9-10"}, r"there is no frame 10 \(--frames 9-10\); they are numbered from 0 to 4"),
        ("in.gif", "out.png", {"frames": "1-2"}, "are for films that become films"),
        ("one.png", None, {"frames": "0-1"}, "are for films that become films"),
        ("in.gif", None, {"pages": "0-1"}, "choose frames of a film"),
    ],
)
def test_frames_that_cannot_be_taken_are_refused(tmp_path, name, target, options, words):
    pictures = [PillowImage.fromarray(frame) for frame in scenes(5)]
    pictures[0].save(tmp_path / "in.gif", save_all=True, append_images=pictures[1:], duration=50)
    pictures[0].save(tmp_path / "one.png")
    with pytest.raises(InputError, match=words):
        upscaled(tmp_path / name, target and tmp_path / target, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.gif", "one.png"]
