"""The options of upscaling, checked together. Knows no image and writes no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from innersr.blind.estimate import Estimate
from innersr.errors import InputError
from innersr.images.formats import METADATA_CHOICES
from innersr.images.image import Image
from innersr.images.io import with_suffix
from innersr.images.limits import PIXEL_LIMIT
from innersr.images.selections import parse_frames, parse_pages
from innersr.images.values.depths import parse_range
from innersr.inference.normalisation import ALPHA_CHOICES
from innersr.methods.protocols import Method, check_degradation, copies_pixels
from innersr.methods.registry import make_method, name_of, resolve
from innersr.physics.degradation import Degradation
from innersr.physics.geometry import check_size, parse_size, scale_text
from innersr.physics.jpeg import jpeg_strength
from innersr.physics.kernel_files import kernel_file
from innersr.physics.kernels import normalised
from innersr.physics.named_degradations import parse_kernel
from innersr.physics.noise.counting import CountingNoise, parse_noise
from innersr.physics.resize import Scale
from innersr.settings import check_choices, check_numbers

DEPTHS = {"keep": None, "8": "uint8", "16": "uint16", "float": "float32"}


@dataclass(frozen=True, kw_only=True, eq=False)
class UpscaleOptions:
    """How an image is upscaled: the options of `innersr.upscale` and of the command, which share their meaning.

    They are checked before any image is read; a kernel file is read once for all images. `upscale` explains them.
    """

    scale: Scale = 2
    size: str | None = None
    method: Method | str = "tailor"
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    kernel: str | Path | Tensor | np.ndarray = "auto"
    anchor: str = "aligned"
    noise: float | str | CountingNoise | None = None
    jpeg: int | None = None
    nodata: float | None = None
    deblur: float = 0.5
    degradation: Degradation | Estimate | None = None
    keep_grain: bool = False
    wrap: str = ""
    mask: str | Path | None = None
    alpha: str = "auto"
    depth: str | int = "keep"
    value_range: str | tuple[float, float] | None = None
    metadata: str = "keep"
    quality: int | None = None
    compression: str | None = None
    pages: str | None = None
    frames: str | None = None
    pixel_limit: int = PIXEL_LIMIT
    overwrite: bool = False
    adapted: str | Path | None = None
    save_adapted: str | Path | None = None
    strips: str = "auto"
    steady: bool = True

    def __post_init__(self) -> None:
        self._check_types()
        check_choices(
            self, depth=DEPTHS, alpha=ALPHA_CHOICES, metadata=METADATA_CHOICES, strips=("auto", "always", "never")
        )
        check_numbers(self, "deblur", "pixel_limit")
        check_numbers(self, "jpeg", "nodata", "quality", is_optional=True)
        self._check_qualities()
        if self.compression is not None:
            check_choices(self, compression=("none", "deflate", "zstd", "lzw"))
        if self.pages is not None:
            parse_pages(self.pages)
        if self.frames is not None:
            parse_frames(self.frames)
        if self.value_range is not None:
            parse_range(self.value_range)
        self._check_degradation()
        if self.size is not None:
            check_size(self.size)
        if not isinstance(self.method, str) and (self.preset is not None or self.settings):
            raise InputError("preset and settings are for a method by name; set the fields of the method itself")
        self._check_adapted()
        planned = self.planned(self.scale)
        if self.size is None:
            check_degradation(self.chosen_method, planned)
        if copies_pixels(self.chosen_method):
            self._check_copying()

    def _check_types(self) -> None:
        """Turn an array into a kernel, and refuse what is no degradation."""
        if not isinstance(self.kernel, str | Path):
            object.__setattr__(self, "kernel", normalised(self.kernel))
        if not isinstance(self.degradation, Degradation | Estimate | None):
            remedy = "kernel takes names such as bicubic and gaussian:2"
            raise InputError(f"degradation is a Degradation or an Estimate, got {self.degradation!r:.60}; {remedy}")

    def _check_qualities(self) -> None:
        for name, value in (("jpeg", self.jpeg), ("quality", self.quality)):
            if value is not None and not (1 <= value <= 100 and float(value).is_integer()):
                raise InputError(f"{name} is from 1 to 100, got {value}; it is a quality in whole numbers")

    def _check_degradation(self) -> None:
        has_noise = self._given_noise not in ((None, None), (0.0, None))
        if not 0 <= self.deblur <= 1:
            raise InputError(f"deblur is from 0 to 1, got {self.deblur:g}")
        if self.deblur != 0.5 and (self.kernel != "auto" or self.degradation is not None):
            raise InputError("deblur (--deblur) is for an estimated blur; leave it out, or kernel and degradation")
        if self.degradation is not None:
            is_given = not self._is_auto or self.noise is not None or self.jpeg is not None
            if is_given or self.wrap or self.size or self.anchor != "aligned":
                raise InputError(
                    "a degradation has its own kernel, anchor, noise, compression, wrap and scale; omit these and size"
                )
        elif self.keep_grain and not has_noise and (not self._is_auto or self.noise is not None):
            remedy = "give noise (--noise), or neither kernel nor noise"
            raise InputError(f"without noise keep_grain (--keep-grain) has nothing to keep; {remedy}")

    def _check_adapted(self) -> None:
        """Refuse options that an adapted file brings along; the method is compared when the file is read."""
        if self.adapted is not None:
            degradation = ("kernel", "anchor", "noise", "jpeg", "deblur", "degradation", "wrap")
            brought = ("preset", "settings", *degradation, "size", "save_adapted")
            defaults = {each.name: each.default for each in fields(self)} | {"settings": {}}
            values = {name: getattr(self, name) for name in brought}
            changed = [name for name, v in values.items() if isinstance(v, Tensor) or v != defaults[name]]
            if changed:
                raise InputError(f"--adapted cannot be combined with {' and '.join(changed)}; leave that out")
        if self.save_adapted is not None and Path(self.save_adapted).suffix != ".safetensors":
            raise InputError(f"{self.save_adapted}: --save-adapted writes a file NAME.safetensors; name one")

    def _check_copying(self) -> None:
        """Refuse options that a method which only repeats pixels would ignore."""
        degradation = self.degradation
        is_set = {
            "kernel": isinstance(self.kernel, Tensor) or self.kernel != "auto",
            "noise": self.noise is not None,
            "jpeg": self.jpeg is not None,
            "keep_grain": self.keep_grain,
            "deblur": self.deblur != 0.5,  # noqa: PLR2004 (the default)
            "mask": self.mask is not None,
            "degradation": isinstance(degradation, Degradation)
            and (degradation.kernel is not None or degradation.noise > 0 or degradation.compression > 0),
        }
        ignored = [name for name, is_option_set in is_set.items() if is_option_set]
        if ignored:
            name, words = name_of(self.chosen_method), " and ".join(ignored)
            remedy = f"leave {'it' if len(ignored) == 1 else 'them'} out, or use another method"
            raise InputError(f"{name} repeats the pixels as they are, and has no use for {words}; {remedy}")

    def check_in_memory(self) -> None:
        """Raise InputError for options of files, which an image in memory has no use for."""
        of_files = ("depth", "value_range", "metadata", "quality", "compression", "pages", "frames", "strips", "steady")
        of_more = {"pixel_limit": self.mask, "overwrite": self.save_adapted}  # which the files of these have too
        names = (*of_files, *(name for name, file in of_more.items() if file is None))
        defaults = {each.name: each.default for each in fields(self)}
        given = [name for name in names if getattr(self, name) != defaults[name]]
        if given:
            words = f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} for paths"
            raise InputError(f"{words}; a result in memory has the type that was given")

    @property
    def _is_auto(self) -> bool:
        return isinstance(self.kernel, str) and self.kernel in ("auto", "estimate")

    @property
    def is_blind(self) -> bool:
        """Whether the degradation is to be estimated from the image."""
        return self.degradation is None and self._is_auto

    @cached_property
    def chosen_method(self) -> Method:
        """The method with its settings; unless given, Tailor's steps depend on the image."""
        method = self.method
        method = make_method(method, self.preset, self.settings) if isinstance(method, str) else method
        return resolve(method, is_estimated=self.is_blind or isinstance(self.degradation, Estimate))

    @cached_property
    def _given_noise(self) -> tuple[float | None, CountingNoise | None]:
        """See `parse_noise`."""
        return parse_noise(self.noise)

    @property
    def _noise_fields(self) -> dict[str, Any]:
        """Fields of a degradation for the given noise, limited to that of values in [0, 1]."""
        noise, counting = self._given_noise
        return {"noise": noise or 0.0, "counting": counting and counting.rescaled(0.0, 1.0)}

    @property
    def relative_noise(self) -> tuple[float | None, CountingNoise | None] | None:
        """The given noise that depends on the range of an image's values, see `parse_noise`; None for none."""
        return None if self.noise is None or isinstance(self.noise, CountingNoise) else self._given_noise

    @cached_property
    def _given_kernel(self) -> Tensor | None:
        if isinstance(self.kernel, Tensor):
            return self.kernel
        return None if self._is_auto else parse_kernel(str(self.kernel), 2).kernel

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that are read beside the image, some of which may be the names of something else."""
        kernel = None if isinstance(self.kernel, Tensor) else kernel_file(str(self.kernel))
        prior = getattr(self.chosen_method, "prior", None)
        names = (kernel, prior, self.mask, self.adapted)
        return tuple(Path(name) for name in names if isinstance(name, str | Path) and name)

    def depth_of(self, image: Image) -> str:
        """Depth of the file that an image is upscaled to."""
        return DEPTHS[str(self.depth)] or image.depth

    def scale_for(self, lr_size: tuple[int, int]) -> Scale:
        """The scale that `size` means for an image of (height, width); `scale` without a size."""
        if self.size is None:
            return self.scale
        rows, columns = parse_size(self.size, lr_size)
        return rows / lr_size[0], columns / lr_size[1]

    def geometry(self, lr_size: tuple[int, int]) -> tuple[Scale, tuple[int, int]]:
        """The scale and the (height, width) of the result of an image of (height, width).

        Raises:
            InputError: the image would be shrunk, or no pixel added to it.
        """
        if self.leaves(lr_size):
            return (1.0, 1.0), lr_size
        planned = self.planned(self.scale_for(lr_size)).fitted(lr_size)
        check_growth(planned, lr_size)
        return planned.scales, planned.hr_size(lr_size)

    def leaves(self, lr_size: tuple[int, int]) -> bool:
        """Whether a size with "<" leaves an image of (height, width) as it is."""
        return self.size is not None and self.scale_for(lr_size) == (1, 1)

    def planned(self, scale: Scale) -> Degradation:
        """The given degradation; if it is to be estimated, one on the same grid."""
        if isinstance(self.degradation, Estimate):
            return self.degradation.degradation
        compression = 0.0 if self.jpeg is None else jpeg_strength(self.jpeg)
        return self.degradation or Degradation(
            scale=scale,
            kernel=self._given_kernel,
            anchor=self.anchor,
            **self._noise_fields,
            compression=compression,
            wrap=self.wrap,
        )

    def weighed(self, estimate: Estimate) -> Estimate:
        """The estimate, relied on to the extent that `kernel` and `deblur` set."""
        return estimate.believed() if self.kernel == "estimate" else estimate.deblurred(self.deblur)

    def amended(self, estimate: Estimate) -> Estimate:
        """The estimate, with the noise, the JPEG quality and the wrapped axes that were given."""
        changes: dict[str, Any] = {"wrap": self.wrap}
        if self.noise is not None:
            changes |= self._noise_fields
        amended = estimate.with_given(**changes)
        return amended if self.jpeg is None else amended.with_quality(int(self.jpeg))


def check_growth(planned: Degradation, lr_size: tuple[int, int]) -> None:
    """Raise InputError if a scale adds no pixel to an image of (height, width)."""
    if planned.hr_size(lr_size) == lr_size:
        height, width = lr_size
        words = f"scale {scale_text(planned.scales, 7)} adds no pixel to an image of {width}x{height}"
        raise InputError(f"{words}; choose a larger one")


def default_output(source: Path, scale: Scale) -> Path:
    """Name of a result beside its source: photo_x2.png, or photo_x3x2.png (width x height)."""
    named = with_suffix(source, source)
    return named.with_name(f"{named.stem}_x{scale_text(scale, 4)}{named.suffix}")
