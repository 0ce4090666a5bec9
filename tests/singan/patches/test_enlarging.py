import pytest
import torch

from helpers.singan import RUN, picture
from innersr.errors import Cancelled
from innersr.methods.singan import SinGANUpscaling
from innersr.physics.degradation import Degradation
from innersr.physics.resize import image_size, resize
from innersr.run import Run
from innersr.singan.patches import enlarging
from innersr.singan.patches.enlarging import enlarged_by_patches


def stripes(sides):
    """Black and white bars as wide at every size, so that a smaller one holds the sharp edges of a larger one."""
    columns = torch.arange(sides[1]) % 12 < 6
    return torch.where(columns, 0.8, -0.8).expand(1, 3, *sides).contiguous()


def psnr(a, b):
    return float(-10 * ((a - b) / 2)[..., 8:-8, 8:-8].square().mean().log10())


def test_edges_that_recur_become_sharp():
    rows, columns = torch.arange(48)[:, None], torch.arange(64)
    edge = torch.where(columns + rows * 0.5 < 45, 0.8, -0.8).expand(1, 3, 48, 64).contiguous()
    scene = resize(edge, 0.5).clamp(-1, 1)
    made = enlarged_by_patches(scene, scene, (48, 64), 3, RUN)
    assert psnr(made, edge) > psnr(resize(scene, 2).clamp(-1, 1), edge) + 2


def test_the_result_shrinks_to_the_picture():
    scene = resize(picture(3, (6, 8)), size=(24, 32)).clamp(-1, 1)
    made = enlarged_by_patches(scene, scene, (48, 64), 3, RUN)
    assert float((resize(made, 0.5) - scene).abs().mean()) < 0.01


def test_a_smooth_picture_stays_where_it_is():
    scene = resize(picture(3, (6, 8)), size=(24, 32)).clamp(-1, 1)
    made = enlarged_by_patches(scene, scene, (48, 64), 3, RUN)
    assert psnr(made, resize(scene, size=(48, 64)).clamp(-1, 1)) > 28
    moved = [psnr(made.roll(shift, dims=-1), resize(scene, size=(48, 64))) for shift in (-1, 0, 1)]
    assert max(moved) == moved[1]


def test_strips_change_little(monkeypatch):
    scene = resize(picture(3, (25, 8)), size=(100, 32)).clamp(-1, 1)
    whole = enlarged_by_patches(scene, scene, (200, 64), 3, RUN)
    monkeypatch.setattr(enlarging, "_rows_of_strip", lambda _width: 64)
    assert psnr(enlarged_by_patches(scene, scene, (200, 64), 3, RUN), whole) > 30


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (13, 14)])
@pytest.mark.parametrize("channels", [1, 2])
def test_small_images_of_any_bands_are_enlarged(size, channels):
    scene = picture(channels, size)
    larger = tuple(3 * n for n in size)
    assert enlarged_by_patches(scene, scene, larger, 5, RUN).shape == (1, channels, *larger)


def test_a_texture_that_wraps_goes_on_at_its_other_side():
    # Bright at the left, dark at the right: beyond the border there is the other side, or the mirrored own one.
    scene = torch.linspace(-0.8, 0.8, 32).expand(1, 3, 24, 32).contiguous()
    joined, ended = (
        enlarged_by_patches(scene, scene, (48, 64), 3, RUN, wraps=wraps) for wraps in ((False, True), (False, False))
    )
    for made, wrap in ((joined, (False, True)), (ended, (False, False))):
        assert float((made - resize(scene, size=(48, 64), wrap=wrap)).abs().mean()) < 0.05
    assert float((joined - ended)[..., 0].abs().mean()) > 0.05


def test_a_part_takes_the_patches_of_the_whole():
    scene = torch.cat([stripes((32, 48)), torch.full((1, 3, 32, 32), -0.8)], dim=-1)
    part = resize(stripes((32, 48)), 0.5)
    own, all_of_it = (enlarged_by_patches(part, source, (32, 48), 3, RUN) for source in (part, scene))
    assert psnr(all_of_it, stripes((32, 48))) > psnr(own, stripes((32, 48))) + 1


def test_a_search_can_be_cancelled():
    scene = picture(3, (20, 24))
    with pytest.raises(Cancelled):
        enlarged_by_patches(scene, scene, (40, 48), 3, Run(device="cpu", cancelled=lambda: True))


def test_the_default_engine_learns_nothing_and_shrinks_to_its_image():
    x, degradation = (picture(3, (24, 32)) + 1) / 2, Degradation(scale=2)
    said = []
    result = SinGANUpscaling().adapt(x, degradation, Run(device="cpu", report=said.append))(x)
    assert image_size(result) == (48, 64)
    assert "learn" not in {report.stage for report in said}
    assert float((resize(result, 0.5) - x).abs().mean()) < 0.01
