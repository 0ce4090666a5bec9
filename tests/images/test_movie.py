import itertools
import sys
import weakref

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from innersr.errors import ImageFileError, InputError
from innersr.images.films.movie import save_movie
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.metadata import Metadata

SUFFIXES = [".gif", ".webp", ".mp4"]


def frame(number=0, bands=3, sides=(24, 32)):
    """A soft pattern that moves with the number of the frame; alpha is on or off."""
    rows, columns = np.mgrid[: sides[0], : sides[1]]
    waves = [np.sin((rows * (band + 1) + columns * (3 - band)) / 30 + number) * 100 + 128 for band in range(bands)]
    levels = np.stack(waves, -1).round().astype(np.uint8)
    if bands in (2, 4):
        levels[..., -1] = np.where((columns + 3 * number) % 16 < 8, 255, 0)
    return levels


def film(count=6, **settings):
    return [frame(number, **settings) for number in range(count)]


def pictures(path, mode="RGB"):
    """Return the frames of a GIF or WebP, (N, H, W, C), and how long each is shown in milliseconds."""
    found, delays = [], []
    with PillowImage.open(path) as stored:
        for number in range(stored.n_frames):
            stored.seek(number)
            stored.load()
            found.append(np.asarray(stored.convert(mode)))
            delays.append(stored.info.get("duration"))
    return np.stack(found), delays


def decoded(path):
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        return np.stack([picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)])


def rms(a, b):
    return float(np.sqrt(np.square(a.astype(float) - b).mean()))


def needs_av(suffix):
    if suffix == ".mp4":
        pytest.importorskip("av")


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_film_repeats_for_ever_and_keeps_its_time(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    save_movie(film(9), path, fps=12)
    _, delays = pictures(path)
    # 8.33 hundredths of a second: eight, and every third frame nine.
    assert len(delays) == 9
    assert sum(delays) == 750
    assert max(delays) - min(delays) <= 10
    with PillowImage.open(path) as stored:
        assert stored.info["loop"] == 0


def test_lossless_webp_keeps_every_value_and_alpha(tmp_path):
    path = tmp_path / "film.webp"
    assert save_movie(film(bands=4), path, quality=100) == ()
    levels, expected = pictures(path, "RGBA")[0], np.stack(film(bands=4))
    assert np.array_equal(levels[..., 3], expected[..., 3])
    opaque = expected[..., 3] == 255
    assert np.array_equal(levels[opaque], expected[opaque])


def test_webp_follows_quality(tmp_path):
    for quality in (20, 90):
        save_movie(film(), tmp_path / f"{quality}.webp", quality=quality)
    rough, fine = (rms(pictures(tmp_path / f"{quality}.webp")[0], film()) for quality in (20, 90))
    assert fine < rough / 2


def test_a_grey_gif_keeps_every_value(tmp_path):
    path = tmp_path / "film.gif"
    ramp = np.random.default_rng(0).permutation(24 * 32).astype(np.uint8).reshape(24, 32, 1)  # all 256 levels
    frames = [*film(bands=1), ramp, ramp.transpose(1, 0, 2).reshape(24, 32, 1)]
    assert save_movie(frames, path) == ()
    assert np.array_equal(pictures(path, "L")[0], np.stack(frames)[..., 0])


def test_a_gif_is_near_in_every_frame_and_says_what_it_did(tmp_path):
    path = tmp_path / "film.gif"
    assert save_movie(film(12), path) == ("GIF holds 256 colours: the frames were dithered",)
    levels, _ = pictures(path)
    assert all(rms(a, b) < 8 for a, b in zip(levels, film(12), strict=True))
    assert abs(levels.mean() - np.mean(film(12))) < 0.3


def test_what_stands_still_in_a_gif_does_not_flicker(tmp_path):
    path = tmp_path / "film.gif"
    frames = film(6)
    for later in frames[1:]:
        later[:, :16] = frames[0][:, :16]
    save_movie(frames, path)
    levels, _ = pictures(path)
    assert np.array_equal(levels[:, :, :16], levels[:1, :, :16].repeat(6, 0))


@pytest.mark.parametrize("bands", [2, 4])
def test_a_gif_keeps_alpha_on_or_off(tmp_path, bands):
    path = tmp_path / "film.gif"
    notes = save_movie(film(bands=bands), path)
    assert "GIF holds on-off alpha: half-transparent pixels were made one or the other" in notes
    levels, _ = pictures(path, "RGBA")
    expected = np.stack(film(bands=bands))
    assert np.array_equal(levels[..., 3], expected[..., -1])
    opaque = expected[..., -1] == 255
    colour = expected[..., :3] if bands == 4 else expected[..., :1].repeat(3, -1)
    assert rms(levels[..., :3][opaque], colour[opaque]) < 10


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_one_frame_is_a_film(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    save_movie(film(1), path)
    assert rms(read(path).colour[0].permute(1, 2, 0).numpy() * 255, frame()) < 5


def test_an_mp4_has_the_frames_the_size_and_the_speed(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    assert save_movie(film(7), path, fps=12.5) == ()
    assert rms(decoded(path), film(7)) < 5
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (float(stream.average_rate), stream.frames) == (12.5, 7)


@pytest.mark.parametrize("colour", [(200, 60, 30), (20, 180, 60), (30, 60, 220), (255, 255, 255), (0, 0, 0)])
def test_an_mp4_keeps_its_colours(tmp_path, colour):
    path = tmp_path / "film.mp4"
    av = pytest.importorskip("av")
    save_movie([np.full((16, 16, 3), colour, np.uint8)] * 2, path)
    with av.open(str(path)) as container:
        planes = next(container.decode(video=0)).planes
        y, u, v = (float(np.frombuffer(plane, np.uint8)[0]) for plane in planes)
    # BT.709, limited range (ITU-R BT.709-6, sec. 3 and 4).
    luma, blue, red = (y - 16) / 219, (u - 128) / 224 * 1.8556, (v - 128) / 224 * 1.5748
    r, b = luma + red, luma + blue
    g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
    # Three values of 8 bits, each rounded.
    assert np.array([r, g, b]) * 255 == pytest.approx(colour, abs=2)


def test_an_mp4_of_odd_sides_repeats_the_last_row_and_column(tmp_path):
    path = tmp_path / "film.mp4"
    pytest.importorskip("av")
    notes = save_movie(film(3, sides=(23, 31)), path, quality=100)
    assert notes == ("MP4 holds even sizes: 31x23 was made 32x24 by repeating the last row or column",)
    levels = decoded(path)
    assert levels.shape == (3, 24, 32, 3)
    assert rms(levels, np.pad(film(3, sides=(23, 31)), ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")) < 5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_smallest_film_is_one(tmp_path, suffix):
    needs_av(suffix)
    path = tmp_path / f"film{suffix}"
    save_movie([np.full((1, 1, 3), 90, np.uint8)], path, quality=100)
    levels = decoded(path) if suffix == ".mp4" else pictures(path)[0]
    assert np.abs(levels.astype(int) - 90).max() <= 1  # YUV in 8 bits


def test_an_mp4_lies_on_white(tmp_path):
    path = tmp_path / "film.mp4"
    pytest.importorskip("av")
    frames = [np.full((16, 16, 4), (100, 0, 0, alpha), np.uint8) for alpha in (0, 255)]
    assert save_movie(frames, path, quality=100) == ("MP4 holds no alpha: the frames lie on white",)
    levels = decoded(path)
    assert levels[0] == pytest.approx(np.full((16, 16, 3), 255), abs=3)
    assert levels[1] == pytest.approx(np.broadcast_to([100, 0, 0], (16, 16, 3)), abs=3)


def test_a_grey_mp4_is_grey(tmp_path):
    path = tmp_path / "film.mp4"
    pytest.importorskip("av")
    save_movie(film(3, bands=1), path)
    assert rms(decoded(path), np.stack(film(3, bands=1)).repeat(3, -1)) < 5


def test_an_mp4_of_any_length_needs_the_memory_of_a_few_frames(tmp_path):
    pytest.importorskip("av")
    made, alive = [], []

    def frames():
        for number in range(40):
            alive.append(sum(reference() is not None for reference in made))
            levels = frame(number)
            made.append(weakref.ref(levels))
            yield levels

    save_movie(frames(), tmp_path / "film.mp4")
    assert max(alive) <= 3


def test_images_are_reduced_to_eight_bits_as_in_image_files(tmp_path):
    colour = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1
    wide = Image(colour=colour, depth="uint16", metadata=Metadata(icc=b"profile"))
    notes = save_movie([wide, wide], tmp_path / "film.webp", quality=100)
    assert notes == ("the frames were reduced from uint16 to 8 bits", "the colour profile is not kept")
    save(Image(colour=colour), tmp_path / "still.png")
    expected = read(tmp_path / "still.png").colour[0].permute(1, 2, 0).numpy() * 255
    assert np.array_equal(pictures(tmp_path / "film.webp")[0][0], expected.round())


def test_alpha_of_an_image_is_kept(tmp_path):
    levels = frame(bands=4)
    planes = torch.from_numpy(levels).permute(2, 0, 1)[None] / 255
    image = Image(colour=planes[:, :3].contiguous(), alpha=planes[:, 3:].contiguous())
    assert save_movie([image], tmp_path / "film.webp", quality=100) == ()
    assert np.array_equal(pictures(tmp_path / "film.webp", "RGBA")[0][0, ..., 3], levels[..., 3])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_film_that_fails_leaves_the_old_file_and_no_other(tmp_path, suffix):
    needs_av(suffix)
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"old")

    def frames():
        yield from film(5)
        raise RuntimeError("the model is gone")

    with pytest.raises(RuntimeError, match="the model is gone"):
        save_movie(frames(), path, overwrite=True)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(path.name, b"old")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_film_replaces_a_file_with_overwrite(tmp_path, suffix):
    needs_av(suffix)
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"old")
    save_movie(film(), path, overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 100


def never():
    raise AssertionError("a frame was made although the film cannot be written")
    yield


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("film.avi", {}, r"film.avi: '.avi' is not a suffix .* use one of .gif, .webp, .mp4"),
        ("film", {}, "the name has no suffix"),
        ("film.gif", {"fps": 60}, r"fps must be from 0.1 to 50 in a GIF, got 60"),
        ("film.webp", {"fps": 0}, r"fps must be from 0.1 to 90 in a WebP, got 0"),
        ("film.gif", {"fps": float("nan")}, "got nan"),
        ("film.gif", {"quality": 0}, "quality must be between 1 and 100, got 0"),
    ],
)
def test_wrong_settings_are_refused_before_the_first_frame(tmp_path, name, settings, message):
    with pytest.raises(InputError, match=message):
        save_movie(never(), tmp_path / name, **settings)
    assert not [*tmp_path.iterdir()]


def test_places_where_no_film_can_be_are_refused_before_the_first_frame(tmp_path):
    (tmp_path / "there.gif").write_bytes(b"old")
    (tmp_path / "folder.gif").mkdir()
    for name, message in (
        ("there.gif", r"exists; choose another name, or --overwrite"),
        ("folder.gif", "is a folder; give a file name"),
        ("missing/film.gif", "does not exist; create it first"),
    ):
        with pytest.raises(ImageFileError, match=message):
            save_movie(never(), tmp_path / name)


def test_mp4_without_pyav_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"films need PyAV: pip install '\.\[video\]'"):
        save_movie(never(), tmp_path / "film.mp4")
    save_movie(film(), tmp_path / "film.webp")


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "at least one frame, got none"),
        ([frame(), frame(sides=(24, 30))], "frame 1 is 30x24 with 3 bands, frame 0 32x24 with 3 bands"),
        ([frame(), frame(bands=4)], "frame 1 is 32x24 with 4 bands"),
        ([frame().astype(np.float32)], "must be an image or a uint8 array .* got float32"),
        ([np.zeros((4, 4, 5), np.uint8)], "frame 0 has 5 bands"),
        ([Image(colour=torch.zeros(1, 2, 4, 4))], "frame 0 has 2 colour bands"),
        ([Image(colour=torch.full((1, 3, 4, 4), float("nan")))], "frame 0 holds NaN"),
        ([np.zeros((1, 16_400, 3), np.uint8)], "sides end at 1638. pixels, not 16400"),
    ],
)
@pytest.mark.parametrize("suffix", [".webp", ".mp4"])
def test_frames_that_are_no_film_are_refused(tmp_path, suffix, frames, message):
    needs_av(suffix)
    with pytest.raises(InputError, match=message):
        save_movie(frames, tmp_path / f"film{suffix}")
    assert not [*tmp_path.iterdir()]


def test_equal_frames_keep_their_time(tmp_path):
    for suffix, count in itertools.product((".gif", ".webp"), (2, 5)):
        path = tmp_path / f"{count}{suffix}"
        save_movie([frame(0), *[frame(1)] * count], path, fps=10)
        assert sum(pictures(path)[1]) == 100 * (1 + count)
