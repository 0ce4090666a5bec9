"""Animations that are allowed and rarely seen, and damaged ones."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from tests.helpers.animations import BLUE, GREEN, RED, GifFrame, PngFrame, apng, chunk, gif, plain

from innersr.errors import ImageFileError
from innersr.images.films.animations import Animation, AnimationWriter
from innersr.images.films.film import FilmFacts, FrameTime
from innersr.images.image import Image
from innersr.images.io import read
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file
from innersr.run import Run

OPTIONS = {"method": "bicubic", "kernel": "bicubic"}
SMALL = {"x": 4, "y": 3, "width": 6, "height": 4}
FAR = {"x": 8, "y": 6, "width": 6, "height": 4}


def shown(folder, data):
    """Three pixels of each frame, one outside the small rectangles and one within each; and the film."""
    path = folder / ("in.gif" if data[:3] == b"GIF" else "in.webp" if data[:4] == b"RIFF" else "in.png")
    path.write_bytes(data)
    film = Animation(path)
    frames = []
    for image in film.frames(range(len(list(film.glimpses())))):
        planes = image.colour[0] if image.alpha is None else np.concatenate([image.colour[0], image.alpha[0]])
        levels = np.rint(255 * np.asarray(planes)).astype(int)
        frames.append([tuple(levels[:, y, x].tolist()) for y, x in ((0, 0), (4, 5), (8, 12))])
    return frames, film


@pytest.mark.parametrize(
    ("disposal", "last"),
    [(1, [RED, GREEN, BLUE]), (2, [RED, None, BLUE]), (3, [RED, RED, BLUE])],
)
def test_frames_of_a_gif_are_disposed_of(tmp_path, disposal, last):
    second, third = GifFrame(colour=2, disposal=disposal, **SMALL), GifFrame(colour=3, **FAR)
    frames, _ = shown(tmp_path, gif(GifFrame(colour=1), second, third))
    assert [colours(frame) for frame in frames] == [[RED, RED, RED], [RED, GREEN, RED], last]


def colours(frame):
    """The pixels of a frame, None where they are transparent."""
    return [pixel[:3] if pixel[3:] in ((), (255,)) else None for pixel in frame]


@pytest.mark.parametrize("transparent", [None, 2])
def test_what_no_frame_of_a_gif_has_drawn_is_transparent_as_in_browsers(tmp_path, transparent):
    first = GifFrame(colour=1, transparent=transparent, disposal=3, **SMALL)
    others = GifFrame(colour=2, disposal=2, **FAR), GifFrame(colour=3, x=0, y=0, width=2, height=2)
    frames, film = shown(tmp_path, gif(first, *others))
    assert [colours(frame) for frame in frames] == [[None, RED, None], [None, None, GREEN], [BLUE, None, None]]
    assert film.facts.has_alpha


def test_transparent_colours_and_palettes_of_single_frames(tmp_path):
    others = ((9, 8, 7), (1, 2, 3), (4, 5, 6), (7, 8, 9))
    clear = GifFrame(colour=0, transparent=0, **SMALL)
    frames, film = shown(tmp_path, gif(GifFrame(colour=1), clear, GifFrame(colour=2, palette=others, **FAR)))
    assert frames == [[RED] * 3, [RED] * 3, [RED, RED, (4, 5, 6)]]
    assert not film.facts.has_alpha


def test_what_lies_beyond_the_size_of_a_gif_is_cut(tmp_path):
    frames, film = shown(tmp_path, gif(GifFrame(colour=1), GifFrame(colour=2, x=4, y=3, width=30, height=20)))
    assert film.facts.size == (12, 16)
    assert frames == [[RED, RED, RED], [RED, GREEN, GREEN]]
    result = upscale_file(tmp_path / "in.gif", tmp_path / "out.gif", UpscaleOptions(**OPTIONS), Run(device="cpu"))
    with PillowImage.open(result.path) as written:
        assert (written.n_frames, written.size) == (2, (32, 24))


@pytest.mark.parametrize(("dispose", "last"), [(0, [RED, GREEN, BLUE]), (1, [RED, None, BLUE]), (2, [RED, RED, BLUE])])
def test_frames_of_a_png_are_disposed_of(tmp_path, dispose, last):
    red, green, blue = ((*colour, 255) for colour in (RED, GREEN, BLUE))
    second = PngFrame(levels=plain(green, 6, 4), x=4, y=3, dispose=dispose)
    third = PngFrame(levels=plain(blue, 6, 4), x=8, y=6)
    frames, film = shown(tmp_path, apng(PngFrame(levels=plain(red)), second, third))
    opaque = 3 if dispose != 1 else 4
    assert film.facts.has_alpha is (dispose == 1)
    expected = [(0, 0, 0, 0) if colour is None else (*colour, 255)[:opaque] for colour in last]
    assert frames[1] == [red[:opaque], green[:opaque], red[:opaque]] and frames[2] == expected


@pytest.mark.parametrize(("blend", "middle"), [(0, (0, 255, 0, 128)), (1, (127, 128, 0, 255))])
def test_half_transparent_frames_replace_or_cover(tmp_path, blend, middle):
    first, second = (
        PngFrame(levels=plain((*RED, 255))),
        PngFrame(levels=plain((*GREEN, 128), 6, 4), x=4, y=3, blend=blend),
    )
    frames, film = shown(tmp_path, apng(first, second))
    assert frames[1][1] == pytest.approx(middle[: 3 + film.facts.has_alpha], abs=1)


def test_a_poster_is_no_frame_and_that_is_reported(tmp_path):
    data = apng(PngFrame(levels=plain(GREEN)), PngFrame(levels=plain(BLUE)), colour_type=2, poster=plain(RED), plays=4)
    frames, film = shown(tmp_path, data)
    assert [frame[0] for frame in frames] == [GREEN, BLUE] and film.facts.plays == 4
    assert film.facts.notes == ("the picture for programs that show no animation is not kept",)


def test_sixteen_bits_are_divided_and_not_cut_off(tmp_path):
    values = [PngFrame(levels=np.full((12, 16, 1), value, np.uint16)) for value in (1000, 50000)]
    frames, film = shown(tmp_path, apng(*values, colour_type=0, bits=16))
    assert [frame[0] for frame in frames] == [(3, 3, 3), (195, 195, 195)]
    assert film.facts.notes == ("its 16 bits were reduced to 8, as of every animation",)


def test_palettes_with_transparency(tmp_path):
    chunks = chunk(b"PLTE", bytes([*RED, *BLUE])) + chunk(b"tRNS", bytes([255, 0]))
    indices = [PngFrame(levels=np.full((12, 16, 1), index, np.uint8)) for index in (0, 1)]
    frames, _ = shown(tmp_path, apng(*indices, colour_type=3, chunks=chunks))
    assert [frame[0][3] for frame in frames] == [255, 0] and frames[0][0] == (*RED, 255)


@pytest.mark.parametrize(
    ("data", "times"),
    [
        (gif(*(GifFrame(colour=n, delay=0) for n in (1, 2, 3))), [100, 100, 100]),
        (gif(*(GifFrame(colour=n, delay=delay) for n, delay in ((1, 0), (2, 5), (3, 0)))), [100, 50, 100]),
        (gif(*(GifFrame(colour=n, delay=None) for n in (1, 2))), [100, 100]),
        (gif(*(GifFrame(colour=n, delay=65535) for n in (1, 2))), [655350, 655350]),
        (apng(*(PngFrame(levels=plain((*RED, n)), delay=(1, 30)) for n in (1, 2, 3, 4))), [33, 34, 33, 33]),
        (apng(*(PngFrame(levels=plain((*RED, n)), delay=(5, 0)) for n in (1, 2))), [50, 50]),
        (apng(*(PngFrame(levels=plain((*RED, n)), delay=(0, 0)) for n in (1, 2))), [100, 100]),
    ],
)
def test_times_of_frames(tmp_path, data, times):
    _, film = shown(tmp_path, data)
    assert [glimpse.duration for glimpse in film.glimpses()] == times
    assert (film.facts.notes == ("frames without a time are shown for 100 ms, as browsers do",)) is (100 in times)
    upscale_file(film.path, None, UpscaleOptions(**OPTIONS), Run(device="cpu"))
    written = Animation(film.path.with_stem("in_x2"))
    assert [glimpse.duration for glimpse in written.glimpses()] == times


@pytest.mark.parametrize(
    ("milliseconds", "expected", "slower"),
    [
        ((33, 33, 34, 33, 33, 34), [30, 40, 30, 30, 40, 30], False),
        ((17,) * 6, [20] * 6, True),
        ((10,) * 6, [10] * 6, False),
    ],
)
def test_a_gif_drifts_no_more_than_it_must(tmp_path, milliseconds, expected, slower):
    pictures = [PillowImage.fromarray(plain((40 * n, 0, 0))) for n in range(6)]
    path = tmp_path / "in.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=list(milliseconds), lossless=True)
    result = upscale_file(path, tmp_path / "out.gif", UpscaleOptions(**OPTIONS), Run(device="cpu"))
    assert [glimpse.duration for glimpse in Animation(result.path).glimpses()] == expected
    assert any(note.startswith("GIF shows 50 frames a second at most") for note in result.notes) is slower
    assert any("rounded to hundredths" in note for note in result.notes) is (milliseconds[0] != 10)


@pytest.mark.parametrize("suffix", [".webp", ".png"])
@pytest.mark.parametrize("milliseconds", [[10, 35, 100, 33, 1], [8, 9, 8, 8, 9], [1] * 5, [4000, 3, 4000, 12, 4000]])
def test_short_frames_stay_short(tmp_path, suffix, milliseconds):
    """libvips writes 100 ms for a WebP's frames of 10 ms and less."""
    pictures = [PillowImage.fromarray(plain((40 * n, 0, 0))) for n in range(5)]
    pictures[0].save(tmp_path / "in.png", save_all=True, append_images=pictures[1:], duration=milliseconds)
    result = upscale_file(tmp_path / "in.png", tmp_path / f"out{suffix}", UpscaleOptions(**OPTIONS), Run(device="cpu"))
    assert [glimpse.duration for glimpse in Animation(result.path).glimpses()] == milliseconds
    assert "browsers show frames of 10 ms or less for 100 ms" in result.notes


def test_no_exif_is_made_up(tmp_path):
    """libvips writes a resolution that nobody has stated, which would be missed in the next result."""
    pictures = [PillowImage.fromarray(plain((90 * n, 0, 0))) for n in range(2)]
    pictures[0].save(tmp_path / "in.png", save_all=True, append_images=pictures[1:], duration=50)
    result = upscale_file(tmp_path / "in.png", tmp_path / "out.webp", UpscaleOptions(**OPTIONS), Run(device="cpu"))
    assert Animation(result.path).facts.notes == ()


@pytest.mark.parametrize("kind", ["WebP", "PNG"])
def test_no_frame_is_left_without_a_time(tmp_path, kind):
    facts = FilmFacts(size=(4, 4), time_base=Fraction(1, 4000))
    writer = AnimationWriter(kind, facts, (4, 4), None)
    frames, times = (
        [Image(colour=torch.full((1, 3, 4, 4), n / 9)) for n in range(9)],
        [FrameTime(n, 1) for n in range(9)],
    )
    writer.encode(frames, times, tmp_path / "part")
    (tmp_path / "out").touch()
    writer.join([tmp_path / "part"], times, tmp_path / "out")
    assert [glimpse.duration for glimpse in Animation(tmp_path / "out").glimpses()] == [1] * 9
    assert f"{kind} shows 1000 frames a second at most: the film is 0.01 s long, not 0.00 s" in writer.notes


@pytest.mark.parametrize(("loop", "plays"), [(None, 1), (0, 0), (1, 2), (65533, 65534)])
def test_repeats_of_a_gif_are_counted(tmp_path, loop, plays):
    _, film = shown(tmp_path, gif(GifFrame(colour=1), GifFrame(colour=2), loop=loop))
    assert film.facts.plays == plays
    upscale_file(film.path, tmp_path / "out.gif", UpscaleOptions(**OPTIONS), Run(device="cpu"))
    assert Animation(tmp_path / "out.gif").facts.plays == plays
    upscale_file(film.path, tmp_path / "out.webp", UpscaleOptions(**OPTIONS), Run(device="cpu"))
    assert Animation(tmp_path / "out.webp").facts.plays == plays


def one_webp():
    """A WebP of one frame that is shown for 50 ms: Pillow writes a second one, which is cut off."""
    stream = io.BytesIO()
    frames = [PillowImage.fromarray(plain((*colour, 255))) for colour in (RED, BLUE)]
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    data = stream.getvalue()
    data = data[: data.index(b"ANMF", data.index(b"ANMF") + 4)]
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


@pytest.mark.parametrize(
    "data",
    [gif(GifFrame(colour=1), loop=0), apng(PngFrame(levels=plain((*RED, 255)))), one_webp()],
    ids=["gif", "png", "webp"],
)
def test_one_frame_is_a_picture_and_the_loss_of_its_time_is_reported(tmp_path, data):
    path = tmp_path / ("in.gif" if data[:3] == b"GIF" else "in.webp" if data[:4] == b"RIFF" else "in.png")
    path.write_bytes(data)
    assert "how long it is shown is not kept" in read(path).notes
    result = upscale_file(path, None, UpscaleOptions(**OPTIONS), Run(device="cpu"))
    with PillowImage.open(result.path) as written:
        assert written.size == (32, 24) and getattr(written, "n_frames", 1) == 1


def damaged(data):
    """The same, cut short at many places, and with changed bytes."""
    draws = np.random.default_rng(1)
    yield from (data[: len(data) * part // 12] for part in range(1, 12))
    for _ in range(24):
        changed = bytearray(data)
        for place in draws.integers(0, len(data), 3):
            changed[place] = draws.integers(0, 256)
        yield bytes(changed)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_damaged_animations_give_a_film_or_an_error_of_ours(tmp_path, suffix):
    pictures = [PillowImage.fromarray(np.roll(plain((90, 60, 30, 200)), n, 1) + np.uint8(20 * n)) for n in range(4)]
    pictures[0].save(tmp_path / f"in{suffix}", save_all=True, append_images=pictures[1:], duration=50, lossless=True)
    refused = 0
    for number, data in enumerate(damaged((tmp_path / f"in{suffix}").read_bytes())):
        path, target = tmp_path / f"{number}{suffix}", tmp_path / f"{number}_out{suffix}"
        path.write_bytes(data)
        try:
            upscale_file(path, target, UpscaleOptions(**OPTIONS), Run(device="cpu"))
        except ImageFileError as error:
            refused += 1
            assert str(path) in str(error) and not target.exists()
    assert refused >= 11 - 3


@pytest.mark.parametrize("colours, is_dithered", [(200, False), (300, True)])
def test_frames_of_few_colours_are_kept_exactly_in_a_gif_and_only_others_are_dithered(tmp_path, colours, is_dithered):
    generator = np.random.default_rng(0)
    palette = generator.integers(0, 250, (colours, 3))
    frames = [(palette + number)[generator.integers(0, colours, (40, 40))].astype(np.uint8) for number in range(3)]
    first, *others = map(PillowImage.fromarray, frames)
    first.save(tmp_path / "in.png", save_all=True, append_images=others, duration=100)
    written = []
    for name in ("out.png", "out.gif"):
        options = UpscaleOptions(method="pixelart", scale=2, steady=False)
        result = upscale_file(tmp_path / "in.png", tmp_path / name, options, Run(device="cpu"))
        written.append([image.colour for image in Animation(tmp_path / name).frames(range(3))])
    assert ("GIF holds 256 colours for each frame: the frames were dithered" in result.notes) == is_dithered
    assert all(map(np.array_equal, *written)) == (not is_dithered)
