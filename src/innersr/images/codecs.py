"""Decoding and encoding of open image files by libvips, and decoding by `readers` of formats that it does not read.

Knows formats, colour spaces and untrusted bytes; nothing about tensors or file names.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import re
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyvips
from PIL import Image as PillowImage

from innersr.errors import ImageFileError, reason_of
from innersr.images.colours.standard import in_srgb, with_tiff_alpha
from innersr.images.containers.avif import avif_facts, avif_sides
from innersr.images.containers.exif import drop_invented_tags
from innersr.images.containers.gif import gif_facts
from innersr.images.containers.jpeg_segments import finish_jpeg, jfif_density, jpeg_facts
from innersr.images.containers.png import finish_png, png_facts
from innersr.images.containers.webp import webp_facts
from innersr.images.containers.xmp import xmp_of_size
from innersr.images.formats import DEPTHS, Format
from innersr.images.limits import SizeLimits
from innersr.images.metadata import (
    DamagedBytesError,
    FileFacts,
    Metadata,
    notes_of_bits,
    photoshop_of_iptc,
    sane_resolution,
    without_place,
)
from innersr.images.readers.choice import reader_of
from innersr.images.readers.decoded import Decoded, upright_metadata
from innersr.images.samples import Samples
from innersr.libvips import libvips_alone, pending_errors

if TYPE_CHECKING:
    from innersr.images.tiff.tags import TiffFacts

BLOBS = {"icc": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data", "iptc": "iptc-data"}


@libvips_alone()
def decode(  # noqa: PLR0913 (what a file is read by)
    stream: io.FileIO,
    name: str,
    found: Format,
    limits: SizeLimits,
    directory: int | None = None,
    *,
    keep_indices: bool = False,
) -> Decoded:
    """Decode the first picture of an open, unbuffered file; `name` is for messages.

    Args:
        directory, keep_indices: see `io.read`.

    Raises:
        ImageFileError: the file is too large, or of a kind that is not read.
        Exception: any that pyvips and Pillow raise on damaged bytes.
    """
    if found.vips is None:
        stream.seek(0)
        return reader_of(found)(stream, name, limits)
    source: BinaryIO = stream
    if directory is not None:
        source = _tiff("directories").page_alone(stream, directory)
    image, finished = open_lazily(source, name, found, limits, keep_indices=keep_indices)
    samples = image.numpy()
    check_complete(found)
    return finished(samples=samples.reshape(image.height, image.width, image.bands))


def check_complete(found: Format) -> None:
    """Raise DamagedBytesError if libvips missed pixels: it paints a tile black that it cannot read."""
    if found.name == "TIFF" and (missed := pending_errors()):
        raise DamagedBytesError(missed)


def _upright(image: pyvips.Image, metadata: Metadata) -> tuple[pyvips.Image, Metadata, list[str]]:
    """An image turned as its orientation says, its metadata, and notes about what that loses."""
    turn = image.get("orientation") if "orientation" in image.get_fields() else 1
    if not 2 <= turn <= 8:
        return image, metadata, []
    metadata, notes = without_place(metadata)
    if turn >= 5:
        density, ratio = metadata.pixels_per_mm, metadata.pixel_ratio
        metadata = replace(metadata, pixels_per_mm=density and density[::-1], pixel_ratio=ratio and ratio[::-1])
    return image.copy_memory().autorot(), metadata, [*notes]


def open_lazily(
    stream: BinaryIO, name: str, found: Format, limits: SizeLimits, *, keep_indices: bool = False
) -> tuple[pyvips.Image, Callable[..., Decoded]]:
    """An image whose samples libvips decodes from top to bottom, once, and what makes a Decoded of `samples`.

    The caller has libvips alone; arguments and errors are those of `decode`.
    """
    facts: TiffFacts | None = _tiff("tags").tiff_facts(stream) if found.name == "TIFF" else None
    if facts and facts.refusal:
        raise ImageFileError(f"{name}: {facts.refusal}")
    if found.name == "AVIF" and max(avif_sides(stream), default=1) > 65_536:
        # GLib would complain on standard error about sizes that libvips cannot hold.
        raise ImageFileError(f"{name}: AVIF sides end at 65536 pixels; it may be damaged, get it again")
    described = facts.described if facts else _facts_of(stream, found)
    palette = facts.palette if facts and keep_indices else None
    if palette is not None:
        stream = _tiff("tags").relabelled(stream, photometric=1)  # grey, as the indices are taken
    if facts and facts.by_tifffile:
        image = _tiff("pixels").image_by_tifffile(stream, name, limits)
    else:
        image = _open(stream, found, facts, described)
    limits.check(name, image.width, image.height, image.bands * _sample_size(image))
    notes = [note for note in described.notes if palette is None or not note.startswith("its palette")]
    frames = described.frames or (image.get("n-pages") if "n-pages" in image.get_fields() else 1) - described.parts
    if frames > 1:
        pictures = "pages" if found.name == "TIFF" else "frames"
        notes.insert(0, f"first of {frames} {pictures}; the others are ignored")
    if found.name == "TIFF" and not any("palette" in note for note in notes):
        notes += notes_of_bits(image.get("bits-per-sample") if "bits-per-sample" in image.get_fields() else 8)
    states_resolution = found.name in ("JPEG", "TIFF") and "resolution-unit" in image.get_fields()
    metadata, more = _metadata_of(image, described, states_resolution=states_resolution or described.states_resolution)
    tags = metadata.tags if palette is None else (*metadata.tags, palette)
    metadata = replace(metadata, nodata=facts.nodata if facts else None, tags=tags)
    notes += more
    image, metadata, more = _upright(image, metadata)
    notes += more
    has_alpha = found.alpha and image.bands in (2, 4)
    if facts:
        image, has_alpha, more = with_tiff_alpha(image, facts)
        notes += more
    image, metadata, more = in_srgb(image, metadata)
    notes += more
    stored = {"uchar": "uint8", "ushort": "uint16", "float": "float32"}.get(image.format, image.format)
    return image, functools.partial(
        Decoded,
        has_alpha=has_alpha and stored in DEPTHS,
        white=_white(image, found, stored),
        metadata=metadata,
        is_lossless=described.is_lossless,
        is_rgb=facts.is_rgb if facts else None,
        layout=described.layout,
        notes=tuple(notes),
    )


def is_memory_error(error: BaseException) -> bool:
    """Whether an error means that memory ran out; each decoder says so in its own words.

    Not so where libtiff means a damaged tag that promises gigabytes, and libheif a security limit.
    """
    words = r"out of memory -- size|Insufficient memory|Memory allocation error(?!: Security)|Unable to allocate \d"
    words += r"|Error creating thread"
    return isinstance(error, MemoryError) or bool(re.search(words, reason_of(error)))


@libvips_alone()
def encode(
    samples: Samples | pyvips.Image,
    stream: io.FileIO,
    target: Format,
    *,
    has_alpha: bool,
    is_rgb: bool | None,
    metadata: Metadata,
    options: dict[str, Any],
) -> None:
    """Write samples into an open file.

    Args:
        samples: (H, W, bands), uint8, uint16 or float32; or such an image of libvips, except for BMP.
        stream: unbuffered, open for reading too: libvips writes TIFF in two passes.
        target: the file's format.
        has_alpha: whether the last band is alpha.
        is_rgb: see `Image`.
        metadata: see `formats.kept`.
        options: see `formats.encoder_options`.
    """
    neutral = 72 / 25.4  # pixels per millimetre; libvips always writes one, which is taken out below
    across, down = metadata.pixels_per_mm or (neutral, neutral)
    if target.vips is None:
        assert isinstance(samples, np.ndarray)
        picture = PillowImage.fromarray(samples[..., 0] if samples.shape[-1] == 1 else samples)
        whole = io.BytesIO()  # Pillow does not notice when a disk takes only a part of its output
        picture.save(whole, "BMP", dpi=(across * 25.4, down * 25.4) if metadata.pixels_per_mm else (0, 0))
        writer = io.BufferedWriter(stream)
        writer.write(whole.getbuffer())
        writer.detach()
        return
    image = samples if isinstance(samples, pyvips.Image) else pyvips.Image.new_from_array(samples)
    colours, wide = image.bands - has_alpha, image.format == "ushort"
    coloured = colours == 3 if is_rgb is None else is_rgb and colours >= 3
    space = ("rgb16" if wide else "srgb") if coloured else ("grey16" if wide else "b-w")
    image = image.copy(interpretation=space, xres=across, yres=down)
    image.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in")
    if metadata.xmp is not None:
        metadata = replace(metadata, xmp=xmp_of_size(metadata.xmp, image.width, image.height))
    if target.name == "GIF":
        image.set_type(pyvips.GValue.gint_type, "loop", 1)  # shown once: else it would be declared to be an animation
    flags = [kind for kind in BLOBS if getattr(metadata, kind) is not None]
    for kind in flags:
        image.set_type(pyvips.GValue.blob_type, BLOBS[kind], _as_stored(kind, getattr(metadata, kind), target))
    # These formats hold a resolution in an EXIF block, or nowhere, and JPEG one that it cannot hold elsewhere.
    has_resolution = metadata.pixels_per_mm is not None
    is_in_exif = target.name in ("WebP", "AVIF") or (target.name == "JPEG" and jfif_density(metadata) is None)
    adds_resolution = has_resolution and is_in_exif
    if adds_resolution and "exif" not in flags:
        flags.append("exif")
    vips_target = pyvips.Target.new_to_descriptor(stream.fileno())
    getattr(image, f"{target.vips}save_target")(vips_target, keep="|".join(flags) or "none", **options)
    if target.name == "TIFF":
        _tiff("edits").finish_tiff(stream, metadata, has_alpha=has_alpha)
    elif target.name == "PNG":
        finish_png(stream, metadata)
    elif target.name == "JPEG":
        finish_jpeg(stream, metadata)
    if "exif" in flags:
        drop_invented_tags(stream, metadata.exif, has_resolution=has_resolution, adds_resolution=adds_resolution)


def _tiff(module: str) -> ModuleType:
    """Import a module of `images.tiff` where it is needed: importing tifffile takes 0.13 s."""
    return importlib.import_module(f"innersr.images.tiff.{module}")


def _facts_of(stream: BinaryIO, found: Format) -> FileFacts:
    readers = {"PNG": png_facts, "JPEG": jpeg_facts, "AVIF": avif_facts, "WebP": webp_facts}
    if found.name in readers:
        return readers[found.name](stream)
    return gif_facts(stream)


def _open(stream: BinaryIO, found: Format, facts: TiffFacts | None, described: FileFacts) -> pyvips.Image:
    # Loaders are named, never guessed: libvips would also open SVG, CSV and its own formats, and would read
    # the brackets in `photo[1].jpg` as options. "error" refuses truncated files, which would end in grey.
    options: dict[str, Any] = {"fail_on": "error", "access": "sequential"}
    if facts and facts.relabel:
        stream = _tiff("tags").relabelled(stream)
    stream.seek(0)
    if described.is_unended:
        # With the marker libjpeg only warns of pixels that are missing, so warnings refuse here.
        return pyvips.Image.jpegload_buffer(stream.read() + b"\xff\xd9", **options | {"fail_on": "warning"})
    source = _source_of(stream)
    image = getattr(pyvips.Image, f"{found.vips}load_source")(source, **options)
    image._references.append(source)  # as `Image.new_from_source` does: it must live until the samples are decoded
    return image


def _source_of(stream: BinaryIO) -> pyvips.Source:
    """What libvips reads a file from."""
    if isinstance(stream, io.FileIO):
        return pyvips.Source.new_from_descriptor(stream.fileno())

    def sought(offset: int, whence: int) -> int:
        with contextlib.suppress(OSError, ValueError):  # damaged files lead out of the file
            return stream.seek(offset, whence)
        return -1

    source = pyvips.SourceCustom()
    source.on_read(stream.read)
    source.on_seek(sought)
    return source


def _metadata_of(image: pyvips.Image, described: FileFacts, *, states_resolution: bool) -> tuple[Metadata, list[str]]:
    fields = image.get_fields()
    blobs = {kind: bytes(image.get(name)) if name in fields else None for kind, name in BLOBS.items()}
    resolution = sane_resolution(image.xres, image.yres) if states_resolution else None
    return upright_metadata(blobs, described, resolution)


def _sample_size(image: pyvips.Image) -> int:
    """Bytes of a sample."""
    return {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "double": 8}.get(image.format, 4)


def _white(image: pyvips.Image, found: Format, stored: str) -> float:
    if found.vips == "heif" and image.format == "ushort":
        # 10- and 12-bit samples lie in the high bits; their white is 65472 or 65520.
        bits = min(max(image.get("bits-per-sample"), 1), 16)
        return float(((1 << bits) - 1) << (16 - bits))
    return float(DEPTHS[stored].white) if stored in DEPTHS else 0.0


def _as_stored(kind: str, blob: bytes, target: Format) -> bytes:
    if kind == "iptc" and target.name == "JPEG":
        return photoshop_of_iptc(blob)
    if kind == "iptc" and target.name == "TIFF":
        # libvips 8.18 writes the first quarter of its input (it counts 32-bit words, the tag bytes).
        return blob + bytes(3 * len(blob))
    return blob
