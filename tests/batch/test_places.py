"""Names of results."""

import warnings
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from helpers.films import make_video, scenes
from innersr.batch.places import Naming, free_name, size_in_header
from innersr.errors import InputError
from innersr.images.films.animations import frame_count


@pytest.mark.parametrize(
    ("naming", "beside", "name"),
    [
        (Naming(), False, "photo.jpg"),
        (Naming(), True, "photo_x2x1.5.jpg"),
        (Naming(format="PNG"), False, "photo.png"),
        (Naming(pattern="{stem}-{method}-{width}x{height}{suffix}"), False, "photo-zssr-80x60.jpg"),
        (Naming(pattern="{stem}_large", format="tif"), True, "photo_large.tif"),
        (Naming(pattern="{stem}_x{scale}"), True, "photo_x2x1.5.jpg"),
        (Naming(pattern="{stem}.{width:05d}"), True, "photo.00080.jpg"),
        (Naming(pattern="{stem}.TIF"), True, "photo.TIF"),
        (Naming(pattern="{stem}.TIF", format="tiff"), True, "photo.TIF"),
        (Naming(pattern="{stem}.mp4"), True, "photo.mp4"),
        (Naming(pattern="{stem}.apng"), True, "photo.apng"),
    ],
)
def test_the_name_of_a_result(naming, beside, name):
    assert naming.name(Path("in/photo.jpg"), (1.5, 2), "zssr", (60, 80), beside=beside) == name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "{stem:d}"}, "--name {stem:d}: Unknown format code 'd'"),
        ({"pattern": "{stem:{foo}}"}, "--name {stem:{foo}}: 'foo'"),
        ({"pattern": "{scale:.1f}"}, "--name {scale:.1f}: Unknown format code 'f'"),
        ({"pattern": "{width:c}"}, "--name {width:c}: "),
        ({"pattern": "{stem:{}}"}, "--name {stem:{}}: "),
        ({"pattern": "{stem}.heic"}, "--name {stem}.heic: .heic is not written; there are .png .jpg"),
        ({"pattern": "{stam}"}, "no {stam}; there are {stem}"),
        ({"pattern": "{stem"}, "write {stem}_x{scale}{suffix}"),
        ({"pattern": "../{stem}"}, "without folders"),
        ({"format": "doc"}, "--format doc is not written"),
        ({"pattern": "."}, "--name . is no name of a file; write {stem}_x{scale}{suffix}"),
        ({"pattern": "{stem}.jpg", "format": "png"}, "--name {stem}.jpg and --format png name two formats; write {suf"),
        ({"pattern": "{stem}.apng", "format": "png"}, "name two formats"),
    ],
)
def test_names_that_cannot_be_are_refused(options, message):
    with pytest.raises(InputError) as error:
        Naming(**options)
    assert message in str(error.value)


def test_a_dot_in_a_name_is_no_suffix_of_a_file():
    assert Naming(pattern="{stem}").name(Path("photo.v2.png"), 2, "zssr", (4, 4), beside=True) == "photo.v2.png"
    assert Naming(pattern="{stem}").name(Path("photo.jpg.png"), 2, "zssr", (4, 4), beside=True) == "photo.jpg.png"


def test_a_free_name_is_counted(tmp_path):
    path = tmp_path / "a.png"
    assert free_name(path) == path
    path.touch()
    (tmp_path / "a-2.png").symlink_to("nowhere")
    assert free_name(path) == tmp_path / "a-3.png"


def test_the_size_is_that_of_the_picture_as_it_is_shown(tmp_path):
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turned by a quarter
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    PillowImage.new("RGB", (30, 20)).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_text("no image")
    sizes = [size_in_header(tmp_path / name) for name in ("a.jpg", "b.png", "c.png", "d.png")]
    assert sizes == [(30, 20), (20, 30), None, None]


@pytest.mark.parametrize("limit", [400, 100])
def test_the_size_of_a_large_picture_is_no_warning(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", limit)  # above it Pillow warns, above twice as much it refuses
    PillowImage.new("L", (30, 20)).save(tmp_path / "a.png")
    with warnings.catch_warnings(action="error"):
        assert size_in_header(tmp_path / "a.png") == (20, 30)
        assert frame_count(tmp_path / "a.png") == 1


def test_the_size_of_a_film_is_that_of_its_frames(tmp_path):
    assert size_in_header(make_video(tmp_path / "a.mp4", scenes(2))) == scenes(1)[0].shape[:2]
