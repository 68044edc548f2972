"""Zarr stores that xarray opens: one scene, its bands as one array or as variables, and a mask.

An image has the axes ``(band, y, x)`` or ``(band, time, y, x)``, a variable of one band those but
the first.
"""

from __future__ import annotations

import datetime
import functools
import os
from collections.abc import Container, Hashable, Sequence
from pathlib import Path

import numpy as np
import rioxarray  # noqa: F401  (the accessor .rio)
import xarray as xr

from workbench.catalog import Collection
from workbench.data.chipping import ChipWindow
from workbench.data.info import DatasetInfo
from workbench.data.raster import Raster, crs_text
from workbench.data.readers import READERS, Found, Reader, Stored
from workbench.errors import BandError, DataError, GridError

# The variables of stores that the workbench writes itself; others name each band.
IMAGE, MASK = "image", "mask"
# What the dimension of dates is called.
_TIMES = ("time", "date", "dates", "frame", "frames")
# What the CRS is written as, in stores that do not say which variable holds it.
_CRS = ("spatial_ref", "crs")


def open_store(path: str | Path) -> xr.Dataset:
    """Open a Zarr store lazily; what is opened is shared.

    Raises:
        DataError: It is not there, or is no Zarr store.
    """
    try:
        facts = os.stat(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Check the path."
        ) from None
    return _opened(str(path), facts.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _opened(path: str, mtime: int) -> xr.Dataset:
    try:
        scene = xr.open_zarr(path, chunks=None, consolidated=False, mask_and_scale=False,
                             decode_times=False, decode_coords="all")
    except Exception as error:  # zarr raises a kind of its own for every way to be damaged
        raise DataError(
            f"{path} cannot be opened as a Zarr store ({str(error).splitlines()[0][:160]}). Write "
            "it again, or pass the arrays."
        ) from error
    return scene.set_coords([name for name in _CRS if name in scene.data_vars])


def time_dim(array: xr.DataArray | xr.Dataset) -> Hashable | None:
    """Return the dimension of dates: by its name, else by its coordinate; None without one."""
    named = [dim for dim in array.dims if str(dim).lower() in _TIMES]
    dated = [dim for dim in array.dims
             if dim in array.coords and array.coords[dim].dtype.kind == "M"]
    return [*named, *dated, None][0]


def frame_dates(array: xr.DataArray) -> list[str] | None:
    """Return the ISO date of each frame, None where the coordinate of its times does not say it.

    Args:
        array: With a dimension of dates; times may be encoded as CF writes them.
    """
    dim = time_dim(array)
    if dim is None or dim not in array.coords:
        return None
    try:
        times = xr.decode_cf(xr.Dataset(coords={dim: array.coords[dim]}))[dim].values
        return [datetime.date.fromisoformat(str(time)[:10]).isoformat() for time in times]
    except (ValueError, ImportError):  # no dates, or of a calendar that nobody here knows
        return None


def band_variables(scene: xr.Dataset, mask: str) -> list[str]:
    """Return the variables of an image: one for all bands, or one each."""
    if IMAGE in scene:
        return [IMAGE]
    # Sorted: a folder lists its variables in any order.
    return sorted(str(name) for name, array in scene.data_vars.items()
                  if name != mask and array.ndim == 2 + (time_dim(array) is not None))


def store_grid(path: Path, mask: str) -> Raster:
    """Return size and place of the image in a store.

    Raises:
        DataError: It has no image.
    """
    scene = open_store(path)
    names = band_variables(scene, mask)
    if not names:
        raise DataError(f"{path} has no variable {IMAGE!r} ([time,] band, y, x) and none ([time,] "
                        "y, x) but the mask.")
    first = band_first(scene[names[0]])
    count = first.shape[0] if names == [IMAGE] else len(names)
    return _raster(path, scene, first, count * store_frames(scene, names))


def store_frames(scene: xr.Dataset, names: Sequence[str]) -> int:
    """Return the number of dates of an image.

    Raises:
        DataError: Variables differ in it.
    """
    counts = {name: scene[name].sizes.get(time_dim(scene[name]), 1) for name in names}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DataError(f"The variables are of several numbers of dates: {told}. Give "
                        "each all dates, or leave those out that have not.")
    return next(iter(counts.values()))


def mask_grid(path: Path, mask: str) -> Raster:
    """Return size and place of the mask in a store."""
    scene = open_store(path)
    grid = _raster(path, scene, scene[mask], 1)
    shape = store_grid(path, mask)
    if scene[mask].ndim != 2 or (grid.height, grid.width) != (shape.height, shape.width):
        raise GridError(
            f"{path}: its mask {mask!r} has the shape {scene[mask].shape}, its image has "
            f"{shape.height} × {shape.width} pixels."
        )
    return grid


def _raster(path: Path, scene: xr.Dataset, array: xr.DataArray, count: int) -> Raster:
    crs = scene.rio.crs or array.rio.crs
    told = array.attrs.get("nodata", array.attrs.get("_FillValue"))
    nodata = None if told is None or np.isnan(told) else float(told)
    height, width = array.shape[-2:]
    return Raster(str(path), height, width, count, (str(array.dtype),), crs_text(crs),
                  array.rio.transform(recalc=True), nodata, (None,) * count)


class ZarrStore(Reader):
    """One scene; `Dataset.from_xarray` makes it."""

    def scan(self, root: Path, collection: Collection, images: str | None = None,
             only: Container[str] | None = None) -> list[Found]:
        """Refuse: chips of a collection do not come in this layout."""
        raise DataError(f"{collection.id} has the reader 'zarr', which reads one scene that "
                        "Dataset.from_xarray was given.")

    def grid(self, image: str, info: DatasetInfo) -> Raster:
        """Return size and place of the image."""
        return store_grid(Path(image), info.source["mask"])

    def check_mask(self, mask: str, grid: Raster) -> None:
        """Raise unless the mask has the image's shape."""
        path = Path(mask)
        mask_grid(path.parent, path.name)

    def read_image(self, path: str, window: ChipWindow, bands: Sequence[str], info: DatasetInfo
                   ) -> Stored:
        """Read bands by their place in the store."""
        scene = open_store(path)
        names = band_variables(scene, info.source["mask"])
        places = [info.stored_bands.index(band) for band in bands]
        try:
            if names == [IMAGE]:
                pixels = _cut(band_first(scene[IMAGE]), window)[places]
            else:
                pixels = np.stack([_cut(scene[names[place]], window) for place in places])
        except IndexError:
            raise BandError(f"{path} has fewer bands than {len(info.stored_bands)}.") from None
        pixels = pixels.reshape(len(bands), *info.frames, *pixels.shape[-2:])
        return Stored(pixels, store_grid(Path(path), info.source["mask"]).nodata)

    def read_labels(self, path: str, window: ChipWindow, info: DatasetInfo) -> Stored:
        """Read the mask."""
        place = Path(path)
        scene = open_store(place.parent)
        return Stored(_cut(scene[place.name], window), mask_grid(place.parent, place.name).nodata)

    def files(self, path: str) -> list[str]:
        """Return all files of the store, or of the variable."""
        return sorted(str(file) for file in Path(path).rglob("*") if file.is_file())


def band_first(array: xr.DataArray) -> xr.DataArray:
    """Return an array whose bands come before its dates."""
    dim = time_dim(array)
    if array.ndim < 4 or dim != array.dims[0]:
        return array
    return array.transpose(array.dims[1], dim, *array.dims[2:])


def _cut(array: xr.DataArray, window: ChipWindow) -> np.ndarray:
    _, _, row, col, height, width = window
    pixels: np.ndarray = array[..., row : row + height, col : col + width].values
    return pixels


READERS.add("zarr", ZarrStore())
