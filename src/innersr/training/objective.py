"""Protocol of training objectives: network, data and loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from innersr.run import Run
from innersr.training.crops import CropPool, Crops

OPTIMIZERS = ("adam", "muon")
ERRORS = ("absolute", "logarithmic")
Network = TypeVar("Network", bound=nn.Module)


class ParameterGroup(NamedTuple):
    """Parameters with the same optimizer and learning rate."""

    parameters: list[nn.Parameter]
    optimizer: str = "adam"
    """One of OPTIMIZERS; "muon" for the weights of hidden convolutions only."""
    share: float = 1.0
    """Factor on that optimizer's learning rate."""


class Loss(NamedTuple):
    """A loss, and its gradients by the network's parameters where the objective has computed them."""

    value: Tensor
    gradients: Sequence[Tensor] | None = None
    """None where `value` can be differentiated."""


class Objective(Protocol[Network]):
    """A network's training task: data, loss and validation. Keeps no state.

    An objective is a frozen, keyword-only dataclass of its settings (int, float, str, bool): they are what `--set`
    takes, what is recorded, and what a resumed training has to have again. It holds no image, device or path.
    """

    @property
    def seed(self) -> int:
        """Seed of the initial weights and of every draw."""

    @property
    def batch(self) -> int:
        """Tasks per step, divided among the processes."""

    unit: ClassVar[str]
    """Unit of the figures of `validate`; empty where they have different ones."""

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop it needs."""

    def network(self) -> Network:
        """A new network on the CPU, its weights drawn from the seed."""

    def parameter_groups(self, network: Network) -> list[ParameterGroup]:
        """All trained parameters, each in one group."""

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step. Runs in another thread during training.

        Task i draws from `run.generator_of(seed, step, i)`, so that it does not depend on how the batch is divided;
        draws for the whole step use index -1.
        """

    def loss(self, network: Network, crops: Crops, run: Run) -> Loss:
        """Sum over these tasks of each one's loss / batch, so that the processes' losses add up to that of the batch.

        Computed on run's device, network passes within `run.autocast()`. Further draws come from the crops'
        generators.
        """

    def validate(self, network: Network, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """Figures by name, such as PSNR-Y, on sharp images (1, 3, H, W) on the CPU."""


def reconstruction_loss(error: Tensor, measure: str) -> Tensor:
    """Mean over the crops of a reconstruction error, (N, C, H, W), by one of ERRORS.

    "absolute" is the mean absolute error, "logarithmic" the log of the mean squared error, as PSNR (Chen 2021, HINet).
    """
    if measure == "absolute":
        return error.abs().mean()
    # One 8-bit level is added: smaller errors do not matter.
    return (error.square().mean((1, 2, 3)) + 1 / 255**2).log().mean()
