"""What can be labelled: a GeoTIFF, a chip of a dataset, an array; each has its labels beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr

from workbench.data import Dataset, Sample
from workbench.data.info import Classes
from workbench.data.labels import Imagery, Labels, open_imagery
from workbench.data.raster import describe
from workbench.errors import BandError, DataError, GridError, unknown_name
from workbench.prediction.grid import array_grid, spatial_dims
from workbench.storage import atomic_file

# Where labels of what has no folder of its own are kept, below the working folder.
FOLDER = "labels"


def open_labels(source: Any, classes: Classes | None = None, *, chip: str | None = None,
                path: str | Path | None = None, bands: Sequence[str | None] | None = None,
                scale: float | None = None) -> Labels:
    """Open whatever can be labelled; labels that are there already are gone on with.

    Args:
        source: Labels, the path of a GeoTIFF, an array with a CRS, or a dataset with `chip`.
        classes: As for `Labels`; of a dataset by default its own.
        chip: Which chip of a dataset. One that was cut from a scene opens its scene.
        path: The GeoPackage; by default beside the GeoTIFF, else in the folder `labels`.
        bands: As for `Labels`.
        scale: As for `Labels`.

    Raises:
        DataError: It is none of these, or an array is given no `path` and no name.
        GridError: It does not say where its pixels are.
    """
    if isinstance(source, Labels):
        return source
    if isinstance(source, Dataset):
        return _of_chip(source, classes, chip, path)
    if isinstance(source, xr.DataArray):
        return _of_array(source, classes, path, bands, scale)
    if isinstance(source, Sample):
        raise DataError("A sample does not name its bands; open it from its dataset: "
                        f"wb.label(dataset, chip={source.chip_id!r}).")
    if isinstance(source, (str, Path, Imagery)):
        return Labels(source, classes, path=path, bands=bands, scale=scale)
    raise DataError(
        f"A {type(source).__name__} cannot be labelled; pass the path of a GeoTIFF, an "
        "xarray.DataArray, a dataset and chip=…, or wb.Labels(…)."
    )


def _of_chip(dataset: Dataset, classes: Classes | None, chip: str | None,
             path: str | Path | None) -> Labels:
    if chip is None or chip not in dataset:
        raise unknown_name("chip", str(chip), dataset.chips.index, "list(dataset)")
    info, image = dataset.info, Path(str(dataset.chips.loc[chip, "image"]))
    beside = Path(path or Path(FOLDER) / f"{chip}.gpkg")
    whole = image.is_file() and image.suffix.lower() in (".tif", ".tiff", ".vrt")
    if whole and describe(image).count == len(info.stored_bands):
        imagery = open_imagery(image, info.stored_bands, scale=info.scale, offset=info.offset,
                               nodata=info.nodata)
    else:
        sample = dataset.read(chip)
        if sample.crs is None:
            raise GridError(f"The chip {chip} has no place on Earth, so it is on no map.")
        imagery = _written(beside.with_suffix(".tif"), sample.picture, dataset.bands,
                           crs=sample.crs, transform=sample.transform)
    return Labels(imagery, info.classes if classes is None else classes, path=beside)


def _of_array(array: xr.DataArray, classes: Classes | None, path: str | Path | None,
              bands: Sequence[str | None] | None, scale: float | None) -> Labels:
    if path is None and array.name is None:
        raise DataError("The array has no name, so its labels need one: path='labels/scene.gpkg'.")
    beside = Path(path or Path(FOLDER) / f"{array.name}.gpkg")
    grid, (y, x) = array_grid(array), spatial_dims(array)
    other = [dim for dim in array.dims if dim not in (y, x)]
    if len(other) != 1:
        raise DataError(f"The array has the dimensions {', '.join(map(str, array.dims))}; expected "
                        f"one for the bands beside {y} and {x}.")
    named = bands
    if named is None and other[0] in array.coords and array[other[0]].dtype.kind in "OUT":
        named = [str(name) for name in array[other[0]].values]
    if named is None:
        raise BandError("The array does not name its bands: bands=['BLUE', 'GREEN', 'RED', …].")
    pixels = array.transpose(other[0], y, x).values
    imagery = _written(beside.with_suffix(".tif"), pixels, named, crs=grid.crs,
                       transform=grid.transform, nodata=array.rio.nodata)
    return Labels(open_imagery(imagery.path, named, scale=scale), classes, path=beside)


def _written(path: Path, pixels: npt.NDArray, bands: Sequence[str | None], **grid: Any) -> Imagery:
    """Write pixels ``(band, y, x)`` as a GeoTIFF, so that labels and runs can go on from it."""
    nodata = grid.pop("nodata", None)
    if nodata is None and pixels.dtype.kind == "f":
        nodata = float("nan")
    count, height, width = pixels.shape
    if not (path.is_file() and _same(path, pixels)):
        with atomic_file(path) as temporary, rasterio.open(
            temporary, "w", driver="GTiff", height=height, width=width, count=count,
            dtype=pixels.dtype, nodata=nodata, compress="deflate", **grid,
        ) as file:
            file.write(pixels)
            file.descriptions = [band or "" for band in bands]
    return open_imagery(path, bands)


def _same(path: Path, pixels: npt.NDArray) -> bool:
    with rasterio.open(path) as file:
        return np.array_equal(file.read(), pixels, equal_nan=pixels.dtype.kind == "f")
