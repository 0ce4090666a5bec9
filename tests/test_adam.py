"""Adam without PyTorch's compiler."""

import pytest
import torch

from innersr.adam import Adam


def test_it_gives_the_numbers_of_torchs_own():
    start = [torch.randn(3, 2, generator=torch.Generator().manual_seed(k)) for k in range(3)]
    ours, theirs = ([weight.clone().requires_grad_() for weight in start] for _ in range(2))
    own, reference = Adam(ours, 0.1, (0.5, 0.9)), torch.optim.Adam(theirs, lr=0.1, betas=(0.5, 0.9), fused=True)
    for step in range(4):
        own.learning_rate = reference.param_groups[0]["lr"] = 0.1 / (step + 1)
        for weights, optimizer in ((ours, own), (theirs, reference)):
            optimizer.zero_grad()
            # The last weight has a gradient in every other step only.
            (weights[0] * weights[1].sin() + (step % 2) * weights[2] ** 3).sum().backward()
            weights[2].grad = weights[2].grad if step % 2 else None
            optimizer.step()
    for found, right, before in zip(ours, theirs, start, strict=True):
        assert torch.equal(found, right)
        assert not torch.equal(found, before)
    assert own.state[ours[2]]["step"] == 2


def test_moments_that_are_removed_begin_anew():
    weight = torch.ones(1, requires_grad=True)
    optimizer = Adam([weight], 0.1)
    for gradient in (5.0, -1.0):
        weight.grad = torch.tensor([gradient])
        optimizer.state.clear()
        optimizer.step()
    assert float(weight.detach()) == pytest.approx(1.0)
