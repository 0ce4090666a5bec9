"""Work of `innersr doctor`."""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
from pathlib import Path

import PIL
import pyvips
import torch

from innersr.commands.console import Reporter
from innersr.errors import ImageFileError
from innersr.images.formats import BY_SUFFIX, FORMATS
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.readers.choice import has_reader
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
    works = working_codecs()
    names = sorted({name.split()[0] for name in works})
    for name in names:
        states = [
            f"{verb} {'yes' if works[f'{name} {verb}'] else 'NO'}"
            for verb in ("read", "write")
            if f"{name} {verb}" in works
        ]
        lines.append(f"{name:<8} {', '.join(states)}")
    reporter.text(lines)


def working_codecs() -> dict[str, bool]:
    """Whether "png read", "png write" and so on work, tried with a small image; of other readers, if they are there."""
    only_read = [row for row in FORMATS if row.result]
    report = {f"{row.name.lower().replace(' ', '-')} read": has_reader(row) for row in only_read}
    image = Image(colour=torch.linspace(0, 1, 3 * 8 * 8).reshape(1, 3, 8, 8))
    with tempfile.TemporaryDirectory() as folder:
        for row in dict.fromkeys(BY_SUFFIX.values()):
            path = Path(folder) / f"sample{row.suffixes[0]}"
            for verb, attempt in (("write", lambda file: save(image, file)), ("read", read)):
                report[f"{row.name.lower()} {verb}"] = False
                with contextlib.suppress(ImageFileError):
                    attempt(path)
                    report[f"{row.name.lower()} {verb}"] = True
    return report


def _devices() -> list[str]:
    names = [f"cpu ({torch.get_num_threads()} threads, {Run(device='cpu').dtype})".replace("torch.", "")]
    names += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return names + ["mps"] * torch.backends.mps.is_available()
