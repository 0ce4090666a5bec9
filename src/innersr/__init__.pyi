from .blind.estimate import Estimate, examine
from .blind.kernelgan.estimator import KernelGAN
from .errors import (
    Cancelled,
    CheckpointError,
    FileError,
    ImageFileError,
    InnersrError,
    InputError,
    KernelError,
    KernelFileError,
    NoDataError,
)
from .export.onnx_files import export_onnx
from .images.image import Image
from .images.io import read, save
from .images.metadata import Metadata
from .memory import reuse_freed_memory
from .methods.baselines import BackProjection, Bicubic
from .methods.mzsr import MZSR
from .methods.pixelart import PixelArt
from .methods.protocols import Method, Upscaler
from .methods.registry import METHODS, make_method
from .methods.singan import SinGANUpscaling
from .methods.supervised import Supervised
from .methods.tailor import Tailor
from .methods.zssr import ZSSR
from .metrics.fidelity import consistency_psnr, psnr, psnr_y, ssim, ssim_y
from .metrics.niqe import niqe
from .metrics.patch_distance import patch_distance
from .metrics.recurrence import Recurrence, recurrence_of
from .physics.degradation import Degradation
from .physics.kernel_files import load_kernel, save_kernel
from .physics.kernels import gaussian
from .physics.noise.counting import CountingNoise
from .physics.resize import imresize
from .pipeline.adaptation import upscale_image
from .pipeline.files import upscale
from .pipeline.result import Result
from .run import Progress, Run
from .singan.learn import learn_picture, load_picture_model
from .singan.model import PictureModel
from .singan.settings import SinGAN

__all__ = [
    "METHODS",
    "MZSR",
    "ZSSR",
    "BackProjection",
    "Bicubic",
    "Cancelled",
    "CheckpointError",
    "CountingNoise",
    "Degradation",
    "Estimate",
    "FileError",
    "Image",
    "ImageFileError",
    "InnersrError",
    "InputError",
    "KernelError",
    "KernelFileError",
    "KernelGAN",
    "Metadata",
    "Method",
    "NoDataError",
    "PictureModel",
    "PixelArt",
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
    "export_onnx",
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
    "reuse_freed_memory",
    "save",
    "save_kernel",
    "ssim",
    "ssim_y",
    "upscale",
    "upscale_image",
]

__version__: str
