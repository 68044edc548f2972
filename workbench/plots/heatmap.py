"""IoU of each class in each region, one panel a run: which class fails where."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from workbench.data.split import display_name
from workbench.evaluation import Comparison, compare
from workbench.evaluation.grouping import column_of
from workbench.plots import PLOTS, Plot, style

# Panels beside each other; more runs go below.
_ACROSS = 5
_MAP = "cividis"  # read by every colour vision, and in grey


def data(source: Any) -> pd.DataFrame:
    """Return `run`, `place`, `part`, `class`, `iou` (a fraction), the worst places first.

    Args:
        source: A comparison (its `by` gives the places), a study, or evaluated runs.
    """
    comparison = source if isinstance(source, Comparison) else compare(source)
    by = comparison.by
    if isinstance(by, str) and by in ("class", "part"):
        by = "region"
    table, column = comparison.table(by), column_of(by)
    classes = [name for name in table.columns
               if name.startswith("iou_") and not name.endswith(("_low", "_high"))]
    places = table[table[column] != table["part"]]
    rows = places.melt(["run", column, "part"], classes, "class", "iou")
    rows["class"] = rows["class"].str.removeprefix("iou_")
    return rows.rename(columns={column: "place"})


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw a matrix for each run, with the numbers in it."""
    look = style.current()
    runs = list(dict.fromkeys(table["run"]))
    classes = list(dict.fromkeys(table["class"]))
    places = list(dict.fromkeys(zip(table["place"], table["part"], strict=True)))
    down, across = _grid(len(runs))
    panels = figure.subplots(down, across, squeeze=False).ravel()
    cells = table.set_index(["run", "place", "part", "class"])["iou"]
    width = max(14, 7 * len(classes))
    image = None
    for number, axes in enumerate(panels):
        if number >= len(runs):
            axes.set_axis_off()
            continue
        matrix = np.array([[100 * cells.get((runs[number], *place, name), math.nan)
                            for name in classes] for place in places])
        image = axes.imshow(matrix, cmap=colormaps[_MAP].with_extremes(bad=look.land), vmin=0,
                            vmax=100, aspect="auto")
        for (row, column), value in np.ndenumerate(matrix):
            dark = np.isnan(value) or value > 55
            axes.text(column, row, "–" if np.isnan(value) else f"{value:.0f}", ha="center",
                      va="center", fontsize=8.5, color="#111111" if dark else "#f4f4f4")
        axes.set_title(textwrap.fill(runs[number], width, break_on_hyphens=False), fontsize=9.5)
        axes.set_xticks(range(len(classes)), classes,
                        rotation=0 if len(classes) < 4 else 90)
        first = number % across == 0
        names = [display_name(place) + (" (held out)" if part == "held out" else "")
                 for place, part in places]
        axes.set_yticks(range(len(places)), names if first else [""] * len(places))
        for label, (_, part) in zip(axes.get_yticklabels(), places, strict=True):
            label.set_color(look.held_out if part == "held out" else look.ink)
        for spine in axes.spines.values():
            spine.set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=panels.tolist(), shrink=0.6, aspect=25, pad=0.015)
        bar.set_label("IoU (%)")
        bar.outline.set_visible(False)


def _grid(runs: int) -> tuple[int, int]:
    """Return rows and columns of panels, so that the last row is not left with few."""
    down = math.ceil(runs / _ACROSS)
    return down, math.ceil(runs / down)


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Return width and height in inches."""
    down, across = _grid(table["run"].nunique())
    panel = max(1.3, 0.48 * table["class"].nunique())
    places = len(table[["place", "part"]].drop_duplicates())
    return 2.6 + panel * across, down * (1.05 + 0.3 * places)


PLOTS.add("heatmap", Plot(data, draw, size, lambda source: False))
