"""Image layers of napari, super-resolved. Imports napari for its types only, see napari.yaml."""

from __future__ import annotations

import concurrent.futures
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from innersr.errors import InputError
from innersr.images.conversions import image_from
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.adaptation import Adaptation
from innersr.pipeline.tasks import ImageTask
from innersr.run import Run

if TYPE_CHECKING:
    import napari.layers
    import napari.types


def super_resolve_layer(
    image: napari.layers.Image,
    scale: float = 2.0,
    preset: Literal["draft", "balanced", "best"] = "balanced",
    blur: float = 0.0,
    noise: float = 0.0,
) -> concurrent.futures.Future[napari.types.LayerDataTuple]:
    """Super-resolve an image layer, plane by plane; a new layer comes when it is done.

    Args:
        image: a plane or a stack of them, grey or RGB; a pyramid's finest level.
        scale: above 1, of the last two axes; 2 and 4 are usual.
        preset: draft takes half a second a plane, balanced some, best half a minute.
        blur: variance of a Gaussian blur in pixels^2 of the result; 0 for one that is estimated.
        noise: standard deviation in the layer's own values; 0 for one that is estimated, or none for a given blur.
    """
    workers = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="innersr")
    future: concurrent.futures.Future[Any] = workers.submit(
        super_resolved, image, scale=scale, preset=preset, blur=blur, noise=noise
    )
    workers.shutdown(wait=False)
    return future


def super_resolved(
    layer: Any,  # noqa: ANN401 (a layer of napari, of which this needs no more than data, rgb, scale, translate, name)
    *,
    scale: float,
    preset: str,
    blur: float = 0.0,
    noise: float = 0.0,
    run: Run | None = None,
) -> tuple[NDArray[Any], dict[str, Any], str]:
    """Data, settings and kind of the new layer, which lies where the old one does.

    The method learns from the middle plane, and applies that to all: they came from one microscope.

    Raises:
        InputError: a layer without planes, of another type of values, or a scale that is not above 1.
    """
    data = np.asarray(layer.data[0] if getattr(layer, "multiscale", False) else layer.data)
    shape = data.shape[: -1 if layer.rgb else None]
    if len(shape) < 2:  # noqa: PLR2004 (rows and columns)
        raise InputError(f"{layer.name}: needs two axes at least, has {len(shape)}; choose an image")
    planes = data.reshape(-1, *shape[-2:], *data.shape[len(shape) :])
    run, middle = run or Run(), planes[len(planes) // 2]
    options = UpscaleOptions(
        scale=scale, preset=preset, kernel=f"gaussian:{blur}" if blur > 0 else "auto", alpha="same"
    )
    seen = _task(middle, options).normalised(run)
    if noise > 0:
        options = replace(options, noise=min(255 * noise / seen.stored_range[1], 254))
    learnt = _task(middle, options).adapt(run, normalised=seen)
    results = np.stack([_applied(learnt, plane, options, run) for plane in planes])
    results = results.reshape(*shape[:-2], *results.shape[1:])
    rows, columns = shape[-2:]
    grown = results.shape[len(shape) - 2 : len(shape)]
    factors = np.array([*[1.0] * (len(shape) - 2), rows / grown[0], columns / grown[1]])
    old = np.asarray(layer.scale, dtype=float)
    settings = {
        "name": f"{layer.name} x{scale:g}",
        "rgb": bool(layer.rgb),
        "scale": tuple(old * factors),
        # The outer edges stay where they are, so the centre of the first pixel moves.
        "translate": tuple(np.asarray(layer.translate, dtype=float) + old * (factors - 1) / 2),
    }
    return results, settings, "image"


def _task(plane: NDArray[Any], options: UpscaleOptions) -> ImageTask:
    return ImageTask(image=image_from(plane)[0], options=options)


def _applied(learnt: Adaptation, plane: NDArray[Any], options: UpscaleOptions, run: Run) -> NDArray[Any]:
    image, restore = image_from(plane)
    result: NDArray[Any] = restore(learnt.apply(ImageTask(image=image, options=options).normalised(run)).image)
    return result
