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
    from innersr.blind.estimate import Estimate, examine
    from innersr.blind.kernelgan.estimator import KernelGAN
    from innersr.errors import Cancelled, CheckpointError, ImageFileError, InnersrError, InputError, KernelError
    from innersr.images.image import Image
    from innersr.images.io import read, save
    from innersr.images.metadata import Metadata
    from innersr.methods.baselines import BackProjection, Bicubic
    from innersr.methods.mzsr import MZSR
    from innersr.methods.protocols import Method, Upscaler
    from innersr.methods.registry import METHODS, make_method
    from innersr.methods.singan import SinGANUpscaling
    from innersr.methods.supervised import Supervised
    from innersr.methods.tailor import Tailor
    from innersr.methods.zssr import ZSSR
    from innersr.metrics.fidelity import consistency_psnr, psnr, psnr_y, ssim, ssim_y
    from innersr.metrics.niqe import niqe
    from innersr.metrics.patch_distance import patch_distance
    from innersr.metrics.recurrence import Recurrence, recurrence_of
    from innersr.physics.degradation import Degradation
    from innersr.physics.kernel_files import load_kernel, save_kernel
    from innersr.physics.kernels import gaussian
    from innersr.physics.resize import resize as imresize
    from innersr.pipeline import Result, upscale, upscale_image
    from innersr.run import Progress, Run
    from innersr.singan.learn import learn_picture, load_picture_model
    from innersr.singan.model import PictureModel
    from innersr.singan.settings import SinGAN

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
    "blind.estimate": ["Estimate", "examine"],
    "blind.kernelgan.estimator": ["KernelGAN"],
    "errors": ["Cancelled", "CheckpointError", "ImageFileError", "InnersrError", "InputError", "KernelError"],
    "images.image": ["Image"],
    "images.io": ["read", "save"],
    "images.metadata": ["Metadata"],
    "methods.baselines": ["BackProjection", "Bicubic"],
    "methods.mzsr": ["MZSR"],
    "methods.protocols": ["Method", "Upscaler"],
    "methods.registry": ["METHODS", "make_method"],
    "methods.singan": ["SinGANUpscaling"],
    "methods.supervised": ["Supervised"],
    "methods.tailor": ["Tailor"],
    "methods.zssr": ["ZSSR"],
    "metrics.fidelity": ["consistency_psnr", "psnr", "psnr_y", "ssim", "ssim_y"],
    "metrics.niqe": ["niqe"],
    "metrics.patch_distance": ["patch_distance"],
    "metrics.recurrence": ["Recurrence", "recurrence_of"],
    "physics.degradation": ["Degradation"],
    "physics.kernel_files": ["load_kernel", "save_kernel"],
    "physics.kernels": ["gaussian"],
    "physics.resize": ["imresize"],
    "pipeline": ["Result", "upscale", "upscale_image"],
    "run": ["Progress", "Run"],
    "singan.learn": ["learn_picture", "load_picture_model"],
    "singan.model": ["PictureModel"],
    "singan.settings": ["SinGAN"],
}
_NAMES_AT_HOME = {"imresize": "resize"}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"innersr.{module}"), _NAMES_AT_HOME.get(name, name))
    raise AttributeError(f"module 'innersr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
