"""What can be predicted: a GeoTIFF or an xarray array, read row by row as the model needs it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader

from workbench.data import bands as band_names
from workbench.data.raster import describe, open_raster, read_window
from workbench.errors import BandError, DataError, GridError
from workbench.prediction.grid import Grid, array_grid, raster_grid, spatial_dims

Pixels = npt.NDArray[np.float32]
AnySource = str | Path | xr.DataArray


class PredictionWarning(UserWarning):
    """A prediction that goes on, on an assumption worth knowing."""


@dataclass(frozen=True)
class Needs:
    """What a model takes, as its training data had it.

    Attributes:
        bands: Bands in the order of the model.
        stored_bands: Bands of the training files in file order, for sources without band names.
        scale: With `offset`, stored value * scale + offset is what the model takes.
        offset: See `scale`.
        nodata: Stored value of missing pixels, beside what the source itself says.
        gsd_m: Ground sampling distance in metres, where it is known.
    """

    bands: tuple[str, ...]
    stored_bands: tuple[str | None, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    gsd_m: float | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Pixels on a grid; `read(top, rows)` gives them in full width as the model takes them.

    Attributes:
        name: What messages call it.
        grid: Where its pixels are.
        read: Rows as the model takes them, NaN where a band has no value.
        date: ISO date, where the source knows it.
    """

    name: str
    grid: Grid
    read: Callable[[int, int], Pixels]
    date: str | None = None


def open_source(source: str | Path | xr.DataArray, needs: Needs,
                bands: Sequence[str] | None) -> Source:
    """Open a raster file or an array without reading its pixels.

    Args:
        source: Path of a GeoTIFF, or an array with a CRS.
        needs: What the model takes.
        bands: Names of the bands of `source` in its order, where it does not say them itself.

    Raises:
        BandError: A needed band is missing or not named.
        GridError: The source does not say where its pixels are.
        DataError: The file cannot be read.
    """
    if isinstance(source, xr.DataArray):
        return _array_source(source, needs, bands)
    if isinstance(source, (str, Path)):
        return _raster_source(source, needs, bands)
    raise DataError(
        f"predict() takes the path of a GeoTIFF or an xarray.DataArray, not "
        f"{type(source).__name__}. An xarray.Dataset of bands becomes one with "
        "dataset.to_dataarray('band')."
    )


def _raster_source(path: str | Path, needs: Needs, bands: Sequence[str] | None) -> Source:
    facts = describe(path)
    if not facts.georeferenced:
        raise GridError(
            f"{path} has no CRS or no geotransform. Write its true position into it, for example "
            f"with `gdal_edit.py -a_srs EPSG:… -a_ullr … {Path(path).name}`."
        )
    handle = open_raster(path)
    grid = raster_grid(facts.height, facts.width, CRS.from_user_input(handle.crs), handle.transform)
    indexes = [place + 1 for place in
               _places(str(path), facts.count, facts.descriptions, needs, bands)]
    nodata = {value for value in (facts.nodata, needs.nodata) if value is not None}
    masked = MaskFlags.per_dataset in handle.mask_flag_enums[indexes[0] - 1]
    cache_bytes = _cache_bytes(handle)

    def read(top: int, rows: int) -> Pixels:
        with rasterio.Env(GDAL_CACHEMAX=cache_bytes):
            pixels = _physical(read_window(path, indexes, top, 0, rows, grid.width), nodata, needs)
            if masked:
                window = ((top, top + rows), (0, grid.width))
                pixels[:, open_raster(path).read_masks(indexes[0], window=window) == 0] = np.nan
        return pixels

    return Source(str(path), grid, read)


def _cache_bytes(handle: DatasetReader) -> int:
    """Return room for two rows of the file's blocks, so that no block is decoded twice.

    By default GDAL would keep 5 % of the machine's memory in blocks that are never needed again.
    """
    block_rows = max(rows for rows, _ in handle.block_shapes)
    pixel_bytes = sum(np.dtype(dtype).itemsize for dtype in handle.dtypes)
    return max(16_000_000, 2 * block_rows * handle.width * pixel_bytes)


def _array_source(array: xr.DataArray, needs: Needs, bands: Sequence[str] | None) -> Source:
    y, x = spatial_dims(array)
    grid = array_grid(array)
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
    kept = kept.transpose(dim, y, x)
    name = f"the array {array.name!r}" if array.name is not None else "the array"
    places = _places(name, kept.shape[0], _array_names(array, dim, kept.shape[0]), needs, bands)
    nodata = {value for value in (array.rio.nodata, needs.nodata) if value is not None}

    def read(top: int, rows: int) -> Pixels:
        strip = kept[:, top : top + rows]
        # The bands by one slice each: fancy indexing of a chunked array loads all of them.
        return _physical(np.stack([strip[place].values for place in places]), nodata, needs)

    return Source(name, grid, read)


def _physical(stored: npt.NDArray, nodata: set[float], needs: Needs) -> Pixels:
    """Return float32 in the units of the model.

    Where one band's value is missing or infinite, all are NaN: so the model saw it in training.
    """
    missing = ~np.isfinite(stored) if stored.dtype.kind == "f" else np.zeros(stored.shape, bool)
    for value in nodata:
        missing |= stored == value
    pixels = stored.astype(np.float32)
    if (needs.scale, needs.offset) != (1.0, 0.0):
        pixels *= np.float32(needs.scale)
        pixels += np.float32(needs.offset)
    pixels[:, missing.any(axis=0)] = np.nan
    return pixels


def _array_names(array: xr.DataArray, dim: Hashable, count: int) -> list[str | None]:
    """Return the names that an array gives its bands: a coordinate of texts, else `long_name`."""
    if dim in array.coords and array.coords[dim].dtype.kind in "UOT":
        return [str(value) for value in array.coords[dim].values]
    long_name = array.attrs.get("long_name")
    if isinstance(long_name, (list, tuple)) and len(long_name) == count:
        return [str(value) for value in long_name]
    if isinstance(long_name, str) and count == 1:
        return [long_name]
    return [None] * count


def _places(name: str, count: int, said: Sequence[str | None], needs: Needs,
            bands: Sequence[str] | None) -> list[int]:
    """Return where the needed bands stand in a source, counted from 0."""
    if isinstance(bands, str):
        raise BandError(f"bands={bands!r} is one string; pass a list of names: [{bands!r}].")
    if bands is not None and len(bands) != count:
        raise BandError(
            f"bands= names {len(bands)} bands ({', '.join(map(str, bands))}), but {name} has "
            f"{count}. Name all of them in their order."
        )
    names = [None if given is None else band_names.find(given) or str(given).strip().upper()
             for given in (said if bands is None else bands)]
    if not any(names) and count == len(needs.stored_bands):
        warnings.warn(
            f"{name} does not name its {count} bands; they are taken for those of the training "
            f"data: {', '.join(str(band or '(not used)') for band in needs.stored_bands)}. Pass "
            "bands=[…] if they are others.", PredictionWarning, stacklevel=5)
        names = list(needs.stored_bands)
    wrong = [band for band in needs.bands if names.count(band) != 1]
    if wrong:
        raise BandError(_band_message(name, count, said if bands is None else bands, needs, wrong))
    return [names.index(band) for band in needs.bands]


def _band_message(name: str, count: int, said: Sequence[str | None], needs: Needs,
                  wrong: Sequence[str]) -> str:
    there = ", ".join(str(band or "(no name)") for band in said)
    plural = "band" if count == 1 else "bands"
    example = ", ".join(repr(band) for band in needs.bands)
    return (
        f"The model needs {', '.join(needs.bands)}; {name} lacks {', '.join(wrong)} (or has more "
        f"than one). Its {count} {plural}: {there}. If it has them under other names, name all "
        f"{count} in their order: predict(…, bands=[{example}{', …' if count > 1 else ''}])."
    )
