"""Grid: where the pixels of a raster or an xarray object are, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from workbench.errors import GridError

# Coordinates in float64 carry rounding errors far below a thousandth of a pixel.
_TOLERANCE_PIXELS = 1e-3
X_NAMES = ("x", "lon", "longitude", "easting")
Y_NAMES = ("y", "lat", "latitude", "northing")


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape, CRS and transform of pixels, and their coordinates where the axes are not rotated."""

    height: int
    width: int
    crs: CRS
    transform: Affine
    coordinates: dict[str, npt.NDArray] = field(default_factory=dict)

    def georeferenced(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return `dataset` with dimensions ``(y, x)`` on this grid."""
        placed = dataset.assign_coords(
            {name: (name, values) for name, values in self.coordinates.items()})
        return placed.rio.write_crs(self.crs).rio.write_transform(self.transform)


def raster_grid(height: int, width: int, crs: CRS, transform: Affine) -> Grid:
    """Return the grid of a raster file; coordinates are those of pixel centres."""
    rotated = transform.b != 0 or transform.d != 0
    coordinates = {} if rotated else {
        "y": transform.f + transform.e * (np.arange(height) + 0.5),
        "x": transform.c + transform.a * (np.arange(width) + 0.5),
    }
    return Grid(height, width, crs, transform, coordinates)


def spatial_dims(array: xr.DataArray | xr.Dataset) -> tuple[str, str]:
    """Return the names of the dimensions of rows and columns.

    Raises:
        GridError: They have none of the usual names.
    """
    found = [next((dim for name in names for dim in array.dims if str(dim).lower() == name), None)
             for names in (Y_NAMES, X_NAMES)]
    if found[0] is None or found[1] is None:
        raise GridError(
            f"The array has the dimensions {', '.join(map(str, array.dims))}; expected y and x "
            f"(or {', '.join(Y_NAMES[1:] + X_NAMES[1:])}). Rename them: array.rename(…)."
        )
    return str(found[0]), str(found[1])


def array_grid(array: xr.DataArray | xr.Dataset) -> Grid:
    """Return the grid of an xarray object with a CRS.

    Coordinates decide, because they follow when the array is cut; the stored transform is taken
    where it agrees with them (it has no rounding errors) and where the axes are rotated.

    Raises:
        GridError: No CRS, no usable coordinates, or coordinates that are not evenly spaced.
    """
    y, x = spatial_dims(array)
    crs = array.rio.crs
    if crs is None:
        raise GridError(
            "The array has no CRS. Write it with rioxarray: array = "
            'array.rio.write_crs("EPSG:…"), with the code of its coordinates.'
        )
    height, width = array.sizes[y], array.sizes[x]
    stored = _stored_transform(array)
    rotated = stored is not None and (stored.b != 0 or stored.d != 0)
    if y not in array.coords or x not in array.coords:
        if stored is None:
            raise GridError(
                f"The array has no coordinates {y} and {x} and no stored transform, so nobody "
                "knows where its pixels are. Write one: array.rio.write_transform(affine)."
            )
        return raster_grid(height, width, crs, stored)
    ys, xs = (np.asarray(array[name].values, np.float64) for name in (y, x))
    if stored is not None and rotated:
        raise GridError(
            f"The array has a rotated transform and also coordinates {y} and {x}, which "
            f"contradict it. Drop the coordinates: array.drop_vars(['{y}', '{x}'])."
        )
    transform = _transform(ys, xs, stored)
    return Grid(height, width, crs, transform, {"y": ys, "x": xs})


def _stored_transform(array: xr.DataArray | xr.Dataset) -> Affine | None:
    name = array.rio.grid_mapping
    text = array.coords[name].attrs.get("GeoTransform") if name in array.coords else None
    return None if text is None else Affine.from_gdal(*map(float, str(text).split()))


def _transform(ys: npt.NDArray, xs: npt.NDArray, stored: Affine | None) -> Affine:
    a = _step(xs, "x", None if stored is None else stored.a)
    e = _step(ys, "y", None if stored is None else stored.e)
    computed = Affine(a, 0.0, xs[0] - a / 2, 0.0, e, ys[0] - e / 2)
    if stored is None:
        return computed
    shifts = [
        ((stored.c - computed.c) + (stored.a - a) * len(xs) * side) / a for side in (0, 1)
    ] + [
        ((stored.f - computed.f) + (stored.e - e) * len(ys) * side) / e for side in (0, 1)
    ]
    return stored if np.abs(shifts).max() < _TOLERANCE_PIXELS else computed


def _step(values: npt.NDArray, axis: str, stored: float | None) -> float:
    if len(values) == 1:
        if stored is None:
            raise GridError(
                f"The array is one pixel along {axis} and has no stored transform, so the size of "
                "its pixels is not known. Write one: array.rio.write_transform(affine)."
            )
        return stored
    step = (values[-1] - values[0]) / (len(values) - 1)
    even = values[0] + step * np.arange(len(values))
    if not step or not np.abs(values - even).max() < _TOLERANCE_PIXELS * abs(step):
        raise GridError(
            f"The coordinates along {axis} are not evenly spaced, so the array is not a raster. "
            "Resample it to a regular grid first: array.rio.reproject(…)."
        )
    return float(step)
