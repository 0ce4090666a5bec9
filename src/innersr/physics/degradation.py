"""The forward model from a sharp HR image to the LR image.

    LR = sample(blur(HR, kernel)) + noise, then perhaps compressed

ZSSR's training pairs, the benchmark's test images and back-projection share this one definition, so that all agree on
where an LR pixel lies. The blur is a correlation, B[j] = sum_k kernel[k] * HR[j + k - anchor], over the symmetric
extension of HR, or the periodic one along an axis that wraps. Subsampling is "direct", LR[i] = B(s * i), or "bicubic",
MATLAB's antialiased imresize.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from innersr.errors import InputError, KernelError
from innersr.physics import kernels
from innersr.physics.convolution import WHOLE, Blur, apply_blur, apply_blur_adjoint, blur_from, is_whole, whole_part
from innersr.physics.geometry import scale_words
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.resize import (
    ROUNDING_SLACK,
    Scale,
    Window,
    as_pair,
    image_size,
    output_size,
    resize,
    resize_adjoint,
    whole_scale,
)
from innersr.physics.symmetries import SYMMETRIES, apply_symmetry, flipped_axes

ANCHORS = ("aligned", "centre")
SUBSAMPLINGS = ("direct", "bicubic")
MAX_NOISE = 0.99  # upper bound of noise that was estimated, as noise must be below 1
TRANSPOSED_WRAPS = {"": "", "x": "y", "y": "x", "xy": "xy"}


class _NamedAnchor(tuple[float, float]):
    name: str  # which stands for this (row, column), and for another with another kernel or scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Degradation:
    """Degradation of an HR image to an LR image: blur, subsampling, noise.

    Args:
        scale: HR pixels per LR pixel, above 1; one number or (vertical, horizontal). Any real number.
        kernel: (rows, columns) blur at HR resolution; normalised to sum 1. None for no blur.
        anchor: the kernel coordinate that lies on the sampled HR pixel. "aligned" puts the two images edge to edge,
            as image tools do. "centre" is the middle of the array: MZSR's "direct" for a centred kernel, whose LR
            pixel i lies at HR pixel s * i, ZSSR's and KernelGAN's for one that kernel_shift has moved. Or (row,
            column), which stays as it is where `replace` changes kernel or scale; a name is resolved to (row, column)
            at once, and anew then. `rescaled` moves either to another scale.
        subsampling: "direct" or "bicubic"; bicubic when None and there is no kernel, else direct.
        noise: standard deviation of Gaussian noise on the LR image, in [0, 1].
        counting: noise that grows with the value, in place of `noise`, which then is its root mean square, or that of a
            middle grey where 0 is given.
        compression: strength in [0, 1] of the lossy compression of the LR image, see `jpeg.jpeg_strength`; methods
            that know about it restore what it removed. The forward model does not compress.
        wrap: "x" for an image that continues from its right edge at its left, "y" from its bottom at its top, "xy" for
            both; elsewhere it is reflected. Along such an axis the HR length is scale times the LR one: see `fitted`.

    Raises:
        InputError: a scale below 1, an unknown or infinite anchor, an unknown subsampling or wrap, noise or
            compression out of range; of the methods, images that are not whole periods of an axis that wraps.
        KernelError: a kernel that is not two-dimensional, not finite, or whose sum is not positive.
    """

    scale: Scale
    kernel: Tensor | None = None
    anchor: str | tuple[float, float] = "aligned"
    subsampling: str | None = None
    noise: float = 0.0
    compression: float = 0.0
    wrap: str = ""
    counting: CountingNoise | None = None
    blur: Blur = field(init=False, repr=False)
    """The kernel as it is applied: where subsampling is direct at a whole scale, with a whole anchor."""

    def __post_init__(self) -> None:
        if not all(1 <= s < math.inf for s in self.scales) or max(self.scales) <= 1:
            raise InputError(f"scale must be above 1, got {scale_words(self.scale)}; for shrinking use any image tool")
        if not 0 <= self.noise < 1:
            raise InputError(f"noise is a standard deviation in [0, 1), got {self.noise}; divide 8-bit levels by 255")
        if self.counting is not None and not (self.counting.gain <= 1 and self.counting.read < 1):
            raise InputError(f"counting noise is of values in [0, 1], got {self.counting}; divide 8-bit levels by 255")
        if self.counting is not None and self.noise == 0:
            object.__setattr__(self, "noise", min(self.counting.deviation(torch.tensor(0.5)), MAX_NOISE))
        if not 0 <= self.compression <= 1:
            raise InputError(f"compression is a strength in [0, 1], got {self.compression}; use jpeg_strength(quality)")
        if self.wrap not in TRANSPOSED_WRAPS:
            known = ", ".join(map(repr, TRANSPOSED_WRAPS))
            raise InputError(f"wrap must be one of {known}, got {self.wrap!r}; x joins the right edge to the left")
        object.__setattr__(self, "subsampling", self.subsampling or ("bicubic" if self.kernel is None else "direct"))
        if self.subsampling not in SUBSAMPLINGS:
            raise InputError(f"subsampling must be one of {', '.join(SUBSAMPLINGS)}, got {self.subsampling!r}")
        if self.kernel is not None:
            object.__setattr__(self, "kernel", kernels.normalised(self.kernel))
        object.__setattr__(self, "anchor", self._resolved_anchor())
        object.__setattr__(self, "blur", blur_from(self._kernel, self._anchor, fold=self._is_strided))

    @property
    def scales(self) -> tuple[float, float]:
        """(vertical, horizontal) scale."""
        return as_pair(self.scale)

    @property
    def wraps(self) -> tuple[bool, bool]:
        """Whether the image continues on its opposite side: (vertical, horizontal)."""
        return "y" in self.wrap, "x" in self.wrap

    @property
    def offsets(self) -> tuple[float, float]:
        """HR (row, column) of the centre of mass of LR pixel (0, 0)."""
        mass, start = kernels.centre_of_mass(self._kernel), self._grid_start
        return mass[0] - self._anchor[0] + start[0], mass[1] - self._anchor[1] + start[1]

    @property
    def reach(self) -> int:
        """Longer side of the kernel: the least side of an image that can be degraded."""
        return max(self._kernel.shape)

    def hr_size(self, lr_size: tuple[int, int]) -> tuple[int, int]:
        """Largest HR (H, W) that shrinks to an LR image: scale * length, rounded down."""
        vertical, horizontal = self.scales
        return math.floor(lr_size[0] * vertical + ROUNDING_SLACK), math.floor(lr_size[1] * horizontal + ROUNDING_SLACK)

    def lr_size(self, hr_size: tuple[int, int]) -> tuple[int, int]:
        """LR (h, w) that an HR image shrinks to: length / scale, rounded up."""
        return output_size(hr_size, self._shrink)

    def fitted(self, lr_size: tuple[int, int]) -> Degradation:
        """The degradation at the nearest scale that makes wrapped LR images whole HR pixels; aligned if this one is."""
        wholes = [whole_scale(s, n) for s, n in zip(self.scales, lr_size, strict=True)]
        vertical, horizontal = (w if wraps else s for w, wraps, s in zip(wholes, self.wraps, self.scales, strict=True))
        if (vertical, horizontal) == self.scales:
            return self
        is_aligned = math.dist(self._anchor, replace(self, anchor="aligned")._anchor) < WHOLE
        return replace(self, scale=(vertical, horizontal), anchor="aligned" if is_aligned else self.anchor)

    def rescaled(self, scale: Scale) -> Degradation:
        """The degradation at another scale: in LR pixels its blur is as wide and at the same place as before."""
        scales = as_pair(scale)
        if scales == self.scales:
            return self
        ratios = (scales[0] / self.scales[0], scales[1] / self.scales[1])
        kernel = self._kernel if self.kernel is None else kernels.resampled(self.kernel, ratios)
        mass = kernels.centre_of_mass(kernel)
        starts = [(s - 1) / 2 if self.subsampling == "bicubic" else 0.0 for s in scales]
        # Pixel edges, not centres, scale with the image.
        offsets = [(o + 0.5) * ratio - 0.5 for o, ratio in zip(self.offsets, ratios, strict=True)]
        anchor = self._named_or((mass[0] + starts[0] - offsets[0], mass[1] + starts[1] - offsets[1]))
        return replace(self, scale=scales, kernel=None if self.kernel is None else kernel, anchor=anchor)

    def __call__(self, hr: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Degrade (N, C, H, W) in [0, 1] to (N, C, ceil(H / s), ceil(W / s)): blur, subsample, add noise, clip.

        The noise needs a CPU generator; without one there is none.
        """
        lr = self.forward(hr)
        if self.counting is not None and generator is not None:
            lr = self.counting.draw(lr.cpu(), generator).to(lr)
        elif self.noise > 0 and generator is not None:
            lr = lr + self.noise * torch.randn(lr.shape, generator=generator).to(lr)
        return lr.clamp(0, 1)

    def forward(self, hr: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Apply the linear part alone to (N, C, H, W): no noise, no clipping. Differentiable.

        `size` is that of the LR image, `lr_size` of hr's when None.

        Raises:
            InputError: along a wrapped axis the HR length is not scale times the LR length.
            KernelError: the kernel is larger than the HR image.
        """
        hr_size = image_size(hr)
        size = size or self.lr_size(hr_size)
        self._check_fit(hr_size, size)
        if self._is_strided:
            return apply_blur(hr, self.blur, size, self._strides, wrap=self.wraps)
        margin = self._margin
        if self.kernel is not None:
            padded = (hr_size[0] + 2 * margin, hr_size[1] + 2 * margin)
            hr = apply_blur(hr, self.blur, padded, margin=margin, wrap=self.wraps)
        antialias = self.subsampling == "bicubic"
        return resize(hr, self._shrink, size=size, phase=self._phase, antialias=antialias, wrap=self.wraps)

    def adjoint(self, lr: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Apply the exact transpose of `forward` to (N, C, h, w); `size` is that of the HR image, as in `upsample`."""
        lr_size = image_size(lr)
        size = size or self.hr_size(lr_size)
        self._check_fit(size, lr_size)
        if self._is_strided:
            return apply_blur_adjoint(lr, self.blur, size, self._strides, wrap=self.wraps)
        margin, antialias = self._margin, self.subsampling == "bicubic"
        padded = (size[0] + 2 * margin, size[1] + 2 * margin)
        hr = resize_adjoint(lr, padded, self._shrink, phase=self._phase, antialias=antialias, wrap=self.wraps)
        return hr if self.kernel is None else apply_blur_adjoint(hr, self.blur, size, margin=margin, wrap=self.wraps)

    def upsample(self, lr: Tensor, size: tuple[int, int] | None = None, window: Window | None = None) -> Tensor:
        """Interpolate with the cubic kernel on this degradation's own grid, without any shift.

        Args:
            lr: (N, C, h, w).
            size: of the whole result; `hr_size` of lr's when None.
            window: the part to compute, in pixels of the whole result. Along a wrapped axis it may reach beyond it.

        Raises:
            InputError: a window that is empty or outside the result, or no whole periods as for `forward`.
        """
        lr_size = image_size(lr)
        size = size or self.hr_size(lr_size)
        self._check_periods(size, lr_size)
        phase = (-self.offsets[0] / self.scales[0], -self.offsets[1] / self.scales[1])
        return resize(lr, self.scales, size=size, phase=phase, wrap=self.wraps, window=window)

    def transformed(self, symmetry: int) -> Degradation:
        """The degradation of the transformed image.

        apply_symmetry(degradation(hr)) equals degradation.transformed(symmetry)(apply_symmetry(hr)) if both sides of
        hr are multiples of the scale.
        """
        swap = bool(symmetry & 4)
        scales = self.scales[::-1] if swap else self.scales
        start = self._grid_start[::-1] if swap else self._grid_start
        anchor = list(self._anchor[::-1] if swap else self._anchor)
        kernel = apply_symmetry(self._kernel, symmetry)
        for axis in flipped_axes(symmetry):
            # The distance of the sampled pixels from one edge becomes that from the other.
            anchor[axis] = kernel.shape[axis] - 1 - anchor[axis] - (scales[axis] - 1 - 2 * start[axis])
        kept = None if self.kernel is None else kernel
        wrap = TRANSPOSED_WRAPS[self.wrap] if swap else self.wrap
        return replace(self, scale=scales, kernel=kept, anchor=self._named_or((anchor[0], anchor[1])), wrap=wrap)

    def symmetries(self) -> tuple[int, ...]:
        """The symmetries that leave this degradation unchanged, up to a shift by whole HR pixels."""
        return tuple(k for k in SYMMETRIES if self._sees_like(self.transformed(k)))

    def effective_kernel(self) -> Degradation:
        """The same degradation with direct subsampling, that of "bicubic" folded into the kernel.

        Raises:
            KernelError: a scale that is not whole has a different kernel at each pixel.
        """
        if not all(is_whole(s) for s in self.scales):
            raise KernelError(f"only whole scales have one effective kernel, got {scale_words(self.scale)}")
        if self._is_strided:
            return self
        strides = self._strides
        middle = [4 + math.ceil(k / s) for k, s in zip(self.blur.kernel.shape, strides, strict=True)]
        impulse = torch.zeros(1, 1, 2 * middle[0] + 1, 2 * middle[1] + 1, dtype=torch.float64)
        impulse[..., middle[0], middle[1]] = 1
        response = self.adjoint(impulse)[0, 0]
        top, bottom, left, right = kernels.extent(response, 1e-12)
        anchor = self._named_or((float(middle[0] * strides[0] - top), float(middle[1] * strides[1] - left)))
        kernel = response[top:bottom, left:right]
        return replace(self, kernel=kernel, anchor=anchor, subsampling="direct")

    @property
    def _kernel(self) -> Tensor:
        return kernels.delta() if self.kernel is None else self.kernel

    @property
    def _anchor(self) -> tuple[float, float]:
        assert isinstance(self.anchor, tuple)  # __post_init__ resolved the name
        return self.anchor

    @property
    def _grid_start(self) -> tuple[float, float]:
        """Coordinate in the blurred image that subsampling itself gives LR pixel (0, 0)."""
        vertical, horizontal = self.scales
        return ((vertical - 1) / 2, (horizontal - 1) / 2) if self.subsampling == "bicubic" else (0.0, 0.0)

    @property
    def _shrink(self) -> tuple[float, float]:
        return 1 / self.scales[0], 1 / self.scales[1]

    @property
    def _strides(self) -> tuple[int, int]:
        return round(self.scales[0]), round(self.scales[1])

    @property
    def _is_strided(self) -> bool:
        return self.subsampling == "direct" and all(is_whole(s) for s in self.scales)

    @property
    def _margin(self) -> int:
        """Pixels beyond the border that are read: the last LR pixel is (s - 1) / 2 beyond it and reads 2 s further."""
        return 0 if self.kernel is None else math.ceil(2.5 * max(self.scales)) + 1

    @property
    def _phase(self) -> tuple[float, float]:
        """Coordinate in the blurred image, margin included, of LR pixel (0, 0)."""
        start = self._grid_start
        whole = [0 if self.kernel is None else self._margin + whole_part(a) for a in self._anchor]
        return start[0] + whole[0] - self._anchor[0], start[1] + whole[1] - self._anchor[1]

    def _resolved_anchor(self) -> tuple[float, float]:
        if isinstance(self.anchor, str | _NamedAnchor):
            name = self.anchor if isinstance(self.anchor, str) else self.anchor.name
            resolved = _NamedAnchor(self._place_of(name))
            resolved.name = name
            return resolved
        if not all(math.isfinite(a) for a in self.anchor):
            raise InputError(f"anchor must be finite, got {self.anchor}")
        return float(self.anchor[0]), float(self.anchor[1])

    def _named_or(self, place: tuple[float, float]) -> str | tuple[float, float]:
        """Anchor of a degradation derived from this one: "aligned" stays a name, for a later `replace`."""
        return "aligned" if getattr(self.anchor, "name", None) == "aligned" else place

    def _place_of(self, name: str) -> tuple[float, float]:
        rows, columns = self._kernel.shape
        if name == "centre":
            return float(rows // 2), float(columns // 2)
        if name != "aligned":
            raise InputError(f"anchor must be one of {', '.join(ANCHORS)} or (row, column), got {name!r}")
        mass, start = kernels.centre_of_mass(self._kernel), self._grid_start
        return mass[0] + start[0] - (self.scales[0] - 1) / 2, mass[1] + start[1] - (self.scales[1] - 1) / 2

    def _sees_like(self, other: Degradation) -> bool:
        moves = [p - q for p, q in zip(self.offsets, other.offsets, strict=True)]
        return (
            (self.scales, self.wrap) == (other.scales, other.wrap)
            and all(is_whole(m) for m in moves)
            and kernels.is_shifted_copy(self._kernel, other._kernel)
        )

    def _check_periods(self, hr_size: tuple[int, int], lr_size: tuple[int, int]) -> None:
        for wraps, scale, hr, lr in zip(self.wraps, self.scales, hr_size, lr_size, strict=True):
            if wraps and abs(hr - scale * lr) > ROUNDING_SLACK:
                needed = self.fitted(lr_size).hr_size(lr_size)
                raise InputError(
                    f"an axis that wraps needs whole periods: {hr} HR pixels are not {scale:.6g} times {lr} LR pixels; "
                    f"use degradation.fitted({lr_size}), which takes an HR image of {needed[1]}x{needed[0]} pixels"
                )

    def _check_fit(self, hr_size: tuple[int, int], lr_size: tuple[int, int]) -> None:
        self._check_periods(hr_size, lr_size)
        rows, columns = self._kernel.shape
        if rows > hr_size[0] or columns > hr_size[1]:
            raise KernelError(
                f"the kernel ({columns}x{rows}) is larger than the image it blurs ({hr_size[1]}x{hr_size[0]}); "
                "use a smaller kernel or a larger image"
            )
