import pytest
import torch

from innersr.singan.patches.search import Patches, at_heights, nearest, patches_of, principal_axes, propagate
from innersr.singan.patches.votes import assemble


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def lines(values):
    """Patches of one number each, in one row."""
    return Patches(features=torch.tensor(values)[:, None], size=(1, len(values)))


def axes_of(channels, side):
    """Every pixel of a patch is an axis of its own: distances are exact."""
    return torch.eye(channels * side**2).view(-1, channels, side, side)


def test_all_axes_together_keep_the_distances_of_patches():
    x = random(1, 2, 9, 8)
    own, turned = (patches_of(x, axes).features for axes in (axes_of(2, 3), principal_axes(x, 3, 18)))
    before, after = (torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") for x in (own, turned))
    assert torch.allclose(before, after, atol=1e-5)


def test_of_equal_patches_those_at_the_height_are_found():
    tall = Patches(features=torch.zeros(5, 3), size=(5, 1))
    keys, queries = (at_heights(tall, torch.tensor(heights), 2.0) for heights in ([0, 0.25, 0.5, 0.75, 1], [0.8] * 5))
    assert nearest(queries, keys).tolist() == [3] * 5
    apart = (keys.features[0] - keys.features[4]).square().sum()
    assert float(apart) == pytest.approx(2)


def test_the_first_axes_are_those_of_the_largest_variance():
    x = random(1, 1, 1, 40).expand(1, 1, 30, 40) + 0.1 * random(1, 1, 30, 40, seed=1)
    variances = patches_of(x, principal_axes(x, 3, 9)).features.var(dim=0)
    assert torch.equal(variances, variances.sort(descending=True).values)
    assert float(variances[:3].sum()) > 0.95 * float(variances.sum())  # what is the same along columns


def test_the_nearest_keys_are_found():
    queries, keys = (Patches(features=random(count, 5, seed=count), size=(1, count)) for count in (30, 50))
    expected = torch.cdist(queries.features, keys.features).argmin(dim=1)
    assert torch.equal(nearest(queries, keys), expected)


def test_completeness_makes_queries_take_keys_that_nobody_needs_yet():
    # Both queries are nearest to 0. The key 1 is left over: a query that is hardly farther takes it.
    queries, keys = lines([0.0, 0.45]), lines([0.0, 1.0])
    assert nearest(queries, keys).tolist() == [0, 0]
    assert nearest(queries, keys, completeness=0.01).tolist() == [0, 1]


def test_keys_that_fit_nowhere_are_not_preferred_at_any_price():
    # The query 0 is far from all keys that the other one needs, and farther still from 3, which fits nowhere.
    queries, keys = lines([0.0, 0.5]), lines([0.4, 0.6, 0.6, 3.0])
    assert nearest(queries, keys, completeness=0.001).tolist() == [3, 0]
    assert nearest(queries, keys, completeness=0.001, most=4).tolist() == [0, 0]
    assert nearest(queries, queries, completeness=0.001, most=4).tolist() == [0, 1]  # a median of 0


def test_a_quota_makes_queries_that_are_alike_take_several_keys():
    queries, keys = lines([0.0] * 80), lines([0.1 + 0.001 * n for n in range(40)])
    counts, free = (nearest(queries, keys, quota=quota).bincount(minlength=40).float() for quota in (3.0, float("inf")))
    assert free.tolist() == [80] + [0] * 39
    assert int(counts.max()) < 80
    assert int((counts > 0).sum()) > 1


def test_a_quota_leaves_keys_that_are_found_seldom_as_they_are():
    queries, keys = (Patches(features=random(count, 5, seed=count), size=(1, count)) for count in (30, 50))
    assert torch.equal(nearest(queries, keys, quota=30.0), nearest(queries, keys))
    few = lines([0.0, 0.3, 0.6])  # of four hundred keys each is found once at most
    many = lines([0.01 * n for n in range(400)])
    assert torch.equal(nearest(few, many, quota=1.0), nearest(few, many))


def test_places_that_are_not_allowed_are_never_found():
    queries = lines([0.0, 1.0, 2.0])
    keys = Patches(features=queries.features, size=(1, 3), allowed=torch.tensor([True, False, True]))
    for options in ({}, {"completeness": 0.1}, {"quota": 1.0}):
        found = nearest(queries, keys, **options)
        assert 1 not in found.tolist()
    found, distances = propagate(queries, keys, torch.tensor([1, 1, 1]), torch.Generator().manual_seed(0), rounds=3)
    assert 1 not in found.tolist()
    assert distances.isfinite().all()


def test_neighbours_spread_a_single_right_place_over_all():
    x = random(1, 3, 24, 30)
    patches = patches_of(x, axes_of(3, 3))
    right = torch.arange(len(patches.features))
    start = torch.zeros_like(right)
    start[300] = 300
    found, distances = propagate(patches, patches, start, torch.Generator().manual_seed(0), rounds=6)
    assert torch.equal(found, right)
    assert float(distances.max()) == 0


def test_a_search_never_loses_what_it_had():
    queries, keys = (patches_of(random(1, 1, 20, 20, seed=seed), axes_of(1, 5)) for seed in (0, 1))
    exact = nearest(queries, keys)
    found, distances = propagate(queries, keys, exact, torch.Generator().manual_seed(0))
    before = (queries.features - keys.features[exact]).square().sum(dim=1)
    assert bool((distances <= before + 1e-5).all())
    assert float((found == exact).float().mean()) > 0.99  # all but ties within rounding


def test_patches_at_their_own_places_are_the_picture():
    x = random(1, 2, 12, 15)
    assert torch.allclose(assemble(torch.arange(10 * 13), (10, 13), x, 3), x, atol=1e-6)


def test_patches_that_wrap_are_the_picture_too():
    x = random(1, 2, 12, 15)
    source = torch.nn.functional.pad(x, (0, 2, 0, 2), mode="circular")
    made = assemble(torch.arange(12 * 15), (12, 15), source, 3, wraps=(True, True))
    assert torch.allclose(made, x, atol=1e-6)


def test_votes_far_from_the_mean_count_less():
    # In the middle of five pixels two patches of 1 and one of -1 overlap.
    source = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0]).view(1, 1, 1, 6).expand(1, 1, 3, 6)
    found = torch.tensor([0, 0, 3])
    mean = assemble(found, (1, 3), source, 3)
    sharp = assemble(found, (1, 3), source, 3, anchor=mean)
    assert float(mean[0, 0, 0, 2]) < 0.34 < 0.49 < float(sharp[0, 0, 0, 2]) < 1
    assert torch.allclose(mean[..., 0], sharp[..., 0])
    # Once more, and it is what most of them say.
    assert float(assemble(found, (1, 3), source, 3, anchor=sharp)[0, 0, 0, 2]) > 0.95
