"""The map that labels are drawn on: imagery, the newest map below the labels, drawing tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipyleaflet
import numpy as np
import shapely
import xarray as xr

from workbench.data.labels import Labels
from workbench.plots.labels import pictures
from workbench.plots.webmap import class_overlay, image_overlay, pixel_at
from workbench.prediction.grid import array_grid
from workbench.widgets.basemap import new_map
from workbench.widgets.overlays import NOTHING, layer

TOOLS = {"point": "draw:CircleMarker", "polygon": "draw:Polygon", "box": "draw:Rectangle",
         "select": None}  # fmt: skip
_IMAGE, _MAP, _DOUBT, _LABELS = "wb-imagery", "wb-predicted", "wb-doubt", "wb-labels"
_PANES = {_IMAGE: 310, _MAP: 330, _DOUBT: 340, _LABELS: 450}
# More pixels of the raster than a screen shows at once.
_PICTURE_SIDE = 1280
# Magenta: no class of the palette and no land is like it.
_DOUBT_COLOUR = (214, 64, 159)


class LabelMap:
    """A map of one raster with its labels.

    Args:
        labels: What is shown and drawn.
        drawn: Called with the GeoJSON geometry of a new shape, in degrees.
        chosen: Called with the number of the label that was clicked on in the tool "select".

    Attributes:
        chart: The map.
        opacity: Of the predicted map, 0 to 1.
    """

    def __init__(self, labels: Labels, drawn: Callable[[dict[str, Any]], None],
                 chosen: Callable[[int], None]) -> None:
        self._labels, self._drawn, self._chosen = labels, drawn, chosen
        self._grid = labels.imagery.raster
        self.chart = new_map(bounds=labels.imagery.bounds, height="560px", panes=_PANES)
        self._pictures = pictures(labels.imagery, _PICTURE_SIDE)
        first = self._picture(next(iter(self._pictures)))
        self._image = layer(first, name="image", pane=_IMAGE)
        self._map = layer(NOTHING, name="map", pane=_MAP, opacity=0.6)
        self._doubt = layer(NOTHING, name="uncertainty", pane=_DOUBT, opacity=0.0)
        self._shapes = ipyleaflet.GeoJSON(data=_collection([]), name="labels",
                                          style_callback=self._style,
                                          hover_style={"fillOpacity": 0.55},
                                          point_style={"radius": 6, "pane": _LABELS})
        self._shapes.on_click(self._on_click)
        self._selected: int | None = None
        look = {"color": "#ffffff", "weight": 2, "fillOpacity": 0.2}
        again = {"continueDrawing": True, "pathOptions": look, "templineStyle": look,
                 "hintlineStyle": {**look, "dashArray": "5,5"}, "tooltips": False}
        self._pencil = ipyleaflet.GeomanDrawControl(
            hide_controls=True, edit=False, remove=False, drag=False, cut=False, rotate=False,
            polyline={}, circle={}, marker={}, text={}, polygon=again, rectangle=again,
            circlemarker={"continueDrawing": True, "tooltips": False,
                          "pathOptions": {**look, "radius": 6}})
        self._pencil.on_draw(self._on_draw)
        for each in (self._image, self._map, self._doubt, self._shapes, self._pencil):
            self.chart.add(each)
        self.show_labels()

    @property
    def image_names(self) -> list[str]:
        """Which pictures of the raster there are."""
        return list(self._pictures)

    def show_image(self, name: str) -> None:
        """Show the raster in true or false colour."""
        self._image.url = self._picture(name).url

    def use(self, tool: str) -> None:
        """Take up a tool of `TOOLS`."""
        self._pencil.current_mode = TOOLS[tool]

    @property
    def opacity(self) -> float:
        """How strong the predicted map is."""
        return float(self._map.opacity)

    @opacity.setter
    def opacity(self, value: float) -> None:
        self._map.opacity = value

    def show_doubt(self, shown: bool) -> None:
        """Show or hide where the map is least sure."""
        self._doubt.opacity = 0.85 if shown else 0.0

    def show_labels(self, selected: int | None = None) -> None:
        """Show the labels as they are, one of them chosen."""
        self._selected = selected
        placed = self._labels.table.to_crs("EPSG:4326")
        self._shapes.data = _collection([
            (int(number), name, shape)
            for number, name, shape in zip(placed.index, placed["class"], placed.geometry,
                                           strict=True)
        ])

    def show_prediction(self, prediction: xr.Dataset) -> None:
        """Show a map and its uncertainty in the place of those before."""
        grid = array_grid(prediction)
        classes = self._labels.classes
        drawn = class_overlay(prediction["class"].values, grid.transform, grid.crs,
                              [entry.color for entry in classes])
        share = np.nan_to_num(prediction["entropy"].values / np.log(len(classes)))
        doubt = np.empty((*share.shape, 4), np.uint8)
        doubt[..., :3] = _DOUBT_COLOUR
        # Below half of what is possible there is little to learn.
        doubt[..., 3] = (255 * np.clip(2 * share - 1, 0, 1)).astype(np.uint8)
        unsure = image_overlay(doubt, grid.transform, grid.crs)
        for shown, overlay in ((self._map, drawn), (self._doubt, unsure)):
            if shown.bounds != overlay.bounds:
                shown.bounds = overlay.bounds
            shown.url = overlay.url

    def view(self) -> tuple[int, int, int, int]:
        """Return row, column, height and width of the part of the raster that is in sight."""
        (south, west), (north, east) = self.chart.bounds
        corners = [pixel_at(lat, lon, self._grid.transform, self._labels.imagery.crs)
                   for lat in (south, north) for lon in (west, east)]
        rows, cols = zip(*corners, strict=True)
        top, left = max(min(rows), 0), max(min(cols), 0)
        bottom, right = min(max(rows) + 1, self._grid.height), min(max(cols) + 1, self._grid.width)
        return top, left, max(bottom - top, 1), max(right - left, 1)

    def _picture(self, name: str) -> Any:
        return image_overlay(self._pictures[name], self._thinned(name), self._labels.imagery.crs)

    def _thinned(self, name: str) -> Any:
        height, width = self._pictures[name].shape[:2]
        return self._grid.transform @ type(self._grid.transform).scale(
            self._grid.width / width, self._grid.height / height)

    def _on_draw(self, _: Any, action: str, geo_json: Any) -> None:
        if action != "create":
            return
        for feature in geo_json:
            self._drawn(feature["geometry"])
        self._pencil.clear()

    def _on_click(self, feature: Any = None, **_: Any) -> None:
        if feature is not None and self._pencil.current_mode is None:
            self._chosen(int(feature["properties"]["number"]))

    def _style(self, feature: dict[str, Any]) -> dict[str, Any]:
        said = feature["properties"]
        colour = next(entry.color for entry in self._labels.classes if entry.name == said["class"])
        chosen = said["number"] == self._selected
        point = "Point" in feature["geometry"]["type"]
        # White round the class's colour stands out on the image and on the map below.
        return {"fillColor": colour, "fillOpacity": 0.95 if point else 0.45, "opacity": 1,
                "color": "#ff00c8" if chosen else "#ffffff", "weight": 4 if chosen else 2}


def _collection(labels: list[tuple[int, str, shapely.Geometry]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": shapely.geometry.mapping(shape),
         "properties": {"number": number, "class": name}}
        for number, name, shape in labels
    ]}
