"""Input gradient of a critic, built of operations whose second derivative is cheap."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.singan.networks import SLOPE, ConvStack


def input_gradient(critic: ConvStack, x: Tensor) -> Tensor:
    """Gradient of the sum of a critic's scores with respect to its input x, (N, C, H, W), with a graph.

    Equals torch.autograd.grad(critic(x).sum(), x, create_graph=True), but the norms record no statistics. Plain
    autograd makes an iteration of the `paper` preset 1.16 (norms alone) to 1.19 times slower on a CPU.
    """
    return _input_gradient(critic, 0, x)


def _input_gradient(critic: ConvStack, index: int, x: Tensor) -> Tensor:
    """Gradient of the scores with respect to the input of a layer."""
    convolution = critic.convolutions[index]
    if index == len(critic.convolutions) - 1:
        lost = convolution.kernel_size[0] - 1
        ones = x.new_ones(x.shape[0], convolution.out_channels, x.shape[-2] - lost, x.shape[-1] - lost)
        return F.conv_transpose2d(ones, convolution.weight)
    features = convolution(x)
    if critic.norms:
        norm = critic.norms[index]
        normed, mean, gain = torch.native_batch_norm(
            features, norm.weight, norm.bias, None, None, training=True, momentum=0.0, eps=norm.eps
        )
    else:
        normed = features
    active = F.leaky_relu(normed, SLOPE, inplace=True)
    slope = _input_gradient(critic, index + 1, active)
    slope = torch.ops.aten.leaky_relu_backward(slope, active.detach(), SLOPE, True)
    if critic.norms:
        slope = _NormSlope.apply(slope, features, norm.weight, mean, gain)  # type: ignore[no-untyped-call]
    return F.conv_transpose2d(slope, convolution.weight)


class _NormSlope(torch.autograd.Function):
    """The gradient with respect to the input of a batch norm, given that of its output.

    Of a channel with n features x, mean m, g = 1 / sqrt(variance + eps), h = (x - m) g, weight w, the slope s becomes
    w g (s - mean(s) - h mean(s h)). Its own gradients, v being what comes from behind, take five means:

        slope:   the same of v instead of s
        weight:  n g (mean(v s) - mean(v) mean(s) - mean(v h) mean(s h))
        input:   -w g^2 (h (mean(v s) - mean(v) mean(s) - 3 mean(v h) mean(s h))
                         + mean(s h) (v - mean(v)) + mean(v h) (s - mean(s)))
    """

    @staticmethod
    def forward(  # noqa: D102 (as torch calls them)
        ctx: Any,  # noqa: ANN401 (torch gives it no useful type)
        slope: Tensor,
        x: Tensor,
        weight: Tensor,
        mean: Tensor,
        gain: Tensor,
    ) -> Tensor:
        result, along, total = _through(slope, x, weight, mean, gain)
        ctx.save_for_backward(slope, x, weight, mean, gain, along, total)
        return result

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 (likewise)
        slope, x, weight, mean, gain, along, total = ctx.saved_tensors
        to_slope, along_v, total_v = _through(v, x, weight, mean, gain)
        # The kernel that sums v h sums v s as well, with a mean of 0 and a gain of 1.
        nought, one = torch.zeros_like(mean), torch.ones_like(gain)
        _, product, _ = _through(v, slope, one, nought, one, mask=(False, True, True))
        count = x.numel() // x.shape[1]
        s, sh, v_, vh, vs = (sums / count for sums in (total, along, total_v, along_v, product))
        common = vs - v_ * s
        to_weight = count * gain * (common - vh * sh)
        factor = -weight * gain.square()
        of_h = factor * (common - 3 * vh * sh)
        constant = -of_h * gain * mean - factor * (sh * v_ + vh * s)
        to_x = torch.addcmul(_wide(constant), x, _wide(of_h * gain))
        to_x.addcmul_(v, _wide(factor * sh)).addcmul_(slope, _wide(factor * vh))
        return to_slope, to_x.to(x.dtype), to_weight, None, None


def _through(
    slope: Tensor,
    x: Tensor,
    weight: Tensor,
    mean: Tensor,
    gain: Tensor,
    mask: tuple[bool, bool, bool] = (True, True, True),
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient with respect to x, (N, C, H, W), and the sums over slope h and slope, (C,)."""
    return torch.ops.aten.native_batch_norm_backward(slope, x, weight, None, None, mean, gain, True, 0.0, mask)


def _wide(x: Tensor) -> Tensor:
    return x[:, None, None]
