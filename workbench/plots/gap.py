"""What every run loses where it was never trained: in region - held out, with its interval."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from workbench.errors import DataError
from workbench.evaluation import Comparison, compare
from workbench.plots import PLOTS, Plot, style

NOTE = ("Left: mIoU in region (circle) and held out (diamond). Right: the difference, with its\n"
        "95 % interval over independent places. Hollow: too few places for an interval.")


def data(source: Any) -> pd.DataFrame:
    """Return the gap of every run (`Comparison.gap`).

    Args:
        source: A comparison, a study, or evaluated runs.
    """
    comparison = source if isinstance(source, Comparison) else compare(source)
    table = comparison.gap()
    if table["gap"].isna().all():
        raise DataError("There is no gap to draw: nothing is held out, or nothing is in region. "
                        "Hold a region out: dataset.split(hold_out=[…]).")
    return table


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw both scores of every run on the left, their difference on the right, smallest on top."""
    look = style.current()
    looks = style.run_looks(table["run"].tolist(), table.loc[table["baseline"], "run"].tolist())
    rows = table.sort_values("gap", ascending=False, kind="stable").to_dict("records")
    both, gaps = figure.subplots(1, 2, sharey=True, width_ratios=(1.25, 1))
    for y, row in enumerate(rows):
        colour = looks[row["run"]][0]
        ends = [100 * row["in_region"], 100 * row["held_out"]]
        both.plot(ends, [y, y], color=colour, lw=2.5, alpha=0.35, solid_capstyle="butt")
        for x, marker in zip(ends, "oD", strict=True):
            both.plot(x, y, marker=marker, ms=8, color=colour, mec=look.surface, mew=0.8)
        known = pd.notna(row["gap_low"])
        if known:
            gaps.plot([100 * row["gap_low"], 100 * row["gap_high"]], [y, y], color=colour, lw=2.5,
                      alpha=0.55)
        gaps.plot(100 * row["gap"], y, marker="o", ms=8, color=colour, mew=1.4,
                  mfc=colour if known else look.surface)
        gaps.annotate(f"{100 * row['gap']:.1f}", (100 * row["gap"], y), (0, 8),
                      textcoords="offset points", ha="center", fontsize=8.5, color=look.muted)
    names = [f"{row['run']}\n(baseline)" if row["baseline"] else row["run"] for row in rows]
    both.set_yticks(range(len(names)), names)
    both.set_ylim(-0.6, len(names) - 0.25)
    both.set_title("mIoU (%)")
    gaps.set_title("Lost where never trained (points)")
    gaps.axvline(0, color=look.muted, lw=1, ls=":", zorder=0)
    for axes in (both, gaps):
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
    figure.supxlabel(NOTE, fontsize=8.5, x=0.01, ha="left", color=look.muted)


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Return width and height in inches."""
    return 8.4, 1.4 + 0.48 * len(table)


PLOTS.add("gap", Plot(data, draw, size, lambda source: False))
