"""What one step of training teaches: the protocol of lessons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from innersr.run import Run
from innersr.training.crops import CropPool, Crops

OPTIMIZERS = ("adam", "muon")
ERRORS = ("absolute", "logarithmic")
FLOOR = 1 / 255**2  # added to mean squared errors before their logarithm: below a level nothing is to be gained
LUMA = (65.481 / 219, 128.553 / 219, 24.966 / 219)  # BT.601
Network = TypeVar("Network", bound=nn.Module)


class ParameterGroup(NamedTuple):
    """Parameters that learn in the same way."""

    parameters: list[nn.Parameter]
    optimizer: str = "adam"
    """One of OPTIMIZERS; "muon" for the weights of hidden convolutions only."""
    share: float = 1.0
    """Factor on that optimizer's learning rate."""


class Lesson(Protocol[Network]):
    """Teaches a network; keeps nothing.

    A lesson is a frozen, keyword-only dataclass of its settings (int, float, str, bool): they are what `--set`
    takes, what is recorded, and what a resumed training has to have again. It holds no image, device or path.
    """

    @property
    def seed(self) -> int:
        """Seed of the initial weights and of every draw."""

    @property
    def batch(self) -> int:
        """Tasks per step, shared out among the ranks."""

    @property
    def unit(self) -> str:
        """Of what `validate` returns; none where its figures have different ones."""

    @property
    def side(self) -> int:
        """Side in pixels of the largest crop that it asks for."""

    def network(self) -> Network:
        """Return the network with its initial weights, made from the seed, on the CPU."""

    def parameter_groups(self, network: Network) -> list[ParameterGroup]:
        """Return all parameters that learn, each in one group."""

    def crops(self, pool: CropPool, step: int, index: Sequence[int]) -> Crops:
        """Cut the sharp crops of some tasks of a step; called in another thread while the network learns.

        Every draw of task i comes from `run.generator_of(seed, step, i)`, so that it does not depend on how
        the batch is shared out; what the whole step shares comes from index -1.
        """

    def loss(self, network: Network, crops: Crops, run: Run) -> Tensor:
        """Return the sum over these tasks of each one's loss / batch, so that ranks add up to one process.

        Computed on run's device, network passes within `run.autocast()`. Further draws come from the crops'
        generators.
        """

    def validate(self, network: Network, images: Sequence[Tensor], run: Run) -> dict[str, float]:
        """Return figures by name, such as PSNR-Y, on sharp images (1, 3, H, W) on the CPU."""


def size_of(error: Tensor, measure: str) -> Tensor:
    """Return how large an error is, the mean over the crops.

    Args:
        error: (N, C, H, W).
        measure: one of ERRORS: "absolute", its mean absolute value; "logarithmic", the logarithm of each crop's mean
            squared error, which is its PSNR (Chen 2021, HINet).
    """
    if measure == "absolute":
        return error.abs().mean()
    return (error.square().mean((1, 2, 3)) + FLOOR).log().mean()


def luma_of(x: Tensor) -> Tensor:
    """Return the luma, (N, 1, H, W), of colours, (N, 3, H, W)."""
    return (x * x.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
