"""Other people's networks and programs as methods, to be measured beside this package's."""

from __future__ import annotations

import importlib
import itertools
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.methods.protocols import Method, Upscaler
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size, resize
from innersr.run import Run


@dataclass(frozen=True, kw_only=True)
class CommandPeer:
    """A program that reads an image file and writes a larger one.

    Args:
        command: a command line with {input} and {output}, and {scale} if need be, run without a shell.
    """

    command: str

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:  # noqa: ARG002 (it takes an image alone)
        """The program as an upscaler."""

        def upscale(x: Tensor) -> Tensor:
            with tempfile.TemporaryDirectory() as folder:
                source, target = Path(folder, "input.png"), Path(folder, "output.png")
                save(Image(colour=x.cpu()), source)
                places = {"{input}": str(source), "{output}": str(target), "{scale}": f"{degradation.scales[0]:g}"}
                self._run([_filled(word, places) for word in shlex.split(self.command)])
                if not target.exists():
                    raise InputError(f"{self.command}: it succeeded, but wrote no {{output}}; check its options")
                large = read(target).colour.to(x)
            large = large.mean(1, keepdim=True) if x.shape[1] == 1 else large
            return _fitted(large, degradation.hr_size(image_size(x)), self.command)

        return upscale

    def _run(self, words: list[str]) -> None:
        try:
            subprocess.run(words, check=True, capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise InputError(f"{self.command}: cannot be run ({error}); check the program") from error
        except subprocess.CalledProcessError as error:
            last_line = (error.stderr or error.stdout or "it says nothing").strip().splitlines()[-1:]
            raise InputError(f"{self.command}: failed with code {error.returncode}: {''.join(last_line)}") from error


@dataclass(frozen=True, kw_only=True)
class SpandrelPeer:
    """A network that the library spandrel loads.

    Args:
        file: its weights.
    """

    file: str

    def adapt(self, lr: Tensor, degradation: Degradation, run: Run) -> Upscaler:  # noqa: ARG002 (it takes an image alone)
        """The network as an upscaler."""
        _loaded(self.file, str(lr.device))  # reports what is wrong with it before anything is enlarged

        @torch.no_grad()
        def upscale(x: Tensor) -> Tensor:
            network = _loaded(self.file, str(x.device))
            large = network(x.expand(-1, 3, -1, -1)).float().clamp(0, 1)
            large = large.mean(1, keepdim=True) if x.shape[1] == 1 else large
            return _fitted(large, degradation.hr_size(image_size(x)), self.file)

        return upscale


def parse_peers(texts: Iterable[str], taken: Collection[str]) -> dict[str, Method]:
    """Peers by the names of their rows, numbered where one is taken; texts and errors are those of `parse_peer`."""
    found: dict[str, Method] = {}
    for name, peer in map(parse_peer, dict.fromkeys(texts)):
        names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
        found[next(each for each in names if each not in found and each not in taken)] = peer
    return found


def parse_peer(text: str) -> tuple[str, Method]:
    """Parse "spandrel:FILE" or a command line with {input} and {output}; return a name for its rows, and the method.

    Raises:
        InputError: neither of them, or a file, a program or spandrel is missing.
    """
    if text.startswith("spandrel:"):
        file = Path(text.removeprefix("spandrel:"))
        if not file.is_file():
            raise InputError(f"{file}: no such file; give the weights of a network, spandrel:FILE")
        _spandrel()
        return f"spandrel:{file.name}", SpandrelPeer(file=str(file))
    if not all(place in text for place in ("{input}", "{output}")):
        raise InputError(f"a peer is spandrel:FILE or a command line with {{input}} and {{output}}, got {text!r}")
    try:
        program = shlex.split(text)[0]
    except ValueError as error:
        raise InputError(f"{text}: not a command line ({error}); close the quotes") from error
    if shutil.which(program) is None:
        raise InputError(f"{program}: no such program; install it, or give its path")
    return Path(program).name, CommandPeer(command=text)


def _filled(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word


def _fitted(large: Tensor, size: tuple[int, int], peer: str) -> Tensor:
    """A result shrunk to a size where the peer enlarges by more than was asked for."""
    rows, columns = image_size(large)
    if (rows, columns) == size:
        return large
    if rows < size[0] or columns < size[1]:
        raise InputError(
            f"{peer}: made {columns}x{rows} pixels where {size[1]}x{size[0]} were due; ask for a smaller scale"
        )
    return resize(large, size=size).clamp(0, 1)


def _spandrel() -> Any:  # noqa: ANN401 (an optional library without types)
    try:
        return importlib.import_module("spandrel")
    except ImportError as error:
        raise InputError("peers by spandrel:FILE need the library; pip install spandrel") from error


@lru_cache(maxsize=4)  # one for each device: moving one network would disturb another thread that uses it
def _loaded(file: str, device: str) -> Any:  # noqa: ANN401 (spandrel's descriptor of a network)
    library = _spandrel()
    try:
        return library.ModelLoader().load_from_file(file).to(device).eval()
    except (library.UnsupportedModelError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{file}: spandrel cannot load it ({error}); give the weights of a network it knows"
        ) from error
