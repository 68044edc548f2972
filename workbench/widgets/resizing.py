"""Maps that notice when their place in the page grows or shrinks."""

from __future__ import annotations

from pathlib import Path

import anywidget


class Resizing(anywidget.AnyWidget):
    """Nothing to be seen: put into a box, it tells the maps in that box when their size changes.

    Leaflet looks at its size when the window changes, not when a neighbour comes or goes.
    """

    _esm = Path(__file__).parent / "browser" / "resizing.js"
