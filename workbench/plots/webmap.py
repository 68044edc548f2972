"""Rasters as pictures for a web map: warped to Web Mercator, with their bounds in degrees.

What a browser lays over a map is a picture and the box that it fills. Both are made here without
any widget, so that a notebook's map and a page of plain HTML show the same.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from affine import Affine
from matplotlib.colors import to_rgb
from PIL import Image
from rasterio.crs import CRS
from rasterio.warp import Resampling, reproject, transform

from workbench.data.raster import WARNINGS_LOCK
from workbench.errors import GridError

Point = tuple[float, float]

# The sphere of EPSG:3857, and the latitude where its square world ends.
EARTH_RADIUS_M, END_OF_WORLD = 6_378_137.0, 85.0511
# Small rasters are drawn at about this side, so that a pixel that the warp turns keeps its shape;
# large ones are thinned to the other one, which is more than a map on a screen shows.
_SMALLEST_SIDE, LARGEST_SIDE = 512, 1280
_WEBP_QUALITY = 86


@dataclass(frozen=True)
class Overlay:
    """A picture as a data address, and the corners that it fills.

    Attributes:
        url: `data:image/webp` for imagery, `data:image/png` for classes.
        bounds: South-west and north-east corner as latitude and longitude in degrees. A raster on
            the antimeridian keeps its width: its longitudes go beyond 180.
    """

    url: str
    bounds: tuple[Point, Point]


def image_overlay(pixels: npt.NDArray[np.uint8], transform: Affine, crs: CRS | str | None, *,
                  side: int = LARGEST_SIDE) -> Overlay:
    """Return imagery as lossy WebP, transparent where it has no pixels.

    Args:
        pixels: ``(y, x, 3)`` or ``(y, x, 4)`` uint8, red, green, blue and perhaps alpha.
        transform: From columns and rows to coordinates of `crs`.
        crs: Where the pixels are.
        side: The longer side of the picture at most; thinned pixels are averaged.

    Raises:
        GridError: No CRS, or a place that Web Mercator does not show.
    """
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    target = _target(pixels.shape[:2], transform, crs, side)
    how = Resampling.average if target.thinned else Resampling.nearest
    bands = np.zeros((4, *target.shape), np.uint8)
    with WARNINGS_LOCK:  # rasterio silences a warning of its own inside
        reproject(np.ascontiguousarray(pixels.transpose(2, 0, 1)), bands,
                  src_transform=transform, src_crs=crs, dst_transform=target.transform,
                  dst_crs=target.crs, src_alpha=4, dst_alpha=4, resampling=how)
    picture = Image.fromarray(np.ascontiguousarray(bands.transpose(1, 2, 0)), "RGBA")
    return Overlay(_address(picture, "webp", quality=_WEBP_QUALITY), target.bounds)


def class_overlay(classes: npt.NDArray, transform: Affine, crs: CRS | str | None,
                  colors: Sequence[str], *, nodata: int = 255,
                  side: int = LARGEST_SIDE) -> Overlay:
    """Return classes as PNG with a palette, in exactly their colours.

    Args:
        classes: ``(y, x)`` integers; class k has colour k, anything else is transparent.
        transform: From columns and rows to coordinates of `crs`.
        crs: Where the pixels are.
        colors: A colour for each class, at most 255.
        nodata: Not drawn, even where it is the number of a class.
        side: The longer side of the picture at most; thinned pixels are left out.

    Raises:
        GridError: No CRS, or a place that Web Mercator does not show.
    """
    places = _palette_places(classes, len(colors), nodata)
    target = _target(places.shape, transform, crs, side)
    warped = np.full(target.shape, len(colors), np.uint8)
    with WARNINGS_LOCK:
        reproject(places, warped, src_transform=transform, src_crs=crs,
                  dst_transform=target.transform, dst_crs=target.crs, init_dest_nodata=False,
                  resampling=Resampling.nearest)
    return Overlay(_palette_address(warped, colors), target.bounds)


def class_address(classes: npt.NDArray, colors: Sequence[str], *, nodata: int = 255) -> str:
    """Return classes ``(y, x)`` as they are, a pixel a pixel, as the address of a palette PNG."""
    return _palette_address(_palette_places(classes, len(colors), nodata), colors)


def image_address(pixels: npt.NDArray[np.uint8]) -> str:
    """Return imagery ``(y, x, 4)`` uint8 as it is as the address of a lossy WebP."""
    return _address(Image.fromarray(pixels, "RGBA"), "webp", quality=_WEBP_QUALITY)


def _palette_places(classes: npt.NDArray, count: int, nodata: int) -> npt.NDArray[np.uint8]:
    """Return classes with whatever is not drawn as the number after the last one."""
    assert count < 256, "a palette has 256 entries, and one is transparent"
    drawn = (classes >= 0) & (classes < count) & (classes != nodata)
    return np.where(drawn, classes, count).astype(np.uint8)


def _palette_address(places: npt.NDArray[np.uint8], colors: Sequence[str]) -> str:
    picture = Image.fromarray(places, "P")
    picture.putpalette([round(255 * part) for color in colors for part in to_rgb(color)] + [0] * 3)
    return _address(picture, "png", transparency=len(colors), optimize=True)


def pixel_at(lat: float, lon: float, grid: Affine, crs: CRS | str) -> tuple[int, int]:
    """Return row and column of the pixel at a place, which may lie outside the raster.

    Longitudes beyond 180, as a map that was dragged round the world gives them, are understood.
    """
    lon = (lon + 180) % 360 - 180
    xs, ys = transform("EPSG:4326", crs, [lon], [lat])
    column, row = ~grid @ (xs[0], ys[0])
    return math.floor(row), math.floor(column)


def outline(rows: tuple[int, int], columns: tuple[int, int], shape: tuple[int, int], grid: Affine,
            crs: CRS | str) -> list[Point]:
    """Return latitude and longitude of the corners of a window, where the raster's picture has it.

    Args:
        rows: First row and the one after the last.
        columns: First column and the one after the last.
        shape: Rows and columns of the raster.
        grid: From columns and rows to coordinates of `crs`.
        crs: Where the pixels are.
    """
    corners = [grid @ (column, row) for column, row in (
        (columns[0], rows[0]), (columns[1], rows[0]), (columns[1], rows[1]),
        (columns[0], rows[1]))]
    lons, lats = transform(crs, "EPSG:4326", *map(list, zip(*corners, strict=True)))
    middle, _ = _centre(*shape, grid, crs)
    return [(lat, middle + (lon - middle + 180) % 360 - 180)
            for lon, lat in zip(lons, lats, strict=True)]


@dataclass(frozen=True)
class _Target:
    """The grid of a picture."""

    crs: CRS
    transform: Affine
    shape: tuple[int, int]
    bounds: tuple[Point, Point]
    thinned: bool


def _target(shape: tuple[int, int], grid: Affine, crs: CRS | str | None, side: int) -> _Target:
    if not crs:
        raise GridError(
            "The raster has no CRS, so nobody knows where on the map it belongs. Write one: "
            'array.rio.write_crs("EPSG:…"), with the code of its coordinates.'
        )
    height, width = shape
    lon, lat = _centre(height, width, grid, crs)
    # Mercator about the raster's own meridian: so the antimeridian is a place like any other.
    mercator = CRS.from_string(
        f"+proj=merc +a={EARTH_RADIUS_M} +b={EARTH_RADIUS_M} +lat_ts=0 +lon_0={lon} +x_0=0 +y_0=0 "
        "+k=1 +units=m +nadgrids=@null +wktext +no_defs")
    (west, east), (south, north) = _extent(height, width, grid, crs, mercator)
    if not abs(lat) <= END_OF_WORLD or not np.isfinite([west, east, south, north]).all():
        raise GridError(
            f"The raster around latitude {lat:.2f}, longitude {lon:.2f} cannot be shown on a web "
            f"map, which ends at ±{END_OF_WORLD:.2f}° of latitude."
        )
    spans = east - west, north - south
    longer = max(spans) / math.hypot(*spans) * math.hypot(width, height)
    factor = side / longer if longer > side else max(1, _SMALLEST_SIDE // longer)
    columns, rows = (max(1, round(span / max(spans) * longer * factor)) for span in spans)
    bounds = ((_latitude(south), lon + math.degrees(west / EARTH_RADIUS_M)),
              (_latitude(north), lon + math.degrees(east / EARTH_RADIUS_M)))
    step = Affine(spans[0] / columns, 0, west, 0, -spans[1] / rows, north)
    return _Target(mercator, step, (rows, columns), bounds, longer > side)


def _extent(height: int, width: int, grid: Affine, crs: CRS | str, mercator: CRS) -> npt.NDArray:
    """Return least and largest x and y of a raster's outline, which the warp may bend."""
    along, zero = np.linspace(0, 1, 21), np.zeros(21)
    columns = width * np.concatenate([along, along, zero, zero + 1])
    rows = height * np.concatenate([zero, zero + 1, along, along])
    a, b, c, d, e, f = grid[:6]
    places = np.array(transform(crs, mercator, a * columns + b * rows + c,
                                d * columns + e * rows + f))
    return np.column_stack([places.min(axis=1), places.max(axis=1)])


def _centre(height: int, width: int, grid: Affine, crs: CRS | str) -> Point:
    x, y = grid @ (width / 2, height / 2)
    lons, lats = transform(crs, "EPSG:4326", [x], [y])
    # Whole degrees: the map's own numbers then carry no rounding of ours.
    return float(round(lons[0])), lats[0]


def _latitude(y: float) -> float:
    return math.degrees(2 * math.atan(math.exp(y / EARTH_RADIUS_M)) - math.pi / 2)


def _address(picture: Image.Image, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
