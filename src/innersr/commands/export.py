"""Work of `innersr export`."""

from __future__ import annotations

from pathlib import Path

from innersr.commands.console import Reporter
from innersr.errors import InputError
from innersr.export.onnx_files import export_onnx, is_adapted
from innersr.methods.options import UpscaleOptions
from innersr.methods.tailor import PRIOR, packaged_prior_for
from innersr.networks.priors import prior_names
from innersr.physics.geometry import parse_scale


def export_prior(  # noqa: PLR0913 (the options of the command)
    reporter: Reporter,
    *,
    prior: str,
    output: Path,
    scale: str | None,
    kernel: str,
    anchor: str,
    noise: str | None,
    jpeg: int | None,
    grey: bool,
    any_degradation: bool,
    overwrite: bool,
) -> None:
    """Write a prior as an ONNX file, and print its inputs, its halo and how well onnxruntime agrees."""
    if kernel in ("auto", "estimate"):
        raise InputError("an exported network sees no image before it runs; give a kernel, or --any-degradation")
    if any_degradation and (kernel, anchor, noise, jpeg) != ("bicubic", "aligned", None, None):
        raise InputError("with --any-degradation the degradation comes with each image; omit kernel, noise and jpeg")
    options = UpscaleOptions(scale=parse_scale(scale or "2"), kernel=kernel, anchor=anchor, noise=noise, jpeg=jpeg)
    is_given = (scale, kernel, anchor, noise, jpeg) != (None, "bicubic", "aligned", None, None)
    degradation = None if is_adapted(prior) and not is_given else options.planned(options.scale)
    used = None if degradation is None or any_degradation else packaged_prior_for(degradation)
    if used not in (None, prior) and prior.partition("-")[0] == PRIOR and prior in prior_names():
        reporter.note(f"for this degradation innersr upscale uses the prior {used}; export that one for its results")
    made = export_onnx(prior, output, degradation, grey=grey, any_degradation=any_degradation, overwrite=overwrite)
    size = made.path.stat().st_size
    reporter.result(
        f"{made.path}: {size / 1e6:.1f} MB, inputs {', '.join(made.inputs)}; x{made.scale}, {made.channels} channels, "
        f"halo {made.halo} pixels; differs from PyTorch by {made.difference:.0e} at most",
        {
            "output": str(made.path),
            "bytes": size,
            "inputs": list(made.inputs),
            "scale": made.scale,
            "channels": made.channels,
            "halo": made.halo,
            "difference": made.difference,
        },
    )
