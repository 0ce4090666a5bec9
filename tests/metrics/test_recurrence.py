"""Recurrence: what is explained by a larger place, what is not, and that the gain of adapting follows it."""

from pathlib import Path

import pytest
import torch

from helpers.images import facade, grain, twins, waves
from helpers.methods import RUN
from innersr.errors import InputError
from innersr.images.io import read
from innersr.methods.tailor import Tailor
from innersr.metrics import recurrence
from innersr.metrics.fidelity import psnr
from innersr.metrics.grey_levels import quantized
from innersr.metrics.recurrence import recurrence_of, steps_for
from innersr.physics.degradation import Degradation

TOWERS = Path(__file__).parents[2] / "examples" / "towers.png"
SHRUNK = Degradation(scale=2)


def seen(picture):
    """Return what a user would have of a sharp picture: half of it, in 8 bits."""
    return quantized(SHRUNK(picture))


def gain(picture, steps=15):
    """Return by how many dB a short adaptation brings the shrunk picture nearer to the sharp one."""
    lr = seen(picture)
    asis, adapted = (psnr(Tailor(steps=n, views=1).adapt(lr, SHRUNK, RUN)(lr), picture) for n in (0, steps))
    return adapted - asis


def test_the_score_ranks_pictures_by_the_gain_of_adaptation():
    """Gain of 15 steps when this was written: 0.48 dB where windows recur, below 0.1 dB elsewhere."""
    pictures = {"facade": facade(), "towers": read(TOWERS).colour[..., :192, :192], "grain": grain()}
    scores = {name: recurrence_of(seen(picture)).score for name, picture in pictures.items()}
    gains = {name: gain(picture) for name, picture in pictures.items()}
    assert scores["facade"] > 0.6 > 0.25 > scores["towers"] > scores["grain"]
    assert gains["facade"] > 0.4 > 0.2 > max(gains["towers"], gains["grain"])


def test_neither_noise_nor_smooth_shades_recur():
    scores = [recurrence_of(picture).score for picture in (facade(), grain(), waves())]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 2 * scores[1]
    assert scores[2] == 0


def test_a_patch_is_explained_by_its_larger_twin_and_not_by_itself():
    both, alone = twins(), twins()
    alone[..., 100:136, 100:136] = 0.5
    small, large = (slice(26, 46), slice(22, 42)), (slice(104, 132), slice(104, 132))
    found = recurrence_of(both)
    assert float(found.map[small].mean()) > 0.6
    assert float(found.map[small].mean()) > float(found.map[large].mean())
    assert float(recurrence_of(alone).map[small].mean()) < 0.5 * float(found.map[small].mean())


def test_an_example_is_a_patch_and_the_larger_place_that_it_looks_like():
    best = recurrence_of(twins()).pairs[0]
    assert best.explained > 0.75
    assert best.scale == pytest.approx(2 / 3)
    assert best.source.side == pytest.approx(best.patch.side * 1.5)
    # Where the patch lies in the small twin, the source lies in the large one.
    inside_small = (best.patch.top - 24) / 24, (best.patch.left - 20) / 24
    inside_large = (best.source.top - 100) / 36, (best.source.left - 100) / 36
    assert inside_large == pytest.approx(inside_small, abs=1.5 / 36)  # a pixel of rounding, and a half


def test_examples_lie_apart_and_inside():
    picture = facade(192)
    pairs = recurrence_of(picture).pairs
    assert len(pairs) == 4
    boxes = [box for pair in pairs for box in (pair.patch, pair.source)]
    for number, box in enumerate(boxes):
        assert min(box.top, box.left) > -1
        assert max(box.top, box.left) + box.side < 193
        for other in boxes[:number]:
            assert max(abs(a - b) for a, b in zip(box[:2], other[:2], strict=True)) > box.side / 2


def test_the_score_is_the_mean_of_a_map_of_parts():
    found = recurrence_of(facade(96)[..., :70])
    assert found.map.shape == (96, 70)
    assert [float(found.map.min()), float(found.map.max())] == pytest.approx([0.5, 0.5], abs=0.5)
    assert found.score == pytest.approx(float(found.map.mean()), abs=1e-6)
    assert found.score <= found.detail <= 1


def test_the_same_image_gives_the_same_bytes():
    first, second = recurrence_of(facade(96)), recurrence_of(facade(96))
    assert torch.equal(first.map, second.map)
    assert first.pairs == second.pairs


def test_contrast_below_the_noise_is_no_detail():
    noisy = 0.5 + 0.04 * torch.randn(1, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    assert recurrence_of(noisy).detail > 0.9
    assert recurrence_of(noisy, noise=0.04).detail < 0.05


@pytest.mark.parametrize("bands", [2, 3, 5])
def test_equal_channels_count_as_one(bands):
    grey = facade(96)
    alike = recurrence_of(grey.expand(1, bands, -1, -1))
    assert alike.score == pytest.approx(recurrence_of(grey).score, abs=0.01)  # the sums of the bands are rounded


def test_large_images_are_sampled(monkeypatch):
    sizes = []

    def counted(queries, entries, **_):
        sizes.append((len(queries.points), len(entries.points)))
        return recurrence._Match(torch.ones(len(queries.points)), torch.zeros(len(queries.points), dtype=torch.long))

    monkeypatch.setattr(recurrence, "_nearest", counted)
    monkeypatch.setattr(recurrence, "_examples", lambda *_: ())
    assert recurrence_of(grain(700)).map.shape == (700, 700)
    ((queries, entries),) = sizes
    assert queries <= recurrence.SETTINGS.queries
    assert entries <= recurrence.SETTINGS.entries


@pytest.mark.parametrize("sides", [(1, 1), (9, 40), (10, 10), (12, 300)])
def test_small_and_narrow_images_are_measured(sides):
    found = recurrence_of(grain(300)[..., : sides[0], : sides[1]])
    assert found.map.shape == sides
    assert 0 <= found.score <= 1


def test_an_image_of_one_colour_has_no_recurrence():
    found = recurrence_of(torch.full((1, 3, 64, 64), 0.3))
    assert (found.score, found.detail, found.pairs) == (0, 0, ())


def test_the_higher_the_score_the_more_steps():
    steps = [steps_for(score / 100, 120) for score in range(101)]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[20] == 60
    assert set(steps[40:]) == {120}
    assert steps_for(0.001, 120) == 1


@pytest.mark.parametrize(
    ("image", "noise", "text"),
    [
        (torch.zeros(2, 3, 20, 20), 0, r"needs one image, \(1, C, H, W\), got \(2, 3, 20, 20\)"),
        (torch.zeros(3, 20, 20), 0, r"got \(3, 20, 20\)"),
        (torch.zeros(1, 3, 0, 20), 0, r"got \(1, 3, 0, 20\)"),
        (torch.full((1, 3, 20, 20), float("nan")), 0, "NaN or infinite"),
        (torch.zeros(1, 3, 20, 20, dtype=torch.uint8), 0, "floating point in .* got torch.uint8"),
        (torch.zeros(1, 3, 20, 20), -0.1, "noise is a standard deviation, 0 or more, got -0.1"),
        (torch.zeros(1, 3, 20, 20), float("nan"), "0 or more, got nan"),
    ],
)
def test_invalid_images_and_noise_are_refused(image, noise, text):
    with pytest.raises(InputError, match=text):
        recurrence_of(image, noise)
