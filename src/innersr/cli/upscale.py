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
            help="Image files, folders, patterns such as '*.tif', or addresses such as s3://bucket/photos; - takes a "
            "list from standard input, @list.txt one from a file.",
        ),
    ],
    output: Annotated[
        str | None,
        output_option(
            metavar="PATH",
            help="File, folder (out/ is created) or address; by default photo_x2.png beside photo.png.",
        ),
    ] = None,
    recursive: Annotated[
        bool, input_option("--recursive", "-r", help="Include subfolders; out/ keeps their structure.")
    ] = False,
    name: Annotated[
        str,
        input_option(
            metavar="PATTERN",
            help="Pattern for the names of the results, such as {stem}_x{scale}{suffix}; {method}, {width} and "
            "{height} may occur too.",
        ),
    ] = "",
    file_format: Annotated[
        str,
        input_option("--format", metavar="SUFFIX", help="Format of the results, such as png; by default the input's."),
    ] = "",
    existing: Annotated[
        str | None,
        input_option(
            help="What to do where a result's file exists: error (the default with one input), skip (the default with "
            "several: keeps results of the same input and settings, replaces outdated ones), overwrite or rename."
        ),
    ] = None,
    in_place: Annotated[
        bool, input_option("--in-place", help="Replace each input by its result, which nothing else does.")
    ] = False,
    scale: Annotated[
        str | None, input_option("--scale", "-s", help="Factor such as 1.5, or 3x2 (width x height); 2 by default.")
    ] = None,
    size: Annotated[
        str | None,
        input_option(
            help="Size of the result instead of a scale, written as in ImageMagick: 1920x (width), x1080 (height), "
            "1920x1080 (fits into), 1920x1080^ (covers), 1920x1080! (exactly), 1920x1080< (larger images stay as they "
            "are), 150%, 150%x200%, 24000000@ (area in pixels)."
        ),
    ] = None,
    method: Annotated[
        str,
        quality_option(
            "--method",
            "-m",
            help="Method: tailor, zssr, mzsr, supervised, singan, backprojection, bicubic or pixelart.",
        ),
    ] = "tailor",
    preset: Annotated[
        str | None,
        quality_option(
            help="Speed or quality: draft, balanced (the default) or best; for zssr also paper, paper-gradual, "
            "paper-kernel and paper-real, for mzsr paper."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        quality_option(
            "--set", metavar="NAME=VALUE", help="A setting of the method, such as steps=500; may be repeated."
        ),
    ] = None,
    kernel: Annotated[
        str,
        quality_option(
            help="Blur of the image: auto estimates it, and the noise, and removes it cautiously; estimate removes all "
            "of the estimated blur, for images known to be blurred; or bicubic, gaussian:VAR, gaussian:V1,V2,THETA "
            "(variances in px^2 of the result, radians, or degrees as 35deg), or a file: .mat, .npy, .npz, .png, .tif, "
            ".txt or .csv."
        ),
    ] = "auto",
    anchor: Annotated[
        str,
        quality_option(
            help="Alignment of a given kernel: aligned, or centre (as in MZSR's direct test images); --kernel auto "
            "finds its own."
        ),
    ] = "aligned",
    noise: Annotated[
        str | None,
        quality_option(
            metavar="LEVELS",
            help="Standard deviation of the image's noise in 255ths of the range of its values (the levels of an 8-bit "
            "image), or poisson:GAIN or poisson:GAIN:READ for counting noise (variance GAIN * value + READ^2 in stored "
            "values); by default the estimate of --kernel auto, and 0 with any "
            "other kernel.",
        ),
    ] = None,
    jpeg: Annotated[
        int | None,
        quality_option(
            min=1,
            max=100,
            metavar="QUALITY",
            help="JPEG quality that the image was saved with, so that blocks and ringing are removed; by default the "
            "estimate of --kernel auto.",
        ),
    ] = None,
    deblur: Annotated[
        float,
        quality_option(
            min=0,
            max=1,
            help="How much of an estimated blur is removed: 0 none, 0.5 a safe amount, 1 all, as --kernel estimate.",
        ),
    ] = 0.5,
    keep_grain: Annotated[
        bool,
        quality_option(
            "--keep-grain",
            help="Put the image's own grain back into the result; else it is removed with the noise.",
        ),
    ] = False,
    nodata: Annotated[
        float | None,
        input_option(
            metavar="VALUE",
            help="Stored value that means no data; by default the TIFF's own. It is kept, and like NaN and fill values "
            "such as 1e20 it spreads into no other pixel.",
        ),
    ] = None,
    adapted: Annotated[
        Path | None,
        quality_option(
            metavar="FILE",
            help="Apply the network that --save-adapted has kept from another picture of the same camera, scanner or "
            "film, with its method and blur, and learn nothing.",
        ),
    ] = None,
    save_adapted: Annotated[
        Path | None,
        quality_option(
            "--save-adapted",
            metavar="FILE",
            help="Keep the network adapted to this picture in FILE.safetensors, for --adapted.",
        ),
    ] = None,
    wrap: Annotated[
        str,
        quality_option(
            metavar="AXES",
            help="Axes, x, y or xy, along which the image is a seamless texture; the result is seamless too.",
        ),
    ] = "",
    mask: Annotated[
        Path | None,
        quality_option(
            metavar="FILE",
            help="Image of any size, in the proportions of the input: white where it gets detail, black where it is "
            "only interpolated.",
        ),
    ] = None,
    alpha: Annotated[
        str, input_option(help="Alpha channel: auto (transparency), same (upscaled like a colour) or drop.")
    ] = "auto",
    depth: Annotated[str, input_option(help="Bits of each sample: keep (the input's), 8, 16 or float.")] = "keep",
    value_range: Annotated[
        str | None,
        input_option(
            "--range",
            metavar="LOW,HIGH",
            help="Stored values that become black and white with --depth 8 or 16; auto for the least and the greatest.",
        ),
    ] = None,
    metadata: Annotated[
        str, input_option(help="Metadata of the result: keep (all of it), icc (the colour profile alone) or none.")
    ] = "keep",
    quality: Annotated[
        int | None,
        input_option(
            min=1,
            max=100,
            help="Quality of JPEG, WebP and AVIF files; 100 is lossless in the last two. By default 95, or lossless "
            "if a WebP or AVIF input is.",
        ),
    ] = None,
    compression: Annotated[
        str | None, input_option(help="Compression of TIFF files: none, deflate, zstd or lzw; by default the input's.")
    ] = None,
    pages: Annotated[
        str | None,
        input_option(
            metavar="PAGES",
            help="Pages of a TIFF stack: all (the default into a TIFF), first (the default into other formats), or "
            "numbers from 0 such as 0,3-7.",
        ),
    ] = None,
    frames: Annotated[
        str | None,
        input_option(
            metavar="A-B", help="First and last frame of a film that are wanted, numbered from 0; by default all."
        ),
    ] = None,
    strips: Annotated[
        str,
        input_option(
            help="Upscale from disk to disk, strip by strip, and resume an interrupted run: auto (images too large for "
            "the memory), always or never."
        ),
    ] = "auto",
    steady: Annotated[
        bool,
        input_option(
            "--steady/--no-steady",
            help="In a film, average each frame with its neighbours, moved onto it, where they show the same.",
        ),
    ] = True,
    pixel_limit: Annotated[int, input_option(min=1, help="Refuse images of more pixels.")] = 300_000_000,
    compare: Annotated[
        Path | None, input_option(help="Draw bicubic interpolation and the result side by side into this file.")
    ] = None,
    dry_run: Annotated[
        bool, batch_option("--dry-run", help="Show what would be done, and how long it would take; write nothing.")
    ] = False,
    jobs: Annotated[
        int | None,
        batch_option(
            "--jobs",
            "-j",
            min=1,
            help="Number of processes; by default one, and one per processor for eight files or more.",
        ),
    ] = None,
    engine: Annotated[
        str, batch_option(help="Where the work is done: local (processes) or ray (a cluster).")
    ] = "local",
    address: Annotated[
        str | None,
        batch_option(
            help="Address of the Ray cluster, such as auto or ray://host:10001; by default one is started here."
        ),
    ] = None,
    shard: Annotated[
        str | None, batch_option(metavar="I/N", help="Do part I of N of the files, one part on each machine.")
    ] = None,
    retry_failed: Annotated[
        bool, batch_option("--retry-failed", help="Do the files that failed in the last run, and no others.")
    ] = False,
    status: Annotated[
        str | None, batch_option(metavar="FILE", help="Write a row for each file into this .jsonl or .parquet file.")
    ] = None,
) -> None:
    """Upscale images, stacks and films by learning from each one."""
