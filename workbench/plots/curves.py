"""Curves of one or several runs: loss, validation mIoU, learning rate, memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workbench.errors import DataError
from workbench.events import EpochDone, Event, RunResumed, RunStarted, StepDone
from workbench.plots import PLOTS, Plot, style

COLUMNS = ["run", "quantity", "epoch", "value"]


def data(source: Any) -> pd.DataFrame:
    """Gather what the events say as rows of run, quantity, epoch and value.

    `epoch` is a float: a step counts as the part of the epoch done. Validation scores of a region
    are called `val_miou/<region>`. Memory is in bytes.
    """
    rows: list[tuple[str, str, float, float]] = []
    for name, events in _events_by_run(source).items():
        rows += [(name, *row) for row in _rows(events)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _events_by_run(source: Any) -> Mapping[str, Iterable[Event]]:
    if isinstance(source, Mapping):
        return source
    runs = list(source) if isinstance(source, (list, tuple)) else [source]
    if runs and all(isinstance(entry, Event) for entry in runs):
        return {"run": runs}
    return {run.name: list(run.events()) for run in runs}


def _rows(events: Iterable[Event]) -> list[tuple[str, float, float]]:
    rows: list[tuple[str, float, float]] = []
    steps_per_epoch = 1
    for event in events:
        match event:
            case RunStarted():
                steps_per_epoch = max(event.steps_per_epoch, 1)
            case RunResumed():
                begin = event.step / steps_per_epoch
                rows = [row for row in rows if row[1] <= begin]
            case StepDone():
                at = event.step / steps_per_epoch
                memory = event.device_peak_bytes or event.host_rss_bytes
                rows += [("step_loss", at, event.loss), ("lr", at, event.lr),
                         ("memory", at, float(memory))]
            case EpochDone():
                at = event.epoch + 1.0
                rows += [("train_loss", at, event.train_loss), ("val_loss", at, event.val_loss)]
                rows.append(("val_miou", at, _number(event.val_miou)))
                rows += [(f"val_miou/{region}", at, _number(score))
                         for region, score in event.val_miou_by_region.items()]
                if event.best:
                    rows.append(("best", at, _number(event.val_miou)))
    return rows


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw loss and mIoU large, learning rate and memory small."""
    if table.empty:
        raise DataError("There is nothing to draw yet: the run has done no step.")
    names = list(dict.fromkeys(table["run"]))
    colours = style.run_colours(names)
    axes = figure.subplots(2, 2, height_ratios=(3, 1.25), sharex="row")
    for panel, draw_panel in zip(axes.flat, (_loss, _score, _rate, _memory), strict=True):
        draw_panel(table, panel, colours)
        panel.grid(axis="y")
        panel.set_xlim(0, None)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes[1, 0].set_xlabel("epoch")
    axes[1, 1].set_xlabel("epoch")
    if len(names) > 1:
        handles = [axes[0, 1].plot([], [], color=colours[name], label=name)[0] for name in names]
        figure.legend(handles=handles, loc="outside upper left", ncols=min(len(names), 4),
                      fontsize=9.5)


def _series(table: pd.DataFrame, run: str, quantity: str) -> pd.DataFrame:
    return table[(table["run"] == run) & (table["quantity"] == quantity)].dropna()


def _loss(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_title("Loss")
    alone = len(colours) == 1
    for name, colour in colours.items():
        steps, train = _series(table, name, "step_loss"), _series(table, name, "train_loss")
        val = _series(table, name, "val_loss")
        if alone:
            axes.plot(steps["epoch"], steps["value"], color=colour, alpha=0.25, lw=1)
        axes.plot(train["epoch"], train["value"], color=colour, ls=(0, (1.5, 1.5)), lw=1.5,
                  marker="." if len(train) < 3 else "")
        axes.plot(val["epoch"], val["value"], color=colour, marker="." if len(val) < 3 else "")
    look = style.current()
    axes.plot([], [], color=look.muted, label="validation")
    axes.plot([], [], color=look.muted, ls=(0, (1.5, 1.5)), lw=1.5, label="training")
    axes.legend(loc="upper right")
    values = table.loc[table["quantity"].isin(["train_loss", "val_loss", "step_loss"]), "value"]
    if len(values):
        # The first steps of a fresh decoder would flatten everything that follows.
        axes.set_ylim(0, max(float(np.nanquantile(values, 0.98)) * 1.15, 1e-6))


def _score(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_title("Validation mIoU (%), training regions")
    look = style.current()
    for name, colour in colours.items():
        if len(colours) == 1:
            prefix = table["quantity"].str.startswith("val_miou/")
            for _, region in table[prefix].groupby("quantity"):
                axes.plot(region["epoch"], region["value"] * 100, color=look.muted, lw=0.9,
                          alpha=0.55)
        total, best = _series(table, name, "val_miou"), _series(table, name, "best")
        axes.plot(total["epoch"], total["value"] * 100, color=colour,
                  marker="." if len(total) < 3 else "")
        if len(best):
            axes.plot(best["epoch"].iloc[-1], best["value"].iloc[-1] * 100, "o", color=colour,
                      ms=7, mec=look.surface, mew=1.5, clip_on=False)
    axes.plot([], [], "o", color=look.muted, ms=6, label="best epoch")
    if len(colours) == 1:
        axes.plot([], [], color=next(iter(colours.values())), label="all regions")
        axes.plot([], [], color=look.muted, lw=0.9, alpha=0.7, label="each region")
    axes.legend(loc="lower right")


def _rate(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_title("Learning rate (×10⁻⁴)")
    for name, colour in colours.items():
        rate = _series(table, name, "lr")
        axes.plot(rate["epoch"], rate["value"] * 1e4, color=colour, lw=1.5, drawstyle="steps-post")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)


def _memory(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_title("Memory (GB)")
    for name, colour in colours.items():
        memory = _series(table, name, "memory")
        axes.plot(memory["epoch"], memory["value"] / 1e9, color=colour, lw=1.5)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)


def suits(source: Any) -> bool:
    """A run, or a list of runs or events."""
    entries = list(source) if isinstance(source, (list, tuple)) else [source]
    return bool(entries) and all(
        isinstance(entry, Event) or callable(getattr(entry, "events", None)) for entry in entries)


PLOTS.add("curves", Plot(data, draw, lambda _: (8.6, 4.9), suits))
