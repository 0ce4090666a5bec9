"""KernelGAN: the kernel under which the shrunk image has the same patches as the image (Bell-Kligler, NeurIPS 2019).

Small patches recur in an image at other scales, most of all when it is shrunk by the kernel that it was made with
(Michaeli and Irani 2013). So a generator learns to shrink the image in such a way that a discriminator cannot tell
patches of the result from those of the image. It is linear: a kernel is all that it can learn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.blind.kernelgan.constraints import LossWeights
from innersr.blind.kernelgan.networks import (
    KERNEL_SIDE,
    STRIDE,
    DeepLinearGenerator,
    DiscriminatorWeights,
    PatchDiscriminator,
)
from innersr.errors import InputError, KernelError
from innersr.physics import kernels
from innersr.physics.degradation import Degradation
from innersr.physics.resize import Scale, as_pair, resize
from innersr.run import Run

SMALLEST_SIDE = 32  # pixels of the image and of a crop: shrunk, it has 4x4 patches left
RIM = 10  # pixels along the image's border that nothing is learnt from, where the image is large enough
LOST = KERNEL_SIDE - 1  # pixels by which a crop is smaller before it is halved
PEAK = 2.0  # length of the range [-1, 1] that the networks see
BETAS = (0.5, 0.999)  # of Adam
RATE_PARTS = 4  # of the learning; from each to the next the learning rate falls to a tenth
STEEP = 0.97  # quantile of the gradients from which on they draw crops no more strongly
FLAT = 1e-6  # weight of crops where nothing is to be seen
LEAST_SUM = 0.5  # of a kernel that has formed
KEPT_TAPS = 40  # of a kernel, about
FAINT = 0.75  # of the largest tap but those: what all are lessened by
MOST_DOUBLINGS = 3  # kernels are composed up to scale 8


@dataclass(frozen=True, kw_only=True)
class KernelGAN:
    """Estimation of an image's blur kernel by internal learning.

    Args:
        steps: of either network.
        crop: side of the crops that are shrunk, in pixels, even; smaller where the image is.
        learning_rate: of Adam, to begin with.
        width: features of the networks' hidden layers.
        noise: standard deviation, in [0, 1), of what hides the rounding of the image from the discriminator.
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

    def estimate(self, lr: Tensor, scale: Scale, run: Run) -> Degradation:
        """Learn the kernel that `lr` was made with at scale 2, and return what it is at `scale`.

        Where the LR pixels lie cannot be learnt from an image; the degradation is "aligned".

        Args:
            lr: (1, C, H, W) in [0, 1] on run's device, any number of channels.
            scale: of the degradation. Kernels of scales other than 2, 4 and 8 are those of the nearest of them,
                rescaled, see `degradation_at`.
            run: where and how long.

        Raises:
            InputError: not one image, or of fewer than 32 pixels on a side.
            KernelError: no kernel has formed: there were too few steps, or too little time.
        """
        if lr.ndim != 4 or lr.shape[0] != 1:
            raise InputError(f"KernelGAN learns from one image, (1, C, H, W), got shape {tuple(lr.shape)}")
        if min(lr.shape[-2:]) < SMALLEST_SIDE:
            raise InputError(
                f"KernelGAN needs at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, the image has "
                f"{lr.shape[-1]}x{lr.shape[-2]}; name a kernel instead"
            )
        with run.exact():
            return degradation_at(scale, threshold_taps(self._learnt(lr, run.start())))

    def _learnt(self, lr: Tensor, run: Run) -> Tensor:
        """Return the generator's kernel, (13, 13) on the CPU."""
        draws = run.generator()
        generator = DeepLinearGenerator(width=self.width, generator=draws).to(lr.device)
        discriminator = PatchDiscriminator(lr.shape[1], width=self.width, generator=draws).to(lr.device)
        learners = [torch.optim.Adam(part.parameters(), betas=BETAS, fused=True) for part in (generator, discriminator)]
        crops, loss_weights = draw_crops(PEAK * lr - 1, self.crop, self.steps, draws), LossWeights()
        steps = run.steps("kernel", self.steps)
        for step in steps:
            progress = min(1.0, max(step / self.steps, run.time_used()))
            for group in (group for learner in learners for group in learner.param_groups):
                group["lr"] = self.learning_rate * 0.1 ** math.floor(RATE_PARTS * progress)
            crop = next(crops)
            # Differs from the reference code: noise is added to copies, never to the image itself, where it would
            # pile up; and it is equally strong on all that the discriminator sees.
            noise = PEAK * self.noise * torch.randn(3, *crop.real.shape[1:], generator=draws).to(lr)
            judging = discriminator.spectrally_normalised_weights()

            kernel = generator.kernel()
            small = downscale(crop.large, kernel)
            bicubic_error = F.mse_loss(small, crop.target)
            likeness = discriminator(small + noise[:1], DiscriminatorWeights(*(weight.detach() for weight in judging)))
            loss = gan_loss(likeness, 1) + loss_weights.bicubic * bicubic_error + loss_weights.penalty(kernel)
            learners[0].zero_grad()
            loss.backward(inputs=list(generator.parameters()))
            learners[0].step()

            with torch.no_grad():
                fake = downscale(crop.large, generator.kernel())
            real_likeness, fake_likeness = discriminator(torch.cat([crop.real, fake]) + noise[1:], judging)
            learners[1].zero_grad()
            (0.5 * (gan_loss(real_likeness, 1) + gan_loss(fake_likeness, 0))).backward()
            learners[1].step()

            loss_weights.observe(progress, float(bicubic_error.detach() / crop.target.square().mean()))
            steps.note(loss.detach())
        return generator.kernel().detach().cpu()


class StepCrops(NamedTuple):
    """What one step sees of the image, in [-1, 1]."""

    large: Tensor
    """(C, 1, side, side): every channel by itself, to be shrunk."""
    target: Tensor
    """(1, C, n, n): the same, shrunk by bicubic interpolation."""
    real: Tensor
    """(1, C, n, n): the image elsewhere."""


def draw_crops(image: Tensor, side: int, count: int, draws: torch.Generator) -> Iterator[StepCrops]:
    """Draw the crops of all steps, mostly where there is much to see.

    Args:
        image: (1, C, H, W); never changed.
        side: of the crops to shrink, even; less where the image is smaller.
        count: of steps.
        draws: source of the places.
    """
    height, width = (n // STRIDE * STRIDE for n in image.shape[-2:])
    side = min(side, height, width)
    rims = [min(RIM, (n - side) // 2) for n in (height, width)]
    image = image[..., rims[0] : height - rims[0], rims[1] : width - rims[1]]
    # Differs from the reference code: every channel is shrunk to itself, not all three to their sum.
    half = resize(image, 1 / STRIDE)
    n, inset = (side - LOST) // STRIDE, LOST // (2 * STRIDE)
    # A place of the half image is an even one of the image. Its crop has the generator's output in its middle.
    shrunk_places = draw_places(crop_weights(half, side // STRIDE), count, draws)
    real_places = draw_places(crop_weights(image, n), count, draws)
    for (top, left), real_place in zip(shrunk_places, real_places, strict=True):
        large = _cut(image, STRIDE * top, STRIDE * left, side)
        yield StepCrops(large.transpose(0, 1), _cut(half, top + inset, left + inset, n), _cut(image, *real_place, n))


def crop_weights(image: Tensor, side: int) -> Tensor:
    """Return how readily a crop is taken from every place: by the mean gradient in its middle.

    Args:
        image: (1, C, H, W).
        side: of the crop.

    Returns:
        (H - side + 1, W - side + 1), all above 0.
    """
    rows, columns = torch.gradient(image.mean((0, 1)), dim=(-2, -1))
    size = rows.abs() + columns.abs()
    # Differs from the reference code: it marks the steepest 3 % of the pixels and does not see the others, so that
    # small images show it few places. Steeper is still better here, up to the same bound.
    bound = size.flatten().kthvalue(math.ceil(STEEP * size.numel())).values
    middle, margin = side - side // 2, side // 4
    means = F.avg_pool2d(F.avg_pool2d(size.minimum(bound)[None], (middle, 1), 1), (1, middle), 1)[0]
    inside = means[margin : margin + size.shape[0] - side + 1, margin : margin + size.shape[1] - side + 1]
    return inside.clamp(min=FLAT)


def draw_places(weights: Tensor, count: int, draws: torch.Generator) -> list[tuple[int, int]]:
    """Draw (row, column) places with probabilities in proportion to these weights."""
    sums = weights.cpu().double().flatten().cumsum(0)
    points = sums[-1] * torch.rand(count, generator=draws, dtype=torch.float64)
    found = torch.searchsorted(sums, points, right=True).clamp(max=len(sums) - 1)
    return [divmod(place, weights.shape[1]) for place in found.tolist()]


def downscale(images: Tensor, kernel: Tensor) -> Tensor:
    """Return (C, 1, H, W) as (1, C, h, w): correlated with the kernel at stride 2, where all of it fits."""
    return F.conv2d(images, kernel[None, None], stride=STRIDE).transpose(0, 1)


def gan_loss(likeness: Tensor, wanted: float) -> Tensor:
    """Return how far a map in (0, 1) is from the wanted value, as the mean of its absolute differences.

    As in the reference code; the paper names LSGAN, which has their squares.
    """
    return (likeness - wanted).abs().mean()


def threshold_taps(kernel: Tensor) -> Tensor:
    """Return a learnt kernel without its faint taps, with sum 1: what is left of the 40 strongest, about.

    Raises:
        KernelError: the taps add up to less than 0.5, where learning aims at 1.
    """
    if not float(kernel.sum()) >= LEAST_SUM:
        raise KernelError(
            f"KernelGAN has not formed a kernel: its taps add up to {float(kernel.sum()):.2g} instead of 1; "
            "give it more steps or more time"
        )
    faint = FAINT * float(kernel.flatten().sort(descending=True).values[KEPT_TAPS])
    return kernels.normalised((kernel - max(0.0, faint)).clamp(min=0))


def degradation_at(scale: Scale, kernel: Tensor) -> Degradation:
    """Return how the image was made at `scale`, if it was made with this kernel at scale 2.

    An image of half the scale would have been made with the same kernel, so at scale 4 the image was shrunk with it
    twice: k4 = k2 * (k2 with a zero between its taps), as the paper says; and at scale 8 three times. Other scales
    take the kernel of the nearest of these, `Degradation.rescaled`.

    Args:
        scale: of the degradation.
        kernel: (rows, columns) at scale 2.
    """
    nearest = round(sum(math.log2(s) for s in as_pair(scale)) / 2)
    doublings = min(max(nearest, 1), MOST_DOUBLINGS)
    composed = kernel[None, None]
    for before in range(1, doublings):
        composed = F.conv_transpose2d(kernel[None, None], composed, stride=2**before)
    # Differs from the reference code: what is nothing is cut off, and nothing else. There k2 grows to 17x17 by
    # being moved to its place; here the degradation's anchor does that.
    top, bottom, left, right = kernels.extent(composed[0, 0], kernels.NOTHING)
    return Degradation(scale=2.0**doublings, kernel=composed[0, 0, top:bottom, left:right]).rescaled(scale)


def _cut(image: Tensor, top: int, left: int, side: int) -> Tensor:
    return image[..., top : top + side, left : left + side]
