"""The map of regions on a page: country outlines, a point for each region, no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from workbench.data.split import display_name
from workbench.evaluation.atlas import Atlas
from workbench.plots.measures import measures, places, scale
from workbench.plots.outlines import country_rings

# More choices than this are a menu that nobody reads.
_MOST_MEASURES = 30
# Pixels of the drawing: plate carrée from −60 to 80 degrees, four to a degree.
_NORTH, _SOUTH, _SCALE = 80.0, -60.0, 4.0
RADIUS = 15  # of a point
_LEAST_STEP = 0.8  # of a pixel: outlines that are nearer are left out


@dataclass(frozen=True)
class Point:
    """A region: where it is drawn, and for each measure its colour and what is said of it.

    Attributes:
        path: Its outline, empty where it is smaller than a point is drawn.
    """

    name: str
    anchor: str
    x: float
    y: float
    path: str
    held_out: bool
    colours: list[str]
    texts: list[str]


@dataclass(frozen=True)
class Scale:
    """A measure with the colours of its values, as a CSS gradient between two ends."""

    name: str
    gradient: str
    low: str
    high: str


@dataclass(frozen=True)
class RegionMap:
    """Everything that is drawn."""

    width: float
    height: float
    land: str
    points: list[Point]
    scales: list[Scale]


def region_map(atlas: Atlas, shown: set[str]) -> RegionMap:
    """Return the regions of an atlas that have a place; those in `shown` can be followed.

    Args:
        atlas: Runs compared.
        shown: Regions whose chips stand on the same page.
    """
    chosen = measures(atlas.comparison.runs)[:_MOST_MEASURES]
    values = [places(atlas.comparison, measure) for measure in chosen]
    scales = [scale((place.value for place in found.values()), measure)
              for found, measure in zip(values, chosen, strict=True)]
    points = []
    for region, outline in sorted(atlas.outlines.items(), key=lambda item: -item[1].area):
        chips = atlas.chips[atlas.chips["region"] == region]
        west, south, east, north = outline.bounds
        x, y = _at(((west + east) / 2 + 180) % 360 - 180, (south + north) / 2)
        found = [of.get(region) for of in values]
        points.append(Point(
            display_name(region), anchor(region) if region in shown else "",
            x, y, _outline(outline), bool((chips["part"] == "held_out").any()),
            [colours.color(place.value if place else float("nan"))
             for place, colours in zip(found, scales, strict=True)],
            [place.text if place else "no score" for place in found]))
    shown_scales = [Scale(str(measure), colours.gradient(), *colours.ends(measure))
                    for measure, colours in zip(chosen, scales, strict=True)]
    return RegionMap(360 * _SCALE, (_NORTH - _SOUTH) * _SCALE, _land(), points, shown_scales)


def anchor(region: str) -> str:
    """Return the name of a region's place on the page."""
    return "region-" + "".join(letter if letter.isalnum() else "-" for letter in region.lower())


def _at(lon: float, lat: float) -> tuple[float, float]:
    return round((lon + 180) * _SCALE, 1), round((_NORTH - lat) * _SCALE, 1)


def _outline(shape: shapely.Geometry) -> str:
    """Return a region as an SVG path, on both edges of the map where it crosses ±180°."""
    west, south, east, north = shape.bounds
    if (east - west) * (north - south) * _SCALE**2 < (2 * RADIUS) ** 2:
        return ""
    rings = [shapely.get_coordinates(part.exterior) for part in shapely.get_parts(shape)]
    turned = [ring - np.array([360.0, 0.0]) for ring in rings] if east > 180 else []
    return _path([*rings, *turned])


def _land() -> str:
    """Return the outlines of countries as one SVG path."""
    return _path(country_rings())


def _path(rings: Sequence[np.ndarray]) -> str:
    """Return rings of degrees as a path in whole tenths of a pixel."""
    parts = []
    for ring in rings:
        points = np.column_stack(_at_all(ring))
        way = np.cumsum(np.abs(np.diff(points, axis=0, prepend=points[:1])).max(axis=1))
        kept = points[np.unique(way // _LEAST_STEP, return_index=True)[1]]
        if len(kept) > 2:
            parts.append("M" + "L".join(f"{x:.4g} {y:.4g}" for x, y in kept) + "Z")
    return "".join(parts)


def _at_all(ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (ring[:, 0] + 180) * _SCALE, (_NORTH - np.clip(ring[:, 1], _SOUTH, _NORTH)) * _SCALE
