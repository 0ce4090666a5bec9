"""Training objective of Tailor: undo random degradations that are given to the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from innersr.errors import InputError
from innersr.inference.tailored import condition_on_taps, super_resolve_tailored
from innersr.metrics.grey_levels import linear_luma
from innersr.networks.growth import insert_identity_layers, widen, with_compression
from innersr.networks.tailored_stack import SCALES, TailoredStack
from innersr.physics.degradation import Degradation
from innersr.physics.pseudoinverse import RADIUS, apply_filters
from innersr.run import Run, generator_of
from innersr.settings import check_choices
from innersr.training.crops import CropPool, Crops
from innersr.training.degradations import Task, hr_side, random_task
from innersr.training.objective import ERRORS, OPTIMIZERS, Loss, ParameterGroup, reconstruction_loss
from innersr.training.real_degradations import ChainMixture, random_chain_task
from innersr.training.real_validation import REAL_CASES, measure_gains
from innersr.training.validation import Case, measure

FILM_SHARE = 0.03  # of the learning rate; at the full rate FiLM diverges before the layers are trained
LEAST_CROP = RADIUS + 1  # LR pixels; reflection does not reach farther

CASES: tuple[Case, ...] = (
    *((name, 2) for name in ("g0.2d", "g2.0d", "ganid", "g1.3b", "bicubic")),
    *((name, 4) for name in ("g2.0d", "bicubic")),
)


@dataclass(frozen=True, kw_only=True)
class TailorObjective:
    """Trains a `TailoredStack`.

    Args:
        width, depth, hidden: of the network.
        batch: degradations per step, all at one scale.
        crops_each: crops per degradation. Four or more of them make a step faster: the network is folded for each
            degradation.
        crop: side of a crop at x2, in LR pixels.
        small_crop: the same at x3 and x4, whose HR crops are larger.
        x2, x3, x4: relative frequencies of the scales.
        chains: whether crops are degraded by `random_chain_task`, as real images are, and compression is given too;
            in place of the last three shares below.
        clean, clean_mistaken: of chains, see `ChainMixture`.
        kernel_error: share of the crops whose given kernel is an estimate, its error given as noise.
        coloured_noise: share of the crops with noise that is correlated between pixels or channels.
        jpeg: share of the LR crops that are compressed, the error given as noise.
        optimizer: of the weights between the hidden layers, "muon" or "adam".
        error: minimised, of the colours and of the luma, see `reconstruction_loss`.
        fourier: weight of the mean absolute error of the colours' Fourier transform, which is not normalised (SMFANet,
            Zheng 2024).
        seed: of the initial weights and of every draw.

    Raises:
        InputError: a crop below LEAST_CROP, shares below 0 or all 0, an unknown optimizer or error, an empty batch,
            chains together with what they replace.
    """

    width: int = 64
    depth: int = 8
    hidden: int = 96
    batch: int = 16
    crops_each: int = 1
    crop: int = 48
    small_crop: int = 32
    x2: float = 0.6
    x3: float = 0.15
    x4: float = 0.25
    chains: bool = False
    clean: float = ChainMixture.clean
    clean_mistaken: float = ChainMixture.clean_mistaken
    kernel_error: float = 0.0
    coloured_noise: float = 0.0
    jpeg: float = 0.0
    optimizer: str = "muon"
    error: str = "absolute"
    fourier: float = 0.0
    seed: int = 0
    unit: ClassVar[str] = "dB"

    def __post_init__(self) -> None:
        if min(self.crop, self.small_crop) < LEAST_CROP:
            raise InputError(f"crop and small_crop must be {LEAST_CROP} at least, got {self.crop}, {self.small_crop}")
        if min(self._shares) < 0 or not sum(self._shares) > 0:
            raise InputError(f"x2, x3 and x4 must be at least 0 and not all 0, got {self._shares}")
        check_choices(self, optimizer=OPTIMIZERS, error=ERRORS)
        errors = self.kernel_error, self.coloured_noise, self.jpeg
        shares = *errors, self.clean, self.clean_mistaken
        if not 0 <= min(shares) <= max(shares) <= 1:
            names = "kernel_error, coloured_noise, jpeg, clean and clean_mistaken"
            raise InputError(f"{names} are shares from 0 to 1, got {shares}")
        if self.chains and max(errors) > 0:
            raise InputError("chains have their own errors; leave kernel_error, coloured_noise and jpeg out")
        if self.crops_each > 1 and not self.chains:
            raise InputError(f"crops_each={self.crops_each} is for chains; give chains=true too")
        if not 0 <= self.fourier < math.inf:
            raise InputError(f"fourier is a weight of at least 0, got {self.fourier}")
        if min(self.batch, self.crops_each, self.width, self.hidden) < 1 or self.depth < 3:
            raise InputError("batch, crops_each, width and hidden must be 1 at least, depth 3 at least")

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop it needs."""
        return max(hr_side(self._lr_side(scale), scale) for scale in self._used_scales)

    def network(self) -> TailoredStack:
        """A new network, its weights drawn from the seed."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = {"width": self.width, "depth": self.depth, "hidden": self.hidden}
        return TailoredStack(**shape, compression=self.chains, generator=generator)

    def network_from(self, prior: TailoredStack) -> TailoredStack:
        """The network with the weights of a prior that is at most as wide and as deep."""
        generator = torch.Generator().manual_seed(self.seed)
        network = with_compression(prior) if self.chains else prior
        if network.depth < self.depth:
            network = insert_identity_layers(network, self.depth, generator)
        return widen(network, self.width, generator) if network.width < self.width else network

    def parameter_groups(self, network: TailoredStack) -> list[ParameterGroup]:
        """The weights for Muon, the conditioning layers at a low rate, and the rest."""
        groups: dict[str, list[nn.Parameter]] = {"hidden": [], "film": [], "rest": []}
        for name, parameter in network.named_parameters():
            is_film = name.startswith(("told.", "film."))
            is_hidden = name.startswith("body.") and parameter.ndim == 4
            groups["film" if is_film else "hidden" if is_hidden else "rest"].append(parameter)
        return [
            ParameterGroup(groups["hidden"], self.optimizer),
            ParameterGroup(groups["film"], share=FILM_SHARE),
            ParameterGroup(groups["rest"]),
        ]

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step."""
        scale = self.scale(step)
        generators = [generator_of(self.seed, step, i) for i in index]
        drawn = pool.crops(
            hr_side(self._lr_side(scale), scale), step, [g for g in generators for _ in range(self.crops_each)]
        )
        return drawn._replace(generators=generators)

    def loss(self, network: TailoredStack, crops: Crops, run: Run) -> Loss:
        """Reconstruction loss of RGB plus that of luma."""
        with torch.no_grad():
            task = self._task(crops, run.torch_device)
            conditioning = condition_on_taps(task.taps, task.scale, task.noise, task.compression)
            around = F.pad(task.lr, (RADIUS,) * 4, mode="reflect")
            filters = conditioning.filters.repeat_interleave(self.crops_each, 0)
            inputs = torch.cat([task.lr, apply_filters(around, filters)], dim=1)
        with run.autocast():
            lacking = network(inputs, task.scale, conditioning.vector)
        error = F.pixel_shuffle(inputs[:, network.channels :] + lacking.float(), task.scale) - task.hr
        error = error[..., 2:-2, 2:-2]  # the network sees zeros beyond the edge
        loss = reconstruction_loss(error, self.error) + reconstruction_loss(linear_luma(error), self.error)
        if self.fourier > 0:
            loss = loss + self.fourier * torch.view_as_real(torch.fft.rfft2(error)).abs().mean()
        return Loss(loss * (len(task.taps) / self.batch))

    def validate(self, network: TailoredStack, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """PSNR-Y in dB by degradation and scale, for the scales that are trained; of chains its gain."""
        quiet = replace(run, report=None)

        def upscale(lr: Tensor, degradation: Degradation) -> Tensor:
            return super_resolve_tailored(network, lr.to(run.torch_device), degradation, quiet, symmetries=(0,))

        if self.chains:
            used = [case for case in REAL_CASES if case.scale in self._used_scales]
            return measure_gains(upscale, images, used)
        return measure(upscale, images, [case for case in CASES if case[1] in self._used_scales])

    def scale(self, step: int) -> int:
        """Scale of all tasks of a step."""
        place = float(torch.rand((), generator=generator_of(self.seed, step, -1))) * sum(self._shares)
        for scale, share in zip(SCALES, self._shares, strict=True):
            if place < share:
                return scale
            place -= share
        return max(self._used_scales)

    def _task(self, crops: Crops, device: torch.device) -> Task:
        """Degrade the crops of a step."""
        scale = self.scale(crops.step)
        if self.chains:  # on the CPU, where the files of chains are written
            mixture = ChainMixture(clean=self.clean, clean_mistaken=self.clean_mistaken)
            return random_chain_task(crops.images.float() / 255, scale, crops.generators, mixture).to(device)
        sharp = crops.images.to(device).float() / 255
        shares = {"kernel_error": self.kernel_error, "coloured_noise": self.coloured_noise, "jpeg": self.jpeg}
        return random_task(sharp, scale, crops.generators, **shares)

    @property
    def _used_scales(self) -> list[int]:
        return [scale for scale, share in zip(SCALES, self._shares, strict=True) if share > 0]

    @property
    def _shares(self) -> tuple[float, float, float]:
        return self.x2, self.x3, self.x4

    def _lr_side(self, scale: int) -> int:
        return self.crop if scale == 2 else self.small_crop
