"""The regions of a collection, dataset or split on a map of the world."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from workbench.catalog import Collection
from workbench.data import Dataset, Split
from workbench.data.split import display_name
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, style
from workbench.plots.outlines import country_rings

Side = tuple[tuple[int, int], str, str]  # offset in points, alignments
SIDES: tuple[Side, ...] = (((7, 0), "left", "center"), ((-7, 0), "right", "center"),
         ((0, 6), "center", "bottom"), ((0, -7), "center", "top"),
         ((5, 5), "left", "bottom"), ((5, -6), "left", "top"), ((-5, 5), "right", "bottom"),
         ((-5, -6), "right", "top"))
COLUMNS = ["region", "west", "south", "east", "north", "chips", "held_out"]


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw each region as a dot on country outlines; held-out regions stand out."""
    if table.empty:
        raise DataError("No region has a place on the map: the chips have no georeference.")
    look = style.current()
    axes = figure.subplots()
    axes.set_aspect("equal")
    ground(axes)
    lon, lat = (table["west"] + table["east"]) / 2, (table["south"] + table["north"]) / 2
    frame(axes, lon, lat)
    for held_out in (False, True):
        rows = (table["held_out"] == held_out).to_numpy()
        if rows.any():
            axes.scatter(lon[rows], lat[rows], s=90 if held_out else 55, zorder=4,
                         color=look.held_out if held_out else look.trained,
                         marker="D" if held_out else "o", edgecolor=look.surface, linewidth=1.2)
    _legend(figure, table)
    figure.draw_without_rendering()  # lays the axes out: boxes in pixels are true from here
    label(axes, table, np.column_stack([lon, lat]))


def ground(axes: Axes) -> None:
    """Draw the outlines of countries and a quiet grid."""
    look = style.current()
    style.image_axes(axes)
    rings = country_rings()
    if rings:
        axes.add_collection(PolyCollection(rings, facecolor=look.land, edgecolor=look.border,
                                           linewidth=0.6, zorder=1))
    lines: list[list[tuple[float, float]]] = [[(lon, -60), (lon, 80)] for lon in
                                              range(-180, 181, 30)]
    lines += [[(-180, lat), (180, lat)] for lat in range(-60, 81, 20)]
    axes.add_collection(LineCollection(lines, color=look.rule, lw=0.5, zorder=0))


def frame(axes: Axes, lon: pd.Series, lat: pd.Series) -> None:
    """Show the world where regions lie far apart, else their surroundings."""
    if np.ptp(lon) > 90:
        axes.set_xlim(-170, 180)
        axes.set_ylim(-57, 78)
        return
    half = max(np.ptp(lon) / 2 * 1.4, np.ptp(lat) * 1.4, 12.0)
    axes.set_xlim(lon.mean() - half, lon.mean() + half)
    axes.set_ylim(lat.mean() - half / 2, lat.mean() + half / 2)


def label(axes: Axes, table: pd.DataFrame, points: npt.NDArray) -> None:
    """Write each name on the first side of its dot where it covers nothing."""
    dots = axes.transData.transform(points)
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in dots]
    for row, point in zip(table.itertuples(), points, strict=True):
        for side in (*SIDES, SIDES[0]):
            text = _name(axes, row, point, side)
            box = text.get_window_extent().padded(1)
            inside = axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1)
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.set_visible(False)
        text.set_visible(True)
        taken.append(box)


def _name(axes: Axes, row: Any, point: npt.NDArray, side: Side) -> Annotation:
    look = style.current()
    offset, ha, va = side
    text = axes.annotate(
        str(row.region), tuple(point), xytext=offset, textcoords="offset points", ha=ha, va=va,
        fontsize=9, fontweight="bold" if row.held_out else "normal", zorder=5,
        color=look.held_out if row.held_out else look.ink)
    text.set_in_layout(False)
    return text


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    look = style.current()
    handles = []
    for held_out, marker, colour, text in ((False, "o", look.trained, "trained and tested"),
                                           (True, "D", look.held_out, "held out")):
        rows = table[table["held_out"] == held_out]
        if len(rows):
            chips = int(rows["chips"].sum())
            count = f" · {chips} chips" if chips else ""
            handles.append(Line2D([], [], color=colour, marker=marker, ls="", ms=7,
                                  label=f"{text}{count}"))
    if table["held_out"].any():
        figure.legend(handles=handles, loc="outside lower left", ncols=2)


def data(source: Any) -> pd.DataFrame:
    """Return the box of each region in degrees, its chips, and whether it is held out.

    Args:
        source: A split, a dataset or a collection of the catalogue.
    """
    if isinstance(source, Collection):
        rows = [(place.title, *place.bbox, 0, False)
                for place in source.regions.values() if place.bbox is not None]
        return pd.DataFrame(rows, columns=COLUMNS)
    dataset, hold_out = (source.dataset, source.hold_out) if isinstance(source, Split) \
        else (source, ())
    placed = dataset.chips[dataset.chips.geometry.notna()]
    rows = [(display_name(region), *chips.total_bounds, len(chips), region in hold_out)
            for region, chips in placed.groupby("region")]
    return pd.DataFrame(rows, columns=COLUMNS)


def suits(source: Any) -> bool:
    """A collection, a dataset or a split."""
    return isinstance(source, (Collection, Dataset, Split))


PLOTS.add("world", Plot(data, draw, lambda _: (8.6, 3.7), suits))
