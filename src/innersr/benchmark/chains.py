"""Degradation chains by name, such as soft:4+lanczos+sharpen:1:0.6+noise3+jpeg75, and their small images."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.metrics.grey_levels import quantized
from innersr.physics.chains import Noise, degradation_of_taps, noise_field, sharpened_taps, softened, unsharp_filter
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import scale_words
from innersr.physics.jpeg import compressed, strongest_compression, webp
from innersr.physics.named_degradations import numbers, parse_degradation
from innersr.physics.noise.counting import CountingNoise
from innersr.physics.pseudoinverse import taps_of
from innersr.physics.resize import Scale, as_pair, resize

FIELDS: dict[str, Noise] = {"grey": "grey", "grain": "correlated", "chroma": "chroma"}
"""The fields of `noise_field` by the names of links."""


class Link(NamedTuple):
    """One link of a chain other than shrinking: its kind and its numbers."""

    kind: str
    values: tuple[float, ...]


class Shrunk(NamedTuple):
    """A small image, the sharp image to compare results with, and the degradation between them."""

    hr: Tensor
    """(1, C, s * h, s * w) in [0, 1]: the scene, soft where the chain makes it so."""
    lr: Tensor
    """(1, C, h, w) in [0, 1], 8 bits."""
    degradation: Degradation
    """All linear links as one kernel; the noise in the small image; the strength of its compression."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The links from a scene to its small image, in the order in which they act."""

    soft: float = 0.0
    """Variance of the blur of the scene in HR pixels^2."""
    early: tuple[Link, ...] = ()
    """Links before shrinking, on the large image."""
    shrinking: str = "bicubic"
    """See `parse_degradation`; or "bicubic-uint8", rounded to 8 bits between the axes, as MATLAB does with uint8."""
    late: tuple[Link, ...] = ()
    """Links after it, on the small image."""

    def degradation(self, scale: Scale, image_name: str = "") -> Degradation:
        """The linear links as one degradation without noise or compression: shrinking with all sharpening.

        Raises:
            InputError: no such shrinking, or sharpening at a scale that is not one whole number.
        """
        shrinking = self._linear_shrinking(scale, image_name)
        early, late = ([link.values for link in links if link.kind == "sharpen"] for links in (self.early, self.late))
        if not early and not late:
            return shrinking
        vertical, horizontal = as_pair(scale)
        if vertical != horizontal or not vertical.is_integer():
            raise InputError(f"sharpen needs one whole scale, got {scale_words(scale)}; leave it out")
        taps = taps_of(shrinking)
        for sigma, amount in early:
            taps = sharpened_taps(taps, sigma, amount, 1)
        for sigma, amount in late:
            taps = sharpened_taps(taps, sigma, amount, int(vertical))
        return degradation_of_taps(taps, scale)

    def apply(self, scene: Tensor, scale: Scale, image_name: str, generator: torch.Generator) -> Shrunk:
        """Make the small image of a scene, (1, C, H, W) in [0, 1].

        Values are clipped only where they are stored: by a compression, and in the end.

        Raises:
            InputError: as `degradation`, or compression of an image that has neither one nor three channels.
        """
        hr = softened(scene, [self.soft**0.5]) if self.soft else scene
        shrinking = self._linear_shrinking(scale, image_name)
        state = _State(hr.double(), torch.zeros_like(hr, dtype=torch.float64), 0.0)
        for link in self.early:
            state = _applied(state, link, generator)
        image, noise = (shrinking.forward(x) for x in (state.image, state.noise))
        if self.shrinking == "bicubic-uint8":
            image = _rounded_between(state.image, scale)
        state = _State(image, noise, _root_mean_square(noise))
        for link in self.late:
            state = _applied(state, link, generator)
        linear = self.degradation(scale, image_name)
        before, after = (
            [(link.kind, link.values[0]) for link in links if link.kind in ("jpeg", "webp")]
            for links in (self.early, self.late)
        )
        strength = strongest_compression(before, after, min(linear.scales))
        degradation = replace(linear, noise=state.deviation, counting=state.counting, compression=strength)
        return Shrunk(hr, quantized(state.image.clamp(0, 1)), degradation)

    def _linear_shrinking(self, scale: Scale, image_name: str) -> Degradation:
        name = "bicubic" if self.shrinking == "bicubic-uint8" else self.shrinking
        return parse_degradation(name, scale, image_name)


def parse_chain(text: str, scale: Scale) -> Chain:
    """Parse the name of a chain: links joined by "+", in the order in which they act.

    One link shrinks, see `parse_degradation`; where none does, bicubic shrinking comes before all links but soft. Links
    before it act on the large image, links after it on the small one:

    - soft:VAR, always the first: a Gaussian blur of the scene, with which results are then compared
    - sharpen:SIGMA:AMOUNT: an unsharp mask
    - noise10: white noise of this standard deviation in 8-bit levels; grey10: the same in all channels; grain10:
      correlated between neighbours and, in part, channels; chroma10: likewise, without luma
    - poisson:PEAK: counting noise, PEAK counts at the brightest value
    - jpeg75, webp60: compression of this quality

    Raises:
        InputError: not such a name.
    """
    links, shrinking = _split(text)
    if len(shrinking) > 1:
        raise InputError(f"a degradation shrinks once, got {text!r}; keep one of {', '.join(shrinking.values())}")
    soft = links.pop(0).values[0] if links and links[0].kind == "soft" else 0.0
    if any(link.kind == "soft" for link in links) or (soft and 0 in shrinking):
        raise InputError(f"soft:VAR is of the scene and comes first, got {text!r}")
    place = max(0, next(iter(shrinking), 0) - bool(soft))
    name = next(iter(shrinking.values()), "bicubic")
    chain = Chain(soft=soft, early=tuple(links[:place]), shrinking=name, late=tuple(links[place:]))
    chain.degradation(scale)
    return chain


def parse_names(text: str) -> tuple[str, ...]:
    """Split names of degradations at commas, except those before a number, as in gaussian:4,1,30deg.

    "gaussian8" becomes its eight kernels.
    """
    names = re.split(r",(?!\s*-?\d+(?:\.\d+)?(?:deg)?\s*(?:[,+]|$))", text)
    expanded: list[str] = []
    for name in (re.sub(r"\s", "", name) if "/" not in name else name.strip() for name in names):
        is_set = "gaussian8" in name.split("+")
        expanded += [re.sub(r"\bgaussian8\b", f"gaussian8:{i}", name) for i in range(1, 9)] if is_set else [name]
    return tuple(expanded)


def _rounded_between(image: Tensor, scale: Scale) -> Tensor:
    """MATLAB's imresize of uint8: each axis is rounded to 8 bits, the one that shrinks most first, else the rows."""
    vertical, horizontal = as_pair(scale)
    levels = (image * 255).round()
    factors = [(1 / vertical, 1.0), (1.0, 1 / horizontal)]
    for factor in factors if vertical >= horizontal else factors[::-1]:
        levels = (resize(levels, factor) + 0.5).floor().clamp(0, 255)
    return levels / 255


class _State(NamedTuple):
    """An image on its way, the noise in it, and that noise's standard deviation."""

    image: Tensor
    noise: Tensor
    deviation: float
    counting: CountingNoise | None = None
    """Of the small image; None where it is only part of the noise, or was sharpened or compressed since."""


def _split(text: str) -> tuple[list[Link], dict[int, str]]:
    """The links, and the ways of shrinking by the number of links before them. A kernel file's name may hold a +."""
    links: list[Link] = []
    shrinking: dict[int, str] = {}
    for word in text.split("+"):
        link = _parse_link(word, text)
        if link is None:
            earlier = shrinking.get(len(links))
            shrinking[len(links)] = word if earlier is None else f"{earlier}+{word}"
        else:
            links.append(link)
    return links, shrinking


def _parse_link(word: str, text: str) -> Link | None:
    """The link that a word names, None where it names none; `text` is the whole chain, for errors."""
    if number := re.fullmatch(r"(?a)(noise|grey|grain|chroma|jpeg|webp)(\d{1,3}(?:\.\d{1,6})?)", word):
        kind, value = number[1], float(number[2])
        if kind in ("jpeg", "webp") and not (value.is_integer() and 1 <= value <= 100):
            raise InputError(f"+{kind} takes a quality from 1 to 100, got {text!r}")
        if kind not in ("jpeg", "webp") and value >= 255:
            raise InputError(f"noise is a standard deviation in 8-bit levels below 255, got {text!r}")
        return Link(kind, (value,))
    forms = {"soft": "soft:VAR", "sharpen": "sharpen:SIGMA:AMOUNT", "poisson": "poisson:PEAK"}
    kind = word.partition(":")[0]
    if kind not in forms:
        return None
    values = numbers(word, forms[kind])
    if min(values) <= 0:
        raise InputError(f"{forms[kind]} takes numbers above 0, got {text!r}")
    return Link(kind, values)


def _applied(state: _State, link: Link, generator: torch.Generator) -> _State:
    """Apply a link to an image."""
    image, noise, deviation, counting = state
    if link.kind in ("jpeg", "webp"):
        return state._replace(image=_compressed(quantized(image.clamp(0, 1)), link), counting=None)
    if link.kind == "sharpen":
        sharp = unsharp_filter(*link.values)
        image, noise = _filtered(image, sharp), _filtered(noise, sharp)
        return _State(image, noise, _root_mean_square(noise))
    if link.kind == "poisson":
        (peak,) = link.values
        drawn = torch.poisson(image.clamp(min=0) * peak, generator) / peak - image
        added = _root_mean_square(drawn)
        counting = CountingNoise(gain=min(1.0, 1 / peak)) if deviation == 0 else None
    else:
        added = link.values[0] / 255
        drawn = added * _noise(link.kind, image.shape, generator).to(image)
        counting = None if counting is None else replace(counting, read=math.hypot(counting.read, added))
    return _State(image + drawn, noise + drawn, math.hypot(deviation, added), counting)


def _noise(kind: str, size: torch.Size, generator: torch.Generator) -> Tensor:
    """Noise of standard deviation 1, (1, C, H, W)."""
    if kind == "noise":
        return torch.randn(size, generator=generator)
    width = 0.7  # pixels: neighbours correlate by 0.6, about as those of a demosaiced photograph or a scan do
    return noise_field(FIELDS[kind], size[1:], width, generator)[None]


def _filtered(image: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel of (1, C, H, W) with a kernel; edges are replicated."""
    radius = kernel.shape[-1] // 2
    padded = F.pad(image, (radius,) * 4, mode="replicate")
    return F.conv2d(padded.transpose(0, 1), kernel.to(image)[None, None]).transpose(0, 1)


def _compressed(image: Tensor, link: Link) -> Tensor:
    quality = int(link.values[0])
    if link.kind == "jpeg":
        return compressed(image, quality)
    if image.shape[1] not in (1, 3):
        raise InputError(f"a WebP has one or three channels, got {image.shape[1]}; leave +webp out")
    return webp(image[0].expand(3, -1, -1), quality)[None, : image.shape[1]]


def _root_mean_square(noise: Tensor) -> float:
    return float(noise.square().mean().sqrt())
