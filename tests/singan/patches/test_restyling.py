import pytest
import torch

from helpers.singan import RUN, picture, tiny
from innersr.errors import InputError
from innersr.physics.resize import resize
from innersr.singan.patches.model import patch_model
from innersr.singan.patches.restyling import restyle


def blot(sides, channels=1):
    """A bright disk on dark."""
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in sides), indexing="ij")
    return torch.where(y**2 + x**2 < 0.3, 0.8, -0.8).expand(1, channels, *sides)


def test_the_layout_stays_and_the_values_are_those_of_the_other_picture():
    halves = torch.cat([torch.full((1, 1, 36, 24), -0.3), torch.full((1, 1, 36, 24), 0.1)], dim=-1)
    made = restyle(patch_model(halves, tiny(max_size=48), run=RUN), blot((20, 30)), run=RUN)
    assert made.shape == (1, 1, 34, 51)  # the shape of the layout, the pixels of the other
    bright = resize(blot((20, 30)), size=(34, 51)) > 0
    assert float(made[bright].mean()) > float(made[~bright].mean()) + 0.2
    assert -0.35 < float(made.min()) < float(made.max()) < 0.15


def test_layouts_that_do_not_fit_are_refused():
    model = patch_model(picture(), tiny(), run=RUN)
    with pytest.raises(InputError, match=r"the layout must be \(1, 3, H, W\), got \(1, 1, 20, 30\)"):
        restyle(model, blot((20, 30)))
    with pytest.raises(InputError, match="the start scale must be from 0, the coarsest, to 3, got 7"):
        restyle(model, blot((20, 30), 3), 7)
