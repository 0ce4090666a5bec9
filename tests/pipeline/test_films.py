import hashlib
import os
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from PIL import ImageCms
from tests.helpers.cli import upscale
from tests.helpers.films import make_video, scenes, seconds, sound_packets, video_frames
from tests.helpers.methods import made
from tests.helpers.priors import network_for, write_prior

import innersr
from innersr.errors import Cancelled, ImageFileError, InputError
from innersr.images.films.shots import timeline_of
from innersr.images.films.video_reading import Video
from innersr.images.films.video_writing import VideoWriter
from innersr.methods.baselines import Bicubic
from innersr.methods.options import UpscaleOptions
from innersr.methods.tailor import Tailor
from innersr.metrics.flicker import flicker
from innersr.pipeline.files import open_file, upscale_file
from innersr.pipeline.film_parts import digest_of_values
from innersr.pipeline.films import FilmSettings, FilmTask, open_film
from innersr.run import Run

RUN = Run(device="cpu")
BICUBIC = {"method": "bicubic", "kernel": "bicubic"}


def upscaled(source, target, run=RUN, **options):
    return upscale_file(source, target, UpscaleOptions(**(BICUBIC | options)), run)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def levels(path):
    return np.stack([frame.to_ndarray(format="rgb24") for frame in video_frames(path)[0]]).astype(float)


def test_a_film_is_upscaled_frame_by_frame(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(7))
    result = upscaled(source, tmp_path / "out.mp4")
    expected = torch.cat([innersr.imresize(image.colour, 2) for image in Video(source).frames(range(7))])
    found = torch.cat([image.colour for image in Video(tmp_path / "out.mp4").frames(range(7))])
    assert found.shape == (7, 3, 64, 96)
    assert 255 * float((found - expected.clamp(0, 1)).abs().mean()) < 3  # chroma of half the size, CRF 17
    assert result.path == tmp_path / "out.mp4"
    assert result.image.colour.shape == (1, 3, 64, 96)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_python_takes_films(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(2))
    out = innersr.upscale(str(source), output=str(tmp_path / "out.mkv"), run=RUN, **BICUBIC)
    assert out == str(tmp_path / "out.mkv")
    assert len(video_frames(out)[0]) == 2
    assert innersr.upscale(source, run=RUN, **BICUBIC) == tmp_path / "in_x2.mp4"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_packet_by_packet(tmp_path, suffix):
    source = make_video(tmp_path / "in.mp4", scenes(30), sound=True, texts={"title": "A pan"})
    target = tmp_path / f"out{suffix}"
    upscaled(source, target)
    before, after = sound_packets(source), sound_packets(target)
    assert [content for content, _ in before] == [content for content, _ in after]
    offset = after[0][1] - before[0][1]
    assert [time for _, time in after] == pytest.approx([time + offset for _, time in before], abs=1e-3)
    assert seconds(target) == pytest.approx([time + offset for time in seconds(source)], abs=1e-3)
    assert abs(offset) < (0.03 if suffix == ".mkv" else 1e-3)  # .mkv has no time before 0, where AAC begins
    av = pytest.importorskip("av")
    with av.open(str(target)) as container:
        assert container.metadata["title"] == "A pan"
        assert container.streams.audio[0].language == "eng"


def test_times_of_a_variable_rate_are_kept(tmp_path):
    times = [0, 40, 45, 200, 210, 1000, 1033]
    source = make_video(tmp_path / "in.mp4", scenes(7), times=times)
    upscaled(source, tmp_path / "out.mp4")
    (before, base), (after, new_base) = ((f, b[1]) for f, b in map(video_frames, (source, tmp_path / "out.mp4")))
    assert base == new_base
    assert [frame.pts for frame in before] == [frame.pts for frame in after]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_films_are_as_long_as_their_sources(tmp_path, suffix):
    av = pytest.importorskip("av")
    uneven = [0, 20, 120, 160, 360, 393, 413, 513]
    sources = [
        make_video(tmp_path / "in.mp4", scenes(8), times=uneven, options={"x264-params": "b-adapt=0:bframes=3"}),
        make_video(tmp_path / "in.mkv", scenes(8), times=uneven),
        animation(tmp_path / "in.gif", duration=[100, 20, 100, 50, 1000]),
        animation(tmp_path / "in.png", count=4, duration=[100, 3000, 7, 20]),
    ]
    for source in sources:
        target = upscaled(source, tmp_path / f"out{suffix}", overwrite=True).path
        assert total(target) == pytest.approx(total(source), abs=1e-3)
        with av.open(str(target)) as container:
            assert container.duration == pytest.approx(1e6 * total(source), abs=1001)
    with av.open(str(sources[0])) as container:
        assert container.duration == pytest.approx(1e6 * total(sources[0]), abs=1001)


def total(path):
    """Seconds from the first frame of a film to the end of the last."""
    film = open_film(path, None, UpscaleOptions())
    times = timeline_of(film.glimpses(), 40).times
    return float((times[-1].start + times[-1].duration - times[0].start) * film.facts.time_base)


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (2, 6, 6, 6), (1, 9, 9, 16)])
def test_colour_tags_are_kept(tmp_path, tags):
    source = make_video(tmp_path / "in.mp4", scenes(2), tags=tags)
    upscaled(source, tmp_path / "out.mp4")
    for path in (source, tmp_path / "out.mp4"):
        frame = video_frames(path)[0][0]
        found = (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
        assert tuple(map(int, found)) == tags
    assert abs(levels(source).mean((0, 1, 2)) - levels(tmp_path / "out.mp4").mean((0, 1, 2))).max() < 1


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix", "options"),
    [
        ("libx264", "yuv444p", ".mp4", {"crf": "8"}),
        ("libx264", "yuv420p10le", ".mp4", {"crf": "8"}),
        ("libx265", "yuv420p10le", ".mp4", {"crf": "8", "preset": "ultrafast", "x265-params": "log-level=none"}),
        ("libvpx-vp9", "yuv420p", ".webm", {"crf": "8", "b": "0", "cpu-used": "8"}),
        ("libsvtav1", "yuv420p", ".mp4", {"crf": "20", "preset": "10"}),
        ("ffv1", "yuv422p", ".mkv", {"level": "3"}),
        ("prores_ks", "yuv422p10le", ".mov", {"profile": "hq"}),
    ],
)
def test_codec_and_pixel_format_are_those_of_the_source(tmp_path, codec, pixel_format, suffix, options):
    size = (66, 70)  # SVT-AV1 begins at 64
    source = make_video(
        tmp_path / f"in{suffix}", scenes(3, 6, size=size), codec=codec, pixel_format=pixel_format, options=options
    )
    target = tmp_path / f"out{suffix}"
    upscaled(source, target)
    (before, (name, _)), (after, (new_name, _)) = video_frames(source), video_frames(target)
    assert (new_name, after[0].format.name, len(after)) == (name, before[0].format.name, len(before))
    assert abs(levels(source).mean((1, 2)) - levels(target).mean((1, 2))).max() < 2


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no such call")
def test_no_encoder_makes_the_process_one_of_real_time(tmp_path):
    """SVT-AV1 does for a privileged user: what was started afterwards, such as browsers, then starved all else."""
    before = {int(task.name): os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}
    source = make_video(tmp_path / "in.mp4", scenes(2, size=(66, 70)), codec="libsvtav1", options={"preset": "10"})
    upscaled(source, tmp_path / "out.mp4")
    after = {int(task.name): os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}
    assert os.SCHED_FIFO not in {*after.values()} - {*before.values()}


def test_ffv1_is_lossless(tmp_path):
    source = make_video(tmp_path / "in.mkv", scenes(2), codec="ffv1", pixel_format="yuv444p", options={"level": "3"})
    upscaled(source, tmp_path / "one.mkv")
    again = upscaled(source, tmp_path / "two.mp4", quality=100)
    expected = torch.cat([innersr.imresize(image.colour, 2) for image in Video(source).frames(range(2))]).clamp(0, 1)
    found = torch.cat([image.colour for image in Video(tmp_path / "one.mkv").frames(range(2))])
    assert 255 * float((found - expected).abs().max()) < 3  # the rounding of Y, Cb and Cr
    assert any("is encoded as h264 (CRF 16), the source as ffv1" in note for note in again.notes)
    h264 = make_video(tmp_path / "in.mp4", scenes(2))
    upscaled(h264, tmp_path / "three.mkv", quality=100)
    assert video_frames(tmp_path / "three.mkv")[1][0] == "ffv1"


def test_odd_sizes_are_made_even_and_that_is_reported(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(2, size=(30, 50)))
    result = upscaled(source, tmp_path / "out.mp4", scale=1.5)
    assert levels(tmp_path / "out.mp4").shape[1:3] == (46, 76)
    assert any("75x45 was made 76x46" in note for note in result.notes)


def test_a_killed_run_goes_on_with_the_same_bytes(tmp_path):
    lossless = {"codec": "ffv1", "pixel_format": "yuv420p", "options": {"level": "3"}}
    source = make_video(tmp_path / "in.mkv", scenes(9, 8), sound=True, **lossless)
    whole, killed = tmp_path / "whole.mkv", tmp_path / "killed.mkv"

    def task(target, run):
        opened = open_file(source, target, UpscaleOptions(**BICUBIC))
        assert isinstance(opened, FilmTask)
        short = FilmTask(
            image=opened.image,
            options=opened.options,
            source=source,
            target=target,
            film=opened.film,
            settings=FilmSettings(part=3),
        )
        return short.write(run)

    task(whole, RUN)
    asked = iter(range(1000))
    with pytest.raises(Cancelled):
        task(killed, Run(device="cpu", cancelled=lambda: next(asked) >= 11))
    folder = tmp_path / ".killed.mkv.innersr-parts"
    there = sorted(path.name for path in folder.glob("*.json"))
    assert there == ["000000.json", "000001.json", "000002.json"]  # of 3 + 3 + 3 frames
    assert not killed.exists()
    result = task(killed, RUN)
    assert any("9 of 17 frames were there" in note for note in result.notes)
    assert digest(killed) == digest(whole)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plan", b"\xff"),
        ("000000.json", b"[" * 10**5),
        ("000000.json", b'{"digest": "DIGEST", "notes": [], "consistency": ["40"]}'),
        ("000000.json", b'{"digest": "DIGEST", "notes": [], "consistency": [-1e308]}'),
        ("000000.json", b'{"digest": "DIGEST", "notes": 1, "consistency": [40.0]}'),
        ("000000.part", None),
    ],
)
def test_a_damaged_part_or_record_is_made_again(tmp_path, name, data):
    state = tmp_path / ".out.gif.innersr-parts"
    source, run = tmp_path / "in.gif", replace(RUN, cancelled=lambda: len([*state.glob("*.json")]) == 2)
    first, *others = [PillowImage.fromarray(frame) for frame in scenes(5, size=(12, 16))]
    first.save(source, save_all=True, append_images=others)

    def write(target, run):
        return replace(open_file(source, target, UpscaleOptions(**BICUBIC)), settings=FilmSettings(part=2)).write(run)

    whole = write(tmp_path / "whole.gif", RUN).path
    with pytest.raises(Cancelled):
        write(tmp_path / "out.gif", run)
    part = (state / "000000.part").read_bytes()
    flipped = part[:9] + bytes([part[9] ^ 128]) + part[10:]
    written = flipped if data is None else data.replace(b"DIGEST", hashlib.sha256(part).hexdigest().encode())
    (state / name).write_bytes(written)
    result = write(tmp_path / "out.gif", RUN)
    frames = [note.partition(" frames")[0] for note in result.notes if "were there" in note]
    assert frames == ([] if name == "plan" else ["2 of 5"])
    assert digest(result.path) == digest(whole)


@dataclass(frozen=True)
class _Learned:
    """Stands for a method that learns, whose frames are made steady."""

    def adapt(self, lr, degradation, run):
        return Bicubic().adapt(lr, degradation, run)


def test_steady_frames_are_the_same_after_an_interruption(tmp_path, monkeypatch):
    source = make_video(tmp_path / "in.mkv", scenes(5, 6), codec="ffv1", pixel_format="yuv420p")

    def write(target, **options):
        given = UpscaleOptions(method=_Learned(), kernel="bicubic", **options)
        opened = open_file(source, target, given)
        return replace(opened, settings=FilmSettings(part=2)).write(RUN)

    whole, killed, plain = (tmp_path / f"{name}.mkv" for name in ("whole", "killed", "plain"))
    write(whole)
    encode, count = VideoWriter.encode, iter(range(9))

    def interrupted(self, *given):
        if next(count) == 2:
            raise Cancelled
        encode(self, *given)

    with monkeypatch.context() as patch, pytest.raises(Cancelled):
        patch.setattr(VideoWriter, "encode", interrupted)
        write(killed)
    assert any("4 of 11 frames were there" in note for note in write(killed).notes)
    assert digest(killed) == digest(whole)
    write(plain, steady=False)
    assert not np.array_equal(levels(plain), levels(whole))


def test_frames_at_a_cut_are_averaged_with_none_of_the_other_shot(tmp_path, monkeypatch):
    beside = []

    def averaged(now, neighbours):  # whatever they look like
        beside.append(len(neighbours))
        colours = [now.result.colour, *(other.result.colour for other in neighbours)]
        return replace(now.result, colour=sum(colours) / len(colours))

    monkeypatch.setattr("innersr.pipeline.films.steadied", averaged)
    frames = scenes(6, 6)
    found = {}
    for name, given in (("whole", frames), ("first", frames[:6]), ("second", frames[6:])):
        source = make_video(tmp_path / f"{name}.mkv", given, codec="ffv1", pixel_format="yuv420p")
        target, options = tmp_path / f"{name}_x2.mkv", UpscaleOptions(method=_Learned(), kernel="bicubic")
        replace(open_file(source, target, options), settings=FilmSettings(part=4)).write(RUN)
        found[name] = levels(target)
    assert np.array_equal(found["whole"], np.concatenate([found["first"], found["second"]]))
    assert beside == [1, 2, 2, 2, 2, 1] * 4  # one before and one behind, in two shots and again in each


@pytest.mark.parametrize("change", ["seed", "kernel", "prior", "limit"])
def test_parts_of_another_seed_kernel_or_prior_are_made_again(tmp_path, change):
    state, kernel = tmp_path / ".out.gif.innersr-parts", tmp_path / "kernel.npy"
    source, run = animation(tmp_path / "in.gif"), replace(RUN, cancelled=lambda: len([*state.glob("*.json")]) == 2)
    np.save(kernel, np.ones((3, 3)))
    prior = write_prior(tmp_path / "prior.safetensors", network_for("tailor"))
    method = "bicubic" if change != "prior" else replace(made("tailor"), steps=0, prior=str(prior))

    def write(run, pixel_limit=10**6):
        options = UpscaleOptions(method=method, kernel=f"{kernel}#1", pixel_limit=pixel_limit)
        task = open_file(source, tmp_path / "out.gif", options)
        return replace(task, settings=FilmSettings(part=2)).write(run)

    with pytest.raises(Cancelled):
        write(run)
    if change == "kernel":
        np.save(kernel, np.eye(3))
    if change == "prior":
        write_prior(prior, network_for("tailor"), changed=True)
    result = write(replace(RUN, seed=int(change == "seed")), 10**7 if change == "limit" else 10**6)
    assert any("were there" in note for note in result.notes) == (change == "limit")


def test_digests_are_those_of_what_files_hold(tmp_path):
    path, found = tmp_path / "learnt", []
    for content in ("one", "two", "one"):
        path.write_text(content)
        found.append(digest_of_values(path))
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_may_lack_the_suffix_of_an_image(tmp_path, kind):
    pictures = [PillowImage.fromarray(levels) for levels in scenes(3)]
    pictures[0].save(tmp_path / "a.dat", format=kind, save_all=True, append_images=pictures[1:], duration=40)
    result = upscaled(tmp_path / "a.dat", None, method="bicubic").path
    assert result == tmp_path / f"a.dat_x2.{kind.lower()}"
    assert PillowImage.open(result).n_frames == 3


def test_an_animation_called_apng_becomes_one_called_png(tmp_path):
    pictures = [PillowImage.fromarray(levels) for levels in scenes(2)]
    pictures[0].save(tmp_path / "a.apng", format="PNG", save_all=True, append_images=pictures[1:], duration=40)
    assert upscaled(tmp_path / "a.apng", None, method="bicubic").path == tmp_path / "a_x2.png"


def test_each_shot_has_the_whole_time_limit(tmp_path):
    source = animation(tmp_path / "in.gif", shots=2)
    _Counted.started = []
    begun = replace(RUN, time_limit=100, started=1.0)
    upscaled(source, tmp_path / "out.gif", run=begun, method=_Counted())
    assert len(set(_Counted.started) - {1.0}) == 2


class _Counted(Bicubic):
    adapted = 0
    started: list[float] = []  # noqa: RUF012 (emptied by tests)

    def adapt(self, lr, degradation, run):
        type(self).adapted += 1
        type(self).started.append(run.started)
        return super().adapt(lr, degradation, run)


def test_a_film_is_adapted_once_per_shot(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(9, 12, 7))
    _Counted.adapted = 0
    upscaled(source, tmp_path / "out.mp4", method=_Counted())
    assert _Counted.adapted == 3


def test_degradation_is_estimated_for_each_shot(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(6, 6))
    result = upscaled(source, tmp_path / "out.mp4", method=Tailor(steps=0), kernel="auto")
    assert [note.partition(":")[0] for note in result.notes if note.startswith("shot ")] == [
        "shot 1 of 2 (frames 0 to 5)",
        "shot 2 of 2 (frames 6 to 11)",
    ]
    assert result.estimate is not None
    assert result.estimate.regions == ()


def test_black_frames_in_a_coloured_shot_are_upscaled_by_its_network(tmp_path):
    frames = scenes(6)
    frames[0] = np.zeros_like(frames[0])
    source = make_video(tmp_path / "in.mkv", frames, codec="ffv1", pixel_format="bgr0", options={"level": "3"})
    upscaled(source, tmp_path / "out.mkv", method=Tailor(steps=0))
    assert levels(tmp_path / "out.mkv")[0].max() <= 1


def test_a_panning_film_does_not_flicker_more_than_its_source(tmp_path):
    rows, columns = np.mgrid[:160, :260]
    draws = np.random.default_rng(1)
    waves = sum(
        np.sin(rows * draws.normal(0, 0.3) + columns * draws.normal(0, 0.3) + draws.uniform(0, 6)) for _ in range(24)
    )
    picture = torch.from_numpy((waves / 8 + 0.5).clip(0, 1))[None, None].float()
    steps = [(number * 2, number * 3) for number in range(8)]  # of the large picture: whole and half pixels
    crops = [innersr.imresize(picture[..., y : y + 96, x : x + 128], 0.5) for y, x in steps]
    frames = [(255 * crop[0].clamp(0, 1)).round().byte().expand(3, -1, -1).permute(1, 2, 0).numpy() for crop in crops]
    source = make_video(tmp_path / "in.mkv", frames, codec="ffv1", pixel_format="yuv444p", options={"level": "3"})
    upscaled(source, tmp_path / "out.mkv", method=Tailor(steps=10))
    before = flicker((image.colour for image in Video(source).frames(range(8))), reach=3, block=8)
    after = flicker((image.colour for image in Video(tmp_path / "out.mkv").frames(range(8))), reach=6, block=16)
    assert after < 1.1 * before


def animation(path, count=5, alpha=False, shots=1, **options):
    frames = scenes(*[count] * shots)
    pictures = [PillowImage.fromarray(frame) for frame in frames]
    if alpha:
        for number, picture in enumerate(pictures):
            mask = np.zeros(frames[0].shape[:2], np.uint8)
            mask[:, 4 * number + 4 :] = 255
            picture.putalpha(PillowImage.fromarray(mask))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


def shown(path):
    """Frames as RGBA, durations in milliseconds, and the count of repeats as it is stored."""
    frames, durations = [], []
    with PillowImage.open(path) as stored:
        for number in range(stored.n_frames):
            stored.seek(number)
            stored.load()
            durations.append(stored.info["duration"])
            frames.append(np.asarray(stored.convert("RGBA")))
        return np.stack(frames), durations, stored.info.get("loop")


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("name", ["in.gif", "in.webp", "in.png"])
def test_animations_keep_times_repeats_and_transparency(tmp_path, name, alpha):
    times = [100, 50, 200, 40, 70]
    options = {"lossless": True} if name == "in.webp" else {"disposal": 2} if name == "in.gif" else {"disposal": 1}
    source = animation(tmp_path / name, alpha=alpha, duration=times, loop=3, **options)
    result = upscaled(source, None)
    assert result.path == tmp_path / name.replace("in", "in_x2")
    before, durations, loop = shown(source)
    after, new_durations, new_loop = shown(result.path)
    assert after.shape == (5, 64, 96, 4)
    assert (new_durations, new_loop) == (durations, loop)
    assert durations == times
    opaque = (after[..., 3] > 127)[:, ::2, ::2] == (before[..., 3] > 127)
    assert opaque.mean() > 0.97
    assert bool(after[..., 3].min() < 255) is alpha


def test_animations_without_repeats_stay_so(tmp_path):
    source = animation(tmp_path / "in.gif", duration=50)
    assert shown(upscaled(source, None).path)[2] is shown(source)[2] is None


def test_kinds_of_films_become_each_other(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(5))
    gif = upscaled(source, tmp_path / "out.gif").path
    assert shown(gif)[1] == [40] * 5
    back = upscaled(gif, tmp_path / "back.mp4")
    assert seconds(back.path) == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert video_frames(back.path)[0][0].format.name == "yuv420p"


def test_a_picture_of_an_animation_is_its_first_frame(tmp_path):
    source = animation(tmp_path / "in.gif", duration=50)
    result = upscaled(source, tmp_path / "out.jpg")
    assert result.path.stat().st_size > 0
    with PillowImage.open(result.path) as stored:
        assert stored.size == (96, 64)


@pytest.mark.parametrize(
    ("options", "name", "words"),
    [
        ({"depth": 16}, "out.mp4", "--depth is for pictures"),
        ({"value_range": "0,1"}, "out.mp4", "--range is for pictures"),
        ({"nodata": 0.0}, "out.mp4", "--nodata is for pictures"),
        ({"save_adapted": "a.safetensors"}, "out.mp4", "learnt shot by shot"),
        ({"pixel_limit": 3000}, "out.mp4", "a frame would have 6144 pixels"),
        ({"pixel_limit": 300}, "out.mp4", "above the limit of 300; if you trust it"),
        ({}, "out.jpg", "no name of a film"),
        ({"size": "8x8<"}, "out.mp4", "as large already"),
    ],
)
def test_what_films_cannot_be_is_refused(tmp_path, options, name, words):
    source = make_video(tmp_path / "in.mp4", scenes(2))
    with pytest.raises((InputError, ImageFileError), match=words):
        upscaled(source, tmp_path / name, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("out.mp4", "compression", "lzw"), ("out.gif", "quality", 50), ("out.apng", "quality", 50)],
)
def test_an_option_that_a_film_has_no_use_for_is_reported(tmp_path, name, option, value):
    source = animation(tmp_path / "in.gif", duration=50)
    used = upscaled(source, tmp_path / "out.webp", quality=50, steady=False)
    assert not any("no effect" in note for note in used.notes)
    found = upscaled(source, tmp_path / name, **{option: value})
    assert any(note.startswith(f"{option} (--{option}) has no effect on ") for note in found.notes)


@pytest.mark.parametrize("name", ["out.png", "out.webp"])
@pytest.mark.parametrize(("metadata", "is_kept"), [("keep", True), ("icc", True), ("none", False)])
def test_the_colour_profile_of_an_animation_is_kept_as_asked_for(tmp_path, name, metadata, is_kept):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = animation(tmp_path / "in.png", duration=50, icc_profile=profile)
    result = upscaled(source, tmp_path / name, metadata=metadata)
    assert (PillowImage.open(result.path).info.get("icc_profile") is not None) == is_kept


def test_an_existing_film_is_replaced_only_if_that_is_wanted(tmp_path):
    source = make_video(tmp_path / "in.mp4", scenes(2))
    target = tmp_path / "out.mp4"
    target.write_bytes(b"mine")
    with pytest.raises(ImageFileError, match="exists"):
        upscaled(source, target)
    assert target.read_bytes() == b"mine"
    upscaled(source, target, overwrite=True)
    assert len(video_frames(target)[0]) == 2


def test_documented_commands_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "in.mp4", scenes(2), sound=True)
    make_video(tmp_path / "in.mov", scenes(2))
    animation(tmp_path / "in.gif", count=2, duration=50)
    text = (Path(__file__).parents[2] / "docs" / "film.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ innersr upscale (.*)$", text, re.MULTILINE)
    for command in commands:
        assert upscale(*shlex.split(command), "--method", "bicubic", "--kernel", "bicubic").exit_code == 0, command
    assert {path.name for path in tmp_path.glob("*")} >= {"out.mp4", "in_x3.gif", "out.webm"}
