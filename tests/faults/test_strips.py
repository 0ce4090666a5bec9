"""Large pictures in strips: what is done is kept, what is damaged is made again, an output is whole or not there."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.methods import image, made
from innersr.atomic import exclusive
from innersr.errors import ImageFileError, InnersrError, InputError, exists_already
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.large import large_image
from innersr.images.large.pixel_file import PixelFile
from innersr.methods.options import UpscaleOptions
from innersr.pipeline import strip_choice, strip_folder
from innersr.pipeline.files import open_file, upscale, upscale_file
from innersr.run import Run

pytestmark = pytest.mark.usefixtures("_small_parts")
RUN = Run(device="cpu", precision="fp32")
OPTIONS = UpscaleOptions(method=replace(made("tailor"), steps=0, views=1), kernel="bicubic", strips="always")


@pytest.fixture
def source(tmp_path):
    """A picture that takes four parts."""
    save(Image(colour=image(3, (120, 150))), tmp_path / "in.png")
    return tmp_path / "in.png"


def begun(source, monkeypatch, parts=3):
    """A run that was ended after some parts; the folder that it left."""
    note, count = strip_folder.StripFolder.note, iter(range(1, 9))

    def noted(*given):
        note(*given)
        if next(count) == parts:
            raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(strip_folder.StripFolder, "note", noted)
        upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    return source.with_name(".out.tif.strips")


def expected(source):
    """The bytes of a result that nothing disturbed."""
    return upscale_file(source, source.with_name("undisturbed.tif"), OPTIONS, RUN).path.read_bytes()


def parts_made(monkeypatch):
    made_parts, note = [], strip_folder.StripFolder.note
    monkeypatch.setattr(strip_folder.StripFolder, "note", lambda *a: made_parts.append(a[1]) or note(*a))
    return made_parts


@pytest.mark.parametrize(
    ("name", "data", "again"),
    [
        ("result.tif", None, 4),
        ("result.tif", b"short", 4),
        ("learnt.safetensors", b"no weights", 4),
        ("learnt.safetensors", b"", 4),
        ("plan.json", b'{"seed": 1', 4),
        ("plan.json", b"[" * 10**5, 4),
        ("source.json", b"[]", 4),
        ("source.raw", b"short", 1),
        ("done.jsonl", b'{"part": 0}\n\x00\xff\n{"part": "1", "pixels": 1, "error": 0.0}\n', 4),
    ],
)
def test_a_damaged_file_of_an_ended_run_is_made_again(source, monkeypatch, name, data, again):
    folder = begun(source, monkeypatch)
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)
    count = parts_made(monkeypatch)
    result = upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN).path.read_bytes()
    assert len(count) == again
    assert result == expected(source)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["plan.json", "source.json"])
def test_a_file_of_gigabytes_is_not_read_whole(source, monkeypatch, name):
    folder = begun(source, monkeypatch)
    os.truncate(folder / name, 3 << 30)  # zeros that take no disk
    for whole in ("read_text", "read_bytes"):
        monkeypatch.setattr(Path, whole, no_gigabytes(getattr(Path, whole)))
    result = upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN).path
    assert result.stat().st_size > 0 and not folder.exists()


def no_gigabytes(read):
    def small(path, *args, **kwargs):
        assert path.stat().st_size < 1 << 30
        return read(path, *args, **kwargs)

    return small


def test_what_an_ended_run_left_goes_where_the_result_is_made_at_once(source, monkeypatch):
    folder = begun(source, monkeypatch)
    with exclusive(folder / "lock"):
        upscale_file(source, source.with_name("out.tif"), replace(OPTIONS, strips="never"), RUN)
        assert folder.exists()
    upscale_file(source, source.with_name("out.tif"), replace(OPTIONS, strips="never", overwrite=True), RUN)
    assert not folder.exists()


def test_a_refused_output_leaves_nothing(tmp_path):
    alpha = torch.linspace(0, 1, 150).expand(1, 1, 120, 150).clone()
    save(Image(colour=image(3, (120, 150)), alpha=alpha), tmp_path / "in.png")
    with pytest.raises(ImageFileError, match="JPEG holds no alpha"):
        upscale_file(tmp_path / "in.png", tmp_path / "out.jpg", OPTIONS, RUN)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_what_is_done_outlasts_an_interruption_while_the_run_goes_on(source, monkeypatch):
    folder = begun(source, monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(strip_choice, "survey", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    with pytest.raises(ImageFileError, match="result would have|exists|grey"):
        replace_quality = replace(OPTIONS, overwrite=False)
        source.with_name("out.tif").touch()
        upscale_file(source, source.with_name("out.tif"), replace_quality, RUN)
    source.with_name("out.tif").unlink()
    assert folder.exists()
    count = parts_made(monkeypatch)
    upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    assert len(count) == 1


def test_an_interruption_before_any_part_leaves_nothing(source, monkeypatch):
    monkeypatch.setattr(strip_choice, "survey", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    assert [path.name for path in source.parent.iterdir()] == ["in.png"]


def test_another_process_with_another_source_disturbs_nothing(source, monkeypatch):
    folder = begun(source, monkeypatch)
    other = source.with_name("other.png")
    save(Image(colour=image(3, (90, 150), seed=2)), other)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    with exclusive(folder / "lock"), pytest.raises(ImageFileError, match="another process works on this result"):
        upscale_file(other, source.with_name("out.tif"), OPTIONS, RUN)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


def test_a_folder_that_was_taken_for_another_source_is_not_used(source):
    other = source.with_name("other.png")
    save(Image(colour=image(3, (120, 150), seed=2)), other)
    task = open_file(source, source.with_name("out.tif"), OPTIONS)
    open_file(other, source.with_name("out.tif"), OPTIONS)
    with pytest.raises(ImageFileError, match="another process has restarted this result; choose another output"):
        task.write(RUN)


def test_a_source_that_changes_while_it_is_read_is_refused(source, monkeypatch):
    unpack = strip_folder.unpack

    def changing(*given, **named):
        os.utime(source, (1, 1))
        return unpack(*given, **named)

    monkeypatch.setattr(strip_folder, "unpack", changing)
    with pytest.raises(ImageFileError, match="changed while it was read; wait until it is written"):
        upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    assert [path.name for path in source.parent.iterdir()] == ["in.png"]


def test_a_source_that_vanishes_once_it_is_unpacked_is_not_missed(source):
    wanted = expected(source)
    task = open_file(source, source.with_name("out.tif"), OPTIONS)
    source.unlink()
    assert task.write(RUN).path.read_bytes() == wanted


def test_a_full_disk_is_reported_and_the_run_goes_on(source, monkeypatch):
    write, count = PixelFile.write, iter(range(9))

    def full(*given):
        if next(count) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(*given)

    with monkeypatch.context() as patch:
        patch.setattr(PixelFile, "write", full)
        with pytest.raises(
            ImageFileError, match=r"strips: No space left on device; free some space .* continues where it stopped"
        ):
            upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    assert not source.with_name("out.tif").exists()
    parts = parts_made(monkeypatch)
    assert upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN).path.read_bytes() == expected(source)
    assert parts[:2] == [2, 3]


def test_a_result_that_appears_meanwhile_is_not_replaced(source, monkeypatch):
    target, note = source.with_name("out.tif"), strip_folder.StripFolder.note
    monkeypatch.setattr(strip_folder.StripFolder, "note", lambda *given: note(*given) or target.write_bytes(b"theirs"))
    with pytest.raises(ImageFileError) as error:
        upscale_file(source, target, OPTIONS, RUN)
    assert str(error.value) == exists_already(target)
    assert target.read_bytes() == b"theirs"


def test_a_limit_on_files_is_not_taken_for_a_damaged_picture(source, monkeypatch):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(large_image, "check_free_space", lambda *_: None)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(ImageFileError, match=r"source\.raw: cannot be written .*make room"):
            upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in source.parent.iterdir()] == ["in.png"]


def test_a_folder_that_cannot_be_written_is_reported(source, monkeypatch):
    def refuse(*_given, **_named):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(ImageFileError, match=r"\.out\.tif\.strips: cannot be made \(Permission denied\)"):
        upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)


def test_memory_that_runs_out_keeps_what_is_done(source, monkeypatch):
    from innersr.pipeline.adaptation import Adaptation

    apply, count = Adaptation.apply, iter(range(9))

    def short(*given, **named):
        if next(count) == 3:  # the sample, then parts
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 123 bytes")
        return apply(*given, **named)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(Adaptation, "apply", short)
        upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN)
    parts = parts_made(monkeypatch)
    assert upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN).path.read_bytes() == expected(source)
    assert parts[:2] == [2, 3]


@pytest.mark.parametrize("clock", [-1e6, 1e6])
def test_a_clock_that_jumps_changes_nothing(source, monkeypatch, clock):
    import time

    wanted, given = expected(source), time.time
    monkeypatch.setattr(time, "time", lambda: given() + clock)
    folder = begun(source, monkeypatch)
    assert folder.exists()
    monkeypatch.setattr(time, "time", lambda: given() - clock)
    parts = parts_made(monkeypatch)
    assert upscale_file(source, source.with_name("out.tif"), OPTIONS, RUN).path.read_bytes() == wanted
    assert len(parts) == 1


def test_a_result_that_is_not_to_be_trusted_is_interpolated_with_the_reason(source):
    noisy = replace(OPTIONS, noise="poisson:0.5:2", depth="float")
    results = [
        upscale_file(source, source.with_name(f"{choice}.tif"), replace(noisy, strips=choice), RUN)
        for choice in ("never", "always")
    ]
    reasons = [[note for note in result.notes if "cannot be trusted" in note] for result in results]
    assert len(reasons[0]) == len(reasons[1]) == 1
    first, second = (read(result.path).colour for result in results)
    assert torch.allclose(first, second, rtol=0, atol=1e-6)


def test_strips_of_what_is_no_single_picture_are_refused(tmp_path):
    import tifffile

    tifffile.imwrite(
        tmp_path / "stack.tif", torch.zeros(4, 20, 20, dtype=torch.uint8).numpy(), photometric="minisblack"
    )
    with pytest.raises(
        InputError, match=r"is a stack, which is not upscaled in strips \(--strips always\); use --strips"
    ):
        upscale(tmp_path / "stack.tif", strips="always")


def test_the_only_page_goes_in_strips(tmp_path):
    save(Image(colour=image(3, (120, 150))), tmp_path / "in.tif")
    task = open_file(tmp_path / "in.tif", None, replace(OPTIONS, pages="first"))
    assert task.lr_size == (120, 150)
    assert hasattr(task, "large")
    with pytest.raises(InnersrError, match="there is no page 1"):
        open_file(tmp_path / "in.tif", None, replace(OPTIONS, pages="1"))


def test_lines_of_parts_are_those_of_the_log(source, monkeypatch):
    folder = begun(source, monkeypatch)
    lines = [json.loads(line) for line in (folder / "done.jsonl").read_text().splitlines()]
    assert [line["part"] for line in lines] == [0, 1, 2]
