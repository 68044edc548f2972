"""From what people give as a shape to a geometry on the raster."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import geopandas
import numpy as np
import shapely
import shapely.geometry
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError

from workbench.data.labels.imagery import Imagery
from workbench.errors import GridError, LabelError


def placed(shapes: Sequence[Any], crs: Any, imagery: Imagery) -> list[shapely.Geometry]:
    """Return geometries in the CRS of a raster, each touching it.

    Raises:
        LabelError: One is empty or no geometry, or the CRS is none.
        GridError: One lies outside the raster.
    """
    try:
        given = geopandas.GeoSeries([_geometry(shape) for shape in shapes], crs=crs)
    except CRSError as error:
        raise LabelError(f"crs={crs!r} is no coordinate system: {error}") from error
    found = given.to_crs(imagery.crs)
    outline = imagery.outline
    for before, after in zip(given, found, strict=True):
        if not after.intersects(outline):
            raise _outside(before, given.crs, imagery)
    return list(found)


def _geometry(shape: Any) -> shapely.Geometry:
    if isinstance(shape, Mapping):
        try:
            shape = shapely.geometry.shape(shape.get("geometry", shape))
        except (AttributeError, KeyError, TypeError, ValueError, ShapelyError) as error:
            raise LabelError(f"A label's shape is no GeoJSON geometry: {error}.") from error
    elif isinstance(shape, (tuple, list)) and len(shape) == 2:
        with contextlib.suppress(TypeError, ValueError):
            shape = shapely.Point(*map(float, shape))
    if not isinstance(shape, shapely.Geometry):
        raise LabelError(
            "A label's shape is a shapely geometry, GeoJSON or a pair (longitude, latitude), "
            f"not {shape!r}."
        )
    if shape.is_empty or not np.isfinite(shape.bounds).all():
        raise LabelError("A label's shape is empty or not finite: draw at least a point.")
    # An outline that crosses itself, as a shaky hand draws it, means what it encloses.
    return shape if shape.is_valid else shapely.make_valid(shape)


def _outside(shape: shapely.Geometry, crs: Any, imagery: Imagery) -> GridError:
    x, y = shape.representative_point().coords[0][:2]
    west, south, east, north = imagery.bounds
    exchanged = west <= y <= east and south <= x <= north
    return GridError(
        f"The label at ({x:.6g}, {y:.6g}) in {crs.to_string()} lies outside {imagery.path.name}, "
        f"which reaches from {west:.4f} to {east:.4f} in longitude and from {south:.4f} to "
        f"{north:.4f} in latitude. "
        + ("Longitude comes first: the two look exchanged." if exchanged else
           "Give coordinates as longitude and latitude, or say what they are in: crs=….")
    )
