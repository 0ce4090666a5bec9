"""Large image files, upscaled part by part from disk to disk."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch

from helpers.methods import assumed, made
from helpers.priors import network_for, write_prior
from innersr.errors import ImageFileError, InputError
from innersr.images.image import Image
from innersr.images.io import read, save
from innersr.images.large.large_image import LargeHeader
from innersr.images.metadata import Metadata
from innersr.methods.options import UpscaleOptions
from innersr.methods.registry import METHODS
from innersr.physics.degradation import Degradation
from innersr.physics.resize import resize
from innersr.pipeline import strip_choice, strip_folder, strips
from innersr.pipeline.adaptation import Adaptation
from innersr.pipeline.files import open_file, upscale, upscale_file
from innersr.run import Run

RUN = Run(device="cpu", precision="fp32")
SIZE = (120, 150)
DRAFT = replace(made("tailor"), steps=0, views=1)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Parts so small that an image of SIZE has several; nothing is estimated."""
    monkeypatch.setattr(strip_choice, "StripSettings", lambda: strips.StripSettings(side=150, sample=64))
    monkeypatch.setattr("innersr.examination.examine", assumed)


def picture(channels=3, depth="uint8", alpha=None, seed=4):
    noise = torch.rand(1, channels, *SIZE, generator=torch.Generator().manual_seed(seed))
    colour = (resize(resize(noise, 0.25), size=SIZE) * 0.8 + noise * 0.2).clamp(0, 1)
    return Image(colour=colour, alpha=alpha, depth=depth)


def both(folder, image, suffix=".tif", **options):
    """The results of an image file, at once and in strips, by what was learnt once."""
    source, kept = folder / f"in{suffix}", folder / "kept.safetensors"
    save(image, source)
    given = {"kernel": "bicubic", "method": options.pop("method", DRAFT), "noise": options.pop("noise", None)}
    upscale(source, output=folder / "first.tif", save_adapted=kept, strips="never", run=RUN, **given, **options)
    return [
        read(
            upscale(source, output=folder / f"{choice}.tif", adapted=kept, strips=choice, run=RUN, **options),
            missing_ok=True,
        )
        for choice in ("never", "always")
    ]


def ramp():
    """Alpha from none to all."""
    return torch.linspace(-0.5, 1.5, SIZE[1]).clamp(0, 1).expand(1, 1, *SIZE).clone()


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (picture(), {"depth": "float"}),
        (picture(1), {"depth": "float"}),
        (picture(5, "uint16"), {"depth": "float"}),
        (replace(picture(depth="float32"), colour=picture().colour * 300 - 20), {}),
        (
            replace(picture(depth="float32"), colour=picture().colour * ramp() * 300),
            {"depth": 16, "value_range": "auto"},
        ),
        (picture(alpha=ramp()), {"depth": "float"}),
        (picture(), {"depth": "float", "keep_grain": True, "noise": 5}),
        (picture(), {"method": made("supervised"), "depth": "float"}),
        (picture(), {"method": made("tailor"), "scale": 1.5, "depth": "float"}),
    ],
)
def test_parts_join_without_seams(tmp_path, image, options):
    is_solved = "scale" in options  # by conjugate gradients, for each part by itself
    at_once, in_strips = both(tmp_path, image, **options)
    spread = float(at_once.colour.max() - at_once.colour.min())
    assert in_strips.colour.shape == at_once.colour.shape
    shown = at_once.alpha > 0 if at_once.alpha is not None else torch.ones(1)  # hidden colours continue the others
    bound = 1 / 255 if is_solved else 1.01 / 65535 if options.get("depth") == 16 else 1e-6  # 16 bits are rounded
    assert float(((in_strips.colour - at_once.colour) * shown).abs().max()) <= bound * max(1, spread)
    assert (in_strips.alpha is None) == (at_once.alpha is None)
    if at_once.alpha is not None:
        assert float((in_strips.alpha - at_once.alpha).abs().max()) <= 1e-6


@pytest.mark.parametrize("depth", [8, 16])
def test_a_constant_has_the_range_that_it_has_at_once(tmp_path, depth):
    tifffile.imwrite(tmp_path / "in.tif", np.full((64, 80), 7.0, np.float32))
    options = {"method": "bicubic", "kernel": "bicubic", "depth": depth, "value_range": "auto", "run": RUN}
    at_once, in_strips = (
        upscale(tmp_path / "in.tif", output=tmp_path / f"{choice}.tif", strips=choice, **options)
        for choice in ("never", "always")
    )
    assert np.array_equal(tifffile.imread(in_strips), tifffile.imread(at_once))


@pytest.mark.parametrize(("hidden", "is_said"), [(0.4, True), (0, False)])
def test_lost_colours_are_reported_wherever_they_lie(tmp_path, hidden, is_said):
    opacity = torch.ones(1, 1, *SIZE)
    opacity[..., :4, :4] = 0
    image = picture(alpha=opacity)
    image.colour[..., :30, :60] *= 0.1  # flat, so that it is not what is learnt from
    image.colour[..., :4, :4] = hidden
    save(image, tmp_path / "in.png")
    options = UpscaleOptions(method="bicubic", strips="always")
    result = upscale_file(tmp_path / "in.png", tmp_path / "out.png", options, RUN)
    assert any("under full transparency" in note for note in result.notes) == is_said


def test_grey_stays_grey_though_a_part_has_colour(tmp_path):
    image = picture()
    image.colour[..., :64, :64] = image.colour[:, :1, :64, :64]
    at_once, in_strips = both(tmp_path, image, depth="float")
    assert torch.allclose(in_strips.colour, at_once.colour, rtol=0, atol=1e-6)


def test_the_result_is_a_tiled_big_tiff_with_a_pyramid(tmp_path):
    image = replace(picture(depth="uint16"), metadata=Metadata(pixels_per_mm=(10.0, 10.0)))
    save(image, tmp_path / "in.tif")
    result = upscale(tmp_path / "in.tif", method=DRAFT, kernel="bicubic", strips="always", run=RUN)
    with tifffile.TiffFile(result) as tiff:
        assert tiff.is_bigtiff
        assert len(tiff.pages) == 1
        page = tiff.pages.first
        assert page.is_tiled
        assert page.shape == (240, 300, 3)
        assert [level.shape for level in page.pages] == [(120, 150, 3)]
    assert read(result).metadata.pixels_per_mm == pytest.approx((10.0, 10.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tif", "in_x2.tif"]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_white_stays_zero_where_it_was(tmp_path, dtype):
    samples = (torch.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 250).numpy().astype(dtype)
    nodata = [(42113, "s", 0, "249", True)]
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric="miniswhite", extratags=nodata)
    options = UpscaleOptions(method="bicubic", kernel="bicubic")
    for choice in ("never", "always"):
        upscale_file(tmp_path / "in.tif", tmp_path / f"{choice}.tif", replace(options, strips=choice), RUN)
    with tifffile.TiffFile(tmp_path / "never.tif") as at_once, tifffile.TiffFile(tmp_path / "always.tif") as in_strips:
        pages = [at_once.pages.first, in_strips.pages.first, *in_strips.pages.first.pages]
        assert len(pages) == 3 and {page.photometric.name for page in pages} == {"MINISWHITE"}
        first, second = pages[0].asarray(), pages[1].asarray()
        assert (first == 249).sum() == 4 * (samples == 249).sum() and abs(first - second.astype(float)).max() <= 1e-3
        assert pages[0].nodata == pages[1].nodata == 249


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_png_and_jpeg_are_those_of_the_whole(tmp_path, suffix):
    save(picture(), tmp_path / f"in{suffix}")
    results = [
        upscale(
            tmp_path / f"in{suffix}",
            output=tmp_path / f"{choice}{suffix}",
            method=DRAFT,
            degradation=Degradation(scale=2),
            strips=choice,
            run=RUN,
        )
        for choice in ("never", "always")
    ]
    first, second = (read(path).colour for path in results)
    assert float((first != second).float().mean()) < 0.01  # rounding on both sides of half a level, spread by JPEG
    assert float((first - second).abs().mean()) < 1e-4


def interrupted_after(monkeypatch, count):
    """Let the process end, as by a kill, when so many parts are done."""
    note = strip_folder.StripFolder.note
    done = []

    def noted(*given):
        note(*given)
        done.append(given)
        if len(done) == count:
            raise SystemExit

    monkeypatch.setattr(strip_folder.StripFolder, "note", noted)


def test_a_run_that_was_ended_goes_on_and_gives_the_same_bytes(tmp_path, monkeypatch):
    save(picture(), tmp_path / "in.png")
    options = {"method": made("tailor"), "kernel": "bicubic", "strips": "always", "run": RUN}
    whole = upscale(tmp_path / "in.png", output=tmp_path / "whole.tif", **options)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupted_after(patch, 3)
        upscale(tmp_path / "in.png", output=tmp_path / "again.tif", **options)
    assert not (tmp_path / "again.tif").exists()
    calls, apply = [], Adaptation.apply
    monkeypatch.setattr(Adaptation, "apply", lambda *a, **k: calls.append(a) or apply(*a, **k))
    monkeypatch.setattr("innersr.pipeline.tasks.adapt_given", lambda *_: pytest.fail("it learnt anew"))
    again = upscale(tmp_path / "in.png", output=tmp_path / "again.tif", **options)
    assert len(calls) == 4 - 3 + 1  # the sample besides
    assert again.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("free", "expected"), [(64 << 30, 2048), (2 << 30, 2048), (2 << 29, 1024), (1 << 28, 512), (1000, 512)]
)
def test_parts_are_smaller_where_memory_is_scarce(free, expected):
    assert strip_choice.fitting_side(2048, 3, (2.0, 2.0), free) == expected
    assert strip_choice.fitting_side(2048, 12, (2.0, 2.0), 4 * free) == expected
    assert strip_choice.fitting_side(150, 3, (2.0, 2.0), free) == 150


def test_a_run_goes_on_with_its_parts_though_more_memory_is_free(tmp_path, monkeypatch):
    rows = torch.rand(1, 1, 24, 1400, generator=torch.Generator().manual_seed(1))
    save(Image(colour=rows), tmp_path / "in.png")
    monkeypatch.setattr(strip_choice, "StripSettings", lambda: strips.StripSettings(side=1024, sample=64))
    memory = [1 << 10]
    monkeypatch.setattr(strip_choice, "free_memory", lambda _: memory[0])
    options = {"method": "bicubic", "kernel": "bicubic", "strips": "always", "run": RUN}
    whole = upscale(tmp_path / "in.png", output=tmp_path / "whole.tif", **options)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupted_after(patch, 2)
        upscale(tmp_path / "in.png", output=tmp_path / "again.tif", **options)
    memory[0] = 64 << 30
    monkeypatch.setattr(strip_folder.StripFolder, "begin_anew", lambda _: pytest.fail("it began anew"))
    task = open_file(
        tmp_path / "in.png", tmp_path / "again.tif", UpscaleOptions(method="bicubic", kernel="bicubic", strips="always")
    )
    assert task.settings.side == 512
    again = upscale(tmp_path / "in.png", output=tmp_path / "again.tif", **options)
    assert again.read_bytes() == whole.read_bytes()


def test_parts_are_kept_though_the_file_is_written_otherwise(tmp_path, monkeypatch):
    save(picture(), tmp_path / "in.png")
    kept = tmp_path / "kept.safetensors"
    options = {"method": DRAFT, "kernel": "bicubic", "strips": "always", "run": RUN, "output": tmp_path / "out.tif"}
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupted_after(patch, 3)
        upscale(tmp_path / "in.png", **options, compression="zstd", save_adapted=kept)
    with monkeypatch.context() as patch:
        patch.setattr(strip_folder.StripFolder, "begin_anew", lambda _: pytest.fail("it began anew"))
        result = upscale(tmp_path / "in.png", **options, compression="lzw", metadata="none", save_adapted=kept)
    with tifffile.TiffFile(result) as tiff:
        assert tiff.pages[0].compression.name == "LZW"
    again = upscale(tmp_path / "in.png", output=tmp_path / "again.tif", adapted=kept, strips="always", run=RUN)
    assert np.array_equal(tifffile.imread(again), tifffile.imread(result))


@pytest.mark.parametrize("change", [{"kernel": "gaussian:1.5"}, {"run": replace(RUN, seed=1)}, "source"])
def test_what_another_run_left_is_not_taken(tmp_path, monkeypatch, change):
    source = tmp_path / "in.png"
    save(picture(), source)
    options = {"method": DRAFT, "kernel": "bicubic", "strips": "always", "run": RUN, "output": tmp_path / "out.tif"}
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupted_after(patch, 3)
        upscale(source, **options)
    if change == "source":
        save(picture(seed=9), source, overwrite=True)
    else:
        options |= change
    result = upscale(source, **options)
    fresh = upscale(source, **{**options, "output": tmp_path / "fresh.tif"})
    assert result.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize("change", ["seed", "kernel", "numbered kernel", "prior"])
def test_parts_of_another_seed_kernel_or_prior_are_not_taken(tmp_path, monkeypatch, change):
    source, kernel, run = tmp_path / "in.png", tmp_path / "kernel.npy", RUN
    save(picture(), source)
    np.save(kernel, np.ones((3, 3)))
    prior = write_prior(tmp_path / "prior.safetensors", network_for("tailor"))
    options = {"method": replace(DRAFT, prior=str(prior)), "strips": "always"}
    options |= {"output": tmp_path / "out.tif", "kernel": f"{kernel}#1" if "numbered" in change else str(kernel)}
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        interrupted_after(patch, 3)
        upscale(source, run=run, **options)
    if change == "seed":
        run = replace(RUN, seed=1)
    elif "kernel" in change:
        np.save(kernel, np.eye(3))
    else:
        write_prior(prior, network_for("tailor"), changed=True)
    begun, begin_anew = [], strip_folder.StripFolder.begin_anew
    monkeypatch.setattr(strip_folder.StripFolder, "begin_anew", lambda folder: begun.append(begin_anew(folder)))
    upscale(source, run=run, **options)
    assert begun


def test_an_error_within_is_said_once_with_its_own_remedy(tmp_path):
    (tmp_path / "in.png").touch()
    folder = strip_folder.StripFolder.beside(tmp_path / "out.tif", {}, tmp_path / "in.png")
    (folder.path / "source.json").write_text(json.dumps(folder.source))
    with pytest.raises(ImageFileError, match=r"^out.tif: exists; choose another name$"), folder.opened({}):
        raise ImageFileError("out.tif: exists; choose another name")


def test_two_processes_do_not_work_on_one_result(tmp_path):
    from innersr.atomic import exclusive

    save(picture(), tmp_path / "in.png")
    options = UpscaleOptions(method=DRAFT, kernel="bicubic", strips="always")
    task = open_file(tmp_path / "in.png", None, options)
    with (
        exclusive(task.folder.path / "lock"),
        pytest.raises(ImageFileError, match="another process works on this result"),
    ):
        task.write(RUN)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"wrap": "xy"}, "a seamless texture"),
        ({"method": "singan"}, "singan needs the whole picture"),
        ({"scale": 1.2345678}, "do not join at a scale of 1.23457"),
        ({"output": "out.webp"}, "only TIFF, PNG and JPEG are written row by row"),
    ],
)
def test_what_strips_cannot_do_is_refused(tmp_path, options, words):
    save(picture(), tmp_path / "in.png")
    output = tmp_path / options.pop("output", "out.tif")
    with pytest.raises(InputError, match=f"in strips: .*{words}.*--strips never"):
        upscale(tmp_path / "in.png", output=output, strips="always", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def with_holes(image, value):
    """A picture with three holes: within one part, over the border of parts, and larger than a part."""
    image.colour[..., 100:110, 7] = value
    image.colour[..., 60:90, 60:64] = value
    image.colour[..., :70, 90:] = value
    return replace(image, missing=image.colour.isnan())


@pytest.mark.parametrize(
    ("image", "value", "options"),
    [
        (picture(1, "float32"), torch.nan, {}),
        (picture(3, "float32"), -9999.0, {"nodata": -9999, "keep_grain": True, "noise": 5}),
        (picture(1, "float32"), 3.4e38, {"scale": 3}),
        (picture(5, "uint16"), 0.0, {"nodata": 0, "depth": "float", "alpha": "drop"}),
        (picture(3, alpha=torch.ones(1, 1, *SIZE)), 1.0, {"nodata": 255, "depth": "float"}),
    ],
)
def test_values_without_data_stay_so_and_spread_nowhere(tmp_path, image, value, options):
    at_once, in_strips = both(tmp_path, with_holes(image, value), **options)
    value = float(at_once.metadata.nodata or value)
    holes = ~(at_once.colour.isfinite() & (at_once.colour != value) & (at_once.colour.abs() < 1e15))
    assert torch.equal(in_strips.colour[holes].nan_to_num(7), at_once.colour[holes].nan_to_num(7))
    assert float(holes[0, 0].float().mean()) == pytest.approx(4330 / 18000)
    spread = float(at_once.colour[~holes].max() - at_once.colour[~holes].min())
    assert float((in_strips.colour - at_once.colour)[~holes].abs().max()) <= 1e-6 * max(1, spread)
    assert in_strips.metadata.nodata == at_once.metadata.nodata


def test_a_map_in_strips_stays_in_its_place(tmp_path):
    rasterio = pytest.importorskip("rasterio", reason="rasterio checks maps; pip install rasterio")
    source, result = tmp_path / "in.tif", tmp_path / "out.tif"
    samples = with_holes(picture(1), -9999.0).colour[0].numpy()
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 500000, 0, -20, 4000000), "nodata": -9999}
    kinds = {"driver": "GTiff", "count": 1, "height": SIZE[0], "width": SIZE[1], "dtype": "float32"}
    with rasterio.open(source, "w", **kinds, **place) as dataset:
        dataset.write(samples)
        dataset.set_band_description(1, "height")
    with rasterio.open(source, "r+") as dataset:
        dataset.build_overviews([2])
    upscaled = upscale_file(source, result, UpscaleOptions(method="bicubic", kernel="bicubic", strips="always"), RUN)
    assert any("24.1 % of its values are no data" in note for note in upscaled.image.notes)
    with rasterio.open(result) as dataset:
        assert dataset.crs.to_epsg() == 32633 and dataset.nodata == -9999 and dataset.descriptions == ("height",)
        assert dataset.transform.almost_equals(rasterio.Affine(5, 0, 500000, 0, -10, 4000000))
        assert (dataset.read_masks(1) == 0).sum() == 4 * (samples == -9999).sum()
        overview = dataset.read(1, out_shape=SIZE)
        assert dataset.overviews(1) == [2] and overview[overview != -9999].min() > -1


def test_an_image_of_no_data_is_refused_in_strips(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", torch.full(SIZE, torch.nan).numpy())
    with pytest.raises(InputError, match="holds no data"):
        upscale(tmp_path / "in.tif", strips="always")
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


def test_a_picture_above_the_memory_takes_strips_by_itself_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(strip_choice, "free_memory", lambda _: 10 * 2**20)
    noise = torch.rand(1, 3, 400, 400, generator=torch.Generator().manual_seed(1))
    save(Image(colour=noise), tmp_path / "in.png")  # above 256 KiB
    options = UpscaleOptions(method="bicubic")
    task = open_file(tmp_path / "in.png", None, options)
    assert isinstance(task, strips.StripTask)
    assert task.image.notes[0].startswith("400 x 400 pixels are upscaled in strips")
    assert (task.lr_size, task.hr_size) == ((400, 400), (800, 800))
    task.folder.remove()
    assert not isinstance(open_file(tmp_path / "in.png", None, replace(options, strips="never")), strips.StripTask)
    assert not isinstance(open_file(tmp_path / "in.png", None, replace(options, method="singan")), strips.StripTask)


def test_24_megapixels_need_what_was_measured():
    header = LargeHeader(height=4000, width=6000, bands=3, depth="uint8", is_streamed=True)
    measured = 3.7 * 2**30
    with pytest.MonkeyPatch.context() as patch:
        for free, exceeds in ((1.4 * measured, True), (2 * measured, False)):
            patch.setattr(strip_choice, "free_memory", lambda _, free=free: free)
            assert strip_choice.exceeds_memory(header, (2.0, 2.0)) is exceeds


def test_parts_cover_an_image_once():
    seen = torch.zeros(101, 77, dtype=torch.int)
    for inner, outer in strips.parts((101, 77), 39, 7, (2, 4)):
        seen[inner.top : inner.bottom, inner.left : inner.right] += 1
        assert (inner.top % 2, inner.left % 4, outer.top % 2, outer.left % 4) == (0, 0, 0, 0)
        assert outer.bottom - outer.top <= 39
        assert inner.top - outer.top >= min(7, inner.top)
    assert bool((seen == 1).all())


def test_every_method_that_is_kept_is_upscaled_in_strips_or_refused(tmp_path):
    save(picture(), tmp_path / "in.png")
    for name in METHODS:
        options = {"method": made(name), "kernel": "bicubic", "strips": "always", "run": RUN}
        if name == "pixelart":
            options["kernel"] = "auto"
        if name != "singan":
            assert (
                read(upscale(tmp_path / "in.png", output=tmp_path / f"{name}.tif", **options)).colour.shape[-1] == 300
            )
