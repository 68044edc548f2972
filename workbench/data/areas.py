"""Areas of the globe as people write them, and which chips lie in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import geopandas
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import shape

from workbench.data.footprints import centre
from workbench.errors import DataError

Area: TypeAlias = (
    Sequence[float] | Sequence[Sequence[float]] | Mapping[str, Any] | shapely.Geometry
)
_EXPECTED = ("an area is a box (west, south, east, north), a list of at least three corners "
             "(longitude, latitude), a polygon of shapely or its GeoJSON, in degrees")


def parse_area(area: Area) -> shapely.Geometry:
    """Return the polygon of an area in EPSG:4326.

    Args:
        area: A box ``(west, south, east, north)``, whose west is above its east where it crosses
            the antimeridian; corners ``[(longitude, latitude), …]``; a polygon of shapely, or its
            GeoJSON.

    Raises:
        DataError: It is none of these, encloses nothing or lies off the globe.
    """
    try:
        found = _polygon(area)
    except (TypeError, ValueError, KeyError, AttributeError, shapely.errors.ShapelyError) as error:
        raise DataError(f"within={_short(area)}: {_EXPECTED} ({error}).") from None
    west, south, east, north = found.bounds or (np.nan,) * 4
    on_globe = -360 <= west <= east <= 360 and -90 <= south <= north <= 90
    if found.geom_type not in ("Polygon", "MultiPolygon") or not found.area > 0 or not on_globe:
        raise DataError(f"within={_short(area)} encloses nothing on the globe: {_EXPECTED}.")
    return found


def _polygon(area: Area) -> shapely.Geometry:
    if isinstance(area, shapely.Geometry):
        return shapely.make_valid(area)
    if isinstance(area, Mapping):
        return shapely.make_valid(shape(area.get("geometry") or area))
    values = np.asarray(area, float)
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    if values.shape == (4,):
        west, south, east, north = values.tolist()
        if west <= east:
            return shapely.box(west, south, east, north)
        return shapely.MultiPolygon([shapely.box(west, south, 180, north),
                                     shapely.box(-180, south, east, north)])
    if values.ndim != 2 or values.shape[1] != 2:
        raise ValueError(f"numbers of shape {values.shape}")
    return shapely.make_valid(shapely.Polygon(values))


def _short(area: object) -> str:
    text = repr(area)
    return text if len(text) <= 80 else f"{text[:79]}…"


def centres(chips: geopandas.GeoDataFrame) -> npt.NDArray[np.float64]:
    """Return longitude and latitude of every chip's middle, ``(chip, 2)``, NaN without a place."""
    bounds = chips.geometry.bounds.to_numpy()
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    for place in np.flatnonzero((chips.geometry.geom_type == "MultiPolygon").to_numpy()):
        middle[place] = centre(chips.geometry.iloc[place])
    return middle


def within(chips: geopandas.GeoDataFrame, area: Area) -> npt.NDArray[np.bool_]:
    """Return of every chip whether its middle lies in an area; False without a place.

    Raises:
        DataError: It is no area.
    """
    polygon = parse_area(area)
    shapely.prepare(polygon)
    middle = centres(chips)
    found = np.zeros(len(chips), bool)
    # An area drawn beyond ±180° means the same ground.
    for turn in (-360.0, 0.0, 360.0):
        found |= shapely.intersects_xy(polygon, middle[:, 0] + turn, middle[:, 1])
    return found
