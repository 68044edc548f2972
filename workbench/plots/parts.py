"""A split on a map of the world: every region is a pie of its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path

from workbench.data import PARTS
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, style, world

NAMES = {"train": "train", "val": "validation", "test": "test", "held_out": "held out",
         "left_out": "left out"}  # fmt: skip


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw a pie for each region, of the numbers of its chips by part."""
    if table.empty:
        raise DataError("No region has a place on the map: the chips have no georeference.")
    colours = part_colours()
    axes = figure.subplots()
    axes.set_aspect("equal")
    world.ground(axes)
    lon, lat = (table["west"] + table["east"]) / 2, (table["south"] + table["north"]) / 2
    world.frame(axes, lon, lat)
    for place, row in enumerate(table.to_dict("records")):
        counts = {part: int(row[f"in_{part}"]) for part in NAMES}
        # Each whole above the one before: pies that overlap do not mix.
        _pie(axes, (lon[place], lat[place]), counts, colours, 4 + place / len(table) / 2)
    handles = [Line2D([], [], color=colours[part], marker="o", ls="", ms=8,
                      label=f"{name} · {int(table[f'in_{part}'].sum())}")
               for part, name in NAMES.items() if table[f"in_{part}"].sum()]
    figure.legend(handles=handles, loc="outside lower left", ncols=5)
    figure.draw_without_rendering()  # lays the axes out: boxes in pixels are true from here
    world.label(axes, table, np.column_stack([lon, lat]))


def part_colours() -> dict[str, str]:
    """Return the colours of the parts in the theme in use, those of the live map."""
    look = style.current()
    return {"train": look.runs[0], "val": look.runs[5], "test": look.runs[2],
            "held_out": look.held_out, "left_out": look.baselines[2]}


def _pie(axes: Axes, place: tuple[float, float], counts: dict[str, int],
         colours: dict[str, str], order: float) -> None:
    axes.scatter(*place, s=170, color=style.current().surface, lw=0, zorder=order)
    total, begun = sum(counts.values()), 0.0
    for part, count in counts.items():
        if not count:
            continue
        share = 360 * count / total
        wedge = Path.wedge(90 - begun - share, 90 - begun) if share < 360 else Path.unit_circle()
        # A marker is scaled by its longest reach, so that all pieces of a pie are of one circle.
        reach = float(np.abs(wedge.vertices).max())
        axes.scatter(*place, s=120 * reach**2, marker=wedge, color=colours[part], lw=0,
                     zorder=order)
        begun += share


def data(source: Any) -> pd.DataFrame:
    """Return the box of each region in degrees and its number of chips in every part."""
    chips = source.dataset.chips
    part_of = {chip: part for part in PARTS for chip in source.parts[part]}
    parts = pd.Series([part_of.get(chip, "left_out") for chip in chips.index], chips.index)
    placed = chips[chips.geometry.notna()]
    counts = [(parts[own.index] == part).sum() for _, own in placed.groupby("region")
              for part in NAMES]
    table = world.data(source)
    columns = np.array(counts, int).reshape(-1, len(NAMES))
    return table.assign(**{f"in_{part}": columns[:, k] for k, part in enumerate(NAMES)})


def suits(source: Any) -> bool:
    """Nothing by itself: a split is shown by what is trained on and what is held out."""
    return False


PLOTS.add("parts", Plot(data, draw, lambda _: (8.6, 3.7), suits))
