"""TIFF files that list their pages without end."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from innersr.errors import ImageFileError
from innersr.images.io import read
from innersr.images.tiff.directories import Directories, directories_of
from innersr.images.tiff.patched_file import PatchedFile
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
    with pytest.raises(ImageFileError, match=r"runs in a circle; .* --pages first .* takes the first alone"):
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
    assert len(stack.directories) == 2 and stack.groups[0] == stack.groups[1]
    assert find_stack(write_chain(tmp_path / "one.tif", 1, smaller=100)) is None


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts calls of the system")
def test_a_page_costs_the_same_wherever_it_is(tmp_path):
    source = tmp_path / "in.tif"
    pages = np.random.default_rng(0).integers(0, 255, (400, 8, 8), np.uint8)
    with tifffile.TiffWriter(source) as writer:
        for page in pages:
            writer.write(page, photometric="minisblack", contiguous=False)
    places = find_stack(source).directories
    counts = []
    for number in (0, 200, 399):
        before = calls_of_read()
        assert np.array_equal(np.rint(255 * read(source, directory=places[number]).colour.numpy())[0, 0], pages[number])
        counts.append(calls_of_read() - before)
    assert max(counts) < 200 and max(counts) - min(counts) < 20


def calls_of_read():
    """Calls of the system by which this process has read, those of libvips too."""
    return int(dict(row.split(": ") for row in Path("/proc/self/io").read_text().splitlines())["syscr"])


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_pages_of_separate_planes_are_read_from_the_file_itself(tmp_path, byteorder, bigtiff):
    source = tmp_path / "in.tif"
    pages = np.random.default_rng(0).integers(0, 255, (3, 4, 24, 20), np.uint8)
    kind = {"photometric": "minisblack", "planarconfig": "separate", "rowsperstrip": 8}
    tifffile.imwrite(source, pages, byteorder=byteorder, bigtiff=bigtiff, **kind)
    for place, page in zip(find_stack(source).directories, pages, strict=True):
        assert np.array_equal(np.rint(255 * read(source, directory=place).colour.numpy())[0], page)


def test_channels_are_looked_for_only_where_axes_are_named(tmp_path, monkeypatch):
    pages = np.zeros((2, 3, 8, 8), np.uint8)
    tifffile.imwrite(tmp_path / "named.tif", pages, photometric="minisblack", metadata={"axes": "TCYX"})
    assert len(set(find_stack(tmp_path / "named.tif").groups)) == 3
    monkeypatch.setattr(tifffile.TiffFile, "series", property(lambda _: pytest.fail("every page is compared with all")))
    with tifffile.TiffWriter(tmp_path / "one by one.tif") as writer:
        for page in pages[0]:
            writer.write(page, photometric="minisblack", contiguous=False)
    for source in (tmp_path / "one by one.tif", write_chain(tmp_path / "plain.tif", 3)):
        assert len(set(find_stack(source).groups)) == 1


def test_a_patched_file_reads_its_patches_and_has_its_own_place():
    file = io.BytesIO(bytes(range(10)))
    patched = PatchedFile(PatchedFile(file, {3: b"abc"}), {0: b"X", 5: b"Y"})
    assert patched.read() == b"X\1\2abY" + bytes(range(6, 10))
    assert patched.seek(-3, io.SEEK_END) == 7 and patched.read(2) == b"\7\10" and patched.tell() == 9
    assert patched.seek(4) == 4 and file.seek(0) == 0 and patched.read(2) == b"bY"
    assert patched.seek(20) == 20 and patched.read(1) == b""


def test_a_page_without_a_directory_is_damaged(tmp_path):
    with pytest.raises(ImageFileError, match="the directory of a page is damaged"):
        read(write_chain(tmp_path / "in.tif", 1), directory=1 << 20)
