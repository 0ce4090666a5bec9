import dataclasses

import pytest
import torch

from helpers.singan import RUN, TINY, picture, tiny, trained
from innersr.errors import InputError
from innersr.run import generator_of
from innersr.singan.manipulation import (
    _recoloured,
    contact_sheet_scales,
    default_scale,
    edit,
    harmonize,
    paint,
    quantized_paint,
)
from innersr.singan.masks import soft_mask
from innersr.singan.model import Scale
from innersr.singan.networks import add_residual, padded, run_layers
from innersr.singan.palette import to_palette
from innersr.singan.patches.model import PatchModel, patch_model
from innersr.singan.pyramid import low_passed_at, pictures_of
from innersr.singan.training.coarse_inputs import TrainedScales
from innersr.singan.training.fine_tuning import (
    PaletteInputs,
    RecolouredInputs,
    fine_tune,
    fit_to_palette,
    recoloured,
    trainable_stack,
)
from innersr.singan.training.scale import ScaleLearner

ROUNDING = 1e-5  # float32 sums of some hundred products


def silent(model):
    """Return a model whose generators add neither noise nor anything else."""
    scales = tuple(Scale([(0 * w, 0 * b) for w, b in scale.layers], 0.0) for scale in model.scales)
    return dataclasses.replace(model, scales=scales)


def by_patches(channels=3):
    """Return a model that needs no training, of the picture that `trained` learned."""
    return patch_model(picture(channels), TINY, run=RUN)


def for_paintings(model):
    """Return the model that paints: no patch fills a plain part of a painting alone."""
    if not isinstance(model, PatchModel):
        return model
    return dataclasses.replace(model, search=dataclasses.replace(model.search, quota=4.0))


def marked(sides=(20, 24), rows=(8, 12), columns=(9, 15)):
    mask = torch.zeros(1, 1, *sides)
    mask[..., rows[0] : rows[1], columns[0] : columns[1]] = 1
    return mask


def same(scale, other):
    return scale.amplitude == other.amplitude and all(
        torch.equal(a, b) for x, y in zip(scale.layers, other.layers, strict=True) for a, b in zip(x, y, strict=True)
    )


def keeping_colours(model):
    """Return the model as composites see it: by patches, colours that it lacks stay."""
    if not isinstance(model, PatchModel):
        return model
    return dataclasses.replace(model, search=dataclasses.replace(model.search, foreign=0.06))


def shares_of_change(model, other):
    """Return at which scales two models differ."""
    return [not same(a, b) for a, b in zip(model.scales, other.scales, strict=True)]


@pytest.mark.parametrize("engine", [trained, by_patches])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_painting_is_injected_at_its_scale(channels, engine):
    model, painting = engine(channels), picture(channels, seed=9)
    results = paint(model, painting, 2, RUN, count=3)
    assert results.shape == (3, channels, 20, 24)
    model = for_paintings(model)
    for index in range(3):
        assert torch.equal(results[index : index + 1], model.inject(painting, 2, run=RUN, index=index))
    assert not torch.equal(results[0], results[1])


@pytest.mark.parametrize("sides", [(20, 24), (33, 18), (11, 40)])
def test_results_have_the_size_of_the_picture_that_is_given(sides):
    assert paint(trained(), picture(sides=sides), None, RUN).shape == (1, 3, *sides)


def test_generators_that_add_nothing_give_the_painting_as_the_scale_sees_it():
    model, painting = silent(trained()), picture(seed=9)
    last = len(model.scales) - 1
    expected = low_passed_at(painting, model.sizes[0], last)
    assert torch.equal(paint(model, painting, last, RUN), expected)
    palette = torch.tensor([[-0.5, 0.0, 0.5], [0.4, 0.3, -0.2]])
    assert torch.equal(paint(model, painting, last, RUN, palette=palette), to_palette(expected, palette))


def test_the_scale_is_chosen_along_the_way_to_the_finest():
    model = trained()
    assert len(model.scales) == 4
    uses = ("paint", "edit", "harmonize")
    assert [default_scale(model, use) for use in uses] == [1, 1, 2]
    # Nine scales, as most pictures have.
    longer = dataclasses.replace(model, sizes=(model.sizes[0] * 2 + model.sizes[0][:1],))
    assert [default_scale(longer, use) for use in uses] == [1, 3, 5]
    patches = by_patches()
    longer = dataclasses.replace(patches, pyramid=patches.pyramid * 2 + patches.pyramid[:1])
    assert [default_scale(longer, use) for use in uses] == [1, 2, 5]
    assert torch.equal(paint(model, picture(), None, RUN), paint(model, picture(), 1, RUN))


@pytest.mark.parametrize("engine", [trained, by_patches])
@pytest.mark.parametrize("change", [edit, harmonize])
def test_only_what_the_mask_marks_is_changed(change, engine):
    model, before, changed = engine(), picture(), picture(seed=9)
    result = change(model, changed, marked(), None, RUN, before, count=2)
    assert result.plain.shape == result.blended.shape == (2, 3, 20, 24)
    inside, outside = result.mask[0, 0] == 1, result.mask[0, 0] == 0
    assert inside.sum() > 4
    assert outside.sum() > 100
    assert torch.equal(result.blended[..., outside], before[..., outside].expand(2, -1, -1))
    assert torch.equal(result.blended[..., inside], result.plain[..., inside])
    scale = default_scale(model, change.__name__)
    as_pasted = model if change is edit else keeping_colours(model)
    assert torch.equal(result.plain[1:], as_pasted.inject(changed, scale, run=RUN, index=1))


@pytest.mark.parametrize(("change", "radius"), [(edit, 10), (harmonize, 4)])
def test_masks_grow_in_proportion_to_the_picture(change, radius):
    sides = (50, 125)  # half as long as the published pictures, whose masks grow by 20 and 7 pixels
    grey, mask = torch.zeros(1, 3, *sides), marked(sides, (24, 26), (60, 62))
    made = change(silent(trained()), grey, mask, 1, RUN, grey)
    assert torch.equal(made.mask, soft_mask(mask, radius=radius, sigma=2.5))


def test_a_mask_of_another_size_and_of_colours_is_resized():
    mask = marked((40, 48), (16, 24), (18, 30)).expand(1, 3, 40, 48)
    before, changed = picture(), picture(seed=9)
    a = edit(trained(), changed, mask, 1, RUN, before)
    b = edit(trained(), changed, marked(), 1, RUN, before)
    assert torch.equal(a.blended, b.blended)


@pytest.mark.parametrize("engine", [trained, by_patches])
def test_every_scale_but_the_coarsest_is_tried(engine):
    model, painting = engine(), picture(seed=9)
    tried = contact_sheet_scales(model, lambda scale: paint(model, painting, scale, RUN), RUN)
    assert [scale for scale, _ in tried] == [1, 2, 3]
    for scale, result in tried:
        assert torch.equal(result, for_paintings(model).inject(painting, scale, run=RUN))


@pytest.mark.parametrize("scale", [-1, 0, 4])
def test_a_scale_that_does_not_exist_is_refused(scale):
    with pytest.raises(InputError, match=f"the scale must be from 1 to 3, the finest, got {scale}; scale 0 makes"):
        paint(trained(), picture(), scale, RUN)


def test_models_of_one_scale_or_unfinished_ones_are_refused():
    model = trained()
    one = dataclasses.replace(model, scales=model.scales[:1], sizes=(model.sizes[0][:1],))
    with pytest.raises(InputError, match="the model has a single scale, which makes everything of noise"):
        paint(one, picture(), None, RUN)
    with pytest.raises(InputError, match="2 of 4 scales are trained"):
        fit_to_palette(dataclasses.replace(model, scales=model.scales[:2]), [picture()], 1, RUN)


def test_pictures_that_do_not_fit_are_refused():
    model = trained()
    with pytest.raises(InputError, match=r"the painting must be \(1, 3, H, W\).*got \(1, 1, 20, 24\)"):
        paint(model, picture(channels=1), 1, RUN)
    with pytest.raises(InputError, match=r"the picture before must be \(1, 3, 20, 24\).*got \(1, 3, 24, 20\)"):
        edit(model, picture(), marked(), 1, RUN, picture(sides=(24, 20)))
    with pytest.raises(InputError, match="the mask marks nothing at a threshold of 0.5"):
        harmonize(model, picture(), 0 * marked(), 1, RUN, picture())
    with pytest.raises(InputError, match="at least 11x11 pixels, got 24x8"):
        paint(model, picture(sides=(8, 24)), 1, RUN)
    with pytest.raises(InputError, match="count must be 1 at least, got 0"):
        paint(model, picture(), 1, RUN, count=0)
    with pytest.raises(InputError, match="count must be 1 at least, got 0"):
        quantized_paint(model, picture(), 1, RUN, [picture()], count=0)
    with pytest.raises(InputError, match="the model was learned from 1 pictures, got 2"):
        fine_tune(model, picture(), [picture(), picture()], 1, RUN, 2)


def test_only_the_scale_of_the_painting_learns_few_colours():
    model = trained()
    retrained, palette = fit_to_palette(model, [picture()], 2, RUN, colours=4)
    assert palette.shape == (4, 3)
    assert shares_of_change(model, retrained) == [False, False, True, False]
    # Few colours are farther from the picture than what the scales below rebuild, and noise is in units of that.
    assert retrained.scales[2].amplitude > 1.1 * model.scales[2].amplitude
    again, _ = fit_to_palette(model, [picture()], 2, RUN, colours=4)
    assert same(retrained.scales[2], again.scales[2])
    assert retrained.settings == model.settings


def test_a_quantized_painting_is_painted_by_the_model_that_learnt_few_colours():
    model, painting = trained(), picture(seed=9)
    retrained, palette = fit_to_palette(model, [picture()], 1, RUN, colours=3)
    expected = paint(retrained, painting, 1, RUN, palette=palette, count=2)
    assert torch.equal(quantized_paint(model, painting, None, RUN, [picture()], colours=3, count=2), expected)


def test_what_a_scale_refines_has_the_colours_of_the_palette():
    model, palette = trained(), torch.tensor([[-0.5, 0.0, 0.5], [0.4, 0.3, -0.2], [0.1, 0.1, 0.1]])
    trunk = dataclasses.replace(model, scales=model.scales[:2])
    source = TrainedScales(trunk, torch.device("cpu"))
    coarse = PaletteInputs(source, palette)
    for x, plain in (
        (coarse.fake(0, generator_of(1)), source.fake(0, generator_of(1))),
        (coarse.reconstruction(0), source.reconstruction(0)),
    ):
        assert torch.equal(x, to_palette(plain, palette))
        assert len(x[0].flatten(1).mT.unique(dim=0)) <= 3


def test_training_for_a_palette_may_begin_with_given_weights():
    model = trained()
    real = pictures_of(picture(), model.sizes[0])[2]
    learner = ScaleLearner(dataclasses.replace(model, scales=model.scales[:2]), [real], RUN)
    for _ in range(3):
        learner.iterate()
    began_there, _ = fit_to_palette(model, [picture()], 2, RUN, initial=learner.weights())
    began_anew, _ = fit_to_palette(model, [picture()], 2, RUN)
    assert not same(began_there.scales[2], began_anew.scales[2])


def test_fine_tuning_changes_the_scales_from_its_own_on_in_a_new_model():
    model = trained()
    kept = dataclasses.replace(
        model, scales=tuple(Scale([(w.clone(), b.clone()) for w, b in s.layers], s.amplitude) for s in model.scales)
    )
    tuned = fine_tune(model, picture(seed=9), [picture()], 2, RUN, 3)
    assert shares_of_change(model, tuned) == [False, False, True, True]
    assert shares_of_change(model, kept) == [False] * 4
    assert tuned.settings == model.settings
    assert tuned.is_complete
    # The scales below 2 rebuild the picture as before, so scale 2 keeps its noise.
    assert tuned.scales[2].amplitude == pytest.approx(model.scales[2].amplitude, rel=1e-6)
    assert shares_of_change(tuned, fine_tune(model, picture(seed=9), [picture()], 2, RUN, 3)) == [False] * 4


def test_fine_tuning_goes_on_from_the_generators_as_they_are():
    still = dataclasses.replace(trained(), settings=tiny(learning_rate=1e-9))
    tuned = fine_tune(still, picture(seed=9), [picture()], 1, RUN, 2)
    for before, after in zip(still.scales, tuned.scales, strict=True):
        for x, y in zip(before.layers, after.layers, strict=True):
            assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(x, y, strict=True))


def test_fine_tuning_learns_of_several_pictures():
    model = trained(sides=(20, 24), count=2)
    tuned = fine_tune(model, picture(seed=9), [picture(), picture(seed=7)], 3, RUN, 2)
    assert shares_of_change(model, tuned) == [False, False, False, True]


def test_the_composite_is_refined_in_other_colours():
    model, composite = silent(trained()), picture(sides=(30, 36), seed=9)
    sizes = model.sizes[0]
    expected = low_passed_at(recoloured(composite, generator_of(5)), sizes, 2)
    at_its_scale = RecolouredInputs(dataclasses.replace(model, scales=model.scales[:2]), composite, 2)
    assert torch.equal(at_its_scale.fake(0, generator_of(5)), expected)
    above = RecolouredInputs(dataclasses.replace(model, scales=model.scales[:3]), composite, 2)
    assert above.fake(0, generator_of(5)).shape[-2:] == sizes[3]


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_pixels_of_one_colour_get_one_other_colour(channels):
    x = picture(channels)
    x[..., 3, 4] = x[..., 10, 17]
    made = [recoloured(x, generator_of(seed)) for seed in range(20)]
    for y in made:
        assert y.shape == x.shape
        assert y.abs().max() <= 1
        assert torch.equal(y[..., 3, 4], y[..., 10, 17])
    changes = torch.stack([(y - x).abs().mean() for y in made])
    assert changes.min() < 0.05
    assert changes.max() > 0.2
    assert torch.equal(made[0], recoloured(x, generator_of(0)))


@pytest.mark.parametrize("settings", [tiny(), tiny(block_widths=(4, 3, 4, 5, 4))])
def test_unfolded_layers_make_what_the_folded_ones_do(settings):
    scale = trained(settings=settings).scales[2]
    stack, coarse = trainable_stack(scale.layers), picture()
    with torch.no_grad():
        made = add_residual(stack, padded(coarse), coarse)
    assert torch.allclose(made, run_layers(scale.layers, padded(coarse), coarse), atol=ROUNDING)
    assert all(
        torch.equal(a, b) for x, y in zip(stack.folded(), scale.layers, strict=True) for a, b in zip(x, y, strict=True)
    )


def test_a_generator_without_norms_goes_on_learning_and_is_finished_as_it_is():
    model = trained()
    trunk = dataclasses.replace(model, scales=model.scales[:2])
    real = pictures_of(picture(), model.sizes[0])[2]
    learner = ScaleLearner(trunk, [real], RUN, generator=trainable_stack(model.scales[2].layers))
    assert same(learner.finished(), Scale(model.scales[2].layers, learner.amplitude))
    learner.iterate()
    changed = learner.finished()
    assert not same(changed, model.scales[2])
    assert all(torch.equal(a[0], b[0]) for a, b in zip(changed.layers, learner.generator.folded(), strict=True))


def test_paintings_by_patches_are_made_of_the_picture():
    # Grey blots on black become the only bright thing that the picture has, a white square with a dark core.
    subject = torch.full((1, 1, 48, 48), -1.0)
    subject[..., 16:32, 16:32], subject[..., 21:27, 21:27] = 1, -0.5
    painting = torch.full((1, 1, 48, 48), -1.0)
    painting[..., 26:44, 4:20] = 0.4
    made = paint(patch_model(subject, tiny(max_size=48), run=RUN), painting, None, RUN)
    assert float(made[..., 26:44, 4:20].max()) > 0.8
    assert float(made[..., :20, :].max()) < -0.5


def test_what_is_pasted_keeps_colours_that_the_picture_lacks():
    grass = 0.3 * picture(3, (48, 48)) + torch.tensor([-0.4, 0.2, -0.6]).view(1, 3, 1, 1)
    model = patch_model(grass, tiny(max_size=48), run=RUN)
    red, mask = grass.clone(), torch.zeros(1, 1, 48, 48)
    red[..., 14:34, 14:34], mask[..., 14:34, 14:34] = torch.tensor([0.9, -0.5, -0.8]).view(3, 1, 1), 1
    made = harmonize(model, red, mask, 1, RUN, grass).blended
    assert float(made[:, 0, 18:30, 18:30].mean()) > 0.4  # -0.4 by patches alone
    assert float(made[0, :, 16:32, 16:32].std(dim=(1, 2)).mean()) > 0.05  # with the texture of grass, not flat
    assert float((made[:, 0, :6] - grass[:, 0, :6]).mean().abs()) < 0.05
    assert float(edit(model, red, mask, 1, RUN, grass).blended[:, 0, 18:30, 18:30].mean()) < 0.1  # patches only


def test_an_edit_joins_the_colours_around_it():
    before = 0.2 * picture(sides=(60, 60))
    edited, made = before.clone(), before + 0.3  # as by patches of a paler part
    edited[..., 20:40, 20:40] = made[..., 20:40, 20:40] = 0.9
    made[..., 50:56, 50:56] = -0.9  # another content
    result = _recoloured(made, before, edited)
    near = torch.ones(60, 60, dtype=torch.bool)
    near[16:44, 16:44] = near[46:, 46:] = False
    assert (result - before)[..., near].abs().max() < 1e-5
    assert float((result - made)[..., 30, 20].mean()) == pytest.approx(-0.3, abs=1e-3)  # continued into the edit
    assert float((result - made)[..., 30, 30].abs().max()) < 1e-3  # and not far
    assert (result[..., 51:55, 51:55] < -0.9).all()
    assert torch.equal(_recoloured(before, before, edited), before)


def test_patches_have_no_palette():
    with pytest.raises(InputError, match="patches have the picture's own colours"):
        paint(by_patches(), picture(), 1, RUN, palette=torch.zeros(2, 3))
