"""Meandering rivers as curves, and the distance of every pixel from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_STEP_PX = 0.5
_FAR_PX = 1e4


@dataclass(frozen=True)
class Curve:
    """A river's centre line on a grid.

    Attributes:
        distance_px: ``(y, x)`` float32, distance of each pixel's centre from the line.
        width_px: ``(y, x)`` float32, width of the river at the nearest point of the line.
        angle: General direction in radians, x to y.
    """

    distance_px: np.ndarray
    width_px: np.ndarray
    angle: float

    def fraction(self) -> np.ndarray:
        """Share of each pixel covered by the river, 0..1; antialiased across its banks."""
        return np.clip(self.width_px * 0.5 - self.distance_px + 0.5, 0.0, 1.0)


def _walk(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.cumsum(np.sin(angles)) * _STEP_PX, np.cumsum(np.cos(angles)) * _STEP_PX


def meander(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    width_px: float,
    sinuosity: float,
    angle: float | None = None,
    gaps: float = 0.0,
) -> Curve:
    """Draw one river across the grid.

    Args:
        rng: Source of randomness.
        shape: Height and width in pixels.
        width_px: Mean width.
        sinuosity: Largest deviation from the general direction in radians; 0.3 is nearly straight,
            1.6 is tightly looped.
        angle: General direction; drawn if none.
        gaps: Share of the line left out, for oxbows cut off from their river.

    Returns:
        The curve; distances are large where all of the line is left out.

    Source: sine-generated curve, Langbein and Leopold (1966), USGS Professional Paper 422-H;
        wavelength of ten to fourteen widths, Leopold and Wolman (1960), GSA Bulletin 71.
    """
    height, width = shape
    if angle is None:
        angle = float(rng.uniform(0, 2 * np.pi))
    num_steps = int(5 * np.hypot(height, width) / _STEP_PX)
    arc = np.arange(num_steps) * _STEP_PX
    # Narrow streams would wiggle below the pixel without the lower bound.
    wavelength = max(width_px * rng.uniform(8, 12), rng.uniform(22, 40)) * (1 + 0.6 * sinuosity)
    knots = np.linspace(0, arc[-1], 2 + int(arc[-1] / wavelength))
    stretch = np.interp(arc, knots, rng.uniform(0.6, 1.5, len(knots)))
    strength = np.interp(arc, knots, rng.uniform(0.45, 1.0, len(knots))) * sinuosity
    drift = np.interp(arc, knots[::2], rng.normal(0, 0.25, len(knots[::2])))
    phase = np.cumsum(2 * np.pi * _STEP_PX / (wavelength * stretch))
    y, x = _walk(angle + drift + strength * np.sin(phase))
    middle = num_steps // 2
    y += rng.uniform(0.3, 0.7) * height - y[middle]
    x += rng.uniform(0.3, 0.7) * width - x[middle]
    widths = width_px * np.interp(arc, knots, rng.uniform(0.7, 1.3, len(knots)))
    keep = (y > -1) & (y < height) & (x > -1) & (x < width)
    if gaps > 0:
        keep &= np.interp(arc, knots, rng.random(len(knots))) > gaps
    return _rasterise(y[keep], x[keep], widths[keep], shape, angle)


def _rasterise(
    y: np.ndarray, x: np.ndarray, widths: np.ndarray, shape: tuple[int, int], angle: float
) -> Curve:
    if len(y) == 0:
        return Curve(np.full(shape, _FAR_PX, np.float32), np.zeros(shape, np.float32), angle)
    rows = np.clip(np.rint(y), 0, shape[0] - 1).astype(int)
    columns = np.clip(np.rint(x), 0, shape[1] - 1).astype(int)
    exact_y, exact_x, exact_width = (np.zeros(shape, np.float32) for _ in range(3))
    exact_y[rows, columns], exact_x[rows, columns] = y, x
    exact_width[rows, columns] = widths
    empty = np.ones(shape, bool)
    empty[rows, columns] = False
    near_y, near_x = ndimage.distance_transform_edt(
        empty, return_distances=False, return_indices=True
    )
    grid_y, grid_x = np.indices(shape, dtype=np.float32)
    distance = np.hypot(grid_y - exact_y[near_y, near_x], grid_x - exact_x[near_y, near_x])
    return Curve(distance.astype(np.float32), exact_width[near_y, near_x], angle)
