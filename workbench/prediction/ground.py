"""How large pixels are on the ground, and what to do where training saw others."""

from __future__ import annotations

import math
from typing import Literal

import pyproj
import rasterio.warp
from affine import Affine
from pyproj import Geod
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from workbench.errors import GridError, RecipeError
from workbench.prediction.grid import Grid, raster_grid
from workbench.prediction.needs import Needs

Gsd = float | Literal["source", "training"] | None

# A grid of degrees or of a far-off UTM zone stretches by a few percent; 10 and 20 m differ by 2.
_TOLERANCE = 1.25
_GEOD = Geod(ellps="WGS84")


def pixel_sides_m(grid: Grid) -> tuple[float, float]:
    """Return width and height of the middle pixel of a grid on the ground, in metres.

    Raises:
        GridError: The CRS has no longitude and latitude.
    """
    column, row = grid.width / 2, grid.height / 2
    corners = [grid.transform @ at for at in
               ((column, row), (column + 1, row), (column, row + 1))]
    xs, ys = _lonlat(grid.crs, [x for x, _ in corners], [y for _, y in corners])
    across, down = (_GEOD.inv(xs[0], ys[0], xs[i], ys[i])[2] for i in (1, 2))
    return across, down


def resampled_grid(name: str, grid: Grid, needs: Needs, gsd: Gsd) -> Grid | None:
    """Return the grid that a source is resampled to, None where it is taken as it is.

    Args:
        name: What messages call the source.
        grid: Where its pixels are.
        needs: Says the side of pixels in training.
        gsd: What was asked for.

    Returns:
        A north-up grid of square pixels over the whole source: in its own CRS where that is in
        metres true to the ground, else in the UTM zone of its middle.

    Raises:
        GridError: The pixels are of another size than in training and nothing was asked for.
        RecipeError: `gsd` is no length.
    """
    if gsd == "source" or (gsd is None and needs.gsd_m is None):
        return None
    if gsd == "training":
        if needs.gsd_m is None:
            raise RecipeError("The run does not know the side of its training pixels; say it in "
                              "metres: predict(…, gsd=10).")
        gsd = needs.gsd_m
    sides = pixel_sides_m(grid)
    if gsd is None:
        assert needs.gsd_m is not None
        if all(_alike(side, needs.gsd_m) for side in sides):
            return None
        raise GridError(
            f"A pixel of {name} is {sides[0]:.3g} × {sides[1]:.3g} m on the ground, and the model "
            f"was trained on pixels of {needs.gsd_m:g} m: it knows things by their size in "
            "pixels. Let it be resampled with predict(…, gsd='training'), or say that you mean it "
            "as it is with gsd='source'."
        )
    if not isinstance(gsd, (int, float)) or not gsd > 0 or not math.isfinite(gsd):
        raise RecipeError(f"gsd={gsd!r} is no length; pass 'training', 'source' or metres.")
    return _over(grid, sides, float(gsd))


def _alike(one: float, other: float) -> bool:
    return 1 / _TOLERANCE <= one / other <= _TOLERANCE


def _over(grid: Grid, sides: tuple[float, float], gsd_m: float) -> Grid:
    nominal = math.hypot(grid.transform.a, grid.transform.d)
    true = not grid.crs.is_geographic and grid.crs.linear_units_factor[1] == 1 \
        and abs(nominal / sides[0] - 1) < 0.01
    crs = grid.crs if true else _utm(grid)
    corners = [grid.transform @ at for at in
               ((0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height))]
    xs, ys = zip(*corners, strict=True)
    west, south, east, north = rasterio.warp.transform_bounds(
        grid.crs, crs, min(xs), min(ys), max(xs), max(ys))
    width, height = (max(1, math.ceil(length / gsd_m - 1e-6))
                     for length in (east - west, north - south))
    return raster_grid(height, width, crs, Affine(gsd_m, 0, west, 0, -gsd_m, north))


def _utm(grid: Grid) -> CRS:
    x, y = grid.transform @ (grid.width / 2, grid.height / 2)
    (lon,), (lat,) = _lonlat(grid.crs, [x], [y])
    lon = (lon + 180) % 360 - 180
    found = query_utm_crs_info("WGS 84", AreaOfInterest(lon, lat, lon, lat))
    if not found:
        raise GridError(f"There is no UTM zone at latitude {lat:.1f}. Bring the source to a grid "
                        "in metres first, such as a polar stereographic one.")
    return CRS.from_wkt(pyproj.CRS.from_epsg(found[0].code).to_wkt())


def _lonlat(crs: CRS, xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
    try:
        found: tuple[list[float], list[float]] = rasterio.warp.transform(
            crs, "EPSG:4326", xs, ys)[:2]
    except (CRSError, RasterioError) as error:
        raise GridError(f"The CRS of the source has no longitude and latitude: {error}. Give it "
                        "its true CRS, or take its pixels as they are: gsd='source'.") from error
    return found
