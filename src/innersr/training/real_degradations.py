"""Random chains of degradations, as real images have them, and the degradations given to a prior.

A chain is: the scene, which may be soft; noise and JPEG of a camera; shrinking by a kernel; sharpening; noise;
compression, once or twice. For a share of the images the given kernel, noise and compression have the errors of an
estimator. Every image draws from its own generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from innersr.metrics.grey_levels import quantized
from innersr.physics.chains import (
    Filter,
    Noise,
    noise_field,
    sharpened_taps,
    shrinking_taps,
    softened,
    with_noise,
)
from innersr.physics.jpeg import jpeg, strongest_compression, webp
from innersr.physics.log_covariance import GaussianBlur, blur_of_taps, taps_of_blur
from innersr.training.degradations import Task, degrade, hr_centre, random_taps


@dataclass(frozen=True, kw_only=True)
class ChainMixture:
    """Distribution of random chains. Shares are probabilities.

    Args:
        clean: share of images that are shrunk and nothing else; all shares below, but those of the kernels, are of the
            others.
        lanczos, box, bicubic: shares of these filters; the rest is `random_taps`, of which more than a third is
            bicubic, blurred or not.
        soft, softest: share of soft scenes; largest standard deviation of their blur in HR pixels.
        blurs_soft: whether soft scenes may be blurred by the kernel too; otherwise software shrinks them.
        early_noise, early_jpeg: shares of noise and of JPEG before shrinking.
        sharpened: share of unsharp masks after shrinking.
        noisy, loudest: share of noise; its largest standard deviation, in 8-bit levels.
        noises: kinds of noise, all of the same share.
        compressed, twice, as_webp: share of compression; of these, shares of a second JPEG before it and of WebP.
        worst_quality, best_quality: of compression.
        mistaken, clean_mistaken: share of the images, and of the clean ones, that are given with errors.
        unrounded: share of the images that are not rounded to 8 bits.
        covariance_error: largest standard deviation of the errors of log-covariances.
        level_error: largest factor between true and given noise, and strength of compression.
        false_noise: largest standard deviation of noise that is given where there is none.
        overlooked: share of the mistaken images whose compression is not noticed.
    """

    clean: float = 0.38
    lanczos: float = 0.08
    box: float = 0.07
    bicubic: float = 0.0
    soft: float = 0.14
    softest: float = 2.5
    blurs_soft: bool = True
    early_noise: float = 0.06
    early_jpeg: float = 0.10
    sharpened: float = 0.18
    noisy: float = 0.50
    loudest: float = 50.0
    noises: tuple[Noise, ...] = ("white", "white", "white", "grey", "correlated", "chroma", "poisson")
    compressed: float = 0.45
    twice: float = 0.25
    as_webp: float = 0.15
    worst_quality: float = 25.0
    best_quality: float = 95.0
    mistaken: float = 0.40
    clean_mistaken: float = 0.15
    unrounded: float = 0.12
    covariance_error: float = 0.3
    level_error: float = 1.4
    false_noise: float = 2 / 255
    overlooked: float = 0.15


class RandomChain(NamedTuple):
    """The degradations of one image; a quality of 0 means no file."""

    filter: Filter | Literal[""]
    soft: float
    early_noise: float
    early_quality: int
    sharpening: tuple[float, float]
    noise_kind: Noise
    noise: float
    noise_width: float
    first_quality: int
    quality: int
    is_webp: bool
    subsampling: int
    offset: tuple[int, int]
    is_rounded: bool
    is_mistaken: bool
    errors: tuple[float, float, float]

    def strength(self, scale: int) -> float:
        """Strength of the strongest compression, see `strongest_compression`."""
        after = [("jpeg", self.first_quality), ("webp" if self.is_webp else "jpeg", self.quality)]
        return strongest_compression([("jpeg", self.early_quality)], after, scale)


class Degraded(NamedTuple):
    """HR crops degraded by chains, and the truth about them."""

    task: Task
    """On the CPU, with the true degradations."""
    scenes: Tensor
    """(N * M, C, S, S), the crops after the blur of soft scenes."""
    kernels: Tensor
    """(N, T, T) taps before sharpening."""


def random_chain_task(
    crops: Tensor, scale: int, generators: Sequence[torch.Generator], mixture: ChainMixture | None = None
) -> Task:
    """Degrade HR crops by random chains.

    Args:
        crops: (N * M, C, S, S) in [0, 1] on the CPU, S of `hr_side`; M successive ones are degraded by the same chain.
        scale: HR pixels per LR pixel.
        generators: N of them.
        mixture: distribution of the chains.

    Returns:
        The task on the CPU, with the given degradations; noise includes what a mistaken kernel does not explain.
    """
    mixture = mixture or ChainMixture()
    chains = [random_chain(generator, mixture) for generator in generators]
    degraded = degrade_by_chains(crops, chains, scale, generators)
    if not any(c.is_mistaken for c in chains):
        return degraded.task
    clean = degrade(degraded.scenes, degraded.task.taps, scale)
    return _with_errors(degraded.task, chains, generators, degraded.scenes, clean, mixture)


def degrade_by_chains(
    crops: Tensor, chains: Sequence[RandomChain], scale: int, generators: Sequence[torch.Generator]
) -> Degraded:
    """Degrade HR crops, (N * M, C, S, S) in [0, 1] on the CPU, by N chains, with draws of their generators."""
    each = len(crops) // len(chains)
    chain_of = [chain for chain in chains for _ in range(each)]
    generator_of = [generator for generator in generators for _ in range(each)]
    scenes = softened(crops, [chain.soft for chain in chain_of])
    kernels = torch.stack([_random_kernel(c, scale, g) for c, g in zip(chains, generators, strict=True)])
    taps = torch.stack([_sharpened(k, c, scale) for k, c in zip(kernels, chains, strict=True)])
    sources = torch.stack([_photographed(x, c, g) for x, c, g in zip(scenes, chain_of, generator_of, strict=True)])
    lr = degrade(sources, taps, scale)
    deviation, early = (lr.new_tensor([getattr(c, name) for c in chains]) / 255 for name in ("noise", "early_noise"))
    # White noise becomes fainter by the norm of the kernel.
    noise = torch.hypot(deviation, early * taps.square().sum((-2, -1)).sqrt())
    lr = torch.stack([_saved(x, c, g) for x, c, g in zip(lr, chain_of, generator_of, strict=True)])
    strength = lr.new_tensor([c.strength(scale) for c in chains])
    return Degraded(Task(lr, hr_centre(scenes, lr, scale), taps, noise, strength, scale), scenes, kernels)


def random_chain(generator: torch.Generator, mixture: ChainMixture) -> RandomChain:
    """Draw a chain."""
    u = iter(torch.rand(40, generator=generator).tolist())

    def happens(share: float) -> bool:
        return next(u) < share

    def between(least: float, largest: float) -> float:
        return least + (largest - least) * next(u)

    is_clean = happens(mixture.clean)

    def also(share: float) -> bool:
        return happens(share) and not is_clean

    place = next(u)
    kinds: tuple[tuple[Filter, float], ...] = (
        ("lanczos", mixture.lanczos),
        ("box", mixture.box),
        ("bicubic", mixture.bicubic),
    )
    kind: Filter | Literal[""] = ""
    for name, share in kinds:
        if kind == "" and place < share:
            kind = name
        place -= share
    soft = between(0.6, mixture.softest) * also(mixture.soft)
    early_noise = between(0.5, 8) * also(mixture.early_noise)
    early_quality = round(between(40, mixture.best_quality)) * also(mixture.early_jpeg)
    amount, sigma = between(0.15, 1.6), between(0.4, 1.3)
    sharpening = (sigma, amount) if also(mixture.sharpened) else (0.0, 0.0)
    is_compressed, is_noisy = also(mixture.compressed), also(mixture.noisy)
    fraction, is_faint = next(u), happens(0.4)
    noise = (10 * fraction if is_faint else mixture.loudest * fraction**1.3) * is_noisy
    kind_of_noise, width = mixture.noises[int(next(u) * len(mixture.noises))], between(0.4, 1.2)
    qualities = [round(between(mixture.worst_quality, mixture.best_quality)) for _ in range(2)]
    is_twice, is_webp, is_fine = happens(mixture.twice), happens(mixture.as_webp), happens(0.3)
    chain = RandomChain(
        filter=kind,
        soft=soft,
        early_noise=early_noise,
        early_quality=early_quality,
        sharpening=sharpening,
        noise_kind=kind_of_noise,
        noise=noise,
        noise_width=width,
        first_quality=qualities[0] * (is_twice and is_compressed),
        quality=qualities[1] * is_compressed,
        is_webp=is_webp,
        subsampling=0 if is_fine else 2,
        offset=(int(16 * next(u)), int(16 * next(u))),
        is_rounded=not happens(mixture.unrounded),
        is_mistaken=happens(mixture.clean_mistaken if is_clean else mixture.mistaken),
        errors=(next(u), next(u), next(u)),
    )
    if soft > 0 and not mixture.blurs_soft:
        filters: tuple[Filter, ...] = ("bicubic", "bicubic", "lanczos", "box")
        return chain._replace(filter=filters[int(next(u) * len(filters))])
    return chain


def _random_kernel(chain: RandomChain, scale: int, generator: torch.Generator) -> Tensor:
    """Draw (T, T) taps before sharpening."""
    if chain.filter == "":
        return random_taps(scale, generator)
    return shrinking_taps(chain.filter, scale)


def _sharpened(taps: Tensor, chain: RandomChain, scale: int) -> Tensor:
    sigma, amount = chain.sharpening
    return sharpened_taps(taps, sigma, amount, scale) if amount > 0 else taps


def _photographed(scene: Tensor, chain: RandomChain, generator: torch.Generator) -> Tensor:
    """A scene with the noise and the JPEG before shrinking."""
    if chain.early_noise > 0:
        scene = scene + chain.early_noise / 255 * noise_field("white", scene.shape, 1.0, generator)
    if chain.early_quality > 0:
        scene = jpeg(scene, chain.early_quality, subsampling=chain.subsampling, offset=chain.offset)
    return scene


def _saved(lr: Tensor, chain: RandomChain, generator: torch.Generator) -> Tensor:
    """An LR image with the noise and the compression after shrinking."""
    if chain.noise > 0:
        lr = with_noise(lr, chain.noise_kind, chain.noise / 255, chain.noise_width, generator)
    lr = lr.clamp(0, 1)
    if chain.first_quality > 0:
        lr = jpeg(lr, chain.first_quality, subsampling=chain.subsampling, offset=chain.offset)
    if chain.quality > 0 and chain.is_webp:
        return webp(lr, chain.quality, offset=chain.offset)
    if chain.quality > 0:
        # The second file has the same blocks, as of a picture that is only saved again.
        return jpeg(lr, chain.quality, subsampling=chain.subsampling, offset=chain.offset)
    return quantized(lr) if chain.is_rounded else lr


def _with_errors(
    task: Task,
    chains: Sequence[RandomChain],
    generators: Sequence[torch.Generator],
    scenes: Tensor,
    clean: Tensor,
    mixture: ChainMixture,
) -> Task:
    """Give the mistaken chains as an estimator would.

    Their kernel is a Gaussian of about the same covariance, and the noise includes what it does not explain, so that
    the network can tell a reliable kernel from one that may be wrong.

    Args:
        task: with the true degradations.
        chains, generators: N of them.
        scenes: (N * M, C, S, S) HR crops.
        clean: (N * M, C, h, w), of shrinking alone.
        mixture: sizes of the errors.
    """
    taps, noise, strength = (part.clone() for part in (task.taps, task.noise, task.compression))
    chosen = [i for i, chain in enumerate(chains) if chain.is_mistaken]
    blur, places = blur_of_taps(taps[chosen], task.scale)
    moves = torch.stack([torch.randn(3, generator=generators[i]) for i in chosen])
    sizes = torch.tensor([mixture.covariance_error * chains[i].errors[0] for i in chosen])
    guess = GaussianBlur(blur.log + sizes[:, None] * moves, blur.is_bicubic)
    taps[chosen] = taps_of_blur(guess, task.scale, places)
    sharp, shrunk = (x.unflatten(0, (len(chains), -1))[chosen] for x in (scenes, clean))
    error = degrade(sharp.flatten(0, 1), taps[chosen], task.scale) - shrunk.flatten(0, 1)
    missed = error.unflatten(0, (len(chosen), -1)).square().mean((1, 2, 3, 4)).sqrt()
    for place, i in enumerate(chosen):
        _, of_noise, of_strength = chains[i].errors
        false_noise = (of_noise > 0.7) * of_noise * mixture.false_noise
        noise[i] = torch.hypot(noise[i] * mixture.level_error ** (2 * of_noise - 1) + false_noise, missed[place])
        wrong = (strength[i] * mixture.level_error ** (2 * of_strength - 1)).clamp(max=1)
        strength[i] = 0 if of_strength < mixture.overlooked else wrong
    return task._replace(taps=taps, noise=noise, compression=strength)
