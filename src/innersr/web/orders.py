"""What the visitor asks for: the options of `innersr upscale`, and the same as a command line and as Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from innersr.errors import InputError
from innersr.methods.options import UpscaleOptions
from innersr.methods.registry import METHOD_PRESETS

METHODS = ("tailor", "zssr", "mzsr", "supervised", "backprojection", "bicubic", "pixelart")


@dataclass(frozen=True, kw_only=True)
class Order:
    """The options that are not the default ones, by the names that `UpscaleOptions` has for them.

    Args:
        options: of the picture.
        seed: of the run.
        names: of files that are given by upload, as the visitor knows them.
    """

    options: Mapping[str, Any]
    seed: int = 0
    names: Mapping[str, str] = field(default_factory=dict)

    def upscaling(self, pixel_limit: int) -> UpscaleOptions:
        """The options, checked."""
        return UpscaleOptions(**self.options, pixel_limit=pixel_limit, overwrite=True)

    def command(self, source: str) -> str:
        """The command that does the same to a file."""
        words = ["innersr", "upscale", source]
        for name, value in self._named().items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                words.append(option)
            else:
                words += [option, _text(name, value)]
        return shlex.join(words)

    def python(self, source: str) -> str:
        """The call that does the same to a file."""
        given = self._named()
        run = f", run=innersr.Run(seed={given.pop('seed')})" if "seed" in given else ""
        options = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"import innersr\n\ninnersr.upscale({source!r}{options}{run})"

    def _named(self) -> dict[str, Any]:
        named = {name: self.names.get(name, value) for name, value in self.options.items()}
        return named | ({"seed": self.seed} if self.seed else {})


def order_of(  # noqa: PLR0913 (the controls of the page)
    *,
    scale: float,
    size: str,
    method: str,
    preset: str,
    kernel: str,
    gaussian: tuple[float, float, float],
    kernel_file: Path | None,
    noise: str,
    deblur: float,
    keep_grain: bool,
    mask: Path | None = None,
    seed: int,
) -> Order:
    """What the controls of the page ask for.

    Args:
        scale: above 1; not used where there is a size.
        size: as in ImageMagick, or "".
        method: one of METHODS.
        preset: "draft", "balanced" or "best".
        kernel: "auto", "estimate", "bicubic", "gaussian" or "file".
        gaussian: standard deviations along and across in pixels of the result, and degrees.
        kernel_file: an uploaded kernel.
        noise: of the picture in 8-bit levels, as text; "" for what is found.
        deblur: share of a blur that is found that is removed.
        keep_grain: whether grain is put back.
        mask: an uploaded or painted mask.
        seed: of the draws.

    Raises:
        InputError: a kernel file is missing, or the seed is negative.
    """
    for name, value in (("scale", scale), ("deblur", deblur), ("seed", seed), *(("width", each) for each in gaussian)):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InputError(f"{name} must be a number, got {value!r}")
    size, noise = str(size or "").strip(), str(noise or "").strip()
    options: dict[str, Any] = {}
    if size:
        options["size"] = size
    else:
        options["scale"] = int(scale) if float(scale).is_integer() else float(scale)
    if method != "tailor":
        options["method"] = method
    if (fitting := preset_for(method, preset)) is not None:
        options["preset"] = fitting
    options |= _kernel_options(kernel, gaussian, kernel_file)
    if noise:
        options["noise"] = noise
    if deblur != 0.5 and kernel == "auto":  # noqa: PLR2004 (the default)
        options["deblur"] = float(deblur)
    asked = {"keep_grain": bool(keep_grain), "mask": None if mask is None else str(mask)}
    options |= {name: value for name, value in asked.items() if value}
    if int(seed) < 0:
        raise InputError(f"the seed must be 0 or more, got {seed}")
    files = {"kernel": kernel_file if kernel == "file" else None, "mask": mask}
    names = {name: file.name for name, file in files.items() if file is not None}
    return Order(options=options, seed=int(seed), names=names)


def preset_for(method: str, preset: str) -> str | None:
    """The preset of a method that a visitor's choice stands for; None for the default, which is balanced.

    A method without the preset takes its default one.
    """
    return preset if preset != "balanced" and preset in METHOD_PRESETS.get(method, ()) else None


def _kernel_options(kernel: str, gaussian: tuple[float, float, float], file: Path | None) -> dict[str, str]:
    if kernel == "auto":
        return {}
    if kernel == "gaussian":
        long, short, degrees = gaussian
        return {"kernel": f"gaussian:{long**2:.4g},{short**2:.4g},{degrees:g}deg"}
    if kernel != "file":
        return {"kernel": kernel}
    if file is None:
        raise InputError("there is no kernel file yet; drop one, or choose another kernel")
    return {"kernel": str(file)}


def _text(name: str, value: object) -> str:
    if name == "scale" and isinstance(value, float):
        return f"{value:g}"
    return str(value)
