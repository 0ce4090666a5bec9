"""Draw the sheets of docs/singan.md: what each use makes of the pictures in examples/singan, by patches.

python scripts/singan_sheets.py [USE ...]

All are drawn in 40 CPU seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from innersr.images.conversions import image_from
from innersr.images.io import read, save
from innersr.methods.singan import SinGANUpscaling
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size, resize
from innersr.plots.sheets import Panel, contact_sheet
from innersr.run import Run
from innersr.singan.animation import animate
from innersr.singan.learn import make_settings
from innersr.singan.manipulation import edit, harmonize, paint
from innersr.singan.patches.inpainting import inpaint
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.patches.restyling import restyle
from innersr.singan.settings import SinGAN

ROOT = Path(__file__).parents[1]
Points = Sequence[tuple[float, float]]


def picture(name: str) -> Tensor:
    """One of the examples, (1, 3, H, W) in [-1, 1]."""
    return read(ROOT / "examples" / "singan" / f"{name}.webp").colour * 2 - 1


def model_of(pixels: Tensor, run: Run) -> PatchModel:
    """The patches of a picture."""
    return patch_model(pixels, make_settings("balanced"), run=run)


def painted(pixels: Tensor, shapes: Sequence[tuple[tuple[int, ...], Points]]) -> Tensor:
    """The picture under polygons of plain colours, whose points are shares of its width and height."""
    height, width = image_size(pixels)
    canvas = Image.fromarray(((pixels[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
    for colour, points in shapes:
        ImageDraw.Draw(canvas).polygon([(x * width, y * height) for x, y in points], fill=colour)
    return image_from(canvas)[0].colour * 2 - 1


def mask_of(pixels: Tensor, points: Points) -> Tensor:
    """(1, 1, H, W), 1 inside a polygon."""
    black = torch.full_like(pixels, -1)
    return (painted(black, [((255, 255, 255), points)])[:, :1] > 0).float()


def samples(run: Run) -> list[Panel]:
    """Random pictures of the lake."""
    lake = picture("lake")
    made = model_of(lake, run).sample(5, run=run)
    return [Panel("the picture", lake), *(Panel(f"sample {n}", one) for n, one in enumerate(made.split(1)))]


def sizes(run: Run) -> list[Panel]:
    """The lake at other shapes."""
    lake = picture("lake")
    model = model_of(lake, run)
    return [
        Panel("the picture", lake),
        Panel("--size 450x141", model.sample(size=(141, 450), run=run)),
        Panel("--size 140x250", model.sample(size=(250, 140), run=run)),
    ]


def tiles(run: Run) -> list[Panel]:
    """A seamless texture, and four of it side by side."""
    bricks = picture("bricks")
    tile = model_of(bricks, run).sample(wrap="xy", size=(160, 160), run=run)
    return [Panel("the picture", bricks), Panel("--wrap xy", tile), Panel("four of them", tile.repeat(1, 1, 2, 2))]


def painting(run: Run) -> list[Panel]:
    """A painting of mountains made a picture of the lake."""
    lake = picture("lake")
    sky, snow, rock, wood, water = (
        tuple(int(value) for value in ((lake[0, :, y, x] + 1) * 127.5).round())
        for x, y in ((125, 30), (72, 47), (110, 75), (60, 100), (60, 120))
    )
    shapes: list[tuple[tuple[int, ...], Points]] = [
        (sky, [(0, 0), (1, 0), (1, 1), (0, 1)]),
        (rock, [(0, 0.5), (0.2, 0.3), (0.45, 0.56), (0, 0.6)]),
        (rock, [(0.35, 0.58), (0.68, 0.16), (1, 0.5), (1, 0.62)]),
        (snow, [(0.58, 0.29), (0.68, 0.16), (0.78, 0.27), (0.69, 0.36)]),
        (wood, [(0, 0.56), (1, 0.6), (1, 0.74), (0, 0.74)]),
        (water, [(0, 0.74), (1, 0.74), (1, 1), (0, 1)]),
    ]
    blots = painted(lake, shapes)
    model = model_of(lake, run)
    return [
        Panel("the picture", lake),
        Panel("a painting", blots),
        Panel("paint", paint(model, blots, None, run)),
    ]


def editing(run: Run) -> list[Panel]:
    """A boulder copied to another place, and one removed."""
    boulders = picture("boulders")
    height, width = image_size(boulders)
    changed, size = boulders.clone(), (round(0.34 * height), round(0.26 * width))
    top, left, to_top, to_left = (round(n) for n in (0.48 * height, 0.74 * width, 0.3 * height, 0.3 * width))
    block = boulders[..., top : top + size[0], left : left + size[1]]
    changed[..., to_top : to_top + size[0], to_left : to_left + size[1]] = block
    x, y = to_left / width, to_top / height
    mask = mask_of(boulders, [(x, y), (x + 0.26, y), (x + 0.26, y + 0.34), (x, y + 0.34)])
    made = edit(model_of(boulders, run), changed, mask, None, run, boulders)
    return [Panel("the picture", boulders), Panel("a block copied", changed), Panel("edit", made.blended)]


def inpainting(run: Run) -> list[Panel]:
    """A boulder removed."""
    boulders = picture("boulders")
    mask = mask_of(boulders, [(0.72, 0.5), (0.86, 0.4), (1, 0.48), (1, 0.92), (0.78, 0.88)])
    made = inpaint(boulders, mask, SinGAN(max_size=250), count=2, run=run)
    hole = torch.where(mask > 0, 1.0, boulders)
    return [Panel("the picture", boulders), Panel("a hole", hole)] + [
        Panel(f"inpaint, result {n}", one) for n, one in enumerate(made.split(1))
    ]


def composite(run: Run) -> list[Panel]:
    """A photographed boat on a painted sea."""
    waves, boat = picture("waves"), read(ROOT / "examples" / "singan" / "boat.webp")
    assert boat.alpha is not None
    height, width = image_size(boat.colour)
    pasted, mask = waves.clone(), torch.zeros_like(waves[:, :1])
    place = (slice(52, 52 + height), slice(90, 90 + width))
    opaque = boat.alpha
    pasted[..., place[0], place[1]] += opaque * (boat.colour * 2 - 1 - pasted[..., place[0], place[1]])
    mask[..., place[0], place[1]] = (opaque > 0.5).float()
    model = model_of(waves, run)
    made = [harmonize(model, pasted, mask, scale, run, waves).blended for scale in (None, 8)]
    panels = [Panel("the picture", waves), Panel("a boat pasted", pasted)]
    return [*panels, Panel("harmonize", made[0]), Panel("harmonize --start-scale 8", made[1])]


def restyling(run: Run) -> list[Panel]:
    """The lake in the manner of the painting."""
    lake, waves = picture("lake"), picture("waves")
    return [
        Panel("the layout", lake),
        Panel("the picture", waves),
        Panel("restyle", restyle(model_of(waves, run), lake, run=run)),
    ]


def animation(run: Run) -> list[Panel]:
    """Frames of the waves."""
    waves = picture("waves")
    frames = list(animate(model_of(waves, run), frames=20, run=run))
    return [Panel("the picture", waves)] + [Panel(f"frame {n}", frames[n]) for n in (0, 2, 4, 10, 15)]


def super_resolution(run: Run) -> list[Panel]:
    """The boulders four times as large."""
    boulders = picture("boulders")[..., :140, :248]
    small = resize(boulders, size=(70, 124)) / 2 + 0.5
    made = SinGANUpscaling().adapt(small, Degradation(scale=4), run)(small)
    cubic = resize(small, 4.0, size=image_size(made))
    return [Panel("bicubic", cubic * 2 - 1), Panel("upscale -s 4 -m singan", made * 2 - 1)]


USES: Mapping[str, Callable[[Run], list[Panel]]] = {
    "samples": samples,
    "sizes": sizes,
    "tiles": tiles,
    "inpaint": inpainting,
    "restyle": restyling,
    "upscale": super_resolution,
    "paint": painting,
    "edit": editing,
    "harmonize": composite,
    "animate": animation,
}


def main() -> None:
    """Draw the sheets that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uses", nargs="*", metavar="USE", help=f"{', '.join(USES)}; all of them by default")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="folder of the sheets")
    options = parser.parse_args()
    if unknown := set(options.uses) - set(USES):
        parser.error(f"unknown use {', '.join(sorted(unknown))}; there are {', '.join(USES)}")
    for use in options.uses or USES:
        made = USES[use](Run(device="cpu", seed=0))
        panels = [panel._replace(picture=(panel.picture.clamp(-1, 1) + 1) / 2) for panel in made]
        target = options.output / f"singan-{use}.webp"
        save(image_from(contact_sheet(panels))[0], target, quality=85, overwrite=True)
        print(f"{target}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
