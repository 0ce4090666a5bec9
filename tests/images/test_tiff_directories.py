"""TIFF files that list their pages without end."""

import io
import struct

import numpy as np
import pytest
import tifffile

from innersr.errors import ImageFileError
from innersr.images.io import read
from innersr.images.tiff.directories import Directories, directories_of
from innersr.images.tiff.stacks import find_stack
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import upscale_file

OPTIONS = {"method": "bicubic", "kernel": "bicubic"}


def write_chain(path, count, *, back_to=None, smaller=0):
    """A TIFF of 8 x 8 grey pixels with so many directories; the last names an earlier one as its next if asked to.

    Each lists the first as its smaller copy, so many times.
    """
    data = bytearray(b"II*\0" + bytes(4)) + bytes(range(64))
    listed = len(data)
    data += bytes(4 * smaller)
    starts, link = [], 4
    for _ in range(count):
        starts.append(len(data))
        struct.pack_into("<I", data, link, len(data))
        entries = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
        entries += [(277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64), *([(330, 4, smaller, listed)] if smaller else [])]
        data += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        link = len(data)
        data += bytes(4)
    for place in range(smaller):
        struct.pack_into("<I", data, listed + 4 * place, starts[0])
    if back_to is not None:
        struct.pack_into("<I", data, link, starts[back_to])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("count", "back_to"), [(1, 0), (3, 0), (3, 1)])
def test_pages_in_a_circle_are_refused(tmp_path, count, back_to):
    source = write_chain(tmp_path / "in.tif", count, back_to=back_to)
    with source.open("rb") as stream:
        assert directories_of(stream) == Directories(count=count, is_circular=True)
    with pytest.raises(ImageFileError, match=r"runs in a circle; .* \(--pages first\) takes the first alone"):
        upscale_file(source, tmp_path / "out.tif", UpscaleOptions(**OPTIONS))
    assert not (tmp_path / "out.tif").exists()
    upscale_file(source, tmp_path / "out.tif", UpscaleOptions(pages="first", **OPTIONS))
    assert read(tmp_path / "out.tif").colour.shape == (1, 1, 16, 16)


def test_more_pages_than_are_counted_are_refused(tmp_path):
    source = write_chain(tmp_path / "in.tif", (1 << 16) + 1)
    with pytest.raises(ImageFileError, match="it lists more than 65536 pages; get it again, or split it"):
        find_stack(source)
    with source.open("rb") as stream:
        assert directories_of(stream, most=1 << 17) == Directories(count=(1 << 16) + 1)
        assert stream.tell() == 0


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_all_pages_are_counted(tmp_path, byteorder, bigtiff):
    pages = np.zeros((7, 5, 6), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", pages, byteorder=byteorder, bigtiff=bigtiff, photometric="minisblack")
    with (tmp_path / "in.tif").open("rb") as stream:
        assert directories_of(stream) == Directories(count=7)


@pytest.mark.parametrize("length", [4, 9, 73, 80, 190, 299])
def test_a_chain_ends_with_the_file(tmp_path, length):
    source = write_chain(tmp_path / "in.tif", 3)
    assert directories_of(io.BytesIO(source.read_bytes()[:length])).count <= 2


def test_smaller_copies_without_end_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tifffile.TiffFile, "series", property(lambda _: pytest.fail("all of them are read")))
    stack = find_stack(write_chain(tmp_path / "two.tif", 2, smaller=100))
    assert stack.pages == (0, 1) and stack.groups[0] == stack.groups[1]
    assert find_stack(write_chain(tmp_path / "one.tif", 1, smaller=100)) is None
