"""Footprints as the browser draws them: four corners and a group each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import geopandas
import numpy as np
import numpy.typing as npt
import shapely

from workbench.catalog import Collection
from workbench.data import Dataset
from workbench.data.split import display_name


@dataclasses.dataclass(frozen=True)
class Atlas:
    """Shapes of one map.

    Attributes:
        corners: Longitude and latitude of the corners in degrees, ``(shape, 4, 2)`` float32; those
            that cross the antimeridian go on beyond ±180°, NaN is not on the map.
        groups: Place of each shape's group in `labels`, ``(shape,)`` uint16.
        names: Of each shape.
        labels: Of each group.
    """

    corners: npt.NDArray[np.float32]
    groups: npt.NDArray[np.uint16]
    names: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Whether each shape is on the map."""
        return np.array(~np.isnan(self.corners).any(axis=(1, 2)))


def chip_atlas(dataset: Dataset) -> Atlas:
    """Return the chips of a dataset, grouped by region."""
    regions = dataset.regions
    place = {region: number for number, region in enumerate(regions)}
    groups = dataset.chips["region"].map(place).to_numpy(np.uint16)
    labels = tuple(display_name(region) for region in regions)
    return Atlas(corners(dataset.chips.geometry), groups, tuple(map(str, dataset)), labels)


def place_atlas(collections: Sequence[Collection]) -> tuple[Atlas, npt.NDArray[np.uint8]]:
    """Return the places of collections, grouped by region, and which collection each is of."""
    found = [(number, place) for number, entry in enumerate(collections)
             for place in entry.places if place.bbox is not None]
    titles = [display_name(place.region) for _, place in found]
    labels = tuple(dict.fromkeys(titles))
    order = {label: number for number, label in enumerate(labels)}
    boxes = [_box(*place.bbox) for _, place in found if place.bbox is not None]
    atlas = Atlas(np.array(boxes, np.float32).reshape(-1, 4, 2),
                  np.array([order[title] for title in titles], np.uint16),
                  tuple(place.title for _, place in found), labels)
    return atlas, np.array([number for number, _ in found], np.uint8)


def corners(footprints: geopandas.GeoSeries) -> npt.NDArray[np.float32]:
    """Return the corners of footprints: a quadrangle's own, of any other shape its box's."""
    shapes = footprints.to_numpy()
    found = np.full((len(shapes), 4, 2), np.nan)
    plain = (shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON) \
        & (shapely.get_num_coordinates(shapes) == 5)
    found[plain] = shapely.get_coordinates(shapes[plain]).reshape(-1, 5, 2)[:, :4]
    other = ~plain & ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    for place in np.flatnonzero(other):
        found[place] = _box(*_bounds(shapes[place]))
    return found.astype(np.float32)


def _bounds(shape: shapely.Geometry) -> tuple[float, float, float, float]:
    """Return the box of a shape, of one cut at the antimeridian that round both halves."""
    west, south, east, north = shape.bounds
    if shape.geom_type == "MultiPolygon" and east - west > 180:
        parts = [part.bounds for part in shape.geoms]
        west = min(part[0] for part in parts if part[0] > 0)
        east = max(part[2] for part in parts if part[0] <= 0) + 360
    return west, south, east, north


def _box(west: float, south: float, east: float, north: float) -> list[tuple[float, float]]:
    east += 360 * (east < west)
    return [(west, south), (east, south), (east, north), (west, north)]
