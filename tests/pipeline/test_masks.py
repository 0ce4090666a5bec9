"""Masks: what is black is interpolated to the last pixel, what is white is the result, and who takes no mask."""

import numpy as np
import pytest
import pyvips
import tifffile
import torch

import innersr
from innersr.errors import ImageFileError, InputError
from innersr.images.io import read
from innersr.pipeline.masks import read_detail_mask

LR, HR = (20, 24), (40, 48)


@pytest.fixture
def photo(tmp_path):
    values = np.random.default_rng(3).integers(0, 256, (*LR, 3), np.uint8)
    path = tmp_path / "photo.png"
    pyvips.Image.new_from_array(values).gaussblur(0.8).write_to_file(str(path))
    return path


@pytest.fixture
def half(tmp_path):
    """A mask whose left half is black."""
    return drawn(tmp_path / "half.png", np.where(np.arange(LR[1]) < 12, 0, 255) + np.zeros(LR))


def drawn(path, values):
    pyvips.Image.new_from_array(np.asarray(values).astype(np.uint8)).write_to_file(str(path))
    return path


def share(path, **options):
    return read_detail_mask(path, LR, HR, pixel_limit=20_000, **options).share


def upscaled(photo, **options):
    out = photo.with_name("out.png")
    innersr.upscale(
        photo, output=out, overwrite=True, **({"method": "backprojection", "kernel": "gaussian:1.5"} | options)
    )
    return read(out).colour


def test_black_is_interpolated_and_white_is_the_result(photo, half):
    plain, sharp = upscaled(photo, method="bicubic"), upscaled(photo)
    masked = upscaled(photo, mask=half)
    assert torch.equal(masked[..., :24], plain[..., :24])
    assert torch.equal(masked[..., 28:], sharp[..., 28:])
    between = masked[..., 24:28]
    assert bool(((between - plain[..., 24:28]) * (between - sharp[..., 24:28]) <= 1e-6).all())
    assert not torch.equal(plain[..., :24], sharp[..., :24])


def test_detail_fades_in_over_two_pixels_of_the_picture(half):
    assert share(half)[0, 0, 20, 22:30].tolist() == pytest.approx([0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    steps = share(half)[0, 0, 20].diff()
    assert float(steps.max()) < 0.21 and float(steps.min()) >= 0


def test_a_mask_of_the_size_of_the_result_is_taken_as_it_is(tmp_path):
    values = np.full(HR, 255)
    values[10, 31] = 0
    alone = share(drawn(tmp_path / "fine.png", values))
    assert float(alone[0, 0, 10, 31]) == 0
    assert float(alone[0, 0, 10, 36]) == 1 and float(alone[0, 0, 15, 31]) == 1
    assert 0 < float(alone[0, 0, 10, 34]) < 1


def test_a_mask_of_any_size_is_stretched(tmp_path):
    values = np.where(np.arange(24 * 5) < 12 * 5, 0, 255) + np.zeros((20 * 5, 1))
    large = share(drawn(tmp_path / "large.png", values))
    assert torch.equal(large[0, 0, 0], share(drawn(tmp_path / "half.png", values[::5, ::5]))[0, 0, 0])


def test_grey_mixes_and_transparency_is_black(tmp_path):
    assert torch.allclose(share(drawn(tmp_path / "grey.png", np.full(LR, 51))), torch.tensor(0.2))
    clear = pyvips.Image.new_from_array(np.dstack([np.full(LR, 255), np.zeros(LR)]).astype(np.uint8))
    clear.copy(interpretation="b-w").write_to_file(str(tmp_path / "clear.png"))
    assert float(share(tmp_path / "clear.png").max()) == 0


def test_a_mask_of_a_seamless_picture_fades_across_the_seam(half):
    there = share(half, wraps=(False, True))[0, 0, 20]
    assert float(there[-1]) < 0.5 < float(share(half)[0, 0, 20, -1])
    assert float(there[20]) == 0


def test_values_without_data_stay_as_they_are(tmp_path, half):
    values = np.random.default_rng(4).random(LR).astype(np.float32)
    values[4:8, 10:16] = np.nan
    tifffile.imwrite(tmp_path / "height.tif", values)
    innersr.upscale(tmp_path / "height.tif", output=tmp_path / "out.tif", method="backprojection", mask=half)
    innersr.upscale(tmp_path / "height.tif", output=tmp_path / "plain.tif", method="bicubic")
    found, plain = (tifffile.imread(tmp_path / name) for name in ("out.tif", "plain.tif"))
    assert np.array_equal(np.isnan(found), np.isnan(plain)) and np.isnan(found).any()
    assert np.allclose(found[:, :24], plain[:, :24], atol=1e-6, equal_nan=True)


def test_alpha_is_interpolated_too(tmp_path, half):
    values = np.random.default_rng(5).integers(0, 256, (*LR, 4), np.uint8)
    pyvips.Image.new_from_array(values).write_to_file(str(tmp_path / "clear.png"))
    found = []
    for options in ({"mask": half}, {"method": "bicubic"}, {}):
        path = tmp_path / "out.png"
        given = {"method": "backprojection", "kernel": "bicubic"} | options
        innersr.upscale(tmp_path / "clear.png", output=path, overwrite=True, **given)
        found.append(read(path).alpha)
    masked, plain, sharp = found
    assert torch.equal(masked[..., :24], plain[..., :24])
    assert not torch.equal(plain[..., :24], sharp[..., :24])


def test_a_mask_of_another_shape_is_refused_before_the_work(photo, tmp_path):
    other = drawn(tmp_path / "other.png", np.zeros((20, 20)))
    words = "other.png: the mask has 20 x 20 pixels, which is another shape than the picture's 24 x 20; draw it on"
    with pytest.raises(ImageFileError, match=words):
        upscaled(photo, mask=other)
    assert not (tmp_path / "out.png").exists()


def test_those_without_a_whole_picture_refuse_a_mask(photo, half, tmp_path):
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, np.zeros((2, *LR), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"pages.tif: a mask \(--mask\) is for one picture, not for a stack"):
        innersr.upscale(pages, output=tmp_path / "out.tif", mask=half)
    frames = [pyvips.Image.black(24, 20) + value for value in (0, 90)]
    film = pyvips.Image.arrayjoin(frames, across=1).cast("uchar").copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", 20)
    film.write_to_file(str(tmp_path / "film.gif"))
    with pytest.raises(InputError, match=r"film.gif: a mask \(--mask\) is for one picture, not for a film"):
        innersr.upscale(tmp_path / "film.gif", output=tmp_path / "out.gif", mask=half)
    with pytest.raises(InputError, match=r"not upscaled in strips: a mask \(--mask\) is of the whole picture"):
        upscaled(photo, mask=half, strips="always")
    with pytest.raises(InputError, match="pixelart repeats the pixels as they are, and has no use for mask"):
        upscaled(photo, mask=half, method="pixelart", kernel="auto")
