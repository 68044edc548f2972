"""Reliability curves: how often a run is right when it says how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from workbench import metrics
from workbench.errors import DataError
from workbench.evaluation import Comparison, compare, tables
from workbench.plots import PLOTS, Plot, style

# A bin with a smaller share of the pixels says nothing that holds.
_LEAST_SHARE = 0.001


def data(source: Any) -> pd.DataFrame:
    """Return `run`, `baseline`, `part`, `confidence`, `accuracy`, `share` of pixels and `ece`.

    One row a bin; seeds are added up.

    Args:
        source: A comparison, a study, or evaluated runs.
    """
    comparison = source if isinstance(source, Comparison) else compare(source)
    rows = []
    for entry in comparison.entries:
        for part, label in tables.PARTS.items():
            sums = tables.calibration(entry.seeds, tables.pooled(entry.first.chips, part))
            if sums is None or not sums.clusters:
                continue
            histogram = sums.counts.sum((0, 1))
            pixels = histogram[:, 0]
            error = float(metrics.ece(histogram))
            rows += [(entry.name, entry.first.baseline, label, sure / count, right / count,
                      count / pixels.sum(), error)
                     for count, sure, right in histogram if count >= _LEAST_SHARE * pixels.sum()]
    if not rows:
        raise DataError("There is no reliability to draw. Scores that were stored before it was "
                        "kept have none: wb.evaluate(run) makes them again.")
    return pd.DataFrame(rows, columns=["run", "baseline", "part", "confidence", "accuracy", "share",
                                       "ece"])


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw the parts side by side; the size of a mark is the share of pixels in its bin."""
    look = style.current()
    looks = style.run_looks(table["run"].tolist(), table.loc[table["baseline"], "run"].tolist())
    parts = [part for part in tables.PARTS.values() if (table["part"] == part).any()]
    panels = figure.subplots(1, len(parts), squeeze=False, sharey=True)[0]
    left, low = (100 * max(0.0, table[name].min() - 0.03) for name in ("confidence", "accuracy"))
    for axes, part in zip(panels, parts, strict=True):
        axes.plot([0, 100], [0, 100], color=look.muted, lw=1, ls=":", zorder=1)
        labels = {}
        for run, (colour, marker) in looks.items():
            rows = table[(table["run"] == run) & (table["part"] == part)]
            if rows.empty:
                continue
            axes.plot(100 * rows["confidence"], 100 * rows["accuracy"], color=colour, lw=1.6,
                      alpha=0.8, zorder=2)
            axes.scatter(100 * rows["confidence"], 100 * rows["accuracy"], marker=marker,
                         s=12 + 130 * np.sqrt(rows["share"]), color=colour,
                         edgecolors=look.surface, linewidths=0.7, zorder=3)
            labels[run] = f"{run}: {100 * rows['ece'].iloc[0]:.1f}"
        axes.set(xlim=(left, 101), ylim=(min(left, low), 101), title=part.capitalize(),
                 xlabel="says it is right with a probability of (%)")
        axes.grid(visible=True)
        shown = {run: look_ for run, look_ in looks.items() if run in labels}
        axes.legend(handles=style.run_legend(shown, labels), title="calibration error (points)",
                    loc="upper left", bbox_to_anchor=(0, -0.13), alignment="left",
                    ncols=1 if len(labels) < 4 else 2, title_fontsize=9, fontsize=8.5)
    panels[0].set_ylabel("is right (%)")
    figure.supxlabel("Below the dotted line a run is too sure of itself. Larger: more pixels.",
                     fontsize=8.5, x=0.01, ha="left", color=look.muted)


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Return width and height in inches."""
    runs, parts = table["run"].nunique(), table["part"].nunique()
    lines = runs if runs < 4 else -(-runs // 2)
    return (8.8 if parts > 1 else 5.0), 4.5 + 0.2 * lines


PLOTS.add("reliability", Plot(data, draw, size, lambda source: False))
