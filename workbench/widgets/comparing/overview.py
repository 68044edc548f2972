"""The map of regions, and of the chips of one region, coloured by what is measured."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipyleaflet
import ipywidgets as widgets
import pandas as pd

from workbench.data.split import display_name
from workbench.evaluation.atlas import Atlas
from workbench.plots.measures import Measure, Place, places, scale
from workbench.widgets.basemap import Bounds, enclosing, fit, new_map

# Points this large are easy to hit; a chip's is smaller, there are many.
_REGION, _CHIP = 9, 6
_EDGE, _HELD_OUT, _CHOSEN = "#ffffff", "#D55E00", "#d5006d"
# Of what no interval and no verdict supports.
_UNSURE = 0.55
HEIGHT = "446px"


class Overview:
    """Regions as points; those of the region that was chosen give way to its chips.

    Args:
        atlas: What is shown.
        chose_region: Called with the name of a region that was clicked.
        chose_chip: Called with the id of a chip that was clicked.
    """

    def __init__(self, atlas: Atlas, chose_region: Callable[[str], object],
                 chose_chip: Callable[[str], object]) -> None:
        self._atlas = atlas
        self._measure = Measure(atlas.comparison.runs[0])
        # Intervals are drawn from thousands of samples; they stay what they are.
        self._places = functools.cache(functools.partial(places, atlas.comparison))
        self._region: str | None = None
        self._chip: str | None = None
        self.bounds = {region: _bounds(chips) for region, chips in
                       atlas.chips.dropna(subset=["lon"]).groupby("region")}
        self.chart = new_map(bounds=enclosing(self.bounds.values()) if self.bounds else None,
                             height=HEIGHT)
        self._regions, self._chips = (_points(radius) for radius in (_REGION, _CHIP))
        for shown, kind, chose in ((self._regions, "region", chose_region),
                                   (self._chips, "chip", chose_chip)):
            self.chart.add(shown)
            shown.on_click(lambda kind=kind, chose=chose, **event:
                           chose(str(event["properties"][kind])))
            shown.on_hover(lambda **event: self._say(event["properties"]["text"]))
        self._legend, self._text = widgets.HTML(), widgets.HTML()
        self.box = widgets.VBox([self.chart, self._legend, self._text],
                                layout={"flex": "0 0 330px", "min_width": "0"})
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
        self._measure, self._region, self._chip = measure, region, chip
        found = self._places(measure)
        colours = scale((place.value for place in found.values()), measure)
        self._regions.data = _collection(
            self._region_point(name, place, colours.color(place.value))
            for name, place in found.items() if name in self.bounds and name != region)
        if region is None:
            self._legend.value = colours.html(measure)
            self._chips.data = _collection(())
            self._say(_hint(found))
        else:
            self._show_chips(measure, region, chip, found)
        if fly:
            shown = self.bounds.get(region) if region else None
            if shown or self.bounds:
                fit(self.chart, shown or enclosing(self.bounds.values()))

    def _show_chips(self, measure: Measure, region: str, chip: str | None,
                    found: Mapping[str, Place]) -> None:
        chips = self._atlas.chips[self._atlas.chips["region"] == region]
        right = _right(chips, measure)
        colours = scale(right, measure)
        self._legend.value = colours.html(
            measure, "% of pixels right" if measure.other is None else "points of right pixels")
        self._chips.data = _collection(
            self._chip_point(str(name), row, colours.color(value), value, chosen=name == chip)
            for (name, row), value in zip(chips.iterrows(), right, strict=True)
            if row["lon"] == row["lon"])
        said = found[region].text if region in found else "no score"
        self._say(f"{display_name(region)}: {said}")

    def _say(self, text: str) -> None:
        self._text.value = f'<div class="wb-said">{escape(text)}</div>'

    def _region_point(self, name: str, place: Place, color: str) -> dict[str, Any]:
        west, south, east, north = self.bounds[name]
        east += 360 * (east < west)
        held_out = (self._atlas.chips.loc[self._atlas.chips["region"] == name, "part"]
                    == "held_out").any()
        style = {"fillColor": color, "fillOpacity": 1 if place.certain else _UNSURE, "opacity": 1,
                 "color": _HELD_OUT if held_out else "#4b5563", "weight": 3 if held_out else 1}
        text = f"{display_name(name)}{' (held out)' if held_out else ''}: {place.text}"
        return _point((west + east) / 2, (south + north) / 2, style, region=name, text=text)

    def _chip_point(self, name: str, row: pd.Series, color: str, value: float, *,
                    chosen: bool) -> dict[str, Any]:
        style = {"fillColor": color, "fillOpacity": 1, "opacity": 1, "weight": 3 if chosen else 1,
                 "color": _CHOSEN if chosen else "#4b5563"}
        sign = "+" if self._measure.other else ""
        said = "no label" if value != value else f"{100 * value:{sign}.1f} " + (
            "points of right pixels" if self._measure.other else "% of pixels right")
        return _point(row["lon"], row["lat"], style, chip=name, text=f"{name}: {said}")


def _right(chips: pd.DataFrame, measure: Measure) -> list[float]:
    """Return the share of pixels that a run gets right, or by how much it is larger."""
    wrong = chips[f"wrong {measure.run}"]
    right = 1 - wrong if measure.other is None else chips[f"wrong {measure.other}"] - wrong
    return [float(value) for value in right]


def _hint(found: Mapping[str, Place]) -> str:
    pale = sum(not place.certain for place in found.values())
    more = f" Pale: no interval or no difference shown ({pale} of {len(found)})." if pale else ""
    return f"Click a region to see its chips. Ring: held out.{more}"


def _bounds(chips: pd.DataFrame) -> Bounds:
    """Return the box round chips' centres with a little air."""
    boxes = [(lon - 0.05, max(lat - 0.05, -90.0), lon + 0.05, min(lat + 0.05, 90.0))
             for lon, lat in chips[["lon", "lat"]].to_numpy(float)]
    return enclosing(boxes)


def _points(radius: int) -> ipyleaflet.GeoJSON:
    return ipyleaflet.GeoJSON(
        data=_collection(()), style_callback=lambda feature: feature["properties"]["look"],
        point_style={"radius": radius}, hover_style={"fillOpacity": 0.8})


def _point(lon: float, lat: float, look: dict[str, Any], **properties: str) -> dict[str, Any]:
    return {"type": "Feature", "properties": {**properties, "look": look},
            "geometry": {"type": "Point", "coordinates": [lon, lat]}}


def _collection(features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}
