"""Super-resolve one image from the image itself.

    import innersr
    large = innersr.upscale(small, scale=2)

The names below are the whole public interface. They are loaded when first used, because torch takes longer to
import than `innersr --help` may take to answer.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from innersr.blind import Estimate, examine
    from innersr.degradation import Degradation
    from innersr.errors import Cancelled, CheckpointError, ImageFileError, InnersrError, InputError, KernelError
    from innersr.image import Image, Metadata, read, save
    from innersr.kernel_files import load_kernel, save_kernel
    from innersr.kernels import gaussian
    from innersr.methods import (
        METHODS,
        MZSR,
        ZSSR,
        BackProjection,
        Bicubic,
        Method,
        SinGANUpscaling,
        Supervised,
        Tailor,
        Upscaler,
        make_method,
    )
    from innersr.methods.kernelgan import KernelGAN
    from innersr.methods.singan.model import PictureModel
    from innersr.methods.singan.settings import SinGAN
    from innersr.metrics import consistency_psnr, patch_distance, psnr, psnr_y, ssim, ssim_y
    from innersr.natural_scenes import niqe
    from innersr.picture_models import learn_picture, load_picture_model
    from innersr.pipeline import Result, upscale, upscale_image
    from innersr.recurrence import Recurrence, recurrence_of
    from innersr.resize import resize as imresize
    from innersr.run import Progress, Run

__all__ = [
    "METHODS",
    "MZSR",
    "ZSSR",
    "BackProjection",
    "Bicubic",
    "Cancelled",
    "CheckpointError",
    "Degradation",
    "Estimate",
    "Image",
    "ImageFileError",
    "InnersrError",
    "InputError",
    "KernelError",
    "KernelGAN",
    "Metadata",
    "Method",
    "PictureModel",
    "Progress",
    "Recurrence",
    "Result",
    "Run",
    "SinGAN",
    "SinGANUpscaling",
    "Supervised",
    "Tailor",
    "Upscaler",
    "consistency_psnr",
    "examine",
    "gaussian",
    "imresize",
    "learn_picture",
    "load_kernel",
    "load_picture_model",
    "make_method",
    "niqe",
    "patch_distance",
    "psnr",
    "psnr_y",
    "read",
    "recurrence_of",
    "save",
    "save_kernel",
    "ssim",
    "ssim_y",
    "upscale",
    "upscale_image",
]

__version__ = version("innersr")

_HOMES = {
    "blind": ["Estimate", "examine"],
    "degradation": ["Degradation"],
    "errors": ["Cancelled", "CheckpointError", "ImageFileError", "InnersrError", "InputError", "KernelError"],
    "image": ["Image", "Metadata", "read", "save"],
    "kernel_files": ["load_kernel", "save_kernel"],
    "kernels": ["gaussian"],
    "methods": [
        "METHODS",
        "MZSR",
        "ZSSR",
        "BackProjection",
        "Bicubic",
        "Method",
        "SinGANUpscaling",
        "Supervised",
        "Tailor",
        "Upscaler",
        "make_method",
    ],
    "methods.kernelgan": ["KernelGAN"],
    "methods.singan.model": ["PictureModel"],
    "methods.singan.settings": ["SinGAN"],
    "metrics": ["consistency_psnr", "patch_distance", "psnr", "psnr_y", "ssim", "ssim_y"],
    "natural_scenes": ["niqe"],
    "picture_models": ["learn_picture", "load_picture_model"],
    "pipeline": ["Result", "upscale", "upscale_image"],
    "recurrence": ["Recurrence", "recurrence_of"],
    "resize": ["imresize"],
    "run": ["Progress", "Run"],
}
_NAMES_AT_HOME = {"imresize": "resize"}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"innersr.{module}"), _NAMES_AT_HOME.get(name, name))
    raise AttributeError(f"module 'innersr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
