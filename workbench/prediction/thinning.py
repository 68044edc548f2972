"""Rasters and arrays thinned as they are read: from overviews, or every so many pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import transform
from rasterio.windows import Window

from workbench.data.raster import describe, forget, open_raster
from workbench.data.remote import REMOTE, is_remote, remote_error, retried
from workbench.errors import DataError, GridError
from workbench.prediction.grid import Grid, array_grid, raster_grid, spatial_dims

T = TypeVar("T")
Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees


class Part(NamedTuple):
    """A part of a grid, of which every `step`-th pixel of every `step`-th row is kept."""

    top: int
    left: int
    rows: int
    columns: int
    step: int

    def of(self, grid: Grid) -> Grid:
        """Return the grid of what is kept."""
        moved = grid.transform @ Affine.translation(self.left, self.top) @ Affine.scale(self.step)
        return raster_grid(self.rows, self.columns, grid.crs, moved)


class Thinned(NamedTuple):
    """Something that can be read thinned.

    Attributes:
        name: What messages call it.
        grid: Where its pixels are.
        read: Returns a part, ``(layer, y, x)``.
        nodata: Values that are none.
        overviews: Whether it has overviews, so that a look from afar costs little.
    """

    name: str
    grid: Grid
    read: Callable[[Part], npt.NDArray]
    nodata: frozenset[float] = frozenset()
    overviews: bool = False


def checked_bounds(bounds: Sequence[float]) -> Bounds:
    """Return bounds whose east lies beyond their west, beyond 180° where it must.

    Raises:
        DataError: They are no box on the globe.
    """
    try:
        west, south, east, north = (float(edge) for edge in bounds)
    except (TypeError, ValueError):
        west, south, east, north = (math.nan,) * 4
    east += 360 * (east < west)
    if not (west < east and -90 <= south < north <= 90 and math.isfinite(west + east)):
        raise DataError(f"bounds={bounds!r} is no box on the globe: west, south, east, north in "
                        "degrees, south below north.")
    return west, south, east, north


def whole(grid: Grid, side: int) -> Part:
    """Return all of a grid with at most `side` rows and columns."""
    return _part(0, 0, grid.height, grid.width, side)


def part_in(grid: Grid, bounds: Bounds, side: int) -> Part | None:
    """Return what lies within bounds with at most `side` rows and columns, None where nothing does.

    Args:
        grid: Where the pixels are.
        bounds: In degrees; longitudes may go on beyond ±180.
        side: Of what is kept.
    """
    lons, lats = _lonlat(grid)
    turn = 360 * round(((bounds[0] + bounds[2]) - (lons.min() + lons.max())) / 720)
    west, east = max(bounds[0] - turn, lons.min()), min(bounds[2] - turn, lons.max())
    south, north = max(bounds[1], lats.min()), min(bounds[3], lats.max())
    if not (west < east and south < north):
        return None
    along = np.linspace(0, 1, 21)
    across, up = (axis.ravel() for axis in np.meshgrid(west + (east - west) * along,
                                                      south + (north - south) * along))
    xs, ys = transform("EPSG:4326", grid.crs, across, up)
    a, b, c, d, e, f = (~grid.transform)[:6]
    xs, ys = np.array(xs), np.array(ys)
    columns, rows = a * xs + b * ys + c, d * xs + e * ys + f
    top, bottom = _clipped(rows, grid.height)
    left, right = _clipped(columns, grid.width)
    if top >= bottom or left >= right:
        return None
    return _part(top, left, bottom - top, right - left, side)


def _clipped(places: npt.NDArray, size: int) -> tuple[int, int]:
    return max(math.floor(places.min()), 0), min(math.ceil(places.max()), size)


def _part(top: int, left: int, rows: int, columns: int, side: int) -> Part:
    step = max(1, math.ceil(max(rows, columns) / side))
    # On a lattice of its own for each step: pixels do not swim when a map is dragged.
    top, rows = top - top % step, rows + top % step
    left, columns = left - left % step, columns + left % step
    return Part(top, left, max(1, rows // step), max(1, columns // step), step)


def _lonlat(grid: Grid) -> tuple[npt.NDArray, npt.NDArray]:
    """Return longitudes, beside each other across the antimeridian, and latitudes of the edge."""
    along, zero = np.linspace(0, 1, 21), np.zeros(21)
    columns = grid.width * np.concatenate([along, along, zero, zero + 1])
    rows = grid.height * np.concatenate([zero, zero + 1, along, along])
    a, b, c, d, e, f = grid.transform[:6]
    xs, ys = a * columns + b * rows + c, d * columns + e * rows + f
    lons, lats = (np.array(values) for values in transform(grid.crs, "EPSG:4326", xs, ys))
    if not (np.isfinite(lons).all() and np.isfinite(lats).all()):
        raise GridError(f"The edge of the grid in {grid.crs} has no longitude and latitude, so it "
                        "cannot be shown on a map. Is its CRS that of its pixels?")
    return lons[0] + (lons - lons[0] + 180) % 360 - 180, lats


def bounds_of(grid: Grid) -> Bounds:
    """Return the box round a grid in degrees; east goes on beyond 180 across the antimeridian."""
    lons, lats = _lonlat(grid)
    return float(lons.min()), float(lats.min()), float(lons.max()), float(lats.max())


def thinned_file(path: str | Path, indexes: Sequence[int] | None = None, *,
                 classes: bool = False) -> Thinned:
    """Open a GeoTIFF, COG or VRT, on disk or behind an address.

    Args:
        path: The file.
        indexes: Bands, counted from 1; by default all.
        classes: Whether values are numbers of classes, which cannot be averaged.

    Raises:
        DataError: It cannot be opened.
        GridError: It does not say where its pixels are.
        DownloadError: The server does not answer.
    """
    path = str(path)
    facts = _retried(path, lambda: describe(path))
    if not facts.georeferenced:
        raise GridError(f"{path} has no CRS or no geotransform, so nobody knows where on a map it "
                        "belongs.")
    grid = raster_grid(facts.height, facts.width, CRS.from_user_input(facts.crs), facts.transform)
    bands = list(indexes or range(1, facts.count + 1))

    def read(part: Part) -> npt.NDArray:
        return _retried(path, lambda: _read(path, bands, part, classes=classes))

    nodata: frozenset[float] = frozenset(value for value in (facts.nodata,) if value is not None)
    return Thinned(path, grid, read, nodata, bool(open_raster(path).overviews(bands[0])))


def _read(path: str, bands: list[int], part: Part, *, classes: bool) -> npt.NDArray:
    try:
        handle = open_raster(path)
        window = Window(part.left, part.top,
                        min(part.columns * part.step, handle.width - part.left),
                        min(part.rows * part.step, handle.height - part.top))
        # Without overviews an average would have to read every pixel there is.
        how = Resampling.nearest if classes or not handle.overviews(bands[0]) \
            else Resampling.average
        with rasterio.Env(**REMOTE):
            found: npt.NDArray = handle.read(
                bands, window=window, out_shape=(len(bands), part.rows, part.columns),
                resampling=how)
        return found
    except RasterioError as error:
        if is_remote(path):
            raise remote_error(path, "read", error) from error
        raise DataError(f"{path} cannot be read at rows {part.top} and on, columns {part.left} and "
                        f"on: it is truncated or damaged ({error.__cause__ or error}). Copy or "
                        "download it again.") from error


def _retried(path: str, action: Callable[[], T]) -> T:
    return retried(action, lambda: forget(path)) if is_remote(path) else action()


def thinned_arrays(name: str, arrays: Sequence[xr.DataArray]) -> Thinned:
    """Open arrays on one grid; with dask or on disk, only what is kept is read.

    Raises:
        GridError: They have no CRS or no place.
    """
    first = arrays[0]
    y, x = spatial_dims(first)
    dims = [[dim for dim in array.dims if dim not in (y, x)] for array in arrays]
    ordered = [array.transpose(*others, y, x) for array, others in zip(arrays, dims, strict=True)]
    grid = array_grid(first)

    def read(part: Part) -> npt.NDArray:
        # The middle one of the pixels that each stands for.
        window = tuple(slice(start + min(part.step // 2, total - start - 1),
                             start + size * part.step, part.step)
                       for start, size, total in ((part.top, part.rows, grid.height),
                                                  (part.left, part.columns, grid.width)))
        kept = [array[..., *window].values for array in ordered]
        return np.concatenate([pixels.reshape(-1, part.rows, part.columns) for pixels in kept])

    nodata = frozenset(float(array.rio.nodata) for array in arrays if array.rio.nodata is not None)
    return Thinned(name, grid, read, nodata)
