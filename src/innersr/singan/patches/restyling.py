"""A picture in the manner of another one: the layout of the first, the patches of the second (Granot 2022, sec. 4)."""

from __future__ import annotations

from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import image_size, resize
from innersr.run import Run
from innersr.singan.patches.model import PatchModel


@isolated
def restyle(model: PatchModel, layout: Tensor, scale: int | None = None, run: Run | None = None) -> Tensor:
    """A structural analogy, (1, C, H, W) in [-1, 1]: the layout of one picture with the appearance of the model's.

    Args:
        model: of the picture whose patches are used.
        layout: (1, C, h, w) in [-1, 1]; the result has its shape, and about as many pixels as the model's picture.
            Its colours get the mean and the contrast of the model's.
        scale: at which it enters; a third of the way to the finest one if None.

    Raises:
        InputError: no such scale, or a layout of other channels.
    """
    if layout.ndim != 4 or tuple(layout.shape[:2]) != (1, model.channels):
        raise InputError(f"the layout must be (1, {model.channels}, H, W), got {tuple(layout.shape)}")
    scale = round((len(model.pyramid) - 1) / 3) if scale is None else scale
    model.check_start(scale)
    own, layout = model.pyramid[-1], layout.to(model.device)
    factor = (own[0, 0].numel() / layout[0, 0].numel()) ** 0.5
    height, width = (max(1, round(factor * n)) for n in image_size(layout))
    mean, deviation = (layout.mean(dim=(2, 3), keepdim=True), layout.std(dim=(2, 3), keepdim=True).clamp(min=1e-6))
    coloured = (layout - mean) / deviation * own.std(dim=(2, 3), keepdim=True) + own.mean(dim=(2, 3), keepdim=True)
    return model.inject(resize(coloured, size=(height, width)).clamp(-1, 1), scale, run=run)
