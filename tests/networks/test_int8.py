"""Weights in 8 bits: how near they come back, and what does not fit together."""

import pytest
import torch

from innersr.networks.int8 import from_int8, to_int8


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_weights_come_back_within_half_a_step_of_their_channel():
    weight = drawn(5, 4, 3, 3) * torch.tensor([1, 1e-3, 7, 0, 20]).view(5, 1, 1, 1)
    stored = to_int8({"w": weight})
    assert stored["w"].dtype == torch.int8 and stored["w.peaks"].dtype == torch.float16
    back = from_int8(stored)["w"]
    # Half a step, and the largest weight's own rounding, to 11 bits.
    allowed = weight.flatten(1).abs().amax(1) * (0.5 / 127 + 2.0**-11)
    assert ((back - weight).flatten(1).abs().amax(1) <= allowed).all()


def test_whole_steps_come_back_exactly():
    weight = torch.tensor([[127.0, -127, 1, 0], [64, -1, -63.5, 0.5]])
    assert torch.equal(from_int8(to_int8({"w": weight}))["w"][0], weight[0])
    assert torch.equal(from_int8(to_int8({"w": weight}))["w"][1].sign(), weight[1].sign())


def test_vectors_are_halved_and_whole_numbers_kept():
    tensors = {"bias": drawn(7), "count": torch.tensor([[3, 4]])}
    stored = to_int8(tensors)
    assert torch.equal(stored["bias"], tensors["bias"].half())
    assert torch.equal(stored["count"], tensors["count"])
    assert set(from_int8(stored)) == set(tensors)


def test_what_has_no_peaks_stays_as_it_is():
    tensors = {"w": drawn(2, 3).half(), "far.peaks": drawn(2)}
    back = from_int8(tensors)
    assert all(back[name] is tensor for name, tensor in tensors.items())


@pytest.mark.parametrize(
    ("weight", "peaks"),
    [
        (torch.zeros(3, 2, dtype=torch.int8), torch.ones(2)),
        (torch.zeros(3, 2, dtype=torch.int8), torch.ones(3, 1)),
        (torch.zeros(3, 2, dtype=torch.int8), torch.ones(3, dtype=torch.int8)),
        (torch.zeros(3, 2), torch.ones(3)),
        (torch.zeros((), dtype=torch.int8), torch.ones(1)),
    ],
    ids=["fewer", "another shape", "no fractions", "no 8 bits", "a number"],
)
def test_peaks_that_do_not_fit_are_named(weight, peaks):
    with pytest.raises(ValueError, match=r"'w\.peaks' does not fit 'w'"):
        from_int8({"w": weight, "w.peaks": peaks})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_what_float16_cannot_hold_shows_in_the_peaks(value):
    weight = drawn(3, 2)
    weight[1, 0] = value
    assert to_int8({"w": weight})["w.peaks"].isfinite().tolist() == [True, False, True]
