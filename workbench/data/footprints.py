"""Where chips lie on Earth: outlines in degrees, cut at the antimeridian, closed over a pole."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import shapely
from pyproj.exceptions import CRSError, ProjError


def footprints(chips: pd.DataFrame, transforms: np.ndarray) -> geopandas.GeoSeries:
    """Return the outline of every chip in EPSG:4326, None without georeference.

    Args:
        chips: `col_off`, `row_off`, `width`, `height` in pixels, and `crs`.
        transforms: ``(chip, 6)``, from pixel to coordinates of the CRS.
    """
    left, top = chips["col_off"].to_numpy(float), chips["row_off"].to_numpy(float)
    right, bottom = left + chips["width"].to_numpy(), top + chips["height"].to_numpy()
    cols = np.stack([left, right, right, left, left], 1)
    rows = np.stack([top, top, bottom, bottom, top], 1)
    a, b, c, d, e, f = (column[:, None] for column in np.asarray(transforms, float).T)
    corners = np.stack([a * cols + b * rows + c, d * cols + e * rows + f], -1)
    outlines = geopandas.GeoSeries(shapely.polygons(corners), chips.index)
    placed = [_on_earth(outlines[group.index], crs)
              for crs, group in chips.groupby("crs", dropna=False)]
    return geopandas.GeoSeries(pd.concat(placed), crs="EPSG:4326").reindex(chips.index)


def centre(shape: shapely.Geometry) -> tuple[float, float]:
    """Return longitude and latitude of the middle of a footprint, also across the antimeridian."""
    west, south, east, north = shape.bounds
    if shape.geom_type == "MultiPolygon":
        halves = [part.bounds for part in shape.geoms]
        east = min(box[2] for box in halves) + 360
        west = max(box[0] for box in halves)
    middle = (west + east) / 2
    return middle - 360 if middle > 180 else middle, (south + north) / 2


def _on_earth(outlines: geopandas.GeoSeries, crs: object) -> geopandas.GeoSeries:
    """Return outlines in EPSG:4326, None where that cannot be: no CRS, a local one, infinity."""
    nowhere = geopandas.GeoSeries([None] * len(outlines), outlines.index, crs="EPSG:4326")
    if not isinstance(crs, str):
        return nowhere
    try:
        placed = outlines.set_crs(crs).to_crs("EPSG:4326")
    except (CRSError, ProjError):
        return nowhere
    placed = placed.where(np.isfinite(placed.bounds).all(axis=1), None)
    bounds = placed.bounds
    # No chip is half the Earth wide: its ring was drawn the wrong way round.
    around = (bounds["maxx"] - bounds["minx"] > 180) | (bounds["maxx"] > 180)
    around |= bounds["minx"] < -180
    # Coordinates that are no degrees at all stay what they are, for the audit to name.
    around &= (bounds.abs() <= np.array([360, 90, 360, 90])).all(axis=1)
    for chip in placed.index[around]:
        placed[chip] = _unwound(shapely.get_coordinates(placed[chip]))
    return placed


def _unwound(ring: np.ndarray) -> shapely.Geometry:
    """Return the shape of a ring of degrees that crosses the antimeridian or goes round a pole."""
    longitudes = np.unwrap(ring[:, 0], period=360)
    if abs(longitudes[-1] - longitudes[0]) > 180:  # once round
        latitudes = ring[:, 1]
        north = latitudes.mean() > 0
        return shapely.box(-180, *((latitudes.min(), 180, 90) if north
                                   else (-90, 180, latitudes.max())))
    middle = (longitudes.min() + longitudes.max()) / 2
    longitudes -= 360 * np.round(middle / 360)
    shape = shapely.Polygon(np.column_stack([longitudes, ring[:, 1]]))
    parts = []
    for turn in (-360, 0, 360):
        inside = shapely.intersection(shape, shapely.box(turn - 180, -90, turn + 180, 90))
        if inside.area > 0:
            parts.append(shapely.transform(inside, lambda xy, turn=turn: xy - [turn, 0]))
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
