"""The pixels of a result on the grid of its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PixelGrid:
    """Where the pixels of a result lie in its source; all pairs are (vertical, horizontal).

    Args:
        scales: pixels of the result to a pixel of the source.
        start: of the first corner of the result, in pixels of the source from its own first corner.
    """

    scales: tuple[float, float] = (1.0, 1.0)
    start: tuple[float, float] = (0.0, 0.0)

    @staticmethod
    def of_centres(scales: tuple[float, float], centre: tuple[float, float]) -> PixelGrid:
        """The grid on which the centre of the source's first pixel is at `centre`, in indices of the result."""
        starts = [0.5 - (place + 0.5) / scale for place, scale in zip(centre, scales, strict=True)]
        rounding = 1e-6  # pixels; corners that differ by less are the same
        vertical, horizontal = (0.0 if abs(start) < rounding else start for start in starts)
        return PixelGrid(scales=scales, start=(vertical, horizontal))

    def source(self, axis: int, place: float, centre: float = 0.0) -> float:
        """The place in the source of a place in the result.

        Args:
            axis: 0 for rows, 1 for columns.
            place: in pixels.
            centre: 0 where whole numbers are corners of pixels, 0.5 where they are centres.
        """
        return (place + centre) / self.scales[axis] + self.start[axis] - centre

    def result(self, axis: int, place: float, centre: float = 0.0) -> float:
        """The place in the result of a place in the source, the inverse of `source`."""
        return (place + centre - self.start[axis]) * self.scales[axis] - centre
