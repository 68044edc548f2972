"""Two maps of one place, linked, or one with a swipe: each side shows a layer over the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipyleaflet
import ipywidgets as widgets

from workbench.plots.webmap import Overlay
from workbench.widgets.basemap import Bounds, fit, new_map, on_screen, size_seen
from workbench.widgets.overlays import NOTHING, layer

SIDES = ("left", "right")
# A swipe clips panes, so each picture needs one of its own; the classes lie over the image.
PANES = {"wb-left": 350, "wb-left-classes": 351, "wb-right": 352, "wb-right-classes": 353}
HEIGHT = "400px"
_CHOSEN = "#d5006d"
# Pixels that a map may slip when its size changes; whoever pulls it moves it further.
_STILL = 4
_FRAME = {"color": "#ffffff", "weight": 1, "fill": False, "dash_array": "6 5", "opacity": 0.9}

Corners = list[tuple[float, float]]


class Pair:
    """Two maps that move together.

    What was fitted stays fitted when the maps grow or shrink, until somebody moves them.

    Args:
        bounds: What they show first.
        clicked: Called with latitude and longitude of a click.
        opacity: Of the classes at first.

    Attributes:
        box: The maps beside each other.
        opacity: A slider for the classes, which the browser applies by itself.
    """

    def __init__(self, bounds: Bounds, clicked: Callable[[float, float], object],
                 opacity: float = 0.8) -> None:
        self.maps = [new_map(bounds=bounds, height=HEIGHT, panes=PANES) for _ in SIDES]
        self.opacity = widgets.FloatSlider(
            value=opacity, min=0, max=1, step=0.05, description="opacity", readout=False,
            continuous_update=True, layout={"width": "150px"},
            style={"description_width": "52px"}, tooltip="How much of the image the classes hide")
        self._images = [layer(NOTHING, name=f"{side} image", pane=f"wb-{side}") for side in SIDES]
        self._classes = [layer(NOTHING, name=f"{side} layer", pane=f"wb-{side}-classes",
                               opacity=self.opacity.value) for side in SIDES]
        for chart, *pictures in zip(self.maps, self._images, self._classes, strict=True):
            for picture in pictures:
                chart.add(picture)
            chart.on_interaction(lambda **event: _heard(clicked, **event))
        for name in ("center", "zoom"):
            widgets.jslink((self.maps[0], name), (self.maps[1], name))
        for picture in self._classes:
            widgets.jslink((self.opacity, "value"), (picture, "opacity"))
        self._frame = ipyleaflet.Polygon(locations=[], name="chip", **_FRAME)
        # A pixel may be too small to be seen, so a ring is drawn round it.
        self._pixel = [ipyleaflet.Polygon(locations=[], name="pixel", color=_CHOSEN, weight=2,
                                          fill=False),
                       *(ipyleaflet.CircleMarker(radius=11, color=color, weight=weight, fill=False,
                                                 name="ring")
                         for color, weight in (("#ffffff", 4), (_CHOSEN, 2)))]
        self._split: ipyleaflet.SplitMapControl | None = None
        self._fitted, self._view = bounds, self._seen()
        self._size = size_seen(self.maps[0])
        self.maps[0].observe(self._resized, "pixel_bounds")
        self._columns = [widgets.VBox([chart], layout={"flex": "1 1 0", "min_width": "0"})
                         for chart in self.maps]
        self.box = widgets.HBox(self._columns, layout={"width": "100%"})
        self.box.add_class("wb-pair")

    @property
    def swiping(self) -> bool:
        """Whether one map shows both sides."""
        return self._split is not None

    def paint(self, side: str, image: Overlay, classes: Overlay | None) -> None:
        """Show an image on one side, and classes over it."""
        place = SIDES.index(side)
        for picture, overlay in ((self._images[place], image),
                                 (self._classes[place], classes or NOTHING)):
            with picture.hold_sync():
                picture.url, picture.bounds = overlay.url, overlay.bounds

    def fit(self, bounds: Bounds) -> None:
        """Fly to bounds; the other map follows in the browser."""
        fit(self.maps[0], bounds)
        self._fitted, self._view = bounds, self._seen()

    def swipe(self, on: bool) -> None:
        """Show both sides in one map with a handle, or each in its own."""
        if on == self.swiping:
            return
        chart, pictures = self.maps[0], [[self._images[place], self._classes[place]]
                                         for place in (0, 1)]
        if self._split is not None:
            chart.remove(self._split)
            self._split = None
            chart.layers = (*chart.layers, *pictures[0])
        else:
            # The control shows them itself: twice they would be twice as opaque.
            chart.layers = tuple(one for one in chart.layers if one not in pictures[0])
            self._split = ipyleaflet.SplitMapControl(left_layer=pictures[0],
                                                     right_layer=pictures[1])
            chart.add(self._split)
        self._columns[1].layout.display = "none" if on else ""

    def frame(self, corners: Corners) -> None:
        """Draw the outline of a chip on both maps."""
        self._frame.locations = corners
        self._lay(self._frame)

    def mark(self, corners: Corners) -> None:
        """Draw the outline of a pixel on both maps, with a ring round it; none takes it away."""
        if not corners:
            for chart in self.maps:
                chart.layers = tuple(one for one in chart.layers if one not in self._pixel)
            return
        self._pixel[0].locations = corners
        middle = tuple(sum(values) / len(corners) for values in zip(*corners, strict=True))
        for ring in self._pixel[1:]:
            ring.location = middle
        self._lay(*self._pixel)

    def _lay(self, *layers: ipyleaflet.Layer) -> None:
        for chart in self.maps:
            if new := [one for one in layers if one not in chart.layers]:
                chart.layers = (*chart.layers, *new)

    def _seen(self) -> tuple[float, float, float]:
        """Return latitude, longitude and zoom of what is in sight."""
        chart = self.maps[0]
        return (*chart.center, chart.zoom)

    def _resized(self, _: Any) -> None:
        """Fit again what was fitted, if the browser says another size and nobody has moved it."""
        size = size_seen(self.maps[0])
        if size in (None, self._size):
            return
        self._size = size
        (south, west, zoom), (north, east, now) = self._view, self._seen()
        slipped = on_screen((west, south, east, north), zoom)
        if zoom == now and max(map(abs, slipped)) <= _STILL:
            self.fit(self._fitted)


def _heard(clicked: Callable[[float, float], object], **event: Any) -> None:
    if event.get("type") == "click":
        clicked(*event["coordinates"])
