"""How one scale of SinGAN learns: its generator against its critic, given the scales below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.adam import Adam
from innersr.divergence import DivergenceGuard
from innersr.errors import CheckpointError
from innersr.networks.checkpoints import check_tensors
from innersr.networks.moments import check_moments, moments_of, restore_moments
from innersr.physics.resize import Window, image_size
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.model import PictureModel, Scale, white_noise
from innersr.singan.networks import ConvStack, add_residual, padded
from innersr.singan.patch_matching import colour_axes, random_projections
from innersr.singan.settings import PAD, SinGAN
from innersr.singan.training.coarse_inputs import CoarseInputs, TrainedScales
from innersr.singan.training.losses import adversarial_loss, critic_gap, gradient_penalty, statistics_distance

CALIBRATIONS = 24  # fakes that the norms' statistics are taken from


class Losses(NamedTuple):
    """Of one iteration, on the device."""

    critic: Tensor
    """Score of the real minus that of the fake: what tells them apart."""
    reconstruction: Tensor
    """Mean squared error, values in [-1, 1]."""


@dataclass(frozen=True)
class _Draw:
    """What a step is made of: a fake to be, and the real picture that it is held against."""

    picture: int
    coarse: Tensor
    """(1, C, H, W), the whole coarse picture."""
    noise: Tensor
    """(1, C, H, W), at its amplitude."""
    fake: Window
    """Crop of the fake."""
    real: Window
    """Crop of the real picture, and of the reconstruction."""
    share: Tensor


class ScaleLearner:
    """Learns the next scale of a model.

    Args:
        model: whose scales below are trained.
        reals: the pictures of the subject at this scale, (1, C, H, W) each, in [-1, 1].
        run: where, and the seed.
        initial: weights of the generator and the critic to begin with, such as those of the scale below.
        inputs: the coarse pictures that the scale refines; made by the scales below if None.
        generator: to go on with, with norms or without; a new one if None.
    """

    def __init__(
        self,
        model: PictureModel,
        reals: Sequence[Tensor],
        run: Run,
        *,
        initial: Mapping[str, Tensor] | None = None,
        inputs: CoarseInputs | None = None,
        generator: ConvStack | None = None,
    ) -> None:
        self._model, self._run, self.settings = model, run, model.settings
        self.index = len(model.scales)
        self.iteration = 0
        device = run.torch_device
        self._reals = [real.to(device) for real in reals]
        self._inputs = inputs or TrainedScales(model, device, run.dtype)
        self._reconstructions = [self._inputs.reconstruction(k) for k in range(len(reals))]
        self._codes = [
            model.code(k).to(device) if self.index == 0 else torch.zeros_like(real)
            for k, real in enumerate(self._reals)
        ]
        self.amplitude = self._amplitude()
        channels, widths = model.channels, model.settings.widths_at(self.index)
        drawn = generator_of(run.seed, Draws.WEIGHTS, self.index)
        self.generator = generator or ConvStack(channels, channels, widths, norm=True, generator=drawn)
        self.critic = ConvStack(channels, 1, widths, norm=self.settings.critic_norm, generator=drawn)
        if initial is not None:
            self._load(initial)
        networks = [self.generator, self.critic]
        for network in networks:
            network.to(device).train().requires_grad_(True)
        self._optimizers = [
            Adam(network.parameters(), self.settings.learning_rate, betas=(0.5, 0.999)) for network in networks
        ]
        changing = [tensor for network in networks for tensor in network.state_dict(keep_vars=True).values()]
        self.guard = DivergenceGuard(changing, self._optimizers)
        self._axes = colour_axes(self._reals)
        self._pool: dict[int, tuple[int, int, Tensor]] = {}

    def iterate(self) -> Losses:
        """Make one iteration: critic steps, then generator steps."""
        settings = self.settings
        self._set_rate()
        for turn in range(settings.critic_steps):
            draw, taken_back = self._draw(turn), self.guard.count
            is_last = turn == settings.critic_steps - 1  # the generator's first step goes on with its fake
            with torch.set_grad_enabled(is_last):
                fake = self._fake(draw)
            score_gap = self._critic_step(draw, fake.detach(), turn)
        for step in range(settings.generator_steps):
            if step or self.guard.count > taken_back:  # the generator is not what made the fake
                fake = self._fake(draw)
            reconstruction = self._generator_step(draw, fake)
        self.iteration += 1
        return Losses(score_gap, reconstruction)

    @torch.no_grad()
    def finished(self, *, is_late: bool = False) -> Scale:
        """The scale as it is after its last iteration; where it is late without fakes, which the scales below make.

        # Differs from the reference code: the norms' statistics are those of the finished weights, half of them over
        # fakes and half over reconstructions; running averages mix in what the generator was some iterations ago.
        """
        self.guard.settle()
        for norm in self.generator.norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean
        passes = min(CALIBRATIONS, 2 * len(self._reals)) if is_late else CALIBRATIONS  # more would see the same again
        for number in range(passes if self.generator.norms else 0):
            generator = generator_of(self._run.seed, Draws.CALIBRATION, self.index, number)
            picture = number // 2 % len(self._reals)
            if number % 2 or is_late:
                coarse, noise = self._reconstructions[picture], self._codes[picture]
            else:
                coarse = self._inputs.fake(picture, generator)
                noise = white_noise(generator, self.index, self._model.channels, image_size(coarse)).to(coarse)
            self.generator(padded(coarse + self.amplitude * noise))
        return Scale(self.generator.folded(), self.amplitude)

    def weights(self) -> dict[str, Tensor]:
        """The weights of the generator and the critic, which the next scale may begin with."""
        return {
            f"{name}.{key}": tensor
            for name, network in (("generator", self.generator), ("critic", self.critic))
            for key, tensor in network.state_dict().items()
        }

    def tensors(self) -> dict[str, Tensor]:
        """All that changes as it learns, except `iteration`."""
        state = self.weights()
        for number, optimizer in enumerate(self._optimizers if self.iteration else ()):
            state |= moments_of(f"adam.{number}", optimizer)
        return state

    def check(self, tensors: Mapping[str, Tensor], iteration: int) -> None:
        """Raise ValueError unless these tensors, or their outlines, can be the state after `iteration` iterations."""
        expected = self.weights()
        for number, optimizer in enumerate(self._optimizers if iteration else ()):
            expected |= moments_of(f"adam.{number}", optimizer)
        check_tensors(tensors, expected, exactly=True)
        check_moments(tensors, iteration * max(self.settings.critic_steps, self.settings.generator_steps))

    def restore(self, tensors: Mapping[str, Tensor], iteration: int, diverged: int = 0) -> None:
        """Restore what `tensors` returned after `iteration` iterations, and `check` has passed.

        Args:
            diverged: times that learning had been taken back until then, see `DivergenceGuard`.
        """
        self._load(tensors)
        for number, optimizer in enumerate(self._optimizers):
            restore_moments(f"adam.{number}", optimizer, tensors)
        self.iteration = iteration
        self.guard.resume(diverged)

    def _critic_step(self, draw: _Draw, fake: Tensor, turn: int) -> Tensor:
        settings = self.settings
        self.critic.requires_grad_(True)
        real = _cut(self._reals[draw.picture], draw.real)
        with self._run.autocast():
            score_gap = critic_gap(self.critic, real, fake)
        loss = -score_gap
        number = self.iteration * settings.critic_steps + turn
        if settings.penalty and number % settings.penalty_every == 0:
            with self._run.autocast():
                penalty = gradient_penalty(self.critic, real, fake, draw.share)
            loss = loss + settings.penalty * settings.penalty_every * penalty
        self._step(1, loss)
        return score_gap.detach()

    def _generator_step(self, draw: _Draw, fake: Tensor) -> Tensor:
        # Differs from the reference code: the fake is made anew with the weights of every step, so that its gradient
        # is exact; the critic's own gradient, which nobody uses, is left out.
        settings = self.settings
        self.critic.requires_grad_(False)
        with self._run.autocast():
            loss = adversarial_loss(self.critic, fake)
        real = self._reals[draw.picture]
        if settings.statistics and fake.shape == real.shape:  # crops have statistics of their own
            loss = loss + settings.statistics * self._statistics(real, fake)
        reconstruction = self._reconstruction(draw)
        self._step(0, loss + settings.reconstruction * reconstruction)
        return reconstruction.detach()

    def _fake(self, draw: _Draw) -> Tensor:
        coarse = draw.coarse
        x = padded(coarse + draw.noise)
        with self._run.autocast():
            return add_residual(self.generator, _cut(x, draw.fake, PAD), _cut(coarse, draw.fake))

    def _statistics(self, real: Tensor, fake: Tensor) -> Tensor:
        generator = generator_of(self._run.seed, Draws.STATISTICS, self.index, self.iteration)
        side = min(7, *image_size(real))  # of a patch, as in `PatchMatching`
        # Half as many projections as there: a training makes far more steps.
        return statistics_distance(fake, real, random_projections(32, side, self._axes, generator).to(real))

    def _reconstruction(self, draw: _Draw) -> Tensor:
        coarse = self._reconstructions[draw.picture]
        code = self.amplitude * self._codes[draw.picture]
        with self._run.autocast():
            x = _cut(padded(coarse + code), draw.real, PAD)
            made = add_residual(self.generator, x, _cut(coarse, draw.real))
        return F.mse_loss(made, _cut(self._reals[draw.picture], draw.real))

    def _step(self, which: int, loss: Tensor) -> None:
        if not self.guard.is_sound(loss.detach()):
            return
        optimizer = self._optimizers[which]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def _draw(self, turn: int) -> _Draw:
        """Draw what the steps of one turn are made of; it depends on the seed, the scale, the iteration, the turn."""
        generator = generator_of(self._run.seed, Draws.STEPS, self.index, self.iteration, turn)
        if self.settings.pool:
            picture, coarse = self._from_pool(generator)
        else:
            picture = int(torch.randint(len(self._reals), (), generator=generator))
            coarse = self._inputs.fake(picture, generator)
        noise = white_noise(generator, self.index, self._model.channels, image_size(coarse)).to(coarse)
        fake, real = (_random_window(image_size(coarse), self.settings, generator) for _ in range(2))
        share = torch.rand((), generator=generator).to(coarse.device)
        return _Draw(picture, coarse, self.amplitude * noise, fake, real, share)

    def _from_pool(self, generator: torch.Generator) -> tuple[int, Tensor]:
        """Return one of the coarse fakes that are kept; which ones, the iteration alone decides."""
        count = self.settings.pool
        slot = int(torch.randint(count, (), generator=generator))
        renewals = self.iteration // self.settings.pool_steps  # one slot after the other is made anew
        generation = (renewals - slot - 1) // count + 1 if renewals > slot else 0
        kept = self._pool.get(slot)
        if kept is None or kept[0] != generation:
            own = generator_of(self._run.seed, Draws.POOL, self.index, slot, generation)
            picture = int(torch.randint(len(self._reals), (), generator=own))
            kept = self._pool[slot] = (generation, picture, self._inputs.fake(picture, own))
        return kept[1], kept[2]

    def _amplitude(self) -> float:
        if self.index == 0:
            return 1.0
        errors = [F.mse_loss(a, b) for a, b in zip(self._reconstructions, self._reals, strict=True)]
        return self.settings.noise * float(torch.stack(errors).mean().sqrt())

    def _set_rate(self) -> None:
        falls = self.iteration >= self.settings.milestone * self.settings.iterations
        rate = self.settings.learning_rate * self.guard.rate_share * (0.1 if falls else 1)
        for optimizer in self._optimizers:
            optimizer.learning_rate = rate

    def _load(self, tensors: Mapping[str, Tensor]) -> None:
        for name, network in (("generator", self.generator), ("critic", self.critic)):
            own = {
                key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")
            }
            try:
                network.load_state_dict(own)
            except RuntimeError as error:
                raise CheckpointError(
                    f"the weights of the {name} are those of another network; train the model anew"
                ) from error


def _random_window(size: tuple[int, int], settings: SinGAN, generator: torch.Generator) -> Window:
    """A random crop of a picture, all of it where it is no larger than crops are.

    Places beyond the border are drawn too, and moved to it: the border would hardly be learned otherwise, where one
    crop in a hundred begins.
    """
    starts, lengths = [], []
    for n in size:
        length = min(n, settings.crop or n)
        drawn = int(torch.randint(-length // 2, n - length + length // 2 + 1, (), generator=generator))
        starts.append(min(max(0, drawn), n - length))
        lengths.append(length)
    return Window(starts[0], starts[1], starts[0] + lengths[0], starts[1] + lengths[1])


def _cut(x: Tensor, window: Window, margin: int = 0) -> Tensor:
    return x[..., window.top : window.bottom + 2 * margin, window.left : window.right + 2 * margin]
