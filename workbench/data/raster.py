"""Reading GeoTIFF with rasterio; every failure names the file and the remedy."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.warp import transform as warp
from rasterio.windows import Window

from workbench.data.remote import REMOTE, is_remote, remote_error
from workbench.errors import DataError, GridError

SUFFIXES = (".tif", ".tiff", ".vrt")

# Open files are kept, because opening costs several times what reading a chip does and GDAL's
# block cache dies with the handle. 64 stays far below the usual limit of 1024 open files.
_KEPT_OPEN = 64
# warnings.catch_warnings is not thread-safe: whoever uses it, or calls what does, holds this.
WARNINGS_LOCK = threading.Lock()


class _Handles(threading.local):
    """Open files of one thread in one process, least recently used first."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.open: OrderedDict[tuple[str, int, int], DatasetReader] = OrderedDict()


_handles = _Handles()


@dataclass(frozen=True)
class Raster:
    """What a GeoTIFF says of itself; `crs` is None and `transform` the identity without one."""

    path: str
    height: int
    width: int
    count: int
    dtypes: tuple[str, ...]
    crs: str | None
    transform: Affine
    nodata: float | None
    descriptions: tuple[str | None, ...]

    @property
    def positioned(self) -> bool:
        """Whether the file has a geotransform, with or without a CRS."""
        return bool(self.transform != Affine.identity())

    @property
    def georeferenced(self) -> bool:
        """Whether the file says where on Earth its pixels are."""
        return self.crs is not None and self.positioned


def open_raster(path: str | Path) -> DatasetReader:
    """Open a GeoTIFF or VRT; the handle is shared by the calls of this thread: do not close it.

    Raises:
        DataError: No such file, not a GeoTIFF, or damaged.
    """
    path = str(path)
    if is_remote(path):
        time, size = 0, 0
    else:
        time, size = _state(path)
    if _handles.pid != os.getpid():  # a forked worker must not share file offsets
        _handles.__init__()  # type: ignore[misc]
    key = (path, time, size)
    handle = _handles.open.pop(key, None) or _open(path, size)
    _handles.open[key] = handle
    if len(_handles.open) > _KEPT_OPEN:
        _handles.open.popitem(last=False)[1].close()
    return handle


def forget(path: str | Path) -> None:
    """Close what this thread has open of a raster, so that it is opened anew.

    Of an address GDAL forgets what it fetched too: where a connection broke off, that is half a
    block, taken for a whole one.
    """
    for key in [key for key in _handles.open if key[0] == str(path)]:
        _handles.open.pop(key).close()
    if is_remote(path):
        # GDAL forgets an address when a file closes that was opened with this option.
        with (
            rasterio.Env(CPL_VSIL_CURL_NON_CACHED=f"/vsicurl/{path}", **REMOTE),
            contextlib.suppress(RasterioError),
        ):
            rasterio.open(path, sharing=False).close()


def _state(path: str) -> tuple[int, int]:
    try:
        facts = os.stat(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Check the path and its permissions."
        ) from error
    return facts.st_mtime_ns, facts.st_size


def _open(path: str, size: int) -> DatasetReader:
    name = urlsplit(path).path if is_remote(path) else path
    if not name.lower().endswith(SUFFIXES):
        raise DataError(
            f"{path} is not a GeoTIFF (.tif, .tiff, .vrt). Convert it first, for example with "
            f"`gdal_translate {Path(path).name} {Path(path).stem}.tif`."
        )
    driver = "VRT" if name.lower().endswith(".vrt") else "GTiff"
    try:
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="TRUE", **REMOTE),
            WARNINGS_LOCK,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path, driver=driver, sharing=False)
    except RasterioError as error:
        if is_remote(path):
            raise remote_error(path, "opened", error) from error
        raise DataError(
            f"{path} ({size} bytes) cannot be opened as {driver}: it is empty, truncated or of "
            f"another format ({_first_line(error)}). Copy or download it again, or leave it out."
        ) from error


def describe(path: str | Path) -> Raster:
    """Return the facts of a raster without reading pixels.

    Raises:
        DataError: It cannot be opened, or its values are complex numbers.
    """
    handle = open_raster(path)
    if complex_types := [dtype for dtype in handle.dtypes if "complex" in dtype or "cint" in dtype]:
        raise DataError(
            f"{path} holds complex numbers ({complex_types[0]}); expected integers or floats. "
            "Write amplitude or power in dB as float32 first."
        )
    return Raster(
        path=str(path),
        height=handle.height,
        width=handle.width,
        count=handle.count,
        dtypes=tuple(handle.dtypes),
        crs=crs_text(handle.crs),
        transform=handle.transform,
        nodata=handle.nodata,
        descriptions=tuple(handle.descriptions),
    )


def crs_text(crs: CRS | None) -> str | None:
    """Return `EPSG:…` where the CRS has a code, else WKT; None without a CRS."""
    if not crs:
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def read_window(path: str | Path, indexes: Sequence[int], row_off: int, col_off: int,
                height: int, width: int) -> npt.NDArray:
    """Read bands of a window as they are stored, ``(band, y, x)``.

    Args:
        path: A GeoTIFF or VRT.
        indexes: Bands by position, counted from 1 as in GDAL.
        row_off: First row.
        col_off: First column.
        height: Rows.
        width: Columns.

    Raises:
        DataError: The file cannot be opened, or is truncated or damaged where it is read.
    """
    window = Window(col_off, row_off, width, height)
    try:
        pixels: npt.NDArray = open_raster(path).read(list(indexes), window=window)
    except RasterioError as error:
        if is_remote(path):
            raise remote_error(path, "read", error) from error
        raise DataError(
            f"{path} cannot be read at rows {row_off} to {row_off + height - 1}, columns {col_off} "
            f"to {col_off + width - 1}: it is truncated or damaged ({os.path.getsize(path)} bytes; "
            f"{_first_line(error.__cause__ or error)}). Copy or download it again, or leave it out."
        ) from error
    return pixels


def window_transform(transform: Affine, row_off: int, col_off: int) -> Affine:
    """Return the transform of a window of the grid that begins at this row and column."""
    a, b, c, d, e, f = transform[:6]
    return Affine(a, b, a * col_off + b * row_off + c, d, e, d * col_off + e * row_off + f)


def check_same_grid(image: Raster, mask: Raster) -> None:
    """Raise unless image and mask have the same shape, CRS and pixel positions.

    A mask without a geotransform passes when its shape is the image's; a CRS that one of the two
    lacks is taken from the other.

    Raises:
        GridError: What differs, by how much, and how to bring the mask to the image's grid.
    """
    remedy = (
        f"Bring the mask to the image's grid with nearest neighbour, for example `rio warp "
        f"{Path(mask.path).name} aligned.tif --like {Path(image.path).name} --resampling nearest`."
    )
    if (image.height, image.width) != (mask.height, mask.width):
        raise GridError(
            f"{mask.path} has {mask.height} × {mask.width} pixels, its image {image.path} has "
            f"{image.height} × {image.width}. {remedy}"
        )
    if not mask.positioned:
        return
    if not image.positioned:
        raise GridError(
            f"{image.path} has no geotransform, but its mask {mask.path} has. Write the image's "
            "true position into it (`gdal_edit.py -a_srs EPSG:… -a_ullr …`)."
        )
    shift = _shift_in_pixels(image, mask)
    if not shift < 0.01:  # a hundredth of a pixel: rounding of coordinates, not a shift
        crs = "" if image.crs == mask.crs else f" (CRS {image.crs!s:.40} and {mask.crs!s:.40})"
        amount = f"up to {shift:.3g} pixels apart" if np.isfinite(shift) else "not comparable"
        raise GridError(
            f"The grids of {image.path} and {mask.path} differ{crs}: their corners are {amount}. "
            f"{remedy}"
        )


def _shift_in_pixels(image: Raster, mask: Raster) -> float:
    corners = np.array([(0, 0), (image.width, 0), (0, image.height), (image.width, image.height)])
    xs, ys = _apply(mask.transform, corners)
    if image.crs and mask.crs and image.crs != mask.crs:
        try:
            xs, ys = warp(mask.crs, image.crs, xs, ys)
        except RasterioError:
            return float("inf")
    cols, rows = _apply(~image.transform, np.column_stack([xs, ys]))
    return float(np.abs(np.column_stack([cols, rows]) - corners).max())


def _apply(transform: Affine, points: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
    x, y = points[:, 0], points[:, 1]
    a, b, c, d, e, f = transform[:6]
    return a * x + b * y + c, d * x + e * y + f


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["no details"])[0][:200]
