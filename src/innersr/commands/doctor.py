"""Work of `innersr doctor`."""

from __future__ import annotations

import platform
import sys

import PIL
import pyvips
import torch

from innersr.commands.console import Reporter
from innersr.images import io as image_files
from innersr.run import Run
from innersr.version import __version__


def doctor(reporter: Reporter) -> None:
    """Print versions, devices and image formats of this installation."""
    vips = ".".join(str(pyvips.version(part)) for part in range(3))
    lines = [
        f"innersr  {__version__}",
        f"python   {platform.python_version()} ({sys.executable})",
        f"system   {platform.platform()}",
        f"torch    {torch.__version__}",
        f"libvips  {vips} (pyvips {pyvips.__version__})",
        f"pillow   {PIL.__version__}",
        f"devices  {', '.join(_devices())}",
    ]
    works = image_files.codecs()
    names = sorted({name.split()[0] for name in works})
    for name in names:
        states = [
            f"{verb} {'yes' if works[f'{name} {verb}'] else 'NO'}"
            for verb in ("read", "write")
            if f"{name} {verb}" in works
        ]
        lines.append(f"{name:<8} {', '.join(states)}")
    reporter.text(lines)


def _devices() -> list[str]:
    names = [f"cpu ({torch.get_num_threads()} threads, {Run(device='cpu').dtype})".replace("torch.", "")]
    names += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return names + ["mps"] * torch.backends.mps.is_available()
