"""Manipulation by a learned picture: paintings, edits and composites in its manner.

A picture put in at a scale keeps its coarser structure; the generators from that scale on give it the patches of what
was learned. At coarse scales they change much, at fine ones only texture. Which scale is best has to be looked at
(`contact_sheet_scales`); the advice of Shaham 2019, with scales counted from the coarsest, 0: paintings at 1 or 2;
edits at a rather coarse one; composites two to four below the finest, where they keep their shape.

Pictures are (1, C, H, W) in [-1, 1] of any size, and results have their size. The patches have that of what was
learned, though: the published results are of pictures of the model's size (`PictureModel.size`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import image_size
from innersr.run import Run
from innersr.singan.masks import continued, dilated, soft_mask
from innersr.singan.model import PictureModel
from innersr.singan.palette import to_palette
from innersr.singan.patches.model import PatchModel, SubjectModel
from innersr.singan.pyramid import Size, low_passed_at
from innersr.singan.training.fine_tuning import check_picture, check_scale, fit_to_palette

Made = TypeVar("Made")


class Blend(NamedTuple):
    """A picture that was refined, all of it or where a mask says so."""

    plain: Tensor
    """(count, C, H, W), as the generators make it; of `edit` with the colours of the picture, see `_recoloured`."""
    blended: Tensor
    """The same where the mask is 1, the unedited picture where it is 0."""
    mask: Tensor
    """(1, 1, H, W), grown and feathered."""


def default_scale(model: SubjectModel, use: str) -> int:
    """The scale at which a picture enters unless one is named, for the use "paint", "edit" or "harmonize"; 1 at least.

    Copied patches stay crisp from any scale on, so that edits may enter early.
    """
    early = 0.2 if isinstance(model, PatchModel) else 0.4
    share = {"paint": 0.0, "edit": early, "harmonize": 0.6}[use]
    return max(1, round(share * (len(model.sizes[0]) - 1)))


@isolated
def paint(
    model: SubjectModel,
    painting: Tensor,
    scale: int | None,
    run: Run,
    *,
    palette: Tensor | None = None,
    count: int = 1,
) -> Tensor:
    """Turn a painting into pictures of the subject (Shaham 2019, sec. 4, "Paint-to-Image").

    Args:
        painting: (1, C, H, W) in [-1, 1], blots in about the colours of the picture.
        scale: at which it enters, from 1 on; 1 if None.
        palette: (K, C) that the scale was trained on, see `fit_to_palette`; the painting is mapped to it. For networks.

    Returns:
        (count, C, H, W) in [-1, 1].

    Raises:
        InputError: an unfinished model, no such scale, a painting of other channels or too small, or no results asked.
    """
    scale = default_scale(model, "paint") if scale is None else scale
    model = _searching(model, quota=4.0)  # 2 changes the shapes of what was painted
    return _injected(model, painting, scale, run, count, palette=palette, name="painting")


@isolated
def quantized_paint(
    model: PictureModel,
    painting: Tensor,
    scale: int | None,
    run: Run,
    pictures: Sequence[Tensor],
    *,
    colours: int = 5,
    count: int = 1,
) -> Tensor:
    """Turn a painting into pictures by a scale that is trained again on pictures in few colours.

    To make several paintings of one training, use `fit_to_palette` and `paint`.

    Args:
        pictures: of the subject, (1, C, H, W) in [-1, 1] each.
        colours: of the palette.

    Raises:
        InputError: as `paint` and `fit_to_palette`.
    """
    scale = default_scale(model, "paint") if scale is None else scale
    _checked_sizes(model, painting, scale, count, "painting")  # before the training, not after it
    retrained, palette = fit_to_palette(model, pictures, scale, run, colours=colours)
    return paint(retrained, painting, scale, run, palette=palette, count=count)


@isolated
def edit(
    model: SubjectModel, edited: Tensor, mask: Tensor, scale: int | None, run: Run, picture: Tensor, count: int = 1
) -> Blend:
    """An edited picture whose moved and copied parts join their surroundings (Shaham 2019, sec. 4, "Editing").

    Args:
        edited: (1, C, H, W) in [-1, 1].
        mask: (1, any, any, any) in [0, 1], white where it was edited. It grows by a disk of 20 pixels and is feathered
            with a sigma of 5, in pixels of a picture whose long side has 250.
        scale: at which it enters, from 1 on; see `default_scale` if None.
        picture: the unedited one, of the same size.

    Raises:
        InputError: an unfinished model, no such scale, pictures that differ in size or have other channels, a mask
            that marks everything or nothing, or no results asked.
    """
    scale = default_scale(model, "edit") if scale is None else scale
    soft = _soft_mask(model, edited, mask, picture, radius=20)
    plain = _injected(model, edited, scale, run, count, name="edited picture")
    return _blend(_recoloured(plain, picture.to(plain), edited.to(plain)), picture, soft)


@isolated
def harmonize(
    model: SubjectModel, composite: Tensor, mask: Tensor, scale: int | None, run: Run, picture: Tensor, count: int = 1
) -> Blend:
    """A composite whose pasted object has the texture of the picture (Shaham 2019, sec. 4, "Harmonization").

    Args:
        model: after `fine_tune` with the composite it changes the object more.
        composite: (1, C, H, W) in [-1, 1], the picture with the object on it.
        mask: as for `edit`, white where the object is; it grows by 7 pixels.
        scale: at which it enters, from 1 on; see `default_scale` if None.
        picture: without the object, of the same size.

    Raises:
        InputError: as `edit`.
    """
    scale = default_scale(model, "harmonize") if scale is None else scale
    soft = _soft_mask(model, composite, mask, picture, radius=7)
    # Networks keep an object of other colours than the picture's. By patches, differences of up to eight levels of 255
    # give way to the picture's colours; at three times that, objects vanish.
    model = _searching(model, foreign=0.06)
    return _blend(_injected(model, composite, scale, run, count, name="composite"), picture, soft)


def contact_sheet_scales(model: SubjectModel, make: Callable[[int], Made], run: Run) -> list[tuple[int, Made]]:
    """Apply `make` at every scale that a picture may enter at; return each scale and result, to pick one by eye.

    Args:
        make: from a scale to a result, such as `lambda scale: paint(model, painting, scale, run)`.

    Raises:
        InputError: an unfinished model, or one of a single scale.
    """
    check_scale(model, 1)
    last = len(model.sizes[0]) - 1
    return [(index + 1, make(index + 1)) for index in run.steps("try scales", last, limited=False)]


def _searching(model: SubjectModel, **changes: Any) -> SubjectModel:  # noqa: ANN401 (of several types)
    """The model with other settings of its search; networks have none."""
    if not isinstance(model, PatchModel):
        return model
    return replace(model, search=replace(model.search, **changes))


def _injected(
    model: SubjectModel,
    picture: Tensor,
    scale: int,
    run: Run,
    count: int,
    *,
    name: str,
    palette: Tensor | None = None,
) -> Tensor:
    sizes = _checked_sizes(model, picture, scale, count, name)
    if palette is None:
        return torch.cat(
            [model.inject(picture, scale, run=run, index=n) for n in run.steps(name, count, limited=False)]
        )
    if isinstance(model, PatchModel):
        raise InputError("a palette is for a scale that was trained on it; patches have the picture's own colours")
    coarse = to_palette(low_passed_at(picture.to(model.device), sizes, scale), palette)
    results = []
    with torch.no_grad():
        for index in run.steps(name, count, limited=False):
            noise = model.random_noise(run.seed, index)
            results.append(model.generate(noise, sizes, coarse=coarse, start=scale))
    return torch.cat(results)


def _checked_sizes(model: SubjectModel, picture: Tensor, scale: int, count: int, name: str) -> tuple[Size, ...]:
    """The sizes of all scales of results that are to be made of a picture."""
    check_scale(model, scale)
    check_picture(model, picture, name)
    if count < 1:
        raise InputError(f"count must be 1 at least, got {count}")
    return model.sizes_for(image_size(picture))


def _soft_mask(model: SubjectModel, changed: Tensor, mask: Tensor, picture: Tensor, radius: int) -> Tensor:
    check_picture(model, changed, "changed picture")
    if picture.shape != changed.shape:
        raise InputError(
            f"the picture before must be {tuple(changed.shape)} as the changed one, got {tuple(picture.shape)}; "
            "resize one of them"
        )
    size = image_size(changed)
    unit = _published_pixel(size)  # radius and sigma are those of the official code
    return soft_mask(mask, size, radius=round(radius * unit), sigma=5 * unit)


def _published_pixel(size: Size) -> float:
    """Pixels of a picture for one of the published ones, whose long side has 250."""
    return max(size) / 250


def _recoloured(plain: Tensor, picture: Tensor, edited: Tensor) -> Tensor:
    """A result whose colours continue those of what the edit left unchanged: patches of sky may come from a paler part.

    A greater difference than usual between such patches is another content, which is left as it is.
    """
    unchanged, usual = 0.06, 0.4  # of the range -1 to 1
    unit = _published_pixel(image_size(plain))
    is_changed = dilated((edited - picture).abs().amax(1, keepdim=True) > unchanged, round(2 * unit))
    lacking = picture - plain
    known = ~is_changed & (lacking.abs().amax(1, keepdim=True) < usual)
    return plain + continued(lacking, known.to(plain), sigma=6 * unit)


def _blend(plain: Tensor, picture: Tensor, mask: Tensor) -> Blend:
    mask = mask.to(plain)
    return Blend(plain, (1 - mask) * picture.to(plain) + mask * plain, mask)
