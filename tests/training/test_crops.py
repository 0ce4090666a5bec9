"""Crops of sharp images: what is read, what is cut, and that nothing but the generator decides."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from helpers.methods import RUN, image
from helpers.training import generators, photo, pool, write_photos
from innersr.errors import ImageFileError, InputError
from innersr.images.image import Image
from innersr.images.io import save
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry
from innersr.training.crops import AHEAD, CropPool, Crops, cut_ahead, read_pool

SIDE = 16


def cut(images, count=1, side=SIDE, extra=()):
    return CropPool(tuple(images), tuple(extra), (), 0).crops(side, 0, generators(*range(count))).images


def test_a_crop_depends_on_its_generator_alone():
    together = pool().crops(SIDE, 5, generators(0, 1, 2))
    alone = pool().crops(SIDE, 5, generators(2))
    assert torch.equal(together.images[2:], alone.images)
    assert together.images.shape == (3, 3, SIDE, SIDE)
    assert together.images.dtype == torch.uint8


def test_the_generators_go_on_after_the_crop():
    crops = pool().crops(SIDE, 0, generators(4))
    assert float(torch.rand((), generator=crops.generators[0])) != float(torch.rand((), generator=generators(4)[0]))


def test_crops_come_in_all_eight_symmetries():
    whole = photo(SIDE, SIDE)
    turned = {k: apply_symmetry(whole, k) for k in SYMMETRIES}
    crops = cut([whole], 60)
    assert {k for k in SYMMETRIES for crop in crops if torch.equal(crop, turned[k])} == set(SYMMETRIES)


def test_of_three_places_the_one_with_the_most_structure_is_cut():
    half_flat = photo(SIDE, 200)
    half_flat[..., :100] = 128
    flat = sum(int(crop.float().std() == 0) for crop in cut([half_flat], 200))
    assert 2 <= flat <= 30  # of 200; 0.46^3 is 19, one place would make it 91


@pytest.mark.parametrize("is_extra", [False, True], ids=["grey crops", "crops of the other images"])
def test_six_in_a_hundred(is_extra):
    colourful, other = photo(40, 40), torch.full((3, 40, 40), 7, dtype=torch.uint8)
    crops = cut([colourful], 1000, extra=[other] if is_extra else ())
    rare = (crops == 7).all((1, 2, 3)) if is_extra else (crops[:, :1] == crops).all((1, 2, 3))
    assert 40 <= int(rare.sum()) <= 80


def test_another_share_of_the_other_images():
    other = torch.full((3, 40, 40), 7, dtype=torch.uint8)
    pool = CropPool((photo(40, 40),), (other,), (), 0)._replace(extra_share=0.5)
    rare = (pool.crops(SIDE, 0, generators(*range(400))).images == 7).all((1, 2, 3))
    assert 160 <= int(rare.sum()) <= 240


def test_grey_is_the_mean_of_the_bands():
    colourful = photo(SIDE, SIDE)
    grey = next(crop for crop in cut([colourful], 60) if bool((crop[:1] == crop).all()))
    mean = colourful.float().mean(0).round().byte()
    assert any(torch.equal(grey[0], apply_symmetry(mean, k)) for k in SYMMETRIES)


def test_images_are_shrunk_to_several_sizes_and_never_enlarged(tmp_path):
    folder = write_photos(tmp_path / "photos", 1, (600, 900))
    PillowImage.fromarray(np.zeros((200, 500, 3), np.uint8)).save(folder / "smaller.png")
    found = read_pool([folder], [], 100, RUN)
    assert [x.shape[1:] for x in found.images] == [(320, 480), (427, 640), (533, 800), (192, 480), (200, 500)]
    assert found.too_small == 0


def test_sizes_that_a_crop_does_not_fit_in_are_left_out_and_images_counted(tmp_path):
    folder = write_photos(tmp_path / "photos", 1, (600, 900))
    PillowImage.fromarray(np.zeros((200, 500, 3), np.uint8)).save(folder / "too-small.png")
    found = read_pool([folder], [], 400, RUN)
    assert [x.shape[1:] for x in found.images] == [(427, 640), (533, 800)]
    assert found.too_small == 1


def test_the_extra_folder_is_kept_apart(tmp_path):
    folders = [write_photos(tmp_path / name, 1, sides) for name, sides in {"a": (60, 50), "b": (40, 30)}.items()]
    found = read_pool(folders[:1], folders[1:], SIDE, RUN)
    assert found.computed == {}, "an objective may keep what it computes"
    assert [x.shape[1:] for x in found.images + found.extra] == [(60, 50), (40, 30)]
    assert [(source.folder, source.files) for source in found.sources] == [("a", 1), ("b", 1)]


def test_a_photo_that_need_not_shrink_is_as_it_was(tmp_path):
    found = read_pool([write_photos(tmp_path / "photos")], [], SIDE, RUN)
    assert all(torch.equal(x, photo(200, 180, seed)) for seed, x in enumerate(found.images))


def one_image(folder, name, colour, **others):
    folder.mkdir()
    save(Image(colour=colour, **others), folder / name)
    return read_pool([folder], [], SIDE, RUN).images[0]


def test_grey_and_16_bit_become_rgb_of_8_bit(tmp_path):
    grey = image(1, (20, 20))
    read = one_image(tmp_path / "grey", "grey.png", grey, depth="uint16")
    assert torch.equal(read, (255 * grey[0]).round().byte().expand(3, -1, -1))


def test_what_is_transparent_is_white(tmp_path):
    alpha = torch.zeros(1, 1, 20, 20)
    alpha[..., :10] = 1
    read = one_image(tmp_path / "clear", "clear.png", torch.full((1, 3, 20, 20), 0.2), alpha=alpha)
    assert (read[..., :10] == 51).all()
    assert (read[..., 10:] == 255).all()


def test_values_of_float_files_outside_the_range_are_clipped(tmp_path):
    colour = torch.full((1, 3, 20, 20), 3.0)
    assert (one_image(tmp_path / "bright", "bright.tif", colour, depth="float32") == 255).all()


def test_a_damaged_file_is_not_left_out_silently(tmp_path):
    folder = write_photos(tmp_path / "photos")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n not really")
    with pytest.raises(ImageFileError, match=r"broken\.png"):
        read_pool([folder], [], SIDE, RUN)


def test_other_than_three_bands_are_refused(tmp_path):
    with pytest.raises(ImageFileError, match=r"five\.tif: has 5 bands; give grey and RGB"):
        one_image(tmp_path / "five", "five.tif", torch.zeros(1, 5, 20, 20))


def test_a_folder_of_too_small_images_is_refused(tmp_path):
    folder = write_photos(tmp_path / "photos", 2, (20, 30))
    with pytest.raises(InputError, match="all 2 images are too small for crops of 64 pixels .the longest side is 30"):
        read_pool([folder], [], 64, RUN)


def test_the_checksum_is_of_names_and_contents(tmp_path):
    folder = write_photos(tmp_path / "photos")
    sums = [read_pool([folder], [], SIDE, RUN).sources[0].sha256]
    (folder / "0.png").rename(folder / "00.png")
    sums.append(read_pool([folder], [], SIDE, RUN).sources[0].sha256)
    PillowImage.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "1.png")
    sums.append(read_pool([folder], [], SIDE, RUN).sources[0].sha256)
    assert len(set(sums)) == 3
    (folder / "1.png").unlink()
    PillowImage.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "1.png")
    assert read_pool([folder], [], SIDE, RUN).sources[0].sha256 == sums[2]


def test_steps_are_cut_in_order_and_not_far_ahead():
    begun = []

    def empty(step):
        begun.append(step)
        return Crops(step, torch.zeros(0), [])

    with cut_ahead(empty, range(10)) as upcoming:
        taken = [next(upcoming).step for _ in range(4)]
    assert taken == [0, 1, 2, 3]
    assert begun == list(range(len(begun)))
    assert 4 <= len(begun) <= 4 + AHEAD


def test_what_the_cutter_raises_is_raised_on_taking():
    def broken(step):
        if step == 2:
            raise InputError("no crop")
        return Crops(step, torch.zeros(0), [])

    with cut_ahead(broken, range(9)) as upcoming:
        assert [next(upcoming).step for _ in range(2)] == [0, 1]
        with pytest.raises(InputError, match="no crop"):
            next(upcoming)


def test_the_cutter_ends_when_learning_fails():
    with (
        pytest.raises(KeyboardInterrupt),
        cut_ahead(lambda step: Crops(step, torch.zeros(0), []), range(9)) as upcoming,
    ):
        next(upcoming)
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("crops")]
