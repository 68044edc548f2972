"""All collections of a catalogue on a map of the world."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from workbench.catalog import Catalog
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, style, world

COLUMNS = ["collection", "simulated", "place", "lon", "lat"]
_MANY = 100  # places, whose dots are small so that they do not hide each other


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw a dot for every place; simulated places are rings, which real ones may lie in."""
    if table.empty:
        raise DataError("No collection of the catalogue has a place on the map.")
    axes = figure.subplots()
    axes.set_aspect("equal")
    world.ground(axes)
    axes.set_xlim(-170, 180)
    axes.set_ylim(-57, 78)
    colours = style.run_colours(list(dict.fromkeys(table["collection"])))
    for name, own in table.groupby("collection", sort=False):
        simulated = bool(own["simulated"].iloc[0])
        many = len(own) > _MANY
        axes.scatter(own["lon"], own["lat"], s=70 if simulated else 7 if many else 26, zorder=4,
                     facecolor="none" if simulated else colours[str(name)],
                     edgecolor=colours[str(name)] if simulated else "none",
                     linewidth=1.5, label=f"{name} · {len(own)} places")
    for handle in figure.legend(loc="outside lower left", ncols=2).legend_handles:
        handle.set_sizes([40])  # type: ignore[union-attr]


def data(source: Any) -> pd.DataFrame:
    """Return the middle of every place of every collection, in degrees."""
    rows = [(entry.shown_title, entry.simulated, place.title,
             (place.bbox[0] + place.bbox[2]) / 2, (place.bbox[1] + place.bbox[3]) / 2)
            for entry in source.values() for place in entry.places if place.bbox is not None]
    return pd.DataFrame(rows, columns=COLUMNS)


def suits(source: Any) -> bool:
    """A catalogue."""
    return isinstance(source, Catalog)


PLOTS.add("atlas", Plot(data, draw, lambda _: (8.6, 4.0), suits))
