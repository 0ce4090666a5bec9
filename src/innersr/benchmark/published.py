"""Figures of papers for whole test sets, as read in the sources named beside them."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import NamedTuple


class Figure(NamedTuple):
    """A published mean over a test set: PSNR-Y in dB, and SSIM-Y where the paper gives it."""

    method: str
    psnr: float
    ssim: float | None


def published_figures(folder: str, scale: str, degradation: str, *, count: int) -> list[Figure]:
    """The published figures for the rows of a folder; none if their number is not that of the whole test set.

    Args:
        folder: its name holds set5, set14, b100 or bsd100, or urban100 between other signs.
        scale: as x2.
        degradation: as in rows, gaussian8 for its eight kernels together.
        count: number of rows.
    """
    sizes = {"set5": 5, "set14": 14, "b100": 100, "bsd100": 100, "urban100": 100}
    words = re.split("[^a-z0-9]+", folder.lower())
    test_set = next((word for word in words if word in sizes), None)
    if test_set is None or count != sizes[test_set] * (8 if degradation == "gaussian8" else 1):
        return []
    return _figures()[test_set.replace("bsd", "b"), scale, degradation]


@cache
def _figures() -> dict[tuple[str, str, str], list[Figure]]:
    figures: dict[tuple[str, str, str], list[Figure]] = defaultdict(list)
    for line in _text().strip().splitlines():
        method, degradation, scale, *sets = (cell.strip() for cell in line.split("|"))
        for cell in sets:
            test_set, psnr, *ssim = cell.split()
            figures[test_set, scale, degradation].append(Figure(method, float(psnr), float(*ssim) if ssim else None))
    return figures


def _text() -> str:
    """Method, degradation, scale, and PSNR and SSIM of every test set.

    ZSSR on bicubic: Shocher 2018, table 1, as a review of it quotes that. MZSR, and ZSSR on its kernels:
    figure/result.png and resultx4.png of JWSoh/MZSR, which show the tables of Soh 2020. Gaussian8: README of
    greatlog/DAN and assets/iso_results.png of asifhkhan/PL_IDENET. SMFANet: figs/CNN_results.png of
    Zheng-MJ/SMFANet. SeemoRe: figures/main_table.png of eduardzamfir/seemoredetails.
    """
    return """
ZSSR 2018       | bicubic   | x2 | set5 37.37 0.9570
ZSSR 2018       | bicubic   | x3 | set5 33.42 0.9188
ZSSR 2018       | bicubic   | x4 | set5 31.13 0.8796
SMFANet 2024    | bicubic   | x2 | set5 38.08 | set14 33.65 | b100 32.22 | urban100 32.20
SMFANet 2024    | bicubic   | x4 | set5 32.25 | set14 28.71 | b100 27.64 | urban100 26.18
SeemoRe-T 2024  | bicubic   | x2 | set5 38.06 | set14 33.65 | b100 32.23 | urban100 32.22
SeemoRe-T 2024  | bicubic   | x4 | set5 32.31 | set14 28.72 | b100 27.65 | urban100 26.23
ZSSR 2018       | g0.2d     | x2 | set5 34.29 0.9373 | b100 29.35 0.8465 | urban100 28.13 0.8788
MZSR(10) 2020   | g0.2d     | x2 | set5 33.74 0.9301 | b100 29.03 0.8415 | urban100 26.60 0.8439
ZSSR 2018       | g2.0d     | x2 | set5 34.90 0.9397 | b100 30.57 0.8712 | urban100 27.86 0.8582
MZSR(10) 2020   | g2.0d     | x2 | set5 36.05 0.9439 | b100 31.09 0.8739 | urban100 29.19 0.8838
ZSSR 2018       | ganid     | x2 | set5 33.96 0.9307 | b100 29.72 0.8479 | urban100 27.03 0.8335
MZSR(10) 2020   | ganid     | x2 | set5 34.78 0.9323 | b100 29.54 0.8297 | urban100 27.34 0.8369
ZSSR 2018       | g1.3b     | x2 | set5 35.24 0.9434 | b100 30.74 0.8743 | urban100 28.30 0.8693
MZSR(10) 2020   | g1.3b     | x2 | set5 36.64 0.9498 | b100 31.25 0.8818 | urban100 29.83 0.8965
ZSSR 2018       | g2.0d     | x4 | set5 27.39 0.7685 | b100 25.89 0.6776 | urban100 23.53 0.6822
MZSR(10) 2020   | g2.0d     | x4 | set5 30.50 0.8704 | b100 26.89 0.7168 | urban100 24.65 0.7394
IKC 2019        | gaussian8 | x2 | set5 37.19 | set14 32.94 | b100 31.51 | urban100 29.85
DANv2 2021      | gaussian8 | x2 | set5 37.60 | set14 33.44 | b100 32.00 | urban100 31.43
DCLS 2022       | gaussian8 | x2 | set5 37.63 | set14 33.46 | b100 32.04 | urban100 31.69
DANv2 2021      | gaussian8 | x3 | set5 34.19 | set14 30.20 | b100 29.03 | urban100 27.83
IKC 2019        | gaussian8 | x4 | set5 31.67 | set14 28.31 | b100 27.37 | urban100 25.33
DANv2 2021      | gaussian8 | x4 | set5 32.00 | set14 28.50 | b100 27.56 | urban100 25.94
DCLS 2022       | gaussian8 | x4 | set5 32.12 | set14 28.54 | b100 27.60 | urban100 26.15
"""
