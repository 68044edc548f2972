"""What can be predicted: files, addresses, xarray objects, chips; opened without reading pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from workbench.errors import DataError
from workbench.prediction.arrays import array_source, dataset_source
from workbench.prediction.ground import Gsd
from workbench.prediction.needs import Needs, PredictionWarning, Source
from workbench.prediction.rasters import raster_source

__all__ = ["AnySource", "Needs", "PredictionWarning", "Source", "open_source"]

AnySource = str | Path | xr.DataArray | xr.Dataset


def open_source(source: AnySource, needs: Needs, bands: Sequence[str] | None = None,
                gsd: Gsd = None) -> Source:
    """Open a raster or an xarray object without reading its pixels.

    Args:
        source: Path or http(s) address of a GeoTIFF or VRT, or an xarray object with a CRS.
        needs: What the model takes.
        bands: Names of the bands of `source` in its order, where it does not say them itself.
        gsd: Side of a pixel on the ground: `"training"` and a number of metres resample, `"source"`
            takes it as it is, and without it a source that differs from training is refused.

    Raises:
        BandError: A needed band is missing or not named.
        GridError: The source does not say where its pixels are, or they are of another size.
        DataError: The file cannot be read.
        DownloadError: The server does not answer.
    """
    if isinstance(source, xr.Dataset):
        return dataset_source(source, needs, bands, gsd)
    if isinstance(source, xr.DataArray):
        return array_source(source, needs, bands, gsd)
    require_source(source)
    return raster_source(source, needs, bands, gsd)


def require_source(source: object) -> None:
    """Raise unless something can be opened as a source.

    Raises:
        DataError: It is a folder, or of another type.
    """
    if isinstance(source, (str, Path)):
        if Path(source).is_dir():
            raise DataError(f"{source} is a folder. Give its files as a list, such as "
                            f"sorted(Path({str(source)!r}).glob('*.tif')).")
    elif not isinstance(source, (xr.DataArray, xr.Dataset)):
        without = "An array alone does not say where its pixels are. " \
            if hasattr(source, "__array__") else ""
        raise DataError(
            f"{without}predict() takes the path or address of a GeoTIFF, an xarray.DataArray or "
            "Dataset with a CRS, a dataset of chips, or a list of those, not "
            f"{type(source).__name__}."
        )
