import pytest
import torch

from helpers.singan import picture
from innersr.metrics.energies import gradient_energies, oblique_energy
from innersr.singan.patches.guess import Frame, Perturbation, displaced
from innersr.singan.patches.layouts import DetailMap, LayoutDetail, bend_of, drawn_layout, tilt_of
from innersr.singan.patches.settings import PatchSettings

SIZE = (96, 128)
FRAME = Frame(size=SIZE, margin=0, wraps=(False, False))


def field_below_sky(bend=0.0, perturbation=None):
    """A picture of grain in its lower third, under a hint of it; as a layout of sharp grain shows it."""
    amplitude = torch.full((1, 1, *SIZE), 0.05)
    amplitude[:, :, 64:] = 1
    if perturbation is not None:
        amplitude = displaced(amplitude, FRAME, bend, (1, 1), perturbation).picture
    return amplitude * picture(3, SIZE)


def perturbations(count):
    generator = torch.Generator().manual_seed(1)
    return [Perturbation.drawn(FRAME, (2, 2), generator) for _ in range(count)]


def energies(perturbation, bend=0.2):
    """Oblique energy and that of the border of a displaced picture, relative to those of the picture."""
    own, made = field_below_sky(), field_below_sky(bend, perturbation)
    pairs = (oblique_energy(made), oblique_energy(own)), (gradient_energies(made)[0], gradient_energies(own)[0])
    return torch.stack([(a / b)[0] for a, b in pairs])


def test_the_detail_of_layouts_is_foreseen():
    shown = LayoutDetail(DetailMap.of(field_below_sky()), FRAME, (1, 1))
    foreseen = torch.stack([shown.of(0.2, one) for one in perturbations(20)])
    measured = torch.stack([energies(one) for one in perturbations(20)])
    assert float(foreseen[:, 0].max()) > 1.5
    assert float((foreseen - measured.clamp(max=4)).abs().max()) < 0.3


def test_layouts_have_the_detail_of_the_picture_in_the_mean():
    # The field is below the middle, where oblique frequencies count: rising, it gains more than sinking it loses.
    details, drawn = DetailMap.of(field_below_sky()), perturbations(160)
    shown = LayoutDetail(details, FRAME, (1, 1))
    tilt = tilt_of(details, FRAME, PatchSettings(), 0.2, torch.Generator().manual_seed(0))
    all_of_them = torch.stack([shown.of(0.2, one) for one in drawn])
    assert float(all_of_them[:, 0].mean()) > 1.3
    weighted = (-all_of_them @ tilt).softmax(dim=0) @ all_of_them
    assert torch.allclose(weighted, torch.ones(2), atol=0.12)
    of_eight = [(-part @ tilt).softmax(dim=0) @ part for part in all_of_them.split(8)]
    assert torch.allclose(torch.stack(of_eight).mean(dim=0), torch.ones(2), atol=0.2)


def test_a_layout_is_drawn_by_its_weight():
    shown, drawn = LayoutDetail(DetailMap.of(field_below_sky()), FRAME, (1, 1)), perturbations(6)
    oblique, generator = torch.stack([shown.of(0.2, one)[0] for one in drawn]), torch.Generator().manual_seed(4)
    least, most = (drawn[int(index)] for index in (oblique.argmin(), oblique.argmax()))
    assert drawn_layout(shown, torch.tensor([200.0, 0]), drawn, 0.2, generator) is least
    assert drawn_layout(shown, torch.tensor([-200.0, 0]), drawn, 0.2, generator) is most
    evenly = {id(drawn_layout(shown, torch.zeros(2), drawn, 0.2, generator)) for _ in range(40)}
    assert len(evenly) == 6


def test_any_layout_of_a_flat_picture_will_do():
    details = DetailMap.of(torch.zeros(1, 1, *SIZE))
    assert LayoutDetail(details, FRAME, (1, 1)).of(0.2, perturbations(1)[0]).tolist() == [1, 1]
    assert tilt_of(details, FRAME, PatchSettings(), 0.2, torch.Generator()).tolist() == [0, 0]


def test_layouts_have_the_wanted_variety():
    subject = field_below_sky()
    subject[:, :, :64] += 0.8
    bend = bend_of(subject, PatchSettings(variety=0.3, bend=1), torch.Generator().manual_seed(0))
    layouts = [displaced(subject, FRAME, bend, (1, 1), one).picture for one in perturbations(30)]
    assert float(torch.cat(layouts).std(dim=0).mean() / subject.std()) == pytest.approx(0.3, abs=0.06)


def test_samples_of_a_fine_texture_differ():
    # On 11x14 pixels its layouts have the wanted variety at 0.56 pixels, and 9 of 90 pairs of samples were the same.
    noise = torch.rand(1, 1, 11, 14, generator=torch.Generator().manual_seed(2)) - 0.5
    assert bend_of(noise, PatchSettings(), torch.Generator().manual_seed(0)) * 11 > 0.74
    assert bend_of(noise, PatchSettings(bend=0.01), torch.Generator().manual_seed(0)) == pytest.approx(0.01)
