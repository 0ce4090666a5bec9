"""ICC profiles of colours that a file describes by numbers: gamma, chromaticities, code points of ITU-T H.273."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ColourSpace:
    """Red, green, blue and white as chromaticities x, y (CIE 1931), and how values are coded.

    The defaults are those of sRGB.
    """

    red: tuple[float, float] = (0.64, 0.33)
    green: tuple[float, float] = (0.3, 0.6)
    blue: tuple[float, float] = (0.15, 0.06)
    white: tuple[float, float] = (0.3127, 0.329)
    gamma: float = 0.0
    """Light is the value to this power; 0 for the curve of sRGB."""
    is_grey: bool = False

    @property
    def is_srgb(self) -> bool:
        """Whether it is sRGB, within the rounding of PNG files, or grey with the same curve."""
        own, plain = (np.array([c.red, c.green, c.blue, c.white]) for c in (self, ColourSpace()))
        rounding, gamma = 0.002, 1 / 0.45455  # as PNG files write the gamma of sRGB
        is_curve = self.gamma == 0 or abs(self.gamma - gamma) < rounding
        return is_curve and (self.is_grey or float(np.abs(own - plain).max()) < rounding)

    @property
    def words(self) -> str:
        """For a note."""
        curve = "the curve of sRGB" if self.gamma == 0 else f"gamma {self.gamma:.3g}" if self.gamma != 1 else "linear"
        primaries = " ".join(f"{x:.3g},{y:.3g}" for x, y in (self.red, self.green, self.blue))
        return curve if self.is_grey else f"{curve}, primaries {primaries}"

    def profile(self) -> bytes | None:
        """The colour space as an ICC profile (version 4.3), None where the chromaticities make none."""
        try:
            columns = self._primaries_at_d50()
        except (np.linalg.LinAlgError, ZeroDivisionError):
            return None
        if not (np.isfinite(columns).all() and 0 <= self.gamma < 128 and np.abs(columns).max() < 128):
            return None
        tags = {b"desc": _text("RGB of chromaticities and gamma"), b"cprt": _text("CC0"), b"wtpt": _xyz(_d50())}
        if self.is_grey:
            tags[b"kTRC"] = self._curve()
        else:
            tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)}
            tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), self._curve())
            tags[b"chad"] = b"sf32" + bytes(4) + _fixed(_adaptation(self.white))
        return _assembled(tags, b"GRAY" if self.is_grey else b"RGB ")

    def _primaries_at_d50(self) -> Matrix:
        """(3, 3): the XYZ of full red, green and blue in columns, as seen under D50."""
        primaries = np.stack([_xyz_of(each) for each in (self.red, self.green, self.blue)], axis=1)
        strengths = np.linalg.solve(primaries, _xyz_of(self.white))
        return _adaptation(self.white) @ (primaries * strengths)

    def _curve(self) -> bytes:
        if self.gamma:
            return b"para" + bytes(4) + struct.pack(">HH", 0, 0) + _fixed(self.gamma)
        # IEC 61966-2-1: ((v + 0.055) / 1.055)^2.4 from 0.04045 on, v / 12.92 below.
        return (
            b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed([2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])
        )


def colour_space_of_code_points(primaries: int, transfer: int) -> ColourSpace | None:
    """The colour space of H.273's code points, as in a cICP chunk or an nclx box; None for HDR and unknown ones."""
    # Differs from H.273: pictures with the curve of video cameras (1, 6, 14, 15) are shown with that of sRGB.
    gamma = {1: 0.0, 2: 0.0, 4: 2.2, 5: 2.8, 6: 0.0, 8: 1.0, 13: 0.0, 14: 0.0, 15: 0.0}.get(transfer)
    c, d65 = (0.31, 0.316), (0.3127, 0.329)
    rgbw = {
        1: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), d65),  # BT.709
        2: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), d65),  # unspecified
        4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), c),  # BT.470 M
        5: ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06), d65),  # BT.601, 625 lines
        6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), d65),  # BT.601, 525 lines
        7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), d65),  # SMPTE 240M
        9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), d65),  # BT.2020
        11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),  # DCI-P3
        12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), d65),  # Display P3
    }.get(primaries)
    if gamma is None or rgbw is None:
        return None
    red, green, blue, white = rgbw
    return ColourSpace(red=red, green=green, blue=blue, white=white, gamma=gamma)


def words_of_code_points(primaries: int, transfer: int) -> str:
    """Code points that have no `ColourSpace`, for a note."""
    curve = {16: "PQ (HDR)", 18: "HLG (HDR)"}.get(transfer, f"of transfer {transfer}")
    return f"{curve}, primaries {primaries} of H.273"


def _d50() -> Matrix:
    return np.array([0.9642, 1.0, 0.8249])  # of ICC profiles


def _xyz_of(chromaticity: tuple[float, float]) -> Matrix:
    """XYZ of luminance 1."""
    x, y = chromaticity
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: tuple[float, float]) -> Matrix:
    """(3, 3): what looks white under this white becomes D50, by the Bradford transform (ICC.1:2010, annex E)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gains = (bradford @ _d50()) / (bradford @ _xyz_of(white))
    return np.linalg.solve(bradford, gains[:, None] * bradford)


def _fixed(values: Any) -> bytes:  # noqa: ANN401 (a number or an array)
    """Numbers as ICC writes them: 16 bits before the point and 16 after."""
    return (np.rint(np.atleast_1d(np.asarray(values, dtype=np.float64)) * 65536)).astype(">i4").tobytes()


def _xyz(values: Matrix) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _text(words: str) -> bytes:
    """A text in one language (multiLocalizedUnicodeType)."""
    data = words.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(data), 28) + data


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """A profile of a display: header, table of tags, and their data, of which equal ones are stored once."""
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    body = b""
    for data in tags.values():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
    table = b"".join(struct.pack(">4sII", name, places[data], len(data)) for name, data in tags.items())
    version, created = 0x04300000, (2026, 1, 1, 0, 0, 0)  # the same bytes on every day
    header = struct.pack(">I4xI4s4s4s6H4s", start + len(body), version, b"mntr", space, b"XYZ ", *created, b"acsp")
    header = header.ljust(68, b"\0") + _fixed(_d50())
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
