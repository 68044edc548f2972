"""Which pixels a label covers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine

from workbench.data.raster import Raster, window_transform

Places = npt.NDArray[np.int64]


class Covered(NamedTuple):
    """Labelled pixels, each once: flat position in the raster, class, and which label it was."""

    place: Places
    kind: Places
    label: Places


def covered(shapes: list[shapely.Geometry], kinds: list[int], raster: Raster) -> Covered:
    """Return the pixels that labels cover; where two overlap, the later one counts.

    Args:
        shapes: In the raster's CRS, in the order in which they were drawn.
        kinds: Class of each.
        raster: Whose pixels.
    """
    places = [pixels_of(shape, raster) for shape in shapes]
    label = np.repeat(np.arange(len(places)), [len(found) for found in places])
    place = np.concatenate([np.empty(0, np.int64), *places])
    # Of the same pixel the last one: the first one of the reversed order.
    once, last = np.unique(place[::-1], return_index=True)
    chosen = label[::-1][last]
    return Covered(once, np.asarray(kinds, np.int64)[chosen], chosen)


def pixels_of(shape: shapely.Geometry, raster: Raster) -> Places:
    """Return the flat positions of the pixels of one label.

    A polygon covers the pixels whose centre lies in it, or all that it touches where that is none;
    points and lines cover every pixel that they touch.
    """
    inverse = ~raster.transform
    bent = shapely.transform(shape, lambda xy: np.column_stack(_apply(inverse, xy)))
    left, top, right, bottom = bent.bounds
    rows = max(math.floor(top), 0), min(math.floor(bottom) + 1, raster.height)
    cols = max(math.floor(left), 0), min(math.floor(right) + 1, raster.width)
    size = rows[1] - rows[0], cols[1] - cols[0]
    if min(size) <= 0:
        return np.empty(0, np.int64)
    grid = window_transform(Affine.identity(), rows[0], cols[0])
    for touched in (bent.geom_type not in ("Polygon", "MultiPolygon"), True):
        burnt = rasterio.features.rasterize(
            [bent], out_shape=size, transform=grid, all_touched=touched, dtype="uint8"
        )
        if burnt.any():
            break
    row, col = np.nonzero(burnt)
    return (row + rows[0]) * raster.width + col + cols[0]


def _apply(transform: Affine, xy: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    a, b, c, d, e, f = transform[:6]
    return a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f
