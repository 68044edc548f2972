"""The part of the picker that the browser draws beside and on the map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from workbench.widgets.picker.atlas import Atlas
from workbench.widgets.picker.tints import Tint

_FILES = Path(__file__).parent.parent / "browser"
_SCRIPTS = ("element.js", "footprints.js", "sketching.js", "splitting.js", "collections.js",
            "picker.js")
CHIPS, MARKS = "wb-chips", "wb-marks"
# Above the outlines and imagery, below what the mouse points at.
PANES = {CHIPS: 420, MARKS: 430}


class PickerView(anywidget.AnyWidget):
    """Head, panels and footprints; the map itself is leafmap's.

    Footprints are sent once, as bytes; a new colour for all of them is one byte each.

    Args:
        chart: The map.
        heard: Called with each message of the browser.
    """

    _esm = "\n".join((_FILES / name).read_text("utf-8") for name in _SCRIPTS)
    _css = (_FILES / "picker.css").read_text("utf-8")

    chart: Any = traitlets.Instance(widgets.Widget).tag(sync=True, **widgets.widget_serialization)
    corners = traitlets.Bytes().tag(sync=True)
    groups = traitlets.Bytes().tag(sync=True)
    names = traitlets.Unicode().tag(sync=True)
    labels: Any = traitlets.List().tag(sync=True)
    tints = traitlets.Bytes().tag(sync=True)
    palette: Any = traitlets.List().tag(sync=True)
    legend = traitlets.Dict().tag(sync=True)
    page: Any = traitlets.Dict({"mode": "catalogue", "title": "", "colours": []}).tag(sync=True)
    regions: Any = traitlets.List().tag(sync=True)
    parts: Any = traitlets.List().tag(sync=True)
    classes: Any = traitlets.List().tag(sync=True)
    options = traitlets.Dict().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    audit: Any = traitlets.Dict({"state": "none"}).tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)
    catalogue = traitlets.Dict().tag(sync=True)
    flight: Any = traitlets.Dict({"number": 0, "bounds": None}).tag(sync=True)

    def __init__(self, chart: widgets.Widget, heard: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(chart=chart)
        self.on_msg(lambda _, message, __: heard(message))

    def draw(self, atlas: Atlas) -> None:
        """Send new shapes."""
        with self.hold_sync():
            self.corners = atlas.corners.astype("<f4").tobytes()
            self.groups = atlas.groups.astype("<u2").tobytes()
            self.names = "\n".join(name.replace("\n", " ") for name in atlas.names)
            self.labels = list(atlas.labels)

    def paint(self, tint: Tint) -> None:
        """Send new colours of the shapes."""
        with self.hold_sync():
            self.tints = np.asarray(tint.codes, np.uint8).tobytes()
            self.palette = tint.palette
            self.legend = {"entries": [{"name": name, "colour": colour}
                                       for name, colour in tint.legend]}

    def fly(self, bounds: tuple[float, float, float, float]) -> None:
        """Show what lies within bounds: west, south, east, north."""
        self.flight = {"number": self.flight["number"] + 1, "bounds": list(bounds)}
