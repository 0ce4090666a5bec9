"""Weights in training, their running average, their optimizers. Knows nothing about data or files."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from innersr.divergence import DivergenceGuard
from innersr.errors import InputError
from innersr.methods.schedules import cosine
from innersr.networks.checkpoints import check_tensors
from innersr.networks.moments import check_moments, moments_of, restore_moments
from innersr.run import Run
from innersr.settings import check_choices
from innersr.training.crops import Crops
from innersr.training.distributed import ProcessGroup
from innersr.training.muon import Muon
from innersr.training.objective import Network, Objective


@dataclass(frozen=True, kw_only=True)
class TrainingSchedule:
    """Number of steps, and the learning rates over them.

    Args:
        steps: in all.
        learning_rate: of Adam, its largest.
        muon_rate: of Muon, its largest.
        schedule: of both rates: "cosine" decays to a hundredth; "cooldown" does so over the last 30 % of the steps, so
            that their number can be changed before; "paper" halves them every 100,000 steps down to a
            quarter, from 4e-4 to 1e-4 in MZSR's large-scale training (Soh 2020).
        warm_up: steps over which the rates rise at the start.
        average: decay of the running average of the weights, which becomes the prior.
        clip: largest norm of Adam's gradient; Muon does not depend on the norm.

    Raises:
        InputError: a number out of its range, or an unknown schedule.
    """

    steps: int = 20_000
    learning_rate: float = 1e-3
    muon_rate: float = 0.02
    schedule: str = "cosine"
    warm_up: int = 100
    average: float = 0.998
    clip: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warm_up < 0:
            raise InputError(f"steps must be 1 at least and warm_up 0, got {self.steps} and {self.warm_up}")
        if not min(self.learning_rate, self.muon_rate, self.clip) > 0 or not 0 <= self.average < 1:
            raise InputError("learning_rate, muon_rate and clip must be above 0, average from 0 to below 1")
        check_choices(self, schedule=("cosine", "cooldown", "paper"))

    def rate_share(self, step: int) -> float:
        """Factor on the largest learning rates at a step."""
        rising = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        if self.schedule == "paper":
            return rising * max(0.25, 0.5 ** (step // 100_000))
        if self.schedule == "cooldown":
            return rising * cosine(max(0.0, 1 - (1 - step / self.steps) / 0.3), 1.0)
        return rising * cosine(step / self.steps, 1.0)


class Learner(Generic[Network]):
    """A network being trained for an objective, step by step, from the objective's weights or from `initial` ones.

    Raises:
        InputError: the initial weights are those of another network.
    """

    def __init__(
        self,
        objective: Objective[Network],
        schedule: TrainingSchedule,
        run: Run,
        initial: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._objective, self._schedule, self._run = objective, schedule, run
        self.step = 0
        self.network: Network = objective.network()
        if initial is not None:
            _check_fit(initial, self.network.state_dict())
            self.network.load_state_dict(initial)
        self.network.to(run.torch_device).train().requires_grad_(True)
        self.average: Network = copy.deepcopy(self.network).requires_grad_(False)
        groups = objective.parameter_groups(self.network)
        self._clipped = [p for group in groups if group.optimizer == "adam" for p in group.parameters]
        rates = {"adam": schedule.learning_rate, "muon": schedule.muon_rate}
        settings: dict[str, list[dict[str, object]]] = {name: [] for name in rates}
        for g in groups:
            largest = g.share * rates[g.optimizer]
            settings[g.optimizer].append({"params": g.parameters, "lr": 0.0, "largest": largest})
        self._optimizers: dict[str, torch.optim.Optimizer] = {}
        if settings["adam"]:
            self._optimizers["adam"] = torch.optim.Adam(settings["adam"], betas=(0.9, 0.99), fused=True)
        if settings["muon"]:
            self._optimizers["muon"] = Muon(settings["muon"], dtype=run.dtype)
        weights = [*self.network.parameters(), *self.average.parameters()]
        self.guard = DivergenceGuard(weights, [*self._optimizers.values()])

    def learn(self, crops: Crops, group: ProcessGroup, should_stop: Callable[[], bool]) -> tuple[Tensor, bool]:
        """Take one step on this process's crops, together with all other processes.

        Returns:
            The loss of all tasks, and whether any process wants to stop: the same in every process.
        """
        parameters = list(self.network.parameters())
        loss = backpropagate(self._objective, self.network, crops, self._run)
        wants_stop = should_stop()
        shared = torch.stack([loss, torch.full_like(loss, float(wants_stop))])
        # A parameter without a gradient, such as a layer of another scale, has none in any process.
        group.add_up([*(p.grad for p in parameters if p.grad is not None), shared])
        if self.guard.is_sound(shared[0]):
            torch.nn.utils.clip_grad_norm_(self._clipped, self._schedule.clip)
            self._update()
        self.step += 1
        return shared[0], wants_stop if group.world == 1 else bool(shared[1] > 0)

    def tensors(self) -> dict[str, Tensor]:
        """State of the training, except `step`."""
        state = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        state |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        for kind, optimizer in self._optimizers.items():
            state |= moments_of(kind, optimizer)
        return state

    def check(self, tensors: Mapping[str, Tensor], step: int, *, moments: str = "all") -> None:
        """Raise ValueError unless these tensors, or their outlines, can be the state after `step` steps.

        Args:
            moments: "all", or "used" if those of parameters without gradients so far may be missing.
        """
        expected = self.tensors()
        if moments == "used":
            given, optimizers = {name.rpartition(".")[0] for name in tensors}, (*self._optimizers,)
            expected = {
                name: tensor
                for name, tensor in expected.items()
                if name.rpartition(".")[0] in given or not name.startswith(optimizers)
            }
        check_tensors(tensors, expected, exactly=True)
        check_moments(tensors, step)

    def restore(self, tensors: Mapping[str, Tensor], step: int, diverged: int = 0) -> None:
        """Restore the state that `tensors` returned after `step` steps, and that `check` has passed.

        Args:
            diverged: how often weights had been restored until then.
        """
        for part, network in (("network", self.network), ("average", self.average)):
            own = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
            network.load_state_dict(own)
        for kind, optimizer in self._optimizers.items():
            restore_moments(kind, optimizer, tensors)
        self.step = step
        self.guard.resume(diverged)

    @torch.no_grad()
    def _update(self) -> None:
        share = self._schedule.rate_share(self.step) * self.guard.rate_share
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["largest"] * share
            optimizer.step()
        # The average starts from the first weights, and forgets them soon.
        decay = min(self._schedule.average, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_([*self.average.parameters()], [*self.network.parameters()], 1 - decay)


def backpropagate(objective: Objective[Network], network: Network, crops: Crops, run: Run) -> Tensor:
    """Set the gradients of a network's parameters to those of the loss of some tasks, and return that loss."""
    for parameter in network.parameters():
        parameter.grad = None
    loss, gradients = objective.loss(network, crops, run)
    if gradients is None:
        loss.backward()
    else:
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
    return loss.detach()


def _check_fit(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise InputError unless names and shapes of weights are those of the network."""
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    expected_shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    odd = sorted(name for name in given.keys() | expected_shapes.keys() if given.get(name) != expected_shapes.get(name))
    if odd:
        what = f"{odd[0]} is {given.get(odd[0], 'missing')}, not {expected_shapes.get(odd[0], 'expected')}"
        raise InputError(f"the weights are those of another network ({what}); give the settings they were made with")
