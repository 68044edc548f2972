"""All collections of a catalogue on a map of the world."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from workbench.catalog import Catalog
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, style
from workbench.plots.world import ground

COLUMNS = ["collection", "place", "lon", "lat"]
_MARKERS = ("o", "s", "^", "D", "v", "P")


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw a mark for every place, hollow so that collections of one place are all seen."""
    if table.empty:
        raise DataError("No collection of the catalogue has a place on the map.")
    axes = figure.subplots()
    axes.set_aspect("equal")
    ground(axes)
    axes.set_xlim(-170, 180)
    axes.set_ylim(-57, 78)
    names = list(dict.fromkeys(table["collection"]))
    for number, (name, colour) in enumerate(style.run_colours(names).items()):
        own = table[table["collection"] == name]
        # Those that come later are smaller, and lie within the marks of those before.
        axes.scatter(own["lon"], own["lat"], s=max(110 - 26 * number, 22), facecolor="none",
                     edgecolor=colour, linewidth=1.4, zorder=3 + number,
                     marker=_MARKERS[number % len(_MARKERS)], label=f"{name} ({len(own)})")
    figure.legend(loc="outside lower left", ncols=2)


def data(source: Any) -> pd.DataFrame:
    """Return the middle of every place of every collection, in degrees."""
    rows = [(entry.shown_title, place.title, (place.bbox[0] + place.bbox[2]) / 2,
             (place.bbox[1] + place.bbox[3]) / 2)
            for entry in source.values() for place in entry.places if place.bbox is not None]
    return pd.DataFrame(rows, columns=COLUMNS)


def suits(source: Any) -> bool:
    """A catalogue."""
    return isinstance(source, Catalog)


PLOTS.add("atlas", Plot(data, draw, lambda _: (8.6, 4.0), suits))
