"""The map of regions, and of the chips of one region, coloured by what is measured."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

import ipyleaflet
import ipywidgets as widgets
import pandas as pd
import shapely

from workbench.data.split import display_name
from workbench.evaluation.atlas import Atlas
from workbench.plots.measures import Measure, Place, places, scale
from workbench.widgets.basemap import Bounds, enclosing, fit, new_map, on_screen

# Points this large are easy to hit; a chip's is smaller, there are many.
_REGION, _CHIP = 9, 6
_EDGE, _HELD_OUT, _CHOSEN = "#4b5563", "#D55E00", "#d5006d"
# Of what no interval and no verdict supports.
_UNSURE = 0.55
HEIGHT = "446px"
# Degrees round a place without extent, so that a map can show it.
_AIR = 0.05


class Mark(NamedTuple):
    """A region or a chip: its outline in degrees, how it looks, and what is said of it."""

    outline: shapely.Geometry
    look: dict[str, Any]
    facts: dict[str, str]


class Overview:
    """Regions as outlines, or as points where those are too small to be seen.

    Of the region that was chosen its chips are shown.

    Args:
        atlas: What is shown.
        chose_region: Called with the name of a region that was clicked.
        chose_chip: Called with the id of a chip that was clicked.
    """

    def __init__(self, atlas: Atlas, chose_region: Callable[[str], object],
                 chose_chip: Callable[[str], object]) -> None:
        self._atlas, self._flying = atlas, False
        # Intervals are drawn from thousands of samples; they stay what they are.
        self._places = functools.cache(functools.partial(places, atlas.comparison))
        self.bounds = {region: _bounds(outline) for region, outline in atlas.outlines.items()}
        self.chart = new_map(bounds=enclosing(self.bounds.values()) if self.bounds else None,
                             height=HEIGHT)
        self._regions, self._chips = Marks(_REGION), Marks(_CHIP)
        for shown, kind, chose in ((self._regions, "region", chose_region),
                                   (self._chips, "chip", chose_chip)):
            self.chart.add(shown.layer)
            shown.layer.on_click(lambda kind=kind, chose=chose, **event:
                                 chose(str(event["properties"][kind])))
            shown.layer.on_hover(lambda **event: self._say(event["properties"]["text"]))
        self.chart.observe(lambda change: self._zoomed(change["new"]), "zoom")
        self._legend, self._text = widgets.HTML(), widgets.HTML()
        said = widgets.VBox([self._legend, self._text])
        said.add_class("wb-overview-said")
        self.box = widgets.VBox([self.chart, said], layout={"min_width": "0"})
        self.box.add_class("wb-overview")

    def show(self, measure: Measure, region: str | None, chip: str | None, *,
             fly: bool = False) -> None:
        """Show a measure: of all regions, or of the chips of one.

        Args:
            measure: What colours mean.
            region: The region whose chips are shown.
            chip: The chip that is marked.
            fly: Move the map there.
        """
        if fly and self.bounds:
            shown = self.bounds.get(region) if region else None
            self._flying = True  # what is there gives way to something else anyhow
            fit(self.chart, shown or enclosing(self.bounds.values()))
            self._flying = False
        found = self._places(measure)
        colours = scale((place.value for place in found.values()), measure)
        self._regions.show((self._region_mark(name, place, colours.color(place.value),
                                              chosen=name == region)
                            for name, place in found.items()
                            if name in self.bounds), self.chart.zoom)
        if region is None:
            self._legend.value = colours.html(measure)
            self._chips.show((), self.chart.zoom)
            self._say(_hint(found))
        else:
            self._show_chips(measure, region, chip, found)

    def _show_chips(self, measure: Measure, region: str, chip: str | None,
                    found: Mapping[str, Place]) -> None:
        chips = self._atlas.chips[self._atlas.chips["region"] == region]
        right = _right(chips, measure)
        colours = scale(right, measure)
        self._legend.value = colours.html(
            measure, "% of pixels right" if measure.other is None else "points of right pixels")
        marks = (self._chip_mark(str(name), measure, colours.color(value), value,
                                 chosen=name == chip)
                 for name, value in zip(chips.index, right, strict=True))
        self._chips.show((mark for mark in marks if mark), self.chart.zoom)
        said = found[region].text if region in found else "no score"
        self._say(f"{display_name(region)}: {said}")

    def _zoomed(self, zoom: float) -> None:
        if self._flying:
            return
        for shown in (self._regions, self._chips):
            shown.zoom(zoom)

    def _say(self, text: str) -> None:
        self._text.value = f'<div class="wb-said">{escape(text)}</div>'

    def _region_mark(self, name: str, place: Place, color: str, *, chosen: bool) -> Mark:
        held_out = (self._atlas.chips.loc[self._atlas.chips["region"] == name, "part"]
                    == "held_out").any()
        look = {"fillColor": color, "fillOpacity": 1 if place.certain else _UNSURE, "opacity": 1,
                "color": _HELD_OUT if held_out else _EDGE, "weight": 3 if held_out else 1}
        if chosen:  # its chips lie in it
            look |= {"fill": False, "dashArray": "5 5", "weight": 2}
        text = f"{display_name(name)}{' (held out)' if held_out else ''}: {place.text}"
        return Mark(self._atlas.outlines[name], look, {"region": name, "text": text})

    def _chip_mark(self, name: str, measure: Measure, color: str, value: float, *,
                   chosen: bool) -> Mark | None:
        outline = self._atlas.footprint(name)
        if outline is None:
            return None
        look = {"fillColor": color, "fillOpacity": 1, "opacity": 1, "weight": 3 if chosen else 1,
                "color": _CHOSEN if chosen else _EDGE}
        sign = "+" if measure.other else ""
        said = "no label" if value != value else f"{100 * value:{sign}.1f} " + (
            "points of right pixels" if measure.other else "% of pixels right")
        return Mark(outline, look, {"chip": name, "text": f"{name}: {said}"})


class Marks:
    """A layer of outlines, each drawn as a point at zooms where it would be smaller than that.

    Args:
        radius: Of a point, in pixels.
    """

    def __init__(self, radius: int) -> None:
        self._radius = radius
        self._marks: list[Mark] = []
        self._outlined: list[bool] = []
        self.layer = ipyleaflet.GeoJSON(
            data=_collection(()), style_callback=lambda feature: feature["properties"]["look"],
            point_style={"radius": radius}, hover_style={"fillOpacity": 0.8})

    def show(self, marks: Iterable[Mark], zoom: float) -> None:
        """Show other marks, the small ones above the large ones."""
        self._marks = sorted(marks, key=lambda mark: -mark.outline.area)
        self._outlined = self._large(zoom)
        self._draw()

    def zoom(self, zoom: float) -> None:
        """Draw again where another zoom makes points of outlines or outlines of points."""
        if (large := self._large(zoom)) != self._outlined:
            self._outlined = large
            self._draw()

    def _large(self, zoom: float) -> list[bool]:
        sides = (on_screen(mark.outline.bounds, zoom) for mark in self._marks)
        return [math.sqrt(width * height) > 2 * self._radius for width, height in sides]

    def _draw(self) -> None:
        self.layer.data = _collection(
            {"type": "Feature", "properties": {**mark.facts, "look": mark.look},
             "geometry": shapely.geometry.mapping(
                 shapely.transform(mark.outline, lambda xy: xy.round(5)) if outlined
                 else shapely.box(*mark.outline.bounds).centroid)}
            for mark, outlined in zip(self._marks, self._outlined, strict=True))


def _right(chips: pd.DataFrame, measure: Measure) -> list[float]:
    """Return the share of pixels that a run gets right, or by how much it is larger."""
    wrong = chips[f"wrong {measure.run}"]
    right = 1 - wrong if measure.other is None else chips[f"wrong {measure.other}"] - wrong
    return [float(value) for value in right]


def _hint(found: Mapping[str, Place]) -> str:
    pale = sum(not place.certain for place in found.values())
    more = f" Pale: no interval or no difference shown ({pale} of {len(found)})." if pale else ""
    return f"Click a region to see its chips. Orange edge: held out.{more}"


def _bounds(outline: shapely.Geometry) -> Bounds:
    """Return the box of an outline, of a place without extent with a little air."""
    west, south, east, north = outline.bounds
    if max(east - west, north - south) < 2 * _AIR:
        west, south, east, north = west - _AIR, south - _AIR, east + _AIR, north + _AIR
    return west, max(south, -90.0), east - 360 * (east > 180), min(north, 90.0)


def _collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}
