"""The settings.json of a model folder: its pictures, settings and versions."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import chain
from typing import Any

import msgspec
from torch import Tensor

from innersr.errors import CheckpointError, InputError, reason_of
from innersr.images.limits import PIXEL_LIMIT
from innersr.json_lines import parse_object
from innersr.physics.resize import image_size
from innersr.run import Run
from innersr.singan.networks import layer_shapes
from innersr.singan.pictures import PictureSource
from innersr.singan.pyramid import Size
from innersr.singan.settings import SinGAN
from innersr.version import __version__

FORMAT = 1
MAX_CHANNELS = 1024
REMEDY = "get the folder again, or train the model anew with --overwrite"


@dataclass(frozen=True, kw_only=True)
class Original:
    """A picture of the subject as it was given."""

    sha256: str  # of its values, see `picture_digest`
    size: Size


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything that the weights of a model depend on, except rounding.

    Args:
        pictures: of the subject.
        settings: that the model is learned with.
        crop_asked: the requested crop; that in the settings may be smaller to fit the memory.
        sizes: of the scales of every picture.
        channels: of the pictures.
        seed: of all draws.
        precision: of the network passes, a name of torch.
        device: kind of device that the training was begun on.
        source: how images are made of the pictures.
        versions: of the software that the training was begun with.

    Raises:
        InputError: more scales or channels than a model folder may have, or values that do not belong together.
    """

    pictures: tuple[Original, ...]
    settings: SinGAN
    crop_asked: int
    sizes: tuple[tuple[Size, ...], ...]
    channels: int
    seed: int
    precision: str
    device: str
    source: PictureSource
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise InputError(f"a model has 1 to {MAX_CHANNELS} channels, got {self.channels}; leave some bands out")
        if self.source.channels != self.channels:
            raise InputError(f"the source has {self.source.channels} channels, the pictures have {self.channels}")
        if not self.pictures or len(self.sizes) != len(self.pictures):
            raise InputError(f"there must be sizes for each picture, got {len(self.sizes)} of {len(self.pictures)}")
        counts = {len(sizes) for sizes in self.sizes}
        most = 256
        if len(counts) > 1 or not 1 <= counts.pop() <= most:
            raise InputError(f"all pictures of a model have as many scales, from 1 to {most}")
        areas = [math.prod(size) for sizes in self.sizes for size in sizes]
        if min(map(min, chain(*self.sizes))) < 1 or max(areas) > PIXEL_LIMIT or not 0 <= self.seed < 2**63:
            raise InputError(f"scales have 1 to {PIXEL_LIMIT} pixels, seeds are from 0 to 2^63 - 1")
        texts = [self.precision, self.device, *(p.sha256 for p in self.pictures), *chain(*self.versions.items())]
        if not all(text.isprintable() and len(text) <= 200 for text in texts):  # as messages repeat them
            raise InputError("texts must be printable, of 200 characters at most")
        replace(self.settings, crop=self.crop_asked)  # raises unless it is a crop
        self._check_numbers(1 << 27)

    def _check_numbers(self, most: int) -> None:
        """Raise InputError if the model has more weights and values of pictures, of 4 bytes each."""
        widths = [self.settings.widths_at(number) for number in range(len(self.sizes[0]))]
        shapes = chain.from_iterable(layer_shapes(self.channels, own).values() for own in widths)
        finest = sum(math.prod(sizes[-1]) for sizes in self.sizes)
        numbers = sum(map(math.prod, shapes)) + self.channels * finest
        if numbers > most:
            remedy = "lower max_size, width or the number of scales"
            raise InputError(f"a model has at most {most} weights and values of pictures, not {numbers}; {remedy}")

    def as_text(self) -> str:
        """The record as JSON, the colour profile in base64."""
        return _indented({"format": FORMAT, **msgspec.to_builtins(self)}) + "\n"


def record_of(
    pictures: Sequence[Tensor],
    settings: SinGAN,
    run: Run,
    sizes: tuple[tuple[Size, ...], ...],
    source: PictureSource | None = None,
) -> Record:
    """Record of a new training on pictures, (1, C, H, W) in [-1, 1].

    Args:
        sizes: of the scales of every picture.
        source: of the pictures; 8-bit images with a band of colour for each channel if None.
    """
    channels = pictures[0].shape[1]
    return Record(
        pictures=tuple(Original(sha256=picture_digest(p), size=image_size(p)) for p in pictures),
        settings=settings,
        crop_asked=settings.crop,
        sizes=sizes,
        channels=channels,
        seed=run.seed,
        precision=str(run.dtype).removeprefix("torch."),
        device=run.torch_device.type,
        source=source or PictureSource(bands=channels),
        versions={"innersr": __version__, "torch": version("torch")},
    )


def picture_digest(picture: Tensor) -> str:
    """SHA-256 of a picture: its shape as text, "1x3x186x248", then its float32 values, low byte first."""
    shape = "x".join(str(side) for side in picture.shape)
    values = picture.detach().cpu().float().contiguous().numpy().astype("<f4")
    return hashlib.sha256(shape.encode() + values.tobytes()).hexdigest()


def differences(there: Record, requested: Record) -> list[str]:
    """The differences between the record of a folder and the requested one, a phrase each.

    Software and device may differ: they change no more than rounding. The colour profile changes nothing at all.
    """
    found = []
    if there.pictures != requested.pictures:
        found.append(f"of another picture ({_described(there)}, not {_described(requested)})")
    own, other = (
        {**asdict(replace(r.settings, crop=r.crop_asked)), "seed": r.seed, "precision": r.precision}
        for r in (there, requested)
    )
    found += [f"with {name}={own[name]}, not {other[name]}" for name in own if own[name] != other[name]]
    if there.sizes != requested.sizes and not found:
        found.append("with other sizes of its scales")
    own, other = asdict(there.source), asdict(requested.source)
    names = [name for name in own if own[name] != other[name] and name != "icc"]
    if names and not found:
        found.append(f"of images that differ in {', '.join(names)}")
    return found


def parse_record(data: bytes, source: str) -> tuple[Record, str]:
    """The record in the bytes of a settings.json, and the SHA-256 by which other files refer to it.

    Settings that were unknown when it was written have their defaults.

    Raises:
        CheckpointError: it is damaged, or of a newer format; `source` is what the error calls it.
    """
    try:
        given = parse_object(data)
        digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        written = given.pop("format", None)
        if type(written) is int and written > FORMAT:
            raise CheckpointError(f"{source}: made by a newer innersr (format {written}); update innersr")
        if type(written) is not int or written < 1:
            raise ValueError("it has no format")
        record = msgspec.convert(given, Record)
        _check_known(given, msgspec.to_builtins(record))
        return record, digest
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise CheckpointError(f"{source}: is damaged ({reason_of(error)}); {REMEDY}") from error


def _check_known(given: dict[str, Any], known: dict[str, Any]) -> None:
    """Raise ValueError if objects in JSON have keys that a record does not."""
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"unknown field {key!r:.40}")
        if isinstance(value, dict):
            _check_known(value, known[key])


def _described(record: Record) -> str:
    return ", ".join(f"{s.size[1]}x{s.size[0]} of SHA-256 {s.sha256[:12]}" for s in record.pictures)


def _indented(value: object, margin: str = "") -> str:
    """JSON with a line for each entry of its objects, but none for those of its lists."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, allow_nan=False)
    inner = margin + "  "
    lines = [f"{inner}{json.dumps(key)}: {_indented(item, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
