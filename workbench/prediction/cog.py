"""to_cog: a prediction as a Cloud Optimized GeoTIFF."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from rasterio.errors import RasterioError
from rasterio.shutil import copy
from rasterio.windows import Window

from workbench.errors import DataError
from workbench.prediction.grid import array_grid
from workbench.prediction.result import require_one_run
from workbench.storage import atomic_file, out_of_space_explained

_BLOCK = 512
# GDAL's own default, 5 % of the machine's memory, is more than the blocks under way.
_CACHE_BYTES = 64_000_000


def to_cog(prediction: xr.Dataset, path: str | Path, *, probability: bool = False) -> Path:
    """Write a prediction as a Cloud Optimized GeoTIFF on exactly its grid.

    It is written strip by strip, so a prediction larger than memory is no matter. The file has one
    band, the class: uint8 with the classes' colours and 255 as nodata, so that
    every GIS shows it at once. The probability is another kind of number and goes into a file
    of its own, `<stem>_probability.tif` (float32, NaN as nodata). Each file is read back and
    compared before it takes its name, so a damaged one never stands there.

    Args:
        prediction: What `wb.predict` returned.
        path: Where to write; an existing file is replaced.
        probability: Also write the probability beside it.

    Returns:
        The path of the class file.

    Raises:
        DataError: The path is no GeoTIFF's, the prediction is of several runs, or the disk gave
            back something else.
        OutOfSpaceError: The disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise DataError(f"{path} does not end in .tif; a Cloud Optimized GeoTIFF does.")
    require_one_run(prediction, *(["probability"] if probability else []))
    _write(prediction, "class", path, nodata=255, overviews="MODE")
    if probability:
        beside = path.with_name(f"{path.stem}_probability{path.suffix}")
        _write(prediction, "probability", beside, nodata=math.nan, overviews="AVERAGE")
    return path


def cog_stamp(path: Path) -> str | None:
    """Return the stamp of the prediction that a GeoTIFF was written from, None without one."""
    try:
        with rasterio.open(path) as file:
            return file.tags().get("stamp")
    except RasterioError:
        return None


def _write(prediction: xr.Dataset, name: str, path: Path, *, nodata: float,
           overviews: str) -> None:
    variable = prediction[name].transpose("y", "x")
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES, GDAL_NUM_THREADS=2),
        out_of_space_explained(path),
        tempfile.TemporaryDirectory(prefix=f".{path.stem}.", dir=path.parent) as folder,
        atomic_file(path) as temporary,
    ):
        plain = Path(folder) / "plain.tif"
        try:
            _write_plain(prediction, variable, plain, nodata)
            copy(plain, temporary, driver="COG", compress="DEFLATE", blocksize=_BLOCK,
                 overview_resampling=overviews, bigtiff="IF_SAFER", num_threads="2")
            whole = _same(temporary, variable)
        except RasterioError as error:
            raise DataError(f"{path} cannot be written: {error}. Is there space left on its "
                            "disk?") from error
        if not whole:
            raise DataError(f"{path} cannot be written: its disk gave back other pixels than "
                            "were written. Is there space left on it?")


def _write_plain(prediction: xr.Dataset, variable: xr.DataArray, path: Path,
                 nodata: float) -> None:
    """Write a tiled GeoTIFF strip by strip, from which GDAL makes the COG."""
    grid = array_grid(prediction)
    profile = {
        "driver": "GTiff", "height": grid.height, "width": grid.width, "count": 1,
        "dtype": variable.dtype, "crs": grid.crs, "transform": grid.transform, "nodata": nodata,
        "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "DEFLATE",
        "zlevel": 1, "bigtiff": "IF_SAFER",
    }  # fmt: skip
    attributes = variable.attrs
    with rasterio.open(path, "w", **profile) as plain:
        plain.set_band_description(1, str(variable.name))
        plain.update_tags(**{key: str(value) for key, value in prediction.attrs.items()})
        if "flag_colors" in attributes:
            plain.write_colormap(1, _palette(attributes["flag_colors"].split()))
            plain.update_tags(1, **_class_names(attributes))
        for top in range(0, grid.height, _BLOCK):
            pixels = variable[top : top + _BLOCK].values
            plain.write(pixels, 1, window=Window(0, top, grid.width, len(pixels)))


def _same(path: Path, variable: xr.DataArray) -> bool:
    with rasterio.open(path) as written:
        strips = range(0, written.height, _BLOCK)
        return all(
            np.array_equal(written.read(1, window=((top, min(top + _BLOCK, written.height)),
                                                   (0, written.width))),
                           variable[top : top + _BLOCK].values,
                           equal_nan=variable.dtype.kind == "f")
            for top in strips)


def _palette(colors: list[str]) -> dict[int, tuple[int, int, int, int]]:
    palette = {value: (int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255)
               for value, color in enumerate(colors)}
    return palette | {255: (0, 0, 0, 0)}


def _class_names(attributes: dict[str, Any]) -> dict[str, str]:
    return {f"class_{value}": name
            for value, name in enumerate(attributes["flag_meanings"].split())}
