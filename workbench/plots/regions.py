"""Scores as dots and intervals: in region against held out, and region by region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workbench.data.split import display_name
from workbench.errors import DataError
from workbench.evaluation import Comparison, Scores, compare
from workbench.plots import PLOTS, Plot, style

COLUMNS = ["run", "baseline", "region", "part", "miou", "low", "high"]
IN_REGION, HELD_OUT = POOLED = ("in region", "held out")
NOTE = ("Bars are 95 % intervals over independent places. "
        "Hollow: too few places for an interval.")
NARROW = 7.0  # inches, below which the panels stand one above the other
Looks = dict[str, tuple[str, str]]  # run -> colour, marker


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw the summary of every run; beside (or under) it the single regions.

    A filled mark has a 95 % interval; a hollow one has none, because it rests on fewer than five
    independent places.
    """
    if table.empty:
        raise DataError("There are no scores to draw: none of the runs has been evaluated.")
    looks = style.run_looks(table["run"].tolist(), table.loc[table["baseline"], "run"].tolist())
    pooled = table["region"].isin(POOLED)
    summary, detail, legend = _panels(figure, len(looks), table.loc[~pooled, "region"].nunique())
    if summary is not None:
        _summary(table[pooled], summary, looks)
    if detail is not None:
        _detail(table[~pooled], detail, looks)
    if legend is not None:
        _legend(legend, looks)
    narrow = figure.get_size_inches()[0] < NARROW
    figure.supxlabel(NOTE.replace(". ", ".\n") if narrow else NOTE, fontsize=8.5, x=0.01,
                     ha="left", color=style.current().muted)


def _panels(figure: Figure, runs: int,
            regions: int) -> tuple[Axes | None, Axes | None, Axes | None]:
    """Make the axes of summary, regions and legend: side by side where there is room."""
    if not regions:
        return figure.subplots(), None, None
    if figure.get_size_inches()[0] < NARROW:
        heights = (runs + 1.5, 1.1 * regions + 1)
        summary, detail = figure.subplots(2, 1, height_ratios=heights)
        return summary, detail, None
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.2),
                               height_ratios=(1.6 * runs, max(1.4 * regions - runs, 2)))
    return (figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[:, 1]),
            figure.add_subplot(grid[1, 0]))


def _mark(axes: Axes, row: Any, y: float, colour: str, marker: str, size: float) -> None:
    surface = style.current().surface
    known = not np.isnan(row.low)
    if known:
        axes.plot([row.low * 100, row.high * 100], [y, y], color=colour, lw=2, alpha=0.55,
                  zorder=2)
    axes.plot(row.miou * 100, y, marker=marker, ms=size, color=colour, zorder=3,
              mfc=colour if known else surface, mec=colour if not known else surface,
              mew=1.4 if not known else 0.8, ls="", clip_on=False)


def _summary(table: pd.DataFrame, axes: Axes, looks: Looks) -> None:
    look = style.current()
    order = list(reversed(looks))
    for position, run in enumerate(order):
        colour = looks[run][0]
        rows = table[(table["run"] == run) & table["miou"].notna()]
        offsets = np.where(rows["region"] == IN_REGION, 0.13, -0.13)
        if len(rows) == 2:
            axes.plot(rows["miou"] * 100, position + offsets, color=look.muted, lw=1, ls=":",
                      zorder=1)
        for row, offset in zip(rows.itertuples(), offsets, strict=True):
            marker = "o" if row.region == IN_REGION else "D"
            _mark(axes, row, position + offset, colour, marker, 7.5)
    axes.set_yticks(range(len(order)), order)
    axes.set_ylim(-0.6, len(order) - 0.4)
    _finish(axes)
    for label, run in zip(axes.get_yticklabels(), order, strict=True):
        # The palest greys do as marks, not as text.
        label.set_color(look.muted if looks[run][0] in look.baselines else looks[run][0])
    handles = [Line2D([], [], color=look.muted, marker=marker, ls="", ms=7, label=label)
               for marker, label in (("o", "in region (test)"), ("D", "held out"))]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2,
                borderaxespad=0, handletextpad=0.2, columnspacing=1.2)
    axes.set_title("mIoU (%): in region and held out", pad=26)


def _detail(table: pd.DataFrame, axes: Axes, looks: Looks) -> None:
    axes.set_title("Region by region")
    look = style.current()
    parts = table.drop_duplicates("region").set_index("region")["part"]
    held_out = [region for region in parts.index if parts[region] == HELD_OUT]
    order = sorted(set(parts.index) - set(held_out), reverse=True) + held_out
    half = min(0.34, 0.08 * (len(looks) - 1))
    spread = np.linspace(half, -half, len(looks))
    for position, region in enumerate(order):
        if region in held_out:
            axes.axhspan(position - 0.5, position + 0.5, color=look.held_out, alpha=0.10, lw=0)
        elif position % 2 == 0:
            axes.axhspan(position - 0.5, position + 0.5, color=look.land, alpha=0.45, lw=0)
        rows = table[(table["region"] == region) & table["miou"].notna()].set_index("run")
        for (run, (colour, marker)), offset in zip(looks.items(), spread, strict=True):
            if run in rows.index:
                _mark(axes, rows.loc[run], position + offset, colour, marker, 6)
    names = [f"{name}\nheld out" if name in held_out else name for name in order]
    axes.set_yticks(range(len(order)), names)
    axes.set_ylim(-0.5, len(order) - 0.5)
    for label, region in zip(axes.get_yticklabels(), order, strict=True):
        label.set_color(look.held_out if region in held_out else look.ink)
    _finish(axes)


def _legend(axes: Axes, looks: Looks) -> None:
    axes.set_axis_off()
    axes.legend(handles=style.run_legend(looks), loc="upper left", borderaxespad=0)


def _finish(axes: Axes) -> None:
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    low, high = axes.get_xlim()
    axes.set_xlim(max(0.0, low), min(100.0, max(high, low + 10)))


def _size(table: pd.DataFrame) -> tuple[float, float]:
    runs = table["run"].nunique()
    regions = table.loc[~table["region"].isin(POOLED), "region"].nunique()
    if not regions:
        return 7.2, 1.3 + 0.42 * runs
    return 9.6, max(1.6 + 0.75 * runs, 1.2 + 0.09 * regions * max(runs, 4))


def data(source: Any, *, by: str = "region") -> pd.DataFrame:
    """Return mIoU with its interval of every run, in each place and in all of a part.

    Args:
        source: Scores, a comparison, or evaluated runs.
        by: `region`, or `part` for the summary alone.
    """
    if isinstance(source, Scores):
        table = source.table(by).assign(run=source.run, baseline=source.baseline)
    else:
        comparison = source if isinstance(source, Comparison) else compare(_listed(source))
        table = comparison.table(by)
    pooled = table["region"].isin(POOLED)
    shown = table["region"].where(pooled, table["region"].map(display_name))
    # Over several splits a region is trained on in one and held out in another.
    twice = table.groupby("region")["part"].transform("nunique") > 1
    trained = twice & ~pooled & (table["part"] == IN_REGION)
    return table.assign(region=shown.where(~trained, shown + ", trained"))[COLUMNS]


def _listed(source: Any) -> list[Any]:
    return list(source) if isinstance(source, Iterable) else [source]


def suits(source: Any) -> bool:
    """Scores or a comparison."""
    return isinstance(source, (Scores, Comparison))


PLOTS.add("regions", Plot(data, draw, _size, suits))
