"""xarray objects with a CRS, read by windows: any order of dimensions, named bands, dask chunks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from rasterio.enums import Resampling

from workbench.data import bands as band_names
from workbench.data.readers.zarr_store import time_dim
from workbench.errors import DataError
from workbench.prediction.frames import split_frames
from workbench.prediction.grid import Grid, array_grid, spatial_dims
from workbench.prediction.ground import Gsd, resampled_grid
from workbench.prediction.naming import band_places
from workbench.prediction.needs import Needs, Pixels, Source, physical


def dataset_source(dataset: xr.Dataset, needs: Needs, bands: Sequence[str] | None,
                   gsd: Gsd) -> Source:
    """Open a dataset: one variable a band, or one variable that holds all bands.

    Raises:
        GridError: As for arrays.
        BandError: A needed band is missing.
        DataError: It has no variable on a grid.
    """
    y, x = spatial_dims(dataset)
    flat = {str(name): array for name, array in dataset.data_vars.items()
            if {y, x} <= set(array.dims)}
    if not flat:
        raise DataError(f"No variable of the dataset has the dimensions {y} and {x}.")
    wanted = [name for name in flat if band_names.find(name) in needs.bands or name in needs.bands]
    if len(flat) == 1 and not wanted:
        (array,) = flat.values()
        return array_source(_with_crs(array, dataset), needs, bands, gsd)
    if bands is not None:
        wanted = list(flat)
    chosen = dataset[wanted or list(flat)].squeeze(drop=True)
    stacked = chosen.to_dataarray("band").rename("of the dataset")
    nodata = {array.rio.nodata for array in chosen.data_vars.values()} - {None}
    if len(nodata) == 1:
        stacked = stacked.rio.write_nodata(nodata.pop())
    return array_source(_with_crs(stacked, dataset), needs, bands, gsd)


def array_source(array: xr.DataArray, needs: Needs, bands: Sequence[str] | None,
                 gsd: Gsd) -> Source:
    """Open an array; see `open_source`."""
    y, x = spatial_dims(array)
    name = f"the array {array.name!r}" if array.name is not None else "the array"
    grid = array_grid(array)
    target = resampled_grid(name, grid, needs, gsd)
    if target is not None:
        moved = array_source(_moved(array, grid, target), needs, bands, "source")
        said = {"resampled_from": f"{grid.crs.to_string()}, {grid.height} × {grid.width} pixels"}
        return Source(name, target, moved.read, date=moved.date, facts=said)
    dates, frames = split_frames(array, name, needs)
    opened = [banded(frame, y, x) for frame in frames]
    dim, kept = opened[0]
    names = array_names(array, dim, kept.shape[0])
    places = band_places(name, kept.shape[0], names, needs, bands)
    nodata = {value for value in (array.rio.nodata, needs.nodata) if value is not None}
    layers = [frame[place] for place in places for _, frame in opened]
    pixels = _Chunks(layers) if kept.chunks is not None else None

    def read(top: int, left: int, rows: int, columns: int) -> Pixels:
        window = slice(top, top + rows), slice(left, left + columns)
        # The bands one by one: fancy indexing of a lazy array loads all of them.
        stored = pixels.read(*window) if pixels is not None \
            else np.stack([layer[window].values for layer in layers])
        return physical(stored, nodata, needs)

    return Source(name, grid, read, date=dates)


class _Chunks:
    """Layers ``(y, x)`` of one dask array; a chunk is computed once while it is read across."""

    def __init__(self, layers: Sequence[xr.DataArray]) -> None:
        self.layers = layers
        chunks = layers[0].chunks
        assert chunks is not None
        self.edges = [np.concatenate([[0], np.cumsum(sizes)]) for sizes in chunks]
        self.kept: OrderedDict[tuple[int, int], npt.NDArray] = OrderedDict()

    def read(self, rows: slice, columns: slice) -> npt.NDArray:
        """Return ``(band, y, x)``."""
        across = [self._touched(axis, part) for axis, part in enumerate((rows, columns))]
        strips = [np.concatenate([self._chunk(i, j) for j in across[1]], axis=2)
                  for i in across[0]]
        top, left = self.edges[0][across[0][0]], self.edges[1][across[1][0]]
        found = np.concatenate(strips, axis=1)[
            :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        # A window further down needs what is below the chunks that were just read across.
        while len(self.kept) > 2 * len(across[0]) * len(across[1]):
            self.kept.popitem(last=False)
        return found

    def _touched(self, axis: int, part: slice) -> range:
        first, last = np.searchsorted(self.edges[axis], (part.start, part.stop - 1), "right") - 1
        return range(int(first), int(last) + 1)

    def _chunk(self, i: int, j: int) -> npt.NDArray:
        if (i, j) not in self.kept:
            window = tuple(slice(edges[at], edges[at + 1])
                           for edges, at in zip(self.edges, (i, j), strict=True))
            together = xr.concat([layer[window] for layer in self.layers], "layer",
                                 coords="minimal", compat="override", join="override")
            self.kept[i, j] = together.values
        self.kept.move_to_end((i, j))
        return self.kept[i, j]


def banded(array: xr.DataArray, y: str, x: str) -> tuple[Hashable, xr.DataArray]:
    """Return the dimension of the bands and the array as (band, y, x)."""
    others = [dim for dim in array.dims if dim not in (y, x)]
    named = [dim for dim in others if str(dim).lower() in ("band", "bands")]
    dim = [*named, *(dim for dim in others if array.sizes[dim] > 1), None][0]
    for extra in others:
        if extra != dim and array.sizes[extra] > 1:
            raise DataError(
                f"The array has {array.sizes[extra]} steps along {extra!s} beside {dim!s}, "
                f"{y} and {x}. Choose one: array.isel({extra!s}=0)."
            )
    kept = array.isel({extra: 0 for extra in others if extra != dim}, drop=True)
    if dim is None:
        dim, kept = "band", kept.expand_dims("band")
    return dim, kept.transpose(dim, y, x)


def array_names(array: xr.DataArray, dim: Hashable, count: int) -> list[str | None]:
    """Return the names that an array gives its bands: a coordinate of texts, else `long_name`."""
    if dim in array.coords and array.coords[dim].dtype.kind in "UOT":
        return [str(value) for value in np.atleast_1d(array.coords[dim].values)]
    long_name = array.attrs.get("long_name")
    if isinstance(long_name, (list, tuple)) and len(long_name) == count:
        return [str(value) for value in long_name]
    if isinstance(long_name, str) and count == 1:
        return [long_name]
    return [None] * count


def _with_crs(array: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    return array if dataset.rio.crs is None else array.rio.write_crs(dataset.rio.crs)


def _moved(array: xr.DataArray, own: Grid, target: Grid) -> xr.DataArray:
    """Return the array on another grid, in memory; NaN or its nodata where it has no pixels."""
    if array.ndim > 3 and (dim := time_dim(array)) is not None:
        return xr.concat([_moved(array.isel({dim: place}), own, target)
                          for place in range(array.sizes[dim])], array[dim])
    y, x = spatial_dims(array)
    kept = array.rename({y: "y", x: "x"}).transpose(..., "y", "x")
    nodata = kept.rio.nodata
    if nodata is None and kept.dtype.kind != "f":
        kept = kept.astype(np.float32)
    fewer = target.width * target.height < own.width * own.height
    moved: xr.DataArray = kept.rio.reproject(
        target.crs, transform=target.transform, shape=(target.height, target.width),
        resampling=Resampling.average if fewer else Resampling.bilinear,
        nodata=np.nan if nodata is None else nodata)
    return moved
