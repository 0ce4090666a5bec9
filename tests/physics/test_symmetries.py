import torch

from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, central_crop, random_crop, undo_symmetry


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_symmetries_are_undone():
    x = torch.arange(30).reshape(2, 3, 5)
    assert all(torch.equal(undo_symmetry(apply_symmetry(x, k), k), x) for k in SYMMETRIES)


def test_the_eight_symmetries_are_distinct_and_complete():
    x = torch.arange(9).reshape(3, 3)
    turned = [apply_symmetry(x, k) for k in SYMMETRIES]
    assert len({tuple(one.flatten().tolist()) for one in turned}) == 8
    for one in turned:
        for k in SYMMETRIES:  # two in a row are a third
            assert sum(torch.equal(apply_symmetry(one, k), other) for other in turned) == 1


def test_the_bits_of_a_symmetry_are_a_transposition_and_two_flips():
    x = torch.arange(6).reshape(2, 3)
    expected = {0: x, 1: x.flip(-1), 2: x.flip(-2), 3: x.rot90(2), 4: x.mT, 5: x.rot90(-1), 6: x.rot90(1)}
    assert all(torch.equal(apply_symmetry(x, k), turned) for k, turned in expected.items())


def test_a_central_crop_leaves_as_much_on_each_side():
    x = torch.arange(6 * 7).reshape(1, 6, 7)
    assert torch.equal(central_crop(x, 4), x[..., 1:5, 1:5])
    assert torch.equal(central_crop(x, 7), x)
    assert torch.equal(central_crop(x, 1)[0], x[0, 2:3, 3:4])


def test_crops_are_views_of_every_place():
    x = torch.arange(6 * 7).reshape(1, 1, 6, 7)
    generator = seeded(1)
    corners = set()
    for _ in range(200):  # one of 12 places is missed once in three million seeds
        crop = random_crop(x, 4, generator)
        top, left = divmod(int(crop[0, 0, 0, 0]), 7)
        assert torch.equal(crop, x[..., top : top + 4, left : left + 4])
        assert crop.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
        corners.add((top, left))
    assert corners == {(top, left) for top in range(3) for left in range(4)}


def test_a_crop_is_never_larger_than_the_image():
    x = torch.arange(12).reshape(3, 4)
    assert torch.equal(random_crop(x, 9, seeded()), x)


def test_a_seed_crops_the_same_places_again():
    x = torch.arange(10_000).reshape(100, 100)
    first, second = ([random_crop(x, 8, g) for _ in range(5)] for g in (seeded(5), seeded(5)))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_crops_of_a_wrapped_axis_begin_anywhere():
    x = torch.arange(6 * 7).reshape(1, 1, 6, 7)
    tiled = x.repeat(1, 1, 2, 2)
    generator = seeded(1)
    for wrap, places in (((True, True), (6, 7)), ((True, False), (6, 4)), ((False, True), (3, 7))):
        corners = set()
        for _ in range(400):  # one of 42 places is missed once in 300 seeds
            crop = random_crop(x, 4, generator, wrap)
            top, left = divmod(int(crop[0, 0, 0, 0]), 7)
            assert torch.equal(crop, tiled[..., top : top + 4, left : left + 4])
            corners.add((top, left))
        assert corners == {(top, left) for top in range(places[0]) for left in range(places[1])}


def test_an_axis_that_wraps_is_left_whole_where_the_crop_is_as_long():
    x = torch.arange(12).reshape(3, 4)
    assert torch.equal(random_crop(x, 9, seeded(), (True, True)), x)
    crop = random_crop(x, 3, seeded(4), (True, True))
    assert torch.equal(crop[:, 0] % 4, crop[0, 0].expand(3) % 4)
    assert crop[:, 0].tolist() == sorted(crop[:, 0].tolist())


def test_without_wrap_the_draws_are_the_same():
    x = torch.arange(10_000).reshape(100, 100)
    first, second = seeded(5), seeded(5)
    for _ in range(5):
        crop = random_crop(x, 8, first, (False, False))
        top, left = (int(torch.randint(93, (), generator=second)) for _ in range(2))
        assert torch.equal(crop, x[top : top + 8, left : left + 8])
