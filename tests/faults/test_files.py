"""Outputs that are whole or not there: full disks, memory that runs out while a file is written, clocks that jump."""

import signal
import time
from dataclasses import replace

import pytest
import pyvips

from helpers.methods import RUN, image, made
from innersr.errors import ImageFileError
from innersr.images import codecs
from innersr.images.image import Image
from innersr.images.io import save
from innersr.methods.options import UpscaleOptions
from innersr.pipeline.files import open_file, upscale_file

OPTIONS = UpscaleOptions(method=made("zssr"), kernel="bicubic")


@pytest.fixture
def source(tmp_path):
    save(Image(colour=image(3, (48, 40))), tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.fixture
def _short_files(source):  # noqa: ARG001
    """Files end after 500 bytes, as on a full disk; `source` is there already."""
    resource = pytest.importorskip("resource")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("_short_files")
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".bmp", ".gif"])
def test_a_disk_that_is_full_leaves_nothing(source, suffix):
    with pytest.raises(ImageFileError, match=rf"out\{suffix}: cannot be written .*check the free space"):
        upscale_file(source, source.with_name(f"out{suffix}"), OPTIONS, RUN)
    assert [path.name for path in source.parent.iterdir()] == ["in.png"]


@pytest.mark.parametrize("function", ["encode", "decode"])
@pytest.mark.parametrize("said", ["vips_tracked: out of memory -- size == 0MB", "glib: Error creating thread: busy"])
def test_memory_that_runs_out_in_writing_and_reading_is_called_that(source, monkeypatch, function, said):
    def short(*_given, **_named):
        raise pyvips.Error(said)

    monkeypatch.setattr(codecs, function, short)
    with pytest.raises(ImageFileError, match=r"(in|out)\.png: out of memory; close other programs"):
        upscale_file(source, source.with_name("out.png"), OPTIONS, RUN)
    assert [path.name for path in source.parent.iterdir()] == ["in.png"]


def test_a_source_that_changes_after_it_was_read_changes_nothing(source):
    wanted = upscale_file(source, source.with_name("first.png"), OPTIONS, RUN).path.read_bytes()
    task = open_file(source, source.with_name("out.png"), OPTIONS)
    source.write_bytes(b"something else")
    assert task.write(RUN).path.read_bytes() == wanted


def test_a_clock_that_jumps_neither_ends_nor_prolongs_learning(source, monkeypatch):
    wanted = upscale_file(source, source.with_name("first.png"), OPTIONS, RUN).path.read_bytes()
    jumps, given, reports = iter([1e9, -1e9] * 10**4), time.time, []
    monkeypatch.setattr(time, "time", lambda: given() + next(jumps))
    limited = replace(RUN, time_limit=600.0, report=reports.append)
    result = upscale_file(source, source.with_name("out.png"), OPTIONS, limited)
    assert 0 < result.seconds < 600
    learn = [report for report in reports if report.stage == "learn"]
    assert learn[-1].done == learn[-1].total == OPTIONS.method.steps
    assert all(0 <= report.seconds < 600 for report in reports)
    assert result.path.stat().st_size == len(wanted)
