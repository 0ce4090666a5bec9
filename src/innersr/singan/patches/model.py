"""Pictures of a subject without training: in seconds, from its nearest patches at every scale.

From coarse to fine, every patch of a guess becomes its nearest one of the picture, and the guess is assembled anew
(GPNN: Granot 2022). The guess of scale 0 is the picture itself, bent at random, under noise.

# Differs from the paper: the layout is bent, as much as the picture needs to vary, where only noise is added to it:
# more varied, and as plausible. Rows move as a whole, and patches keep about their height: horizons stay level.
# Differs from the paper: fine scales search from neighbour to neighbour (Barnes 2009), beginning with what the coarser
# scale found, where every patch is compared with every other; patches are compared along their principal axes.
# Differs from the paper: guess and picture go on beyond the border, mirrored; that is cut off from the guess. Borders
# are made as the inside is, of patches that cross the border themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isinf

import torch
import torch.nn.functional as F
from torch import Tensor

from innersr.errors import InputError
from innersr.isolation import isolated
from innersr.physics.resize import image_size, resize
from innersr.run import Run, generator_of
from innersr.singan.draws import Draws
from innersr.singan.model import PictureModel, wraps_of
from innersr.singan.patches.guess import (
    Frame,
    Guess,
    Perturbation,
    bent,
    cells_of,
    in_finer_frame,
    places_in_finer,
)
from innersr.singan.patches.layouts import DetailMap, LayoutDetail, bend_of, drawn_layout, tilt_of
from innersr.singan.patches.search import Patches, at_heights, nearest, patches_of, principal_axes, propagate
from innersr.singan.patches.settings import PatchSettings
from innersr.singan.patches.votes import assemble, assemble_sharply, with_overlap
from innersr.singan.pyramid import Size, low_passed_at, pictures_of, sizes_of
from innersr.singan.settings import SinGAN

Keep = Callable[[int, Tensor], Tensor]
"""From a scale and what was made there, (1, C, h, w), to the same with what must stay put back."""
Change = Callable[[int, Frame, list[Tensor]], list[Tensor]]
"""From a scale, the frame of its guesses and all of them, (1, C, h, w), to what is searched with next."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchModel:
    """A `PictureModel` without training, by nearest patches. Pictures are (N, C, H, W) in [-1, 1].

    Args:
        settings: of the pyramid.
        pyramid: the picture at all scales, (1, C, h, w), the coarsest first.
        search: how samples are made.
        allowed: at all scales (h, w) truth values, the places of patches that may be copied; all if empty.
    """

    settings: SinGAN
    pyramid: tuple[Tensor, ...] = field(repr=False)
    search: PatchSettings = PatchSettings()
    allowed: tuple[Tensor, ...] = field(default=(), repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether samples can be made: always."""
        return True

    @property
    def sizes(self) -> tuple[tuple[Size, ...], ...]:
        """Sizes of the scales of the only picture."""
        return (tuple(image_size(picture) for picture in self.pyramid),)

    @property
    def channels(self) -> int:
        """Of the picture."""
        return self.pyramid[0].shape[1]

    @property
    def size(self) -> Size:
        """Size of the picture at the last scale."""
        return image_size(self.pyramid[-1])

    @property
    def device(self) -> torch.device:
        """Where the picture is."""
        return self.pyramid[0].device

    @property
    def side(self) -> int:
        """Of a patch: that of the settings, unless the coarsest scale is as small."""
        return min(self.search.side, *(n - 1 for n in image_size(self.pyramid[0])))

    @cached_property
    def bend(self) -> float:
        """Displacement of layouts; whatever the seed, so that it is the picture's."""
        return bend_of(self.pyramid[0], self.search, generator_of(0, Draws.PATCH_NOISE))

    @cached_property
    def details(self) -> DetailMap:
        """How much fine detail the picture has where."""
        return DetailMap.of(self.pyramid[-1])

    @cached_property
    def tilt(self) -> Tensor:
        """How layouts are weighted, see `tilt_of`; whatever the seed, too."""
        frame = Frame(size=self.sizes[0][0], margin=self.side - 1, wraps=(False, False))
        return tilt_of(self.details, frame, self.search, self.bend, generator_of(0, Draws.PATCH_NOISE))

    def sizes_for(self, size: Size | None) -> tuple[Size, ...]:
        """Sizes of all scales of a result, see `PictureModel.sizes_for`."""
        return PictureModel(settings=self.settings, sizes=self.sizes, channels=self.channels).sizes_for(size)

    @isolated
    @torch.no_grad()
    def sample(
        self, count: int = 1, *, size: Size | None = None, start: int = 0, wrap: str = "", run: Run | None = None
    ) -> Tensor:
        """Random pictures of the subject, (count, C, H, W); see `PictureModel.sample`."""
        run = run or Run()
        self.check_start(start)
        sizes, wraps = self.sizes_for(size), wraps_of(wrap)
        own = self.reconstruct(scales=start) if start else self.pyramid[0]
        coarse = resize(own, size=sizes[start], wrap=wraps).clamp(-1, 1)
        finer = [size / first for size, first in zip(sizes[start], sizes[0], strict=True)]
        frame = Frame(size=sizes[start], margin=self.side - 1, wraps=wraps)
        shown = LayoutDetail(self.details, frame, finer)
        results = []
        for index in run.steps("sample", count, limited=False):
            generator = generator_of(run.seed, Draws.PATCH_NOISE, index)
            cells = cells_of(self.search, finer)
            candidates = [Perturbation.drawn(frame, cells, generator) for _ in range(self.search.layouts)]
            layout = drawn_layout(shown, self.tilt, candidates, self.bend, generator)
            guess = bent(coarse, frame, self.bend, self.search.noise, finer, layout)
            results.append(self.refined(guess, sizes, start, wraps, run, index))
        return torch.cat(results)

    @isolated
    @torch.no_grad()
    def inject(self, picture: Tensor, scale: int, *, run: Run | None = None, wrap: str = "", index: int = 0) -> Tensor:
        """Give a picture the patches of the subject from a scale on; see `PictureModel.inject`.

        Result 0 begins with the picture as it is; the others begin under noise, a quarter of that of samples, so that
        they differ. Colours that the subject lacks stay as far as `PatchSettings.foreign` says.
        """
        run = run or Run()
        self.check_start(scale)
        sizes, wraps = self.sizes_for(image_size(picture)), wraps_of(wrap)
        coarse = low_passed_at(picture.to(self.device), sizes, scale, wraps)
        if index:
            noise = torch.randn(coarse.shape, generator=generator_of(run.seed, Draws.PATCH_NOISE, index)).to(coarse)
            coarse = coarse + self.search.noise / 4 * noise
        guess = Guess(Frame(size=sizes[scale], margin=self.side - 1, wraps=wraps).around(coarse))

        def keep(_scale: int, made: Tensor) -> Tensor:
            lost = coarse - resize(made, size=sizes[scale], wrap=wraps)
            lost = F.avg_pool2d(F.pad(lost, (1, 1, 1, 1), mode="replicate"), 3, stride=1)  # colours, not texture
            distance = lost.square().mean(dim=1, keepdim=True).sqrt()
            kept = lost * (1 - self.search.foreign / distance.clamp(min=1e-6)).clamp(min=0)
            return (made + resize(kept, size=image_size(made), wrap=wraps)).clamp(-1, 1)

        return self.refined(guess, sizes, scale, wraps, run, index, None if isinf(self.search.foreign) else keep)

    def reconstruct(self, *, picture: int = 0, scales: int | None = None) -> Tensor:
        """The picture by its first `scales` scales; see `PictureModel.reconstruct`."""
        if picture != 0:
            raise InputError(f"the model is of one picture, 0, got {picture}")
        count = len(self.pyramid) if scales is None else scales
        following = image_size(self.pyramid[min(count, len(self.pyramid) - 1)])
        if count == 0:
            return torch.zeros_like(self.pyramid[0])
        return resize(self.pyramid[count - 1], size=following).clamp(-1, 1)

    def check_start(self, start: int) -> None:
        """Raise InputError unless there is such a scale."""
        last = len(self.pyramid) - 1
        if not 0 <= start <= last:
            raise InputError(f"the start scale must be from 0, the coarsest, to {last}, got {start}")

    def refined(
        self,
        guess: Guess,
        sizes: tuple[Size, ...],
        start: int,
        wraps: tuple[bool, bool],
        run: Run,
        index: int,
        keep: Keep | None = None,
    ) -> Tensor:
        """Refine a guess by the scales from `start` on: (1, C, H, W), cut to the size of the last one.

        Args:
            guess: with a margin of side - 1 pixels beyond every border that does not wrap.
            sizes: of all scales of the result.
            start: scale that the guess has the size of.
            wraps: axes along which the result is periodic.
            run, index: whose seed, and which of its results.
            keep: applied to the inside of the guess after each search.
        """

        def change(scale: int, frame: Frame, made: list[Tensor]) -> list[Tensor]:
            return made if keep is None else [frame.around(keep(scale, frame.inside(one))) for one in made]

        return self.refined_together([guess], sizes, start, wraps, run, index, change)[0]

    def refined_together(
        self,
        guesses: Sequence[Guess],
        sizes: tuple[Size, ...],
        start: int,
        wraps: tuple[bool, bool],
        run: Run,
        index: int,
        change: Change,
    ) -> list[Tensor]:
        """The same of several guesses, by the same random draws; their results may depend on each other.

        Args:
            change: applied to all guesses, with their margins, after each search.
        """
        side, guesses = self.side, list(guesses)
        frame = Frame(size=sizes[start], margin=side - 1, wraps=wraps)
        fields: list[Tensor | None] = [None] * len(guesses)
        # Only samples have borders like the picture's: what enters would get its mirrored border in the middle.
        beyond = 0 if guesses[0].heights is None else side - 1
        sources = [Frame(size=size, margin=beyond, wraps=wraps) for size in self.sizes[0]]
        for scale in range(start, len(sizes)):
            picture = self.pyramid[scale]
            source = sources[scale].around(picture)  # so that what crosses a border has a nearest patch, too
            axes = principal_axes(picture, side, self.search.axes)
            keys = self._keys(scale, source, axes)
            if scale > start:
                finer = Frame(size=sizes[scale], margin=side - 1, wraps=wraps)
                guesses = [in_finer_frame(guess, frame, finer) for guess in guesses]
                places = sources[scale - 1], sources[scale], side
                fields = [None if found is None else places_in_finer(found, frame, finer, *places) for found in fields]
                frame = finer
            # The first guess is as soft as what is enlarged, and is compared with the picture as soft as that.
            soft = resize(self.pyramid[scale - 1], size=image_size(picture)).clamp(-1, 1) if scale > start else picture
            first = self._keys(scale, sources[scale].around(soft), axes)
            generators = [generator_of(run.seed, Draws.PATCH_STEPS, index, scale) for _ in guesses]
            searches = 1 if run.time_used() > 1 else self.search.searches
            for search in range(searches):
                is_last = scale == len(sizes) - 1 and search == searches - 1
                # Only what is not searched for again is sharpened.
                together = assemble_sharply if is_last else assemble
                made = []
                for which, (guess, generator) in enumerate(zip(guesses, generators, strict=True)):
                    run.check_cancelled()
                    queries = patches_of(with_overlap(guess.picture, side, wraps), axes)
                    within = keys if search else first
                    found = self._search(queries, within, fields[which], guess.heights, generator)
                    fields[which] = found
                    made.append(together(found, queries.size, source, side, wraps=wraps))
                changed = change(scale, frame, made)
                guesses = [guess._replace(picture=one) for guess, one in zip(guesses, changed, strict=True)]
        return [frame.inside(guess.picture).clamp(-1, 1) for guess in guesses]

    def _keys(self, scale: int, picture: Tensor, axes: Tensor) -> Patches:
        return patches_of(picture, axes, self.allowed[scale] if self.allowed else None)

    def _search(
        self, queries: Patches, keys: Patches, found: Tensor | None, heights: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        if len(queries.features) * len(keys.features) <= self.search.pairs:
            most = inf
            if heights is not None:
                most = self.search.unused
                half, weight = self.side // 2, self.search.height * self.channels * self.side**2
                rows = torch.arange(keys.size[0], device=self.device) - half + 0.5  # the first is above the picture
                keys = at_heights(keys, rows / (keys.size[0] - self.side + 1), weight)
                queries = at_heights(queries, heights[half : half + queries.size[0]], weight)
            values = self.channels * self.side**2
            return nearest(queries, keys, self.search.completeness * values or None, most, self.search.quota)
        rounds = 1
        if found is None:  # nothing to begin with but places as far from the corner
            rows, columns = (
                torch.linspace(0, most - 1, count, device=self.device).round().long()
                for count, most in zip(queries.size, keys.size, strict=True)
            )
            found, rounds = (rows[:, None] * keys.size[1] + columns).flatten(), 4
        return propagate(queries, keys, found, generator, rounds)[0]


SubjectModel = PictureModel | PatchModel
"""Both engines: the generators that were trained on a picture, and its nearest patches."""


@isolated
def patch_model(
    picture: Tensor, settings: SinGAN, search: PatchSettings | None = None, run: Run | None = None
) -> PatchModel:
    """Patch model of a picture, (1, C, H, W) in [-1, 1], on the run's device.

    Raises:
        InputError: the picture is smaller than the coarsest scale.
    """
    device = (run or Run()).torch_device
    pyramid = pictures_of(picture.to(device), sizes_of(image_size(picture), settings))
    return PatchModel(settings=settings, pyramid=pyramid, search=search or PatchSettings())
