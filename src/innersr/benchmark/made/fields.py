"""Fluorescent spots, elevation and soft gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def draw_fluorescence(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Bright spots about as wide as a microscope's diffraction, in faint cells on black; grey, without noise."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    light = np.full(size, 0.02)
    for _ in range(max(1, size[0] * size[1] // 12000)):
        row, column, radius = random.random(3) * (size[0], size[1], 25) + (0, 0, 15)
        distance = np.hypot(y - row, 1.3 * (x - column))
        light += 0.1 / (1 + np.exp((distance - radius) / 2))
    for _ in range(size[0] * size[1] // 350):
        row, column = random.random(2) * size
        width, brightness = float(random.uniform(1.1, 2.4)), float(random.exponential(0.3))
        top, left = (max(0, int(centre) - 10) for centre in (row, column))
        part = (slice(top, top + 21), slice(left, left + 21))
        light[part] += brightness * np.exp(-((y[part] - row) ** 2 + (x[part] - column) ** 2) / (2 * width**2))
    return _levels(light)


def draw_elevation(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """A terrain of fractal heights with ridges, as grey levels."""
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1
    heights = []
    for roughness in (2.1, 1.7):
        phases = np.exp(2j * math.pi * random.random(frequency.shape))
        field = np.fft.irfft2(phases * frequency**-roughness, s=size)
        heights.append((field - field.mean()) / field.std())
    terrain = heights[0] - 0.5 * np.abs(heights[1])  # ridges where the second field is zero
    low, high = terrain.min(), terrain.max()
    return _levels(0.04 + 0.92 * (terrain - low) / max(high - low, 1e-9))


def draw_gradient(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Slow waves of colour, and discs with edges some ten pixels wide, as behind a portrait."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    picture = np.empty((*size, 3))
    for band in range(3):
        u, v = random.uniform(-1.2, 1.2, 2)
        picture[..., band] = 0.5 + 0.3 * np.sin(2 * math.pi * (u * y / size[0] + v * x / size[1] + random.random()))
    for _ in range(6):
        row, column = random.random(2) * size
        distance = np.hypot(y - row, x - column)
        opacity = 0.7 / (1 + np.exp((distance - random.uniform(10, 50)) / random.uniform(2.5, 6)))
        picture += opacity[..., None] * (random.random(3) - picture)
    return _levels(picture)


def _levels(field: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (255 * field).round().clip(0, 255).astype(np.uint8)
