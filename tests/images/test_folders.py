"""Image folders: which files are the sharp images, and how they are cut."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from innersr.errors import ImageFileError, InputError
from innersr.images.folders import find_images, find_versions, load_sharp

SAMPLES = np.random.default_rng(0).integers(0, 256, (50, 61, 3), np.uint8)


def draw(path, height=50):
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(SAMPLES[:height]).save(path)
    return path


def test_the_hr_files_of_selfexsr_are_the_images(tmp_path):
    for name in ("img_002_SRF_2_HR.png", "img_001_SRF_2_HR.png", "img_001_SRF_2_LR.png", "img_001_SRF_2_bicubic.png"):
        draw(tmp_path / name)
    names = [entry.path.name for entry in find_images([tmp_path])]
    assert names == ["img_001_SRF_2_HR.png", "img_002_SRF_2_HR.png"]


def test_an_hr_file_hides_its_own_versions_alone(tmp_path):
    for name in ("photo_HR.png", "photo_LR.png", "photo_x2.png", "photo.png", "other.png", "photograph.png"):
        draw(tmp_path / name)
    names = [entry.path.name for entry in find_images([tmp_path])]
    assert names == ["other.png", "photo.png", "photo_HR.png", "photograph.png"]


def test_numbered_images_are_no_versions(tmp_path):
    for name in ("img_HR.png", "img_001.png", "img_002.png", "img_nearest.png"):
        draw(tmp_path / name)
    assert [entry.path.name for entry in find_images([tmp_path])] == ["img_001.png", "img_002.png", "img_HR.png"]
    assert [path.name for path in find_versions(tmp_path)] == ["img_nearest.png"]


def test_without_hr_files_every_image_is_one(tmp_path):
    for name in ("b.PNG", "a.jpg", "threshold.png", "inner.png/c.png"):
        draw(tmp_path / name)
    (tmp_path / "._a.png").write_bytes(b"what macOS leaves beside a file")
    (tmp_path / "notes.txt").touch()
    assert [entry.path.name for entry in find_images([tmp_path])] == ["a.jpg", "b.PNG", "threshold.png"]


def test_a_folder_is_called_by_its_last_two_names(tmp_path):
    draw(tmp_path / "sets" / "set5" / "a.png")
    assert [entry.folder for entry in find_images([tmp_path / "sets" / "set5"])] == ["sets/set5"]


def test_a_folder_is_missing_or_has_no_images(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        find_images([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"no images in it \(\.png, "):
        find_images([tmp_path])


def test_ambiguous_folders_are_refused(tmp_path):
    for folder in ("here", "there"):
        draw(tmp_path / folder / "x" / "set5" / "a.png")
    with pytest.raises(InputError, match="two folders are called x/set5"):
        find_images([tmp_path / "here" / "x" / "set5", tmp_path / "there" / "x" / "set5"])


def test_a_folder_that_is_named_twice_counts_once(tmp_path, monkeypatch):
    draw(tmp_path / "set5" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert len(find_images([tmp_path / "set5", Path("set5"), tmp_path / "set5"])) == 1


@pytest.mark.parametrize(("scale", "size"), [(3, (48, 60)), (7.0, (49, 56)), (1.5, (50, 61)), ((2, 3), (50, 60))])
def test_images_are_cut_to_a_multiple_of_a_whole_scale(tmp_path, scale, size):
    sharp = load_sharp(draw(tmp_path / "a.png"), scale)
    assert sharp.shape == (1, 3, *size)
    assert np.array_equal((sharp[0] * 255).round().permute(1, 2, 0), SAMPLES[: size[0], : size[1]])


def test_an_image_smaller_than_the_scale_is_named(tmp_path):
    with pytest.raises(ImageFileError, match=r"a\.png: too small to be shrunk by 8"):
        load_sharp(draw(tmp_path / "a.png", height=6), 8.0)
