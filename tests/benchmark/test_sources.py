"""Sharp images of folders, made pictures and pairs."""

from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage

from helpers.bench import RUN, draw, plan, rows_of
from innersr.benchmark.made.catalogue import KINDS, made_picture
from innersr.benchmark.runner import cases_of
from innersr.benchmark.sources import cropped, find_pairs, find_sources
from innersr.errors import ImageFileError, InputError
from innersr.images.io import read


def halved(path, target):
    with PillowImage.open(path) as image:
        image.resize((image.width // 2, image.height // 2), PillowImage.Resampling.BOX).save(target)


def test_made_pictures_stand_beside_folders(folder):
    sources = find_sources([folder, Path("made:text"), Path("made:lines")], 2)
    names = [(source.folder, source.name) for source in sources]
    assert names[2:] == [
        ("made/text", "text-1"),
        ("made/text", "text-2"),
        ("made/lines", "lines-1"),
        ("made/lines", "lines-2"),
    ]
    assert [name for _, name in names[:2]] == ["a.png", "b.png"]
    assert torch.equal(sources[3].sharp(2), made_picture("text", 2, (256, 256)))


def test_all_kinds_are_made_once():
    sources = find_sources([Path("made:all"), Path("made:text")], side=64)
    assert len(sources) == 6 * len(KINDS)
    assert {source.sharp(3).shape[-2:] for source in sources} == {(63, 63)}


def test_an_unknown_kind_is_refused_before_anything_is_drawn():
    with pytest.raises(InputError, match="unknown kind of made pictures 'photo'"):
        find_sources([Path("made:photo")])


def test_a_limit_takes_the_first_or_is_spread(tmp_path):
    for name in "abcdef":
        draw(tmp_path / f"{name}.png", 12, 12)
    assert [s.name for s in find_sources([tmp_path], 2)] == ["a.png", "b.png"]
    assert [s.name for s in find_sources([tmp_path], 2, spread=True)] == ["a.png", "d.png"]


def test_a_crop_is_the_middle_in_whole_cells():
    image = torch.arange(60.0).expand(1, 1, 40, 60)
    assert torch.equal(cropped(image, 20, 2), image[..., 10:30, 20:40])
    assert cropped(image, 32, 3).shape[-2:] == (30, 30)
    assert torch.equal(cropped(image, 50, 4), image[..., :, 4:52])
    assert cropped(image, None, 2) is image


def test_pairs_are_found_by_name_and_measured(folder):
    halved(folder / "a.png", folder / "a_LR.png")
    draw(folder / "c_HR.png")
    halved(folder / "c_HR.png", folder / "c_LR.png")
    pairs = find_pairs(folder)
    assert [(pair.name, pair.scale) for pair in pairs] == [("a.png", 2), ("c_HR.png", 2)]
    rows = list(rows_of(plan(pairs=(folder,), given=("true", "gaussian:1.0"), limit=1), RUN))
    assert [(row["image"], row["degradation"], row["given"]) for row in rows] == [
        ("a.png", "pair", "auto"),
        ("a.png", "pair", "gaussian:1.0"),
    ]
    assert rows[0]["psnr_y"] == rows[0]["interpolation_psnr_y"] > 15
    assert rows[0]["lr_size"] == [24, 30]


def test_a_pair_is_found_in_each_format(folder):
    for suffix in (".png", ".tif"):
        draw(folder / f"c_HR{suffix}")
        halved(folder / f"c_HR{suffix}", folder / f"c_LR{suffix}")
    assert [pair.name for pair in find_pairs(folder)] == ["c_HR.png", "c_HR.tif"]


def test_a_small_image_without_a_large_one_is_reported(folder):
    halved(folder / "a.png", folder / "a_LR.png")
    halved(folder / "a.png", folder / "z_LR.png")
    good, bad = find_pairs(folder)
    assert good.name == "a.png"
    with pytest.raises(ImageFileError, match=r"z\.png: no such file"):
        bad.sharp(2)


def test_the_crop_of_a_pair_is_one_place_of_both(folder):
    halved(folder / "a.png", folder / "a_LR.png")
    (case,) = cases_of(plan(pairs=(folder,), crop=32))
    hr, lr, degradation = case.shrunk(RUN)
    assert (hr.shape[-2:], lr.shape[-2:], degradation.scale) == ((32, 32), (16, 16), 2)
    assert torch.nn.functional.avg_pool2d(hr, 2) == pytest.approx(lr, abs=1.1 / 255)  # Pillow rounds its way
    assert torch.equal(lr, read(folder / "a_LR.png").colour[..., 4:20, 7:23])


def test_an_invalid_pair_is_refused(folder):
    with pytest.raises(InputError, match=r"no pairs in it; name the small image of name.png name_LR.png"):
        find_pairs(folder)
    draw(folder / "a_LR.png", 48, 40)
    with pytest.raises(ImageFileError, match="has 60x48 pixels, which are not a whole multiple of the 40x48"):
        find_pairs(folder)[0].sharp(2)
    with pytest.raises(InputError, match="no such folder"):
        find_pairs(folder / "none")
