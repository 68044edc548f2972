"""scene_map: a large scene and its predictions on two linked maps, painted anew for each view."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import traitlets
import xarray as xr

from workbench.errors import unknown_name
from workbench.plots import plot
from workbench.plots.chip_map import IMAGE
from workbench.plots.scene_layers import SceneLayers
from workbench.plots.webmap import Overlay, pixel_at
from workbench.prediction.thinning import Bounds, Part, checked_bounds, whole
from workbench.prediction.viewing import PredictionLike, Scene
from workbench.widgets.basemap import on_screen
from workbench.widgets.comparing.base import MapPanel
from workbench.widgets.comparing.controls import Sides, Status, code_button
from workbench.widgets.comparing.painting import all_corners, legend
from workbench.widgets.comparing.pair import SIDES, Pair
from workbench.widgets.comparing.panel import STYLE
from workbench.widgets.comparing.pixel import view_pixel_html
from workbench.widgets.comparing.worker import Worker
from workbench.widgets.overlays import NOTHING, PIXELATED
from workbench.widgets.resizing import Resizing

# A map that is dragged says where it is many times a second; it is painted once it rests.
_REST_S = 0.15
# Painted round what is in sight, as a share of it: a short pull shows no empty edge.
_AIR = 0.1
# Pixels of a picture: of the screen's, but never more than one that few bytes can hold.
_LEAST_SIDE, _MOST_SIDE = 256, 1280
_STILL_SIDE = 512
_HINT = '<div class="wb-said">Click a pixel: its bands, and what each run says.</div>'
_KEPT: dict[str, SceneLook] = {}


@dataclasses.dataclass(frozen=True)
class SceneLook:
    """What a map of a scene shows.

    Attributes:
        left: Name of the layer on the left.
        right: Name of the layer on the right.
        bounds: West, south, east and north of what is in sight, in degrees.
        swipe: Whether both lie in one map.
    """

    left: str
    right: str
    bounds: Bounds
    swipe: bool = False


def scene_map(predictions: PredictionLike | Mapping[str, PredictionLike],
              scene: str | Path | xr.DataArray | xr.Dataset | None = None, *,
              left: str | None = None, right: str | None = None, swipe: bool = False,
              bounds: Bounds | None = None, bands: Sequence[str] | None = None,
              key: str | None = None) -> SceneMap:
    """Show predictions of a scene of any size on two linked maps, or on one with a swipe.

    Every view is read anew from overviews (`wb.scene_view`) and sent as pictures of 300 kB at most
    through the notebook itself: there is no tile server, and nothing is read that is not in sight.

    Args:
        predictions: What `wb.predict` returned, of one run or several, in memory or on disk; the
            GeoTIFF that `wb.to_cog` wrote, or its address; or several of those by name.
        scene: The scene they were made from: path or address of a GeoTIFF, or an array.
        left: Name of the layer on the left, such as `image` or `prediction of lora`.
        right: Name of the layer on the right.
        swipe: Show both layers in one map with a handle between them.
        bounds: West, south, east and north of what is shown first, in degrees; by default all.
        bands: Names of the bands of `scene` in its order, where it does not say them itself.
        key: A name under which the kernel keeps the view: the same cell run again goes on from it.

    Returns:
        A panel that shows itself; `.value` says which layers and which bounds are shown.

    Raises:
        GridError: Predictions or scene lie on other grids, or nowhere.
        DataError: A file cannot be read, or predictions have other classes.
        BandError: `bands` does not name the bands of the scene.
        DownloadError: A server does not answer.
        UnknownNameError: There is no such layer; names the nearest.
    """
    layers = SceneLayers(Scene(predictions, scene, bands=bands))
    kept = _KEPT.get(key or "")
    look = kept if kept and {kept.left, kept.right} <= {*layers.names} else _first_look(layers)
    given = {"left": left, "right": right, "swipe": swipe or None,
             "bounds": None if bounds is None else tuple(bounds)}
    look = dataclasses.replace(look, **{name: value for name, value in given.items()  # type: ignore
                                        if value is not None})
    look = dataclasses.replace(look, bounds=checked_bounds(look.bounds))
    return SceneMap(layers, look, given=(predictions, scene, bands), key=key)


class SceneMap(MapPanel):
    """A scene with its predictions on maps; see `scene_map`.

    Attributes:
        value: What is shown; setting it shows something else.
        box: The widget, to be put beside others.
    """

    value = traitlets.Instance(SceneLook)

    def __init__(self, layers: SceneLayers, look: SceneLook, *, given: Any,
                 key: str | None = None) -> None:
        self._status, self._code = Status(), widgets.HTML()
        super().__init__(Worker(self._status.fail))
        self._layers, self._given, self._key = layers, given, key
        self._dragged = False
        self._closed = threading.Event()
        self._legends = [widgets.HTML(layout={"flex": "1 1 0", "min_width": "0"}) for _ in SIDES]
        # Without an image below, nothing has to shine through.
        self._pixel = widgets.HTML(_HINT)
        self._pair = Pair(_on_the_map(look.bounds), self._chose_pixel,
                          0.8 if IMAGE in layers.names else 1.0)
        self._sides = Sides(layers.names, self._change, self._pair.opacity)
        self._pair.maps[0].observe(self._moved, "bounds")
        self.box = self._layout()
        self.value = look

    @property
    def code(self) -> str:
        """The lines that show the same view, with and without a map."""
        return _code(self._given, self.value)

    def close(self) -> None:
        """Stop painting and take the panel away; the picture stays."""
        self._closed.set()
        super().close()

    def __repr__(self) -> str:
        scene = self._layers.scene
        return (f"{scene.source or 'scene'} · {scene.grid.height} × {scene.grid.width} pixels · "
                f"left: {self.value.left} · right: {self.value.right}")

    def _change(self, **fields: Any) -> None:
        self.value = dataclasses.replace(self.value, **fields)

    def _moved(self, change: Any) -> None:
        """Follow the map to where it was dragged or zoomed; the browser says it."""
        if not change["new"]:
            return
        (south, west), (north, east) = change["new"]
        if west < east and south < north:
            self._dragged = True
            self._change(bounds=tuple(round(edge, 6) for edge in (west, south, east, north)))
            self._dragged = False

    def _chose_pixel(self, lat: float, lon: float) -> None:
        self._worker.ask("pixel", partial(self._look_at, lat, lon))

    def _look_at(self, lat: float, lon: float) -> None:
        """Say what is known of a pixel; done in the worker's thread."""
        scene = self._layers.scene
        row, column = pixel_at(lat, lon, scene.grid.transform, scene.grid.crs)
        if not (0 <= row < scene.grid.height and 0 <= column < scene.grid.width):
            self._pair.mark([])
            self._pixel.value = _HINT
            return
        pixel = scene.view(Part(row, column, 1, 1, 1))
        self._pair.mark(all_corners(pixel))
        self._pixel.value = view_pixel_html(pixel, row, column, lat, lon)

    @traitlets.validate("value")
    def _check(self, proposal: Any) -> SceneLook:
        look: SceneLook = proposal["value"]
        for name in (look.left, look.right):
            if name not in self._layers.names:
                raise unknown_name("layer", name, self._layers.names, "the menu above each map")
        return dataclasses.replace(look, bounds=checked_bounds(look.bounds))

    @traitlets.observe("value")
    def _on_value(self, change: Any) -> None:
        look = change["new"]
        before = change["old"] if isinstance(change["old"], SceneLook) else None
        self._status.forget()
        self._sides.show(look.left, look.right, look.swipe)
        if before is None or before.swipe != look.swipe:
            self._pair.swipe(look.swipe)
        if before is not None and before.bounds != look.bounds and not self._dragged:
            self._pair.fit(_on_the_map(look.bounds))
        self._code.value = f'<pre class="wb-code">{escape(self.code)}</pre>'
        if self._key:
            _KEPT[self._key] = look
        self._status.say("reading…")
        self._worker.ask("view", partial(self._paint, look, rested=before is None))
        if self._still and before and (before.left, before.right) != (look.left, look.right):
            self._worker.ask("still", self._draw_still)

    def _paint(self, look: SceneLook, *, rested: bool) -> None:
        """Show a view; done in the worker's thread, once nothing newer has come for a while."""
        if not rested and (self._closed.wait(_REST_S) or look != self.value):
            return
        pictures: list[tuple[Overlay, Overlay | None, str]] = [(NOTHING, None, "")] * 2
        try:
            west, south, east, north = look.bounds
            high, wide = _AIR * (north - south), _AIR * (east - west)
            around = (west - wide, max(south - high, -90.0), east + wide, min(north + high, 90.0))
            pixels = max(on_screen(around, self._pair.maps[0].zoom))
            part = self._layers.scene.part(around, round(min(max(pixels, _LEAST_SIDE),
                                                             _MOST_SIDE)))
            if part is not None:
                pictures = [
                    (picture.image or NOTHING, picture.classes, legend(picture.layer))
                    for picture in self._layers.paint(part, [look.left, look.right])]
        finally:
            for side, words, (image, classes, said) in zip(SIDES, self._legends, pictures,
                                                           strict=True):
                self._pair.paint(side, image, classes)
                words.value = said
        self._status.say("" if part else "The scene lies elsewhere; zoom out to find it.")

    def _draw_still(self) -> None:
        look, still, scene = self.value, self._still, self._layers.scene
        if still is not None:
            names = dict.fromkeys([*([IMAGE] if IMAGE in self._layers.names else []), look.left,
                                   look.right])
            part = scene.part(look.bounds, _STILL_SIDE) or whole(scene.grid, _STILL_SIDE)
            figure = plot(scene.view(part), "chip_map", show=list(names))
            still.update({"text/plain": repr(self), "image/png": figure.png(dpi=96)}, raw=True)

    def _layout(self) -> widgets.Widget:
        scene = self._layers.scene
        words = [f"{scene.grid.height} × {scene.grid.width} pixels", scene.grid.crs.to_string(),
                 *(["simulated"] * scene.simulated)]
        head = widgets.HTML(f'<div class="wb-chip-name"><b>{escape(Path(scene.source).name)}</b> '
                            f'{escape(" · ".join(words))}</div>')
        top = widgets.HBox([head, self._status.box, code_button(self._code)],
                           layout={"width": "100%", "align_items": "center"})
        legends = widgets.HBox(self._legends, layout={"width": "100%"})
        body = widgets.VBox([top, self._code, self._sides.box, self._pair.box, legends,
                             self._pixel, Resizing()])
        body.add_class("wb-compare")
        style = widgets.HTML(f"<style>{STYLE}</style>{PIXELATED}", layout={"display": "none"})
        return widgets.VBox([style, body])


def _first_look(layers: SceneLayers) -> SceneLook:
    """Return where to begin: all of the scene, two predictions, or what there is beside one."""
    first, *more = [name for name in layers.names if name.startswith("prediction")]
    if more:
        left, right = first, more[0]
    elif IMAGE in layers.names:
        left, right = IMAGE, first
    else:
        left, right = first, layers.names[-1]
    return SceneLook(left, right, layers.scene.bounds)


def _on_the_map(bounds: Bounds) -> Bounds:
    """Return bounds as maps take them: west above east crosses the antimeridian."""
    west, south, east, north = bounds
    return west, south, east - 360 * (east > 180), north


def _code(given: Any, look: SceneLook) -> str:
    predictions, scene, bands = given
    first = [_said(predictions, "predictions"), *([] if scene is None else [_said(scene, "scene")])]
    if bands is not None:
        first.append(f"bands={list(bands)!r}")
    shown = [f"left={look.left!r}", f"right={look.right!r}", *(["swipe=True"] * look.swipe),
             f"bounds={look.bounds!r}"]
    return (f"wb.scene_map({', '.join([*first, *shown])})\n\n"
            f"# the same layers without a map\n"
            f"view = wb.scene_view({', '.join([*first, f'bounds={look.bounds!r}'])})\n"
            f"wb.plot(view, show={list(dict.fromkeys([look.left, look.right]))!r})")


def _said(given: Any, name: str) -> str:
    """Return a path as code, and for what has none the name of a variable."""
    if isinstance(given, (str, Path)):
        return repr(str(given))
    if isinstance(given, Mapping) and not isinstance(given, xr.Dataset):
        return "{" + ", ".join(f"{str(key)!r}: {_said(one, _variable(str(key)))}"
                               for key, one in given.items()) + "}"
    return name


def _variable(name: str) -> str:
    return name if name.isidentifier() else f"predictions[{name!r}]"
