"""Outlines of regions on Earth, whole where they cross the antimeridian."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import shape

from workbench.data.areas import parse_area
from workbench.data.dataset import Dataset
from workbench.data.regions import regions_from_json

# Detail of a polygon that is kept, as a share of its size: no screen shows more of it.
_DETAIL = 1e-3


def region_outlines(dataset: Dataset) -> dict[str, shapely.Geometry]:
    """Return the outline of each region that has a place, in degrees.

    It is the polygon that a region was made with, where it was made with one, else the convex hull
    of all its chips. What crosses the antimeridian is whole: its longitudes go on beyond 180.
    """
    polygons = _polygons(dataset.info.source)
    placed = dataset.chips[dataset.chips.geometry.notna()]
    found = {}
    for region, chips in placed.groupby("region"):
        drawn = polygons.get(str(region).lower())
        found[str(region)] = _hull(chips.geometry.to_numpy()) if drawn is None \
            else _simple(unwrapped([drawn]))
    return found


def unwrapped(shapes: Sequence[shapely.Geometry]) -> shapely.Geometry:
    """Return shapes in degrees as one, which goes on beyond 180° where that makes it narrower."""
    return shapely.union_all(_beside(shapes))


def _hull(shapes: Sequence[shapely.Geometry]) -> shapely.Geometry:
    return shapely.convex_hull(shapely.geometrycollections(_beside(shapes)))


def _beside(shapes: Sequence[shapely.Geometry]) -> npt.NDArray:
    """Return the parts of shapes beside each other, without a jump over the antimeridian."""
    parts = shapely.get_parts(shapely.make_valid(np.asarray(shapes, object)))
    parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    bounds = shapely.bounds(parts)
    order = bounds[:, 0].argsort()
    wests, reach = bounds[order, 0], np.maximum.accumulate(bounds[order, 2])
    widest = int((np.append(wests[1:], wests[0] + 360) - reach).argmax())
    if widest < len(parts) - 1:
        # What lies before the widest stretch without anything comes after the rest.
        first = order[: widest + 1]
        parts[first] = shapely.transform(parts[first], lambda xy: xy + np.array([360.0, 0.0]))
    return parts


def _polygons(source: Mapping[str, Any]) -> dict[str, shapely.Geometry]:
    """Return the polygons that regions were made with, by lower-case name; the last one counts."""
    found: dict[str, shapely.Geometry] = {}
    for one in _sources(source):
        rule = regions_from_json(one.get("region"))
        if isinstance(rule, geopandas.GeoDataFrame):
            joined = rule.dissolve("region").geometry
            found |= {str(name).lower(): polygon for name, polygon in joined.items()}
        found |= {str(area["name"]).lower(): parse_area(shape(area["within"]))
                  for area in one.get("areas", ())}
    return found


def _sources(source: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the sources of datasets that were joined, and what was joined."""
    for member in source.get("members", ()):
        yield from _sources(member["source"])
    yield source


def _simple(polygon: shapely.Geometry) -> shapely.Geometry:
    west, south, east, north = polygon.bounds
    return polygon.simplify(_DETAIL * max(east - west, north - south))
