"""Measures how large pictures are upscaled in strips: processor time per megapixel, and peak memory, by size.

    python scripts/gigapixel.py 1 16 64             # megapixels; about 10 seconds each at x2 with `draft`
    python scripts/gigapixel.py 400 --folder /data  # 20,000x20,000 pixels, which need 20 GB on the disk
    python scripts/gigapixel.py 24 --suffix .jpg --address-space 4 --strips auto
    python scripts/gigapixel.py 400 --kernel bicubic  # the degradation is told: one pass of the network, not three

A photograph is tiled, every other copy mirrored, and upscaled by the command `innersr upscale` in a process of its own.
One line per size is written to stdout: CPU seconds in all and of the user, per megapixel of the picture, the peak of
resident memory, and seconds on the clock.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import pyvips

ROOT = Path(__file__).parents[1]


def write_tiled(photo: Path, side: int, path: Path) -> None:
    """Write a square picture of a photograph, tiled and mirrored, as a tiled TIFF or a JPEG."""
    tile = pyvips.Image.new_from_file(str(photo))[0:3]
    pair = tile.join(tile.fliphor(), "horizontal")
    four = pair.join(pair.flipver(), "vertical")
    across, down = -(-side // four.width), -(-side // four.height)
    picture = four.replicate(across, down).crop(0, 0, side, side)
    options = {"tile": True, "compression": "deflate", "bigtiff": True} if path.suffix == ".tif" else {"Q": 95}
    picture.write_to_file(str(path), **options)


def measured(arguments: list[str], address_space: float | None) -> tuple[int, resource.struct_rusage, float]:
    """Run innersr in a child; return its exit code, the resources it used, and seconds."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        if address_space is not None:
            resource.setrlimit(resource.RLIMIT_AS, (int(address_space * 2**30),) * 2)
        os.execv(sys.executable, [sys.executable, "-m", "innersr", *arguments])
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used, time.monotonic() - started


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("megapixels", type=float, nargs="+")
    parser.add_argument("--folder", type=Path, default=None, help="where the pictures are made; removed afterwards")
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "towers.png")
    parser.add_argument("--suffix", choices=(".tif", ".jpg"), default=".tif")
    parser.add_argument("--method", default="tailor")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--kernel", default=None, help="of the degradation, as for `innersr upscale`")
    parser.add_argument("--strips", default="always")
    parser.add_argument("--address-space", type=float, default=None, help="GiB that the process may address")
    given = parser.parse_args()
    failed = 0
    for megapixels in given.megapixels:
        side = round((megapixels * 1e6) ** 0.5)
        with tempfile.TemporaryDirectory(prefix="innersr-gigapixel-", dir=given.folder) as name:
            source, target = Path(name) / f"in{given.suffix}", Path(name) / "out.tif"
            write_tiled(given.photo, side, source)
            limit = str(5 * side * side)
            arguments = ["upscale", str(source), "-o", str(target), "-m", given.method, "-q"]
            arguments += [] if given.method == "bicubic" else ["--preset", given.preset]
            arguments += [] if given.kernel is None else ["--kernel", given.kernel]
            arguments += ["--strips", given.strips, "--pixel-limit", limit, "--device", "cpu"]
            code, used, seconds = measured(arguments, given.address_space)
            size = target.stat().st_size / 2**20 if target.exists() else 0
            failed += bool(code)
        per = used.ru_utime / megapixels
        cpu = used.ru_utime + used.ru_stime
        sys.stdout.write(
            f"{side}x{side}: exit code {code}, {cpu:.1f} s CPU, {per:.2f} s user per megapixel, "
            f"peak {used.ru_maxrss / 2**20:.2f} GiB, {seconds:.0f} s, result {size:.0f} MiB\n"
        )
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
