"""Pictures as people have them: kinds of pictures, and the degradations of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from innersr.benchmark.runner import Plan


def real_life_plans(plan: Plan) -> list[Plan]:
    """The plans of the benchmark of real life, one for each kind of picture: about 400 cases with two folders.

    Folders are taken for photographs, and the degradations are those of each kind. Unless the plan says otherwise,
    there are six images, spread over each folder, and six of each kind of made pictures, of at most 256 pixels a side.
    """
    kinds: list[tuple[tuple[Path, ...], tuple[str, ...]]] = [(plan.folders, _photograph_chains())]
    kinds += [((Path(f"made:{kind}"),), chains) for kind, chains in _made_chains().items()]
    common = replace(plan, limit=plan.limit or 6, spread=True, crop=plan.crop or 256)
    plans = [replace(common, folders=folders, degradations=chains, pairs=()) for folders, chains in kinds]
    return [*plans, replace(common, folders=())]


def _photograph_chains() -> tuple[str, ...]:
    old_scan, web = "gaussian:1.5+grain6+jpeg60", "lanczos+sharpen:0.7:0.5+jpeg85+jpeg70"
    return (
        *("bicubic", "lanczos", "box", "gaussian:1.0", "bicubic+sharpen:0.8:0.8", web, old_scan),
        *("noise3", "noise10", "grey25", "grain8", "chroma10"),
        *("jpeg90", "jpeg75", "jpeg50", "jpeg30", "webp60", "jpeg60+bicubic"),
        *("soft:4", "soft:4+jpeg75", "soft:4+noise3", "soft:1.5"),
    )


def _made_chains() -> dict[str, tuple[str, ...]]:
    return {
        "text": ("bicubic", "box", "noise10", "jpeg75", "lanczos+sharpen:0.7:0.5+jpeg85+jpeg70"),
        "screenshot": ("bicubic", "jpeg75", "webp60"),
        "lines": ("bicubic", "noise10", "jpeg50"),
        "pixelart": ("box", "box+jpeg75"),
        "dithering": ("box",),
        "checkerboard": ("box", "bicubic"),
        "fluorescence": ("bicubic", "noise10", "noise25", "poisson:50"),
        "elevation": ("bicubic", "noise3"),
        "gradient": ("bicubic", "jpeg75"),
    }
