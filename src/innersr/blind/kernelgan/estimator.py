"""KernelGAN: the kernel under which the shrunk image has the same patches as the image (Bell-Kligler, NeurIPS 2019).

Small patches recur across the scales of an image, most of all if it is shrunk with the kernel that it was made with
(Michaeli and Irani 2013). So a linear generator learns to shrink the image such that a discriminator cannot distinguish
patches of the result from those of the image; the generator's kernel is the estimate.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.adam import Adam
from innersr.blind.kernelgan.constraints import LossWeights
from innersr.blind.kernelgan.networks import (
    KERNEL_SIDE,
    STRIDE,
    DeepLinearGenerator,
    DiscriminatorWeights,
    PatchDiscriminator,
)
from innersr.divergence import DivergenceGuard
from innersr.errors import InputError, KernelError
from innersr.isolation import isolated, require_tensor
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Scale, as_pair, resize
from innersr.run import Run

SMALLEST_SIDE = 32  # pixels of the image and of a crop: 4x4 patches are left after shrinking


@dataclass(frozen=True, kw_only=True)
class KernelGAN:
    """Estimation of an image's blur kernel by internal learning.

    Args:
        steps: of each network.
        crop: side of the crops that are shrunk, in pixels, even; less in smaller images.
        learning_rate: of Adam at first; it falls to a tenth after each quarter.
        width: features of the networks' hidden layers.
        noise: standard deviation, in [0, 1), of noise that hides the image's rounding from the discriminator.
    """

    steps: int = 3000
    crop: int = 64
    learning_rate: float = 2e-4
    width: int = 64
    noise: float = 1 / 255

    def __post_init__(self) -> None:
        if min(self.steps, self.width) < 1:
            raise InputError(f"steps and width must be at least 1, got {self.steps} and {self.width}")
        if self.crop < SMALLEST_SIDE or self.crop % STRIDE:
            raise InputError(f"crop must be even and at least {SMALLEST_SIDE} pixels, got {self.crop}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        if not 0 <= self.noise < 1:
            raise InputError(f"noise is a standard deviation in [0, 1), got {self.noise}; divide 8-bit levels by 255")

    @isolated
    def estimate(self, lr: Tensor, scale: Scale, run: Run, note: Callable[[str], None] = warnings.warn) -> Degradation:
        """Estimate the degradation of an image, (1, C, H, W) in [0, 1] on run's device.

        Its kernel is learned at scale 2, and converted by `degradation_at`. The position of the LR pixels cannot be
        learned from an image; the degradation is "aligned". `note` is called with a sentence where learning diverged.

        Raises:
            InputError: not one image, or of fewer than 32 pixels on a side.
            KernelError: no kernel has formed: too few steps, or too little time.
        """
        if require_tensor(lr).ndim != 4 or lr.shape[0] != 1:
            raise InputError(f"KernelGAN learns from one image, (1, C, H, W), got shape {tuple(lr.shape)}")
        if min(lr.shape[-2:]) < SMALLEST_SIDE:
            found, needed = f"{lr.shape[-1]}x{lr.shape[-2]}", f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
            raise InputError(f"KernelGAN needs at least {needed} pixels, the image has {found}; name a kernel instead")
        return degradation_at(scale, threshold_taps(self._train(lr, run.start(), note)))

    def _train(self, lr: Tensor, run: Run, note: Callable[[str], None]) -> Tensor:
        """Train both networks and return the generator's kernel, (13, 13) on the CPU."""
        draws = run.generator()
        generator = DeepLinearGenerator(width=self.width, generator=draws).to(lr.device)
        discriminator = PatchDiscriminator(lr.shape[1], width=self.width, generator=draws).to(lr.device)
        networks = generator, discriminator
        optimizers = [Adam(n.parameters(), self.learning_rate, betas=(0.5, 0.999)) for n in networks]
        changing = [tensor for network in networks for tensor in network.state_dict(keep_vars=True).values()]
        guard = DivergenceGuard(changing, optimizers)
        crops, loss_weights = draw_crops(2 * lr - 1, self.crop, self.steps, draws), LossWeights()
        steps = run.steps("kernel", self.steps)
        for step in guard.guarded(steps):
            progress = min(1.0, max(step / self.steps, run.time_used()))
            for optimizer in optimizers:
                optimizer.learning_rate = self.learning_rate * guard.rate_share * 0.1 ** math.floor(4 * progress)
            crop = next(crops)
            # Differs from the reference code: noise is added to copies, never to the image itself, where it would
            # accumulate; and it is equally strong in everything that the discriminator sees.
            noise = 2 * self.noise * torch.randn(3, *crop.real.shape[1:], generator=draws).to(lr)
            weights = discriminator.spectrally_normalised_weights()

            kernel = generator.kernel()
            small = downscale(crop.large, kernel)
            bicubic_error = F.mse_loss(small, crop.target)
            probability = discriminator(small + noise[:1], DiscriminatorWeights(*(w.detach() for w in weights)))
            loss = gan_loss(probability, 1) + loss_weights.bicubic * bicubic_error + loss_weights.penalty(kernel)
            if not guard.is_sound(loss.detach()):
                continue
            optimizers[0].zero_grad()
            loss.backward(inputs=list(generator.parameters()))
            optimizers[0].step()

            with torch.no_grad():
                fake = downscale(crop.large, generator.kernel())
            of_real, of_fake = discriminator(torch.cat([crop.real, fake]) + noise[1:], weights)
            optimizers[1].zero_grad()
            (0.5 * (gan_loss(of_real, 1) + gan_loss(of_fake, 0))).backward()
            optimizers[1].step()

            loss_weights.observe(progress, float(bicubic_error.detach() / crop.target.square().mean()))
            steps.note(loss.detach())
        for sentence in guard.settle():
            note(sentence)
        return generator.kernel().detach().cpu()


class StepCrops(NamedTuple):
    """The crops of one training step, in [-1, 1]."""

    large: Tensor  # (C, 1, side, side): each channel by itself, to be shrunk
    target: Tensor  # (1, C, n, n): the same, shrunk by bicubic interpolation
    real: Tensor  # (1, C, n, n): from another place of the image


def draw_crops(image: Tensor, side: int, count: int, draws: torch.Generator) -> Iterator[StepCrops]:
    """Draw the crops of `count` steps, preferably from places with large gradients.

    Args:
        image: (1, C, H, W); never changed.
        side: of the crops to shrink, even; less in smaller images.
        count: of steps.
        draws: of the places.
    """
    height, width = (n // STRIDE * STRIDE for n in image.shape[-2:])
    side = min(side, height, width)
    # The image's border of 10 pixels is left out, if the image is large enough.
    rims = [min(10, (n - side) // 2) for n in (height, width)]
    image = image[..., rims[0] : height - rims[0], rims[1] : width - rims[1]]
    # Differs from the reference code: every channel is shrunk to itself, not all three to their sum.
    half = resize(image, 1 / STRIDE)
    lost = KERNEL_SIDE - 1  # pixels by which the kernel makes a crop smaller before it is halved
    n, inset = (side - lost) // STRIDE, lost // (2 * STRIDE)
    # Places in the half image are even ones of the image; the generator's output is the middle of the crop there.
    shrunk_places = draw_places(crop_weights(half, side // STRIDE), count, draws)
    real_places = draw_places(crop_weights(image, n), count, draws)
    for (top, left), real_place in zip(shrunk_places, real_places, strict=True):
        large = _cut(image, STRIDE * top, STRIDE * left, side)
        yield StepCrops(large.transpose(0, 1), _cut(half, top + inset, left + inset, n), _cut(image, *real_place, n))


def crop_weights(image: Tensor, side: int) -> Tensor:
    """Relative probabilities of crops of (1, C, H, W): the mean gradient in their middle, above 0.

    Returns:
        (H - side + 1, W - side + 1).
    """
    rows, columns = torch.gradient(image.mean((0, 1)), dim=(-2, -1))
    size = rows.abs() + columns.abs()
    # Differs from the reference code, which marks the steepest 3 % of the pixels and ignores the others, so that few
    # places are left in small images. Here steeper is better up to the same bound.
    bound = size.flatten().kthvalue(math.ceil(0.97 * size.numel())).values
    middle, margin = side - side // 2, side // 4
    means = F.avg_pool2d(F.avg_pool2d(size.minimum(bound)[None], (middle, 1), 1), (1, middle), 1)[0]
    inside = means[margin : margin + size.shape[0] - side + 1, margin : margin + size.shape[1] - side + 1]
    return inside.clamp(min=1e-6)  # also of a flat image


def draw_places(weights: Tensor, count: int, draws: torch.Generator) -> list[tuple[int, int]]:
    """Draw (row, column) places with probabilities proportional to the weights."""
    sums = weights.cpu().double().flatten().cumsum(0)
    points = sums[-1] * torch.rand(count, generator=draws, dtype=torch.float64)
    found = torch.searchsorted(sums, points, right=True).clamp(max=len(sums) - 1)
    return [divmod(place, weights.shape[1]) for place in found.tolist()]


def downscale(images: Tensor, kernel: Tensor) -> Tensor:
    """Correlate (C, 1, H, W) with the kernel at stride 2, where all of it fits: (1, C, h, w)."""
    return F.conv2d(images, kernel[None, None], stride=STRIDE).transpose(0, 1)


def gan_loss(probabilities: Tensor, target: float) -> Tensor:
    """Mean absolute difference from the target, as in the reference code; the paper names LSGAN, which has squares."""
    return (probabilities - target).abs().mean()


def threshold_taps(kernel: Tensor) -> Tensor:
    """Soft-threshold the taps of a learned kernel, of which about the 40 strongest are left, and normalise their sum.

    Raises:
        KernelError: the taps add up to less than 0.5; the training aims at 1.
    """
    if not float(kernel.sum()) >= 0.5:
        raise KernelError(
            f"KernelGAN has not formed a kernel: its taps add up to {float(kernel.sum()):.2g} instead of 1; "
            "give it more steps or more time"
        )
    threshold = 0.75 * float(kernel.flatten().sort(descending=True).values[40])
    return kernels.normalised((kernel - max(0.0, threshold)).clamp(min=0))


def degradation_at(scale: Scale, kernel: Tensor) -> Degradation:
    """Convert a kernel of scale 2, (rows, columns), into the degradation at `scale`.

    An image of half the size would have been made with the same kernel, so at scale 4 the image was shrunk with it
    twice, k4 = k2 * (k2 with a zero between its taps), as the paper says; and at scale 8 three times. Other scales
    take the kernel of the nearest of these, `Degradation.rescaled`.
    """
    doublings = min(max(round(sum(math.log2(s) for s in as_pair(scale)) / 2), 1), 3)
    composed = kernel[None, None]
    for before in range(1, doublings):
        composed = F.conv_transpose2d(kernel[None, None], composed, stride=2**before)
    # Differs from the reference code: only negligible taps are cut off. There k2 grows to 17x17 by being moved to its
    # place; here the degradation's anchor does that.
    top, bottom, left, right = kernels.extent(composed[0, 0], kernels.NEGLIGIBLE_TAP)
    return Degradation(scale=2.0**doublings, kernel=composed[0, 0, top:bottom, left:right]).rescaled(scale)


def _cut(image: Tensor, top: int, left: int, side: int) -> Tensor:
    return image[..., top : top + side, left : left + side]
