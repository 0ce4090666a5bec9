"""Reconstruction as in deepinv, `model(y, physics)`. Imports nothing of deepinv.

It uses `A`, `A_adjoint` and `noise_model`, which every linear physics of deepinv has.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from innersr.errors import InputError
from innersr.methods.protocols import Method
from innersr.physics import kernels
from innersr.physics.convolution import is_whole
from innersr.physics.degradation import Degradation
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import image_size
from innersr.pipeline.files import upscale
from innersr.run import Run


class DeepinvModel(nn.Module):
    """A method as a reconstruction model of deepinv: adapted to each image, under the degradation of its physics.

    Args:
        method: `Tailor(steps=60)`, or the name of a method.
        run: device, precision, seed, time limit; `Run()` when None.
    """

    def __init__(self, method: Method | str = "tailor", run: Run | None = None) -> None:
        super().__init__()
        self.method, self.run = method, run

    def forward(self, y: Tensor, physics: Any, **_: Any) -> Tensor:  # noqa: ANN401 (as deepinv calls it)
        """Super-resolve each image of (N, C, h, w): (N, C, H, W), the size that `physics.A` shrinks to theirs.

        Without gradients: learning on the image cannot be differentiated through.

        Raises:
            InputError: see `degradation_from`.
        """
        degradation = degradation_from(physics, y)
        height, width = image_size(physics.A_adjoint(y))
        images = [self._reconstructed(image, degradation) for image in y.detach().split(1)]
        return torch.cat(images)[..., :height, :width].to(y)

    def _reconstructed(self, image: Tensor, degradation: Degradation) -> Tensor:
        result: Tensor = upscale(image, degradation=degradation, method=self.method, run=self.run)
        return result


@torch.no_grad()
def degradation_from(physics: Any, y: Tensor) -> Degradation:  # noqa: ANN401 (any class with these methods)
    """The degradation that a physics of deepinv applies: blur, subsampling, and Gaussian or counting noise.

    Its kernel is the response of the adjoint to one pixel, so any chain of `Downsampling`, `Blur` and `BlurFFT` will
    do. Circular padding becomes an image that wraps; at other borders innersr mirrors the image.

    Args:
        physics: with `A`, `A_adjoint` and perhaps `noise_model`.
        y: (N, C, h, w), the images; N must be 1 or the physics the same for all of them.

    Raises:
        InputError: the physics does not shrink by a whole scale, is not a blur that is the same everywhere and in all
            channels, or has another kind of noise.
    """
    height, width = image_size(y)
    impulse = torch.zeros_like(y[:1])
    row, column = height // 2, width // 2
    impulse[..., row, column] = 1
    responses = physics.A_adjoint(impulse)[0].float().cpu()
    rows, columns = image_size(responses)
    scale = round(rows / height)
    if scale < 2 or (-(-rows // scale), -(-columns // scale)) != (height, width):  # noqa: PLR2004 (1 is no enlarging)
        words = f"takes {width}x{height} pixels from {columns}x{rows}"
        raise InputError(f"the physics {words}; innersr undoes subsampling by a whole scale, both axes alike")
    top, bottom, left, right = kernels.extent(responses[0].double(), 1e-7)
    kernel = responses[0, top:bottom, left:right]
    gain = float(kernel.sum())
    if abs(gain - 1) > 1e-3:  # noqa: PLR2004 (rounding of float32)
        raise InputError(f"the physics multiplies the brightness by {gain:.4g}; scale the images so that it keeps it")
    anchor = (float(scale * row - top), float(scale * column - left))
    degradation = Degradation(scale=scale, kernel=kernel, anchor=anchor, subsampling="direct")
    degradation = replace(degradation, wrap=_wrapped_axes(physics, degradation, responses))
    _check_alike(physics, degradation, responses, y)
    return _with_noise(degradation, getattr(physics, "noise_model", None))


def _wrapped_axes(physics: Any, degradation: Degradation, like: Tensor) -> str:  # noqa: ANN401
    """Both axes if the physics sees the image as periodic, as with circular padding."""
    size = image_size(like)
    if any(not is_whole(n / degradation.scales[0]) for n in size):
        return ""
    image = torch.rand(1, *like.shape, generator=torch.Generator().manual_seed(0))
    degraded = _applied(physics, image)
    periodic = replace(degradation, wrap="xy").forward(image)
    return "xy" if torch.allclose(periodic, degraded, rtol=0, atol=1e-3) else ""


def _check_alike(physics: Any, degradation: Degradation, like: Tensor, y: Tensor) -> None:  # noqa: ANN401
    """Raise InputError unless physics and degradation agree except at the borders."""
    image = torch.rand(1, *like.shape, generator=torch.Generator().manual_seed(1))
    farthest = max(
        max(a, n - 1 - a) for a, n in zip(degradation.blur.anchor, degradation.blur.kernel.shape, strict=True)
    )
    margin = 0 if degradation.wrap else math.ceil(farthest / degradation.scales[0])
    height, width = image_size(y)
    inner = (slice(margin, height - margin), slice(margin, width - margin))
    if 2 * margin >= min(height, width):
        raise InputError(f"the images have {width}x{height} pixels, fewer than the kernel of the physics reaches")
    difference = (_applied(physics, image) - degradation.forward(image))[..., inner[0], inner[1]]
    if float(difference.abs().max()) > 1e-3:  # noqa: PLR2004 (a quarter of an 8-bit level)
        raise InputError(
            "the physics is not a blur and a subsampling that are the same everywhere and in all channels; "
            "innersr undoes only these"
        )


def _applied(physics: Any, image: Tensor) -> Tensor:  # noqa: ANN401
    """The image that the physics makes, without noise."""
    buffer = next(iter(physics.buffers()), None) if isinstance(physics, nn.Module) else None
    device = image.device if buffer is None else buffer.device
    degraded: Tensor = physics.A(image.to(device)).float().cpu()
    return degraded


def _with_noise(degradation: Degradation, noise: Any) -> Degradation:  # noqa: ANN401
    """The degradation with the noise of a `noise_model`, recognised by its name."""
    kind = type(noise).__name__
    if noise is None or kind == "ZeroNoise":
        return degradation
    if kind == "GaussianNoise":
        return replace(degradation, noise=_one(noise.sigma))
    if kind == "PoissonNoise":
        if not bool(noise.normalize):
            raise InputError("PoissonNoise(normalize=False) gives counts, not an image; use normalize=True")
        return replace(degradation, counting=CountingNoise(gain=_one(noise.gain)))
    if kind == "PoissonGaussianNoise":
        return replace(degradation, counting=CountingNoise(gain=_one(noise.gain), read=_one(noise.sigma)))
    raise InputError(f"{kind} is unknown to innersr; it knows GaussianNoise, PoissonNoise and PoissonGaussianNoise")


def _one(values: Any) -> float:  # noqa: ANN401
    """A level that is the same for all images."""
    levels = torch.as_tensor(values).flatten().tolist()
    if min(levels) != max(levels):
        raise InputError(f"the noise has several levels ({levels}); reconstruct images of different noise one by one")
    return float(levels[0])
