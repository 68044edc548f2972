"""GeoTIFFs, COGs and VRTs, on disk or behind http(s), read by windows."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from workbench.data.raster import describe, forget, open_raster, read_window
from workbench.data.remote import REMOTE, is_remote, remote_error, retried
from workbench.errors import DataError, GridError
from workbench.prediction.frames import layer_places
from workbench.prediction.grid import Grid, raster_grid
from workbench.prediction.ground import Gsd, pixel_sides_m, resampled_grid
from workbench.prediction.needs import Needs, Pixels, Source, physical


def raster_source(path: str | Path, needs: Needs, bands: Sequence[str] | None,
                  gsd: Gsd) -> Source:
    """Open a raster; see `open_source`."""
    path = str(path)
    facts = _retried(path, lambda: describe(path))
    if not facts.georeferenced:
        raise GridError(
            f"{path} has no CRS or no geotransform. Write its true position into it, for example "
            f"with `gdal_edit.py -a_srs EPSG:… -a_ullr … {Path(path).name}`."
        )
    handle = open_raster(path)
    own = raster_grid(facts.height, facts.width, CRS.from_user_input(handle.crs), handle.transform)
    places = layer_places(path, facts.count, facts.descriptions, needs, bands)
    indexes = [place + 1 for place in places]
    nodata = {value for value in (facts.nodata, needs.nodata) if value is not None}
    target = resampled_grid(path, own, needs, gsd)
    whole_rows = any(columns >= facts.width for _, columns in handle.block_shapes)
    stamp = None if is_remote(path) else tuple(map(_stamp, handle.files))
    if target is not None:
        reader = _Resampled(path, own, target, facts.nodata)
        said = {"resampled_from": f"{own.crs.to_string()}, {facts.height} × {facts.width} pixels"}
        read = _reading(path, reader.read, nodata, needs, indexes)
        return Source(path, target, read, lasting=True, stamp=stamp, facts=said)
    masked = MaskFlags.per_dataset in handle.mask_flag_enums[indexes[0] - 1]

    def stored(window: Window) -> tuple[npt.NDArray, npt.NDArray | None]:
        place = (window.row_off, window.col_off, window.height, window.width)
        pixels = read_window(path, indexes, *place)
        return pixels, open_raster(path).read_masks(indexes[0], window=window) if masked else None

    read = _reading(path, lambda _, window: stored(window), nodata, needs, indexes)
    return Source(path, own, read, whole_rows=whole_rows, lasting=True, stamp=stamp)


def _reading(path: str, stored: Any, nodata: set[float], needs: Needs,
             indexes: list[int]) -> Any:
    """Return what reads a window in the units of the model; broken connections are tried again."""
    handle = open_raster(path)

    def read(top: int, left: int, rows: int, columns: int) -> Pixels:
        window = Window(left, top, columns, rows)
        with rasterio.Env(GDAL_CACHEMAX=_cache_bytes(handle, columns), **REMOTE):
            pixels, mask = _retried(path, lambda: stored(indexes, window))
        found = physical(pixels, nodata, needs)
        if mask is not None:
            found[..., mask == 0] = np.nan
        return found

    return read


class _Resampled:
    """A raster on another grid; pixels outside it are masked. One view a thread, as GDAL asks."""

    def __init__(self, path: str, own: Grid, target: Grid, nodata: float | None) -> None:
        self.path, self.target = path, target
        down = target.transform.a > 1.01 * max(pixel_sides_m(own))
        self.options = {
            "crs": target.crs, "transform": target.transform, "height": target.height,
            "width": target.width, "warp_mem_limit": 64,
            "resampling": Resampling.average if down else Resampling.bilinear,
            **({"add_alpha": True} if nodata is None else {"nodata": nodata}),
        }
        self.local = threading.local()

    def read(self, indexes: list[int], window: Window) -> tuple[npt.NDArray, npt.NDArray | None]:
        """Return pixels and their mask.

        Raises:
            DataError: The file is damaged where it is read.
            DownloadError: The connection broke off.
        """
        try:
            view = self._view()
            pixels = view.read(indexes, window=window)
            # The band of alpha is the last one; rasterio does not count it among the masks.
            alpha = self.options.get("add_alpha", False)
            return pixels, view.read(view.count, window=window) if alpha else None
        except RasterioError as error:
            if is_remote(self.path):
                self.local = threading.local()
                raise remote_error(self.path, "read", error) from error
            raise DataError(f"{self.path} cannot be resampled: it is truncated or damaged, or its "
                            f"CRS is not that of its pixels ({error.__cause__ or error}). Copy or "
                            "download it again.") from error

    def _view(self) -> WarpedVRT:
        if not hasattr(self.local, "view"):
            self.local.view = WarpedVRT(open_raster(self.path), **self.options)
        return self.local.view


def _retried(path: str, action: Any) -> Any:
    return retried(action, lambda: forget(path)) if is_remote(path) else action()


def _stamp(path: str) -> tuple[Any, ...]:
    try:
        state = os.stat(path)
    except OSError:  # a VRT may lean on what is no file
        return (path,)
    return os.path.abspath(path), state.st_size, state.st_mtime_ns


def _cache_bytes(handle: DatasetReader, columns: int) -> int:
    """Return room for two rows of the blocks that are read, so that no block is decoded twice.

    By default GDAL would keep 5 % of the machine's memory in blocks that are never needed again.
    """
    block_rows, block_columns = (max(sides) for sides in zip(*handle.block_shapes, strict=True))
    wide = min(columns + 2 * block_columns, max(handle.width, block_columns))
    pixel_bytes = sum(np.dtype(dtype).itemsize for dtype in handle.dtypes)
    return max(16_000_000, 2 * block_rows * wide * pixel_bytes)
