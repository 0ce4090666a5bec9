"""TIFF files written page by page by tifffile: stacks, and compressions that libvips does not write."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffWriter

from innersr.errors import ImageFileError, how_to_install
from innersr.images.image import Image
from innersr.images.metadata import PALETTE, Metadata, TiffTag
from innersr.images.samples import samples_of
from innersr.images.tiff.edits import from_white, in_order, text_tag


def check_encoder(compression: str, path: Path) -> None:
    """Raise ImageFileError if a TIFF of that compression, "none", "deflate", "zstd" or "lzw", cannot be written."""
    if compression in ("zstd", "lzw") and importlib.util.find_spec("imagecodecs") is None:
        remedy = f'{how_to_install("tiff")}, or use --compression deflate (in Python compression="deflate")'
        raise ImageFileError(f"{path}: {compression} pages need an encoder; {remedy}")


@contextlib.contextmanager
def page_writer(stream: BinaryIO, *, byteorder: Literal["<", ">"] = "<", is_big: bool = False) -> Iterator[PageWriter]:
    """Open a writer of a TIFF, or a BigTIFF, of one or more pages into an empty file."""
    with TiffWriter(stream, bigtiff=is_big, byteorder=byteorder, ome=False, shaped=False) as writer:
        yield PageWriter(writer, byteorder)


class PageWriter:
    """Pages of a TIFF file, of which only the one that is written is in memory."""

    def __init__(self, writer: TiffWriter, byteorder: str) -> None:
        self._writer, self._order = writer, byteorder

    def add(self, image: Image, metadata: Metadata, *, own_resolution: tuple[float, float, int] | None = None) -> None:
        """Write a page, with its overviews if its layout has any.

        Args:
            image: as for `save`, compressed and black or white as its layout says.
            metadata: what is kept of the image's own, see `formats.kept`.
            own_resolution: pixels per unit, horizontal and vertical, and the TIFF code of the unit, in place of the
                resolution in the metadata.
        """
        samples, layout = samples_of(image), image.layout
        if layout.zero_is_white:
            samples, metadata = from_white(samples, metadata)
        self._add(samples, image, metadata, own_resolution)
        largest, made = 256, 0  # pixels of the last overview
        while layout.overviews and (made < layout.overviews or max(samples.shape[:2]) > largest):
            made += 1
            samples = _halved(samples, is_mean=image.missing is None and not image.has_indices)
            self._add(samples, image, Metadata(), own_resolution, is_overview=True)

    def _add(
        self,
        samples: np.ndarray,
        image: Image,
        metadata: Metadata,
        own_resolution: tuple[float, float, int] | None,
        *,
        is_overview: bool = False,
    ) -> None:
        bands, is_float = samples.shape[2], samples.dtype.kind == "f"
        has_alpha, layout = image.alpha is not None, image.layout
        colours = bands - has_alpha
        is_rgb = colours == 3 if image.is_rgb is None else image.is_rgb and colours >= 3  # noqa: PLR2004
        photometric = PHOTOMETRIC.MINISWHITE if layout.zero_is_white else PHOTOMETRIC.MINISBLACK
        photometric = PHOTOMETRIC.RGB if is_rgb else photometric
        palette = next((tag for tag in metadata.tags if tag.code == PALETTE), None)
        photometric = PHOTOMETRIC.PALETTE if palette is not None else photometric
        extra = [EXTRASAMPLE.UNSPECIFIED] * (bands - (3 if is_rgb else 1))
        if has_alpha:
            extra[-1] = EXTRASAMPLE.UNASSALPHA
        resolution = own_resolution
        if resolution is None and metadata.pixels_per_mm is not None:
            inch, code = 25.4, 2
            resolution = (inch * metadata.pixels_per_mm[0], inch * metadata.pixels_per_mm[1], code)
        across, down, unit = resolution or (1.0, 1.0, 1)  # of no unit: square pixels of unknown size
        text = dict(metadata.texts).get("Description") or next((text for _, text in metadata.texts), None)
        self._writer.write(
            samples[..., 0] if bands == 1 else samples,
            photometric=photometric,
            colormap=None if palette is None else np.frombuffer(palette.data, "<u2").reshape(3, -1),
            planarconfig=None if bands == 1 else "contig",
            extrasamples=extra or None,
            compression=None if layout.compression == "none" else layout.compression,
            # Many readers know no predictor of floats.
            predictor=None if is_float or layout.compression == "none" else True,
            rowsperstrip=max(1, (1 << 18) // samples[0].nbytes),
            subfiletype=1 if is_overview else 0,
            resolution=(across, down),
            resolutionunit=unit,
            description=None if text is None else text.encode("utf-8"),
            software=False,
            metadata=None,
            iccprofile=metadata.icc,
            extratags=[_extra_tag(tag, self._order) for tag in _tags(metadata)],
            maxworkers=1,
        )


def _tags(metadata: Metadata) -> list[TiffTag]:
    tags = [tag for tag in metadata.tags if tag.code != PALETTE]
    for code, data in ((700, metadata.xmp), (33723, metadata.iptc)):
        if data is not None:
            tags.append(TiffTag(code=code, kind=1, count=len(data), data=data, words="a block"))
    if metadata.nodata is not None:
        tags.append(text_tag(42113, metadata.nodata))
    return tags


def _extra_tag(tag: TiffTag, order: str) -> tuple[int, int, int, bytes, bool]:
    return tag.code, tag.kind, tag.count, in_order(tag, order), True


def _halved(samples: np.ndarray, *, is_mean: bool) -> np.ndarray:
    """Half the rows and columns of (H, W, bands), rounded up: means of four, or every second one."""
    if not is_mean:
        return np.ascontiguousarray(samples[::2, ::2])
    height, width = (2 * (-(-side // 2)) for side in samples.shape[:2])
    even = np.pad(samples, ((0, height - samples.shape[0]), (0, width - samples.shape[1]), (0, 0)), "edge")
    means = even.reshape(height // 2, 2, width // 2, 2, -1).mean((1, 3), dtype=np.float32)
    return (np.rint(means) if samples.dtype.kind != "f" else means).astype(samples.dtype)
