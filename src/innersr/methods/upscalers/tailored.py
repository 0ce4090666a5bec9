"""The upscaler of Tailor: a conditioned network, then the projection onto what shrinks to the image."""

from __future__ import annotations

import torch
from torch import Tensor

from innersr.inference.tailored import project_to_consistency, super_resolve_tailored
from innersr.isolation import isolated
from innersr.methods.upscalers.module import UpscalerModule
from innersr.networks.tailored_stack import TailoredStack
from innersr.physics.back_projection import back_project
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size, resize
from innersr.physics.symmetries import SYMMETRIES
from innersr.run import Run

VIEWS = (1, 2, 4, 8)


class TailoredUpscaler(UpscalerModule):
    """A network conditioned on a degradation, applied to turned copies, whose results are averaged.

    Args:
        run: device, precision, tiles, progress.
        network: adapted or not.
        degradation: of the images, as far as the network knows it.
        scale: of the network; at other scales its result is resized.
        views: turned copies of the image; 0 for those of `affordable_views`.
        corrections: rounds of `project_to_consistency`, or 0.
    """

    def __init__(  # noqa: PLR0913 (a network, and how it is applied)
        self,
        run: Run,
        network: TailoredStack,
        degradation: Degradation,
        *,
        scale: int,
        views: int,
        corrections: int,
    ) -> None:
        super().__init__(run, [network])
        self.degradation, self.whole = degradation, degradation.rescaled(scale)
        self.views, self.corrections = views, corrections

    @isolated
    def forward(self, x: Tensor) -> Tensor:
        """Upscale images of any number of channels."""
        (network,) = self.networks
        assert isinstance(network, TailoredStack)
        degradation, run = self.degradation, self.run
        views = self.views or affordable_views(x.shape[-2] * x.shape[-1], run)
        sr = super_resolve_tailored(network, x, self.whole, run, symmetries=SYMMETRIES[:views])
        if self.whole is degradation:
            return project_to_consistency(sr, x, degradation, rounds=self.corrections, run=run)
        size = degradation.hr_size(image_size(x))
        vertical, horizontal = (s / w for s, w in zip(degradation.scales, self.whole.scales, strict=True))
        resized = resize(sr, (vertical, horizontal), size=size, wrap=degradation.wraps)
        return back_project(resized, x, degradation, steps=10 if self.corrections else 0, run=run)


def affordable_views(pixels: int, run: Run) -> int:
    """Default number of views of `pixels` LR pixels: 2, or more that together are few enough pixels.

    That is four images of 256x256 in bf16, and half as many on a CPU in fp32, which takes several times as long.
    """
    is_slow = run.torch_device.type == "cpu" and run.dtype == torch.float32
    most = (2 if is_slow else 4) * 256**2
    return max([2, *(views for views in VIEWS if views * pixels <= most)])
