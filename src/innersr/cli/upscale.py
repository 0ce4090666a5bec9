"""The command `innersr upscale`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from innersr.cli.options import argument, batch_option, command, input_option, output_option, quality_option

upscale_app = typer.Typer()  # of one command, which cli.app adds


@command(
    upscale_app,
    "upscale",
    "upscale.upscale_files",
    "innersr upscale photo.jpg -o large.png -s 3",
    "innersr upscale grainy.jpg --keep-grain",
    "innersr upscale *.tif -o out/ --preset best",
    "innersr upscale -r photos/ -o large/",
    "find scans -name '*.png' | innersr upscale - -o large/",
    "innersr upscale bricks.png --wrap xy",
    "innersr upscale in.mp4 -o out.mp4",
    "innersr upscale portrait.png --mask all-but-the-face.png",
    "innersr upscale page1.png --save-adapted scanner.safetensors",
    "innersr upscale page2.png --adapted scanner.safetensors",
    "innersr upscale map.tif -o large.tif --preset draft --strips always",
    "innersr upscale a.png --size 1920x --kernel gaussian:2.0 --compare look.png",
    shares="overwrite seed device precision tile time_limit as_json quiet verbose",
)
def upscale_command(  # noqa: PLR0913 (a command's options are its parameters)
    inputs: Annotated[
        list[str],
        argument(
            metavar="IN",
            help="Image files, folders of them, patterns, - for a list on standard input, @list.txt for one in a file, "
            "or addresses of the same such as s3://bucket/photos.",
        ),
    ],
    output: Annotated[
        str | None,
        output_option(
            metavar="PATH",
            help="File, or folder (out/ is created), or an address; photo_x2.png beside photo.png if not given.",
        ),
    ] = None,
    recursive: Annotated[
        bool, input_option("--recursive", "-r", help="Enter the folders in folders too; out/ keeps their tree.")
    ] = False,
    name: Annotated[
        str,
        input_option(
            metavar="PATTERN",
            help="Names of the results, such as {stem}_x{scale}{suffix}; also {method}, {width} and {height}.",
        ),
    ] = "",
    file_format: Annotated[
        str, input_option("--format", metavar="SUFFIX", help="Format of the results, such as png; the input's if not.")
    ] = "",
    existing: Annotated[
        str | None,
        input_option(
            help="Where a file is there already: skip (the default with several inputs: keeps results of the same "
            "input and settings, replaces older results), overwrite, rename or error."
        ),
    ] = None,
    in_place: Annotated[
        bool, input_option("--in-place", help="Replace each input by its result; else no input is replaced.")
    ] = False,
    scale: Annotated[str | None, input_option("--scale", "-s", help="2 by default; 1.5; 3x2 (width x height).")] = None,
    size: Annotated[
        str | None,
        input_option(
            help="Instead of a scale, as in ImageMagick: 1920x (width), x1080 (height), 1920x1080 (fits into), "
            "1920x1080^ (covers), 1920x1080! (exactly), 1920x1080< (larger images stay as they are), 150%, "
            "24000000@ (area)."
        ),
    ] = None,
    method: Annotated[
        str,
        quality_option(
            "--method", "-m", help="tailor, zssr, mzsr, supervised, singan, backprojection, bicubic or pixelart."
        ),
    ] = "tailor",
    preset: Annotated[
        str | None,
        quality_option(
            help="draft, balanced (the default) or best; of zssr also paper, paper-gradual, paper-kernel, paper-real; "
            "of mzsr paper."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        quality_option(
            "--set", metavar="NAME=VALUE", help="Any setting of the method, such as steps=500; may be repeated."
        ),
    ] = None,
    kernel: Annotated[
        str,
        quality_option(
            help="The blur of the image: auto (the default) estimates it from the image, its noise too, and stays on "
            "the safe side; estimate relies on what was found, for images that are known to be blurred; or bicubic, "
            "gaussian:VAR, gaussian:V1,V2,THETA (variances in px^2 of the result, radians, or degrees as 35deg), or a "
            ".mat, .npy, .png or .txt file."
        ),
    ] = "auto",
    anchor: Annotated[
        str,
        quality_option(
            help="Position of a given kernel: aligned, or centre (MZSR's direct test images); auto finds its own."
        ),
    ] = "aligned",
    noise: Annotated[
        str | None,
        quality_option(
            metavar="LEVELS",
            help="Standard deviation of the image's noise in 8-bit levels, or poisson:GAIN or poisson:GAIN:READ for "
            "counting noise (variance GAIN * value + READ^2); when not given, what --kernel auto finds, and 0 with any "
            "other kernel.",
        ),
    ] = None,
    jpeg: Annotated[
        int | None,
        quality_option(
            min=1,
            max=100,
            metavar="QUALITY",
            help="JPEG quality that the image was saved with, so that blocks and ringing are removed; when not given, "
            "what --kernel auto finds.",
        ),
    ] = None,
    deblur: Annotated[
        float,
        quality_option(
            min=0,
            max=1,
            help="How much of an estimated blur is removed: 0 none, 0.5 what is safe, 1 all, as --kernel estimate.",
        ),
    ] = 0.5,
    keep_grain: Annotated[
        bool,
        quality_option(
            "--keep-grain",
            help="Put the image's own grain, which is removed with its noise, back into the result, as it is.",
        ),
    ] = False,
    nodata: Annotated[
        float | None,
        input_option(
            metavar="VALUE",
            help="The value, as it is stored, that means no data; the TIFF's own when not given. It is kept, and "
            "spreads into no other pixel, nor do NaN and fill values such as 1e20.",
        ),
    ] = None,
    adapted: Annotated[
        Path | None,
        quality_option(
            metavar="FILE",
            help="Take what was learnt from another picture of the same camera, scanner or film, see --save-adapted, "
            "with its method and blur, and learn nothing.",
        ),
    ] = None,
    save_adapted: Annotated[
        Path | None,
        quality_option(
            "--save-adapted",
            metavar="FILE",
            help="Keep what is learnt from this picture in FILE.safetensors, for --adapted.",
        ),
    ] = None,
    wrap: Annotated[
        str,
        quality_option(
            metavar="AXES",
            help="x, y or xy: a seamless texture, which continues on its opposite side, and stays seamless.",
        ),
    ] = "",
    mask: Annotated[
        Path | None,
        quality_option(
            metavar="FILE",
            help="An image of the shape of the input, of any size: white where it gets detail, black where it is "
            "interpolated only.",
        ),
    ] = None,
    alpha: Annotated[str, input_option(help="auto, same (alpha is data) or drop.")] = "auto",
    depth: Annotated[str, input_option(help="keep, 8, 16 or float.")] = "keep",
    value_range: Annotated[
        str | None,
        input_option(
            "--range",
            metavar="LOW,HIGH",
            help="The values, as they are stored, that become black and white with --depth 8 or 16; auto for the least "
            "and the greatest.",
        ),
    ] = None,
    metadata: Annotated[str, input_option(help="keep, icc or none.")] = "keep",
    quality: Annotated[
        int | None,
        input_option(
            min=1,
            max=100,
            help="Of JPEG, WebP and AVIF; 100 is lossless in the last two. Not given: 95, and lossless where a WebP "
            "or AVIF was.",
        ),
    ] = None,
    compression: Annotated[
        str | None, input_option(help="Of TIFF: none, deflate, zstd or lzw; the input's when not given.")
    ] = None,
    pages: Annotated[
        str | None,
        input_option(
            metavar="PAGES",
            help="Of a TIFF with several: all (when not given, into a TIFF), first (into other formats), or numbers "
            "from 0 such as 0,3-7.",
        ),
    ] = None,
    frames: Annotated[
        str | None,
        input_option(
            metavar="A-B", help="Of a film: the numbers of the first and the last one, from 0; all if not given."
        ),
    ] = None,
    strips: Annotated[
        str,
        input_option(
            help="auto upscales a picture that is too large for the memory from disk to disk, part by part, and goes "
            "on where an earlier run was ended; always; never."
        ),
    ] = "auto",
    steady: Annotated[
        bool,
        input_option(
            "--steady/--no-steady",
            help="Of a film: average each frame with its neighbours, moved onto it, where they show the same.",
        ),
    ] = True,
    pixel_limit: Annotated[int, input_option(min=1, help="Refuse images of more pixels.")] = 300_000_000,
    compare: Annotated[
        Path | None, input_option(help="Draw bicubic and the result side by side into this file.")
    ] = None,
    dry_run: Annotated[
        bool, batch_option("--dry-run", help="Show what would be done, and how long it takes; write nothing.")
    ] = False,
    jobs: Annotated[
        int | None,
        batch_option(
            "--jobs",
            "-j",
            min=1,
            help="Processes; as many as there are processors, for eight files or more, if not given.",
        ),
    ] = None,
    engine: Annotated[str, batch_option(help="What does the work: local processes, or actors of ray.")] = "local",
    address: Annotated[
        str | None,
        batch_option(help="Of a Ray cluster, such as auto or ray://host:10001; one is started here if not given."),
    ] = None,
    shard: Annotated[
        str | None, batch_option(metavar="I/N", help="Only part I of N of the files, one for each machine.")
    ] = None,
    retry_failed: Annotated[
        bool, batch_option("--retry-failed", help="Only the files that failed in the last run.")
    ] = False,
    status: Annotated[
        str | None, batch_option(metavar="FILE", help="A row for each file, as .jsonl or .parquet.")
    ] = None,
) -> None:
    """Upscale image files by what can be learned from each of them."""
