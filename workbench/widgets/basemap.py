"""A map that needs no network: quiet country outlines, a scale bar, the page's theme.

The only file that imports leafmap, and it does so at the first map: that takes seconds.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import ipyleaflet
import ipywidgets as widgets
import numpy as np

from workbench.data.raster import WARNINGS_LOCK
from workbench.errors import DataError, need_lab
from workbench.plots.outlines import country_rings

if TYPE_CHECKING:
    import leafmap

Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees
WORLD: Bounds = (-160.0, -56.0, 178.0, 74.0)
OUTLINES = "wb-outlines"
# Side of a tile of Web Mercator in pixels: the world is this wide at zoom 0.
TILE = 256
# What a map is taken to be wide until the browser has said it: a notebook beside a panel.
LIKELY_WIDTH = 640
_MARGIN = 24  # pixels left free round what is fitted
_CLOSEST = 17.0  # more than any chip needs
_LATITUDE_LIMIT = 85.05  # of Web Mercator
# How far the world goes on beyond ±180°, so that what crosses the antimeridian has its coasts.
_BEYOND = 90.0
_STYLE = f"""<style>
.wb-map .leaflet-container {{ background: #e7edf2; outline-offset: -2px; font: inherit; }}
.wb-map .leaflet-{OUTLINES}-pane {{ opacity: .8; pointer-events: none; }}
.wb-map .leaflet-control:has(> .wb-map-style) {{ display: none; }}
.wb-map .leaflet-bar {{ border: 1px solid var(--jp-border-color1, #bdbdbd); box-shadow: none; }}
.wb-map .leaflet-bar a, .wb-map .leaflet-bar a.leaflet-disabled {{
  background: var(--jp-layout-color1, #fff); color: var(--jp-ui-font-color1, #1c2127);
  border-color: var(--jp-border-color2, #e0e0e0); }}
.wb-map .leaflet-bar a:hover {{ background: var(--jp-layout-color2, #eee); }}
.wb-map .leaflet-control-scale-line {{ background: none; border-width: 0 1px 1px;
  border-color: var(--jp-ui-font-color2, #555); color: var(--jp-ui-font-color1, #1c2127);
  text-shadow: none; }}
.wb-map .leaflet-control-attribution {{ background: var(--jp-layout-color1, #fff);
  color: var(--jp-ui-font-color2, #555); opacity: .8; }}
[data-jp-theme-light="false"] .wb-map .leaflet-container {{ background: #171b20; }}
[data-jp-theme-light="false"] .wb-map .leaflet-{OUTLINES}-pane {{ opacity: .15; }}
</style>"""


def new_map(*, bounds: Bounds | None = None, height: str = "480px",
            panes: Mapping[str, int] = {}, tiles: bool = False) -> leafmap.Map:
    """Make a map of the world, or of what lies within bounds; it makes no request of its own.

    Layers are drawn on a canvas. The background follows the theme of JupyterLab.

    Args:
        bounds: West, south, east, north in degrees, WGS 84; west above east crosses the
            antimeridian.
        height: Height in CSS.
        panes: Names of panes and their z-index: imagery has 300 to 400, what is drawn 400 to 600.
        tiles: Show OpenStreetMap where it can be reached; where it cannot the outlines stay.

    Raises:
        DataError: The bounds are no box on the globe.
        MissingExtraError: leafmap is not installed.
    """
    need_lab("leafmap", "Maps in a notebook", "restart the kernel")
    import leafmap

    shown = bounds or WORLD
    centre, zoom = _view(shown, (LIKELY_WIDTH, _pixels(height)))
    ground = ipyleaflet.basemap_to_tiles(ipyleaflet.basemaps.OpenStreetMap.Mapnik) if tiles \
        else ipyleaflet.TileLayer(url="", opacity=0)
    layers = {OUTLINES: 150, **panes}
    with WARNINGS_LOCK, warnings.catch_warnings():
        # leafmap hands its own options on to a base that does not know them.
        warnings.simplefilter("ignore", DeprecationWarning)
        chart = leafmap.Map(
            center=centre, zoom=zoom, min_zoom=0, max_zoom=22, zoom_snap=0.25, height=height,
            basemap=ground, prefer_canvas=True, attribution_control=tiles, draw_control=False,
            fullscreen_control=False, toolbar_control=False, scale_control=False,
            panes={name: {"zIndex": order} for name, order in layers.items()})
    # It would come to the front with a control of its own, and be made anew with every layer.
    del chart._layer_manager_widget
    chart.layers[0].name = "OpenStreetMap" if tiles else "background"
    chart.add(ipyleaflet.ScaleControl(position="bottomleft", imperial=False))
    chart.add(ipyleaflet.GeoJSON(
        data=_countries(), name="countries",
        # A pane of the layer does not reach its shapes; one of their style does.
        style={"fillColor": "#fff", "fillOpacity": 1, "color": "#9aa7b2", "weight": 0.7,
               "interactive": False, "pane": OUTLINES}))
    chart.add(ipyleaflet.WidgetControl(widget=_style(), position="bottomright"))
    chart.add_class("wb-map")
    chart.observe(_FirstLook(chart, shown), "pixel_bounds")
    return chart


def fit(chart: ipyleaflet.Map, bounds: Bounds) -> None:
    """Show what lies within bounds: west, south, east, north; west above east crosses ±180°.

    Raises:
        DataError: The bounds are no box on the globe.
    """
    size = size_seen(chart) or (LIKELY_WIDTH, _pixels(chart.layout.height))
    chart.center, chart.zoom = _view(bounds, size)


def size_seen(chart: ipyleaflet.Map) -> tuple[int, int] | None:
    """Return width and height of a map in pixels, None until the browser has said them."""
    if not chart.pixel_bounds:
        return None
    width, height = np.ptp(np.asarray(chart.pixel_bounds, float), axis=0).round().astype(int)
    return (int(width), int(height)) if width and height else None


def on_screen(bounds: Bounds, zoom: float) -> tuple[float, float]:
    """Return width and height of a box of degrees on a map, in pixels."""
    west, south, east, north = bounds
    return ((east - west) / 360 * TILE * 2**zoom,
            (_mercator(north) - _mercator(south)) * TILE * 2**zoom)


class _FirstLook:
    """Fits a map once more when the browser says how wide it is, if nobody has moved it."""

    def __init__(self, chart: ipyleaflet.Map, bounds: Bounds) -> None:
        self._chart, self._bounds = chart, bounds
        self._view = (list(chart.center), chart.zoom)

    def __call__(self, change: Any) -> None:
        self._chart.unobserve(self, "pixel_bounds")
        if (list(self._chart.center), self._chart.zoom) == self._view:
            fit(self._chart, self._bounds)


def enclosing(boxes: Iterable[Bounds]) -> Bounds:
    """Return the smallest box round boxes, which crosses the antimeridian where that is smaller.

    Raises:
        DataError: There is no box.
    """
    found = sorted((west, east + 360 * (east < west), south, north)
                   for west, south, east, north in boxes)
    if not found:
        raise DataError("There is nothing to show on a map: no footprint is known.")
    south, north = min(box[2] for box in found), max(box[3] for box in found)
    # The widest stretch of longitudes that nothing lies in is left out.
    reach, gap, west = found[0][1], -1.0, found[0][0]
    for start, end, *_ in [*found[1:], (found[0][0] + 360, found[0][1] + 360, 0, 0)]:
        if start - reach > gap:
            gap, west = start - reach, start
        reach = max(reach, end)
    if gap <= 0:
        return -180.0, south, 180.0, north
    width = 360 - gap
    west = (west + 180) % 360 - 180
    east = west + width
    return west, south, east - 360 * (east > 180), north


def _view(bounds: Bounds, size: tuple[float, float]) -> tuple[tuple[float, float], float]:
    """Return latitude and longitude of the centre, and the largest zoom that shows it all."""
    west, south, east, north = (float(edge) for edge in bounds)
    east += 360 * (east < west)
    if not (all(map(math.isfinite, (west, south, east, north))) and -90 <= south <= north <= 90):
        raise DataError(f"bounds={tuple(bounds)} is no box on the globe: west, south, east, north "
                        "in degrees, south at most north.")
    bottom, top = _mercator(south), _mercator(north)
    room = [max(side - 2 * _MARGIN, 64.0) for side in size]
    shares = ((east - west) / 360, top - bottom)
    zooms = [math.log2(pixels / (share * TILE)) for pixels, share in zip(room, shares, strict=True)
             if share > 0]
    zoom = math.floor(min([*zooms, _CLOSEST]) * 4) / 4
    centre = math.degrees(math.atan(math.sinh((bottom + top) * math.pi)))
    return (round(centre, 6), round((west + east) / 2, 6)), max(zoom, 0.0)


def _mercator(latitude: float) -> float:
    """Return the height on the map of Web Mercator, −0.5 to 0.5."""
    angle = math.radians(min(max(latitude, -_LATITUDE_LIMIT), _LATITUDE_LIMIT))
    return math.asinh(math.tan(angle)) / (2 * math.pi)


def _pixels(height: str | None) -> float:
    return float(height[:-2]) if height and height.endswith("px") else 480.0


def _style() -> widgets.Widget:
    style = widgets.HTML(_STYLE)
    style.add_class("wb-map-style")
    return style


@functools.cache
def _countries() -> dict[str, Any]:
    """Return the outlines as GeoJSON, those near the antimeridian on both sides of it."""
    rings = []
    for ring in country_rings():
        rings.append(ring)
        if ring[:, 0].min() < _BEYOND - 180:
            rings.append(ring + np.array([360.0, 0.0]))
        if ring[:, 0].max() > 180 - _BEYOND:
            rings.append(ring - np.array([360.0, 0.0]))
    polygons = [[np.round(ring, 2).tolist()] for ring in rings]
    shape = {"type": "MultiPolygon", "coordinates": polygons}
    return {"type": "FeatureCollection",
            "features": [{"type": "Feature", "properties": {}, "geometry": shape}]}
