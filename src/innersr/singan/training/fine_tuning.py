"""Training scales of a finished model once more, on other coarse inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.model import PictureModel, Scale, white_noise
from innersr.singan.networks import ConvStack, FoldedLayers
from innersr.singan.palette import palette_of, to_palette
from innersr.singan.patches.model import PatchModel
from innersr.singan.pyramid import Size, low_passed_at, pictures_of
from innersr.singan.training.coarse_inputs import CoarseInputs, TrainedScales
from innersr.singan.training.scale import ScaleLearner


@dataclass(frozen=True, kw_only=True)
class Recolouring:
    """Widest random changes of a composite's colours while scales are fine-tuned.

    Args:
        brightness, channel_shift: in units of [-1, 1], of all channels and of each.
        contrast, channel_scale: as shares.
        mixing: share of the permuted channels.
    """

    brightness: float = 0.3
    channel_shift: float = 0.2
    contrast: float = 0.4
    channel_scale: float = 0.3
    mixing: float = 0.6


@isolated
def fit_to_palette(
    model: PictureModel,
    pictures: Sequence[Tensor],
    scale: int,
    run: Run,
    *,
    colours: int = 5,
    initial: Mapping[str, Tensor] | None = None,
) -> tuple[PictureModel, Tensor]:
    """A model whose scale refines pictures in few colours, and these: the official code's quantization.

    That scale alone is learned anew, for as long as the model's settings say; the others and the model that was given
    stay as they are.

    Args:
        model: complete.
        pictures: that it was learned from, (1, C, H, W) in [-1, 1] each.
        scale: that is to see few colours, from 1 on.
        run: device, seed and progress. At its time limit learning ends with the weights it has.
        colours: of the first picture at that scale.
        initial: weights to begin with, such as `ScaleLearner.weights` of that scale returned; new ones if None.

    Returns:
        The model, on the run's device, and the palette, (K, C).

    Raises:
        InputError: an unfinished model, no such scale, other pictures, or no colours.
    """
    check_scale(model, scale)
    model = _moved(model, run.torch_device)
    reals = _reals(model, pictures, scale)
    palette = palette_of(reals[0], colours, generator_of(run.seed, Draws.PALETTE, scale)).to(run.torch_device)
    trunk = replace(model, scales=model.scales[:scale])
    inputs = PaletteInputs(TrainedScales(trunk, run.torch_device, run.dtype), palette)
    learner = ScaleLearner(trunk, reals, run, initial=initial, inputs=inputs)
    return _with_scale(model, scale, _learnt(learner, run)), palette


@isolated
def fine_tune(
    model: PictureModel, composite: Tensor, pictures: Sequence[Tensor], scale: int, run: Run, iterations: int
) -> PictureModel:
    """A model that refines a composite in the manner of its pictures (Hinz 2021, harmonization).

    The scales from `scale` on go on learning, one after the other: their fakes are made of the composite in random
    colours, and the critics, which start anew, compare them with the pictures. The model that was given stays as it is.

    # Differs from the paper: every scale has its own generator here, where that grows one; the reconstruction remains
    # that of the pictures, so that the scales do not forget them.

    Args:
        model: complete.
        composite: (1, C, H, W) in [-1, 1]; it is stretched to the size of the pictures.
        pictures: that the model was learned from, (1, C, H, W) in [-1, 1] each.
        scale: the first to learn, from 1 on: the one that the composite is to be put in at.
        run: device, seed and progress. At its time limit learning ends with the weights it has.
        iterations: of every scale.

    Returns:
        The model, on the run's device.

    Raises:
        InputError: an unfinished model, no such scale, other pictures, or a composite of other channels.
    """
    check_scale(model, scale)
    check_picture(model, composite, "composite")
    settings = replace(model.settings, iterations=iterations)
    tuned = _moved(model, run.torch_device)
    for index in range(scale, len(model.scales)):
        trunk = replace(tuned, scales=tuned.scales[:index], settings=settings)
        learner = ScaleLearner(
            trunk,
            _reals(tuned, pictures, index),
            run,
            inputs=RecolouredInputs(trunk, composite.to(run.torch_device), scale),
            generator=trainable_stack(tuned.scales[index].layers),
        )
        tuned = _with_scale(tuned, index, _learnt(learner, run))
    return tuned


class PaletteInputs:
    """Coarse inputs reduced to a palette.

    Args:
        inputs: in full colour.
        palette: (K, C), on its device.
    """

    def __init__(self, inputs: CoarseInputs, palette: Tensor) -> None:
        self._inputs, self._palette = inputs, palette

    def fake(self, picture: int, generator: torch.Generator) -> Tensor:
        """A random coarse picture in the colours of the palette."""
        return to_palette(self._inputs.fake(picture, generator), self._palette)

    def reconstruction(self, picture: int) -> Tensor:
        """The coarse reconstruction in the colours of the palette."""
        return to_palette(self._inputs.reconstruction(picture), self._palette)


class RecolouredInputs:
    """Coarse inputs made of a composite in random colours.

    Args:
        model: with the scales below the one that learns, on the composite's device.
        composite: (1, C, H, W) in [-1, 1].
        scale: that it is put in at; no scale that learns lies below it.
    """

    def __init__(self, model: PictureModel, composite: Tensor, scale: int) -> None:
        self._model, self._composite, self._scale = model, composite, scale

    @torch.no_grad()
    def fake(self, picture: int, generator: torch.Generator) -> Tensor:
        """The composite in random colours, refined by the scales between."""
        model, sizes = self._model, self._model.sizes[picture]
        index = len(model.scales)
        coarse = low_passed_at(recoloured(self._composite, generator), sizes, self._scale)
        if index == self._scale:
            return coarse

        def noise(scale: int, size: Size) -> Tensor:
            return white_noise(generator, scale, model.channels, size).to(coarse)

        return model.generate(noise, sizes, coarse=coarse, start=self._scale, last_size=sizes[index])

    def reconstruction(self, picture: int) -> Tensor:
        """The reconstruction by the scales below, enlarged."""
        return self._model.reconstruct(picture=picture)


def recoloured(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Recolour a picture, (1, C, H, W) in [-1, 1], at random; pixels of one colour stay of one colour.

    Contrast, brightness, each channel's scale and shift are drawn, then the channels are mixed with their permutation,
    which turns hues. The strength of all this is drawn too.
    """
    widest, channels = Recolouring(), picture.shape[1]
    strength = float(torch.rand((), generator=generator))
    contrast, brightness = (strength * (2 * torch.rand(2, generator=generator) - 1)).tolist()
    scales, shifts = strength * (2 * torch.rand(2, channels, generator=generator) - 1).to(picture)[..., None, None]
    mixing = strength * widest.mixing * float(torch.rand((), generator=generator))
    order = torch.randperm(channels, generator=generator).to(picture.device)
    mean = picture.mean()
    changed = (picture - mean) * (1 + widest.contrast * contrast) * (1 + widest.channel_scale * scales) + mean
    changed = changed + widest.brightness * brightness + widest.channel_shift * shifts
    return changed.lerp(changed[:, order], mixing).clamp(-1, 1)


def trainable_stack(layers: FoldedLayers) -> ConvStack:
    """A stack without norms that has these layers, and may learn."""
    weights = [weight for weight, _ in layers]
    widths = [weight.shape[0] for weight in weights[:-1]]
    unused = torch.Generator()  # for weights that are replaced
    stack = ConvStack(weights[0].shape[1], weights[-1].shape[0], widths, norm=False, generator=unused)
    for convolution, (weight, bias) in zip(stack.convolutions, layers, strict=True):
        assert convolution.bias is not None
        convolution.weight.data.copy_(weight)
        convolution.bias.data.copy_(bias)
    return stack


def check_scale(model: PictureModel | PatchModel, scale: int) -> None:
    """Raise InputError unless the model is complete and has a scale that a picture may be put in at."""
    model.check_start(0)
    last = len(model.sizes[0]) - 1
    if last == 0:
        raise InputError("the model has a single scale, which makes everything of noise; learn the picture with more")
    if not 1 <= scale <= last:
        raise InputError(
            f"the scale must be from 1 to {last}, the finest, got {scale}; scale 0 makes everything of noise"
        )


def check_picture(model: PictureModel | PatchModel, picture: Tensor, name: str) -> None:
    """Raise InputError unless a picture is one, and has the model's channels."""
    if picture.ndim != 4 or picture.shape[0] != 1 or picture.shape[1] != model.channels or 0 in picture.shape:
        raise InputError(
            f"the {name} must be (1, {model.channels}, H, W), of as many channels as the model has, "
            f"got {tuple(picture.shape)}"
        )


def _reals(model: PictureModel, pictures: Sequence[Tensor], scale: int) -> list[Tensor]:
    if len(pictures) != len(model.sizes):
        raise InputError(f"the model was learned from {len(model.sizes)} pictures, got {len(pictures)}; give the same")
    for picture in pictures:
        check_picture(model, picture, "picture that was learned")
    return [pictures_of(p, (sizes[scale],))[0] for p, sizes in zip(pictures, model.sizes, strict=True)]


def _learnt(learner: ScaleLearner, run: Run) -> Scale:
    steps = run.steps(f"scale {learner.index + 1} again", learner.settings.iterations)
    for _ in steps:
        steps.note(learner.iterate().reconstruction)
        if learner.guard.is_over:
            break  # with what was sound
    return learner.finished()


def _with_scale(model: PictureModel, index: int, scale: Scale) -> PictureModel:
    return replace(model, scales=(*model.scales[:index], scale, *model.scales[index + 1 :]))


def _moved(model: PictureModel, device: torch.device) -> PictureModel:
    def moved(scale: Scale) -> Scale:
        return Scale([(weight.to(device), bias.to(device)) for weight, bias in scale.layers], scale.amplitude)

    return replace(model, scales=tuple(moved(scale) for scale in model.scales))
