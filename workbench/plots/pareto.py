"""What accuracy costs: mIoU against trained parameters, memory and time, and the best value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from workbench.errors import DataError
from workbench.evaluation import Comparison, compare
from workbench.plots import PLOTS, Plot, style

_SCORES = {"held_out": "held out", "in_region": "in region"}
_COSTS = {"trainable_parameters": "trained parameters", "memory_bytes": "peak memory (GB)",
          "train_s": "training (minutes)"}
_UNITS = {"trainable_parameters": 1.0, "memory_bytes": 1e9, "train_s": 60.0}
NOTE = ("Line: the best score up to that cost. Dashed: nothing was trained. Bars: 95 % intervals; "
        "hollow: none.")
# From one end to the other at least this factor makes an axis logarithmic.
_WIDE = 8.0


def data(source: Any, *, score: str | None = None) -> pd.DataFrame:
    """Return what every run costs and brings (`Comparison.costs`).

    Args:
        source: A comparison, a study, or evaluated runs.
        score: `held_out` or `in_region`; held out where anything is.
    """
    comparison = source if isinstance(source, Comparison) else compare(source)
    table = comparison.costs()
    trained = table["train_s"].notna()
    if trained.any():  # the threshold of an index is no parameter that was trained
        table["trainable_parameters"] = table["trainable_parameters"].where(trained)
    if score is None:
        score = "in_region" if table["held_out"].isna().all() else "held_out"
    if score not in _SCORES:
        raise DataError(f"score={score!r} is neither 'held_out' nor 'in_region'.")
    return table.assign(score=table[score], low=table[f"{score}_low"],
                        high=table[f"{score}_high"], scored=_SCORES[score])


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw a panel for each cost; a step joins the runs that none beats at their price."""
    look = style.current()
    looks = style.run_looks(table["run"].tolist(), table.loc[table["baseline"], "run"].tolist())
    costs = [cost for cost in _COSTS if (table[cost].fillna(0) > 0).any()]
    if not costs:
        raise DataError("Nothing is known of what these runs cost: pass runs, not scores, and such "
                        "that were trained.")
    panels = figure.subplots(1, len(costs), squeeze=False, sharey=True)[0]
    for axes, cost in zip(panels, costs, strict=True):
        priced = table[table[cost].fillna(0) > 0]
        priced = priced.assign(price=priced[cost] / _UNITS[cost])
        _front(priced, axes)
        for row in priced.to_dict("records"):
            colour, marker = looks[row["run"]]
            known = pd.notna(row["low"])
            if known:
                axes.plot([row["price"]] * 2, [100 * row["low"], 100 * row["high"]], color=colour,
                          lw=1.8, alpha=0.4)
            axes.plot(row["price"], 100 * row["score"], marker=marker, ms=8, color=colour, mew=1.2,
                      mfc=colour if known else look.surface, ls="")
        for row in table[~table.index.isin(priced.index)].to_dict("records"):
            axes.axhline(100 * row["score"], color=looks[row["run"]][0], lw=1.2, ls="--", zorder=0)
        if priced["price"].max() > _WIDE * priced["price"].min():
            axes.set_xscale("log")
            # On a short axis the labels of minor ticks run into each other.
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(_COSTS[cost] + (_whose(table) if cost == "memory_bytes" else ""))
        axes.margins(x=0.12)
        axes.grid(visible=True)
    panels[0].set_ylabel(f"mIoU {table['scored'].iloc[0]} (%)")
    figure.legend(handles=style.run_legend(looks), loc="outside lower left", title=NOTE,
                  title_fontsize=8.5, alignment="left", ncols=min(4, len(looks)))
    panels[0].set_title("What accuracy costs")


def _front(priced: pd.DataFrame, axes: Axes) -> None:
    order = priced.dropna(subset=["score"]).sort_values(["price", "score"],
                                                        ascending=[True, False])
    best = order[order["score"] > order["score"].shift(fill_value=-1).cummax()]
    if len(best) > 1:
        axes.step(best["price"], 100 * best["score"], where="post", color=style.current().rule,
                  lw=2, zorder=0)


def _whose(table: pd.DataFrame) -> str:
    places = set(table["memory_of"]) - {""}
    return "\nof the whole process" if "host" in places else ""


def size(table: pd.DataFrame) -> tuple[float, float]:
    """Return width and height in inches."""
    panels = sum(bool((table[cost].fillna(0) > 0).any()) for cost in _COSTS)
    return 1.2 + 2.9 * max(panels, 1), 3.9 + 0.22 * np.ceil(len(table) / 4)


PLOTS.add("pareto", Plot(data, draw, size, lambda source: False))
