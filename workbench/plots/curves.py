"""Curves of one or several runs: loss, validation mIoU, learning rate, memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workbench.data.split import display_name
from workbench.errors import DataError
from workbench.events import EpochDone, Event, RunResumed, RunStarted, StepDone
from workbench.plots import PLOTS, Plot, style

COLUMNS = ["run", "quantity", "epoch", "value"]


def data(source: Any) -> pd.DataFrame:
    """Gather what the events say as rows of run, quantity, epoch and value.

    `epoch` is a float: a step counts as the part of the epoch done. Validation scores of a region
    are called `val_miou/<region>`, those of a held-out region that someone chose to watch
    `held_out_miou/<region>`. Memory is in bytes, of the device where there is one; `capacity` is
    what the device has.
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
                rows += [("step_loss", at, _number(event.loss)), ("lr", at, event.lr),
                         ("samples_per_s", at, event.samples_per_s), *_memory_rows(event, at)]
            case EpochDone():
                at = event.epoch + 1.0
                rows += [("train_loss", at, event.train_loss), ("val_loss", at, event.val_loss)]
                rows.append(("val_miou", at, _number(event.val_miou)))
                rows += [(f"val_miou/{region}", at, _number(score))
                         for region, score in event.val_miou_by_region.items()]
                rows += [(f"held_out_miou/{region}", at, _number(score))
                         for region, score in event.held_out_miou_by_region.items()]
                if event.best:
                    rows.append(("best", at, _number(event.val_miou)))
    return rows


def _memory_rows(event: StepDone, at: float) -> list[tuple[str, float, float]]:
    if event.device_memory_bytes is None:
        return [("memory", at, float(event.host_rss_bytes))]
    peak, capacity = event.device_peak_bytes, event.device_capacity_bytes
    return [("memory", at, float(event.device_memory_bytes)), ("memory_peak", at, _number(peak)),
            ("capacity", at, _number(capacity))]


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draw loss and mIoU large; learning rate, memory and speed small."""
    if table.empty:
        raise DataError("There is nothing to draw yet: the run has done no step.")
    names = list(dict.fromkeys(table["run"]))
    colours = style.run_colours(names)
    grid = figure.add_gridspec(2, 6, height_ratios=(3, 1.1))
    large = [figure.add_subplot(grid[0, :3]), figure.add_subplot(grid[0, 3:])]
    small = [figure.add_subplot(grid[1, place : place + 2]) for place in (0, 2, 4)]
    panels = (_loss, _score, _rate, _memory, _speed)
    for axes, draw_panel in zip([*large, *small], panels, strict=True):
        draw_panel(table, axes, colours)
        axes.grid(axis="y")
        axes.set_xlim(0, None)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5 if axes in large else 3))
    small[1].set_xlabel("epoch")
    if len(names) > 1:
        handles = [large[1].plot([], [], color=colours[name], label=name)[0] for name in names]
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
    alone = len(colours) == 1
    for name, colour in colours.items():
        if alone:
            _regions(table, axes)
        total, best = _series(table, name, "val_miou"), _series(table, name, "best")
        axes.plot(total["epoch"], total["value"] * 100, color=colour, zorder=3,
                  marker="." if len(total) < 3 else "")
        if len(best):
            axes.plot(best["epoch"].iloc[-1], best["value"].iloc[-1] * 100, "o", color=colour,
                      ms=7, mec=look.surface, mew=1.5, clip_on=False, zorder=4)
    axes.plot([], [], "o", color=look.muted, ms=6, label="best epoch")
    if alone:
        axes.plot([], [], color=next(iter(colours.values())), label="all regions")
    axes.legend(loc="lower right")


def _regions(table: pd.DataFrame, axes: Axes) -> None:
    """Draw each region thinly, its name at its end; a watched held-out region stands out."""
    look = style.current()
    shown = table[table["quantity"].str.contains("_miou/")].dropna()
    ends = []
    for quantity, line in shown.groupby("quantity"):
        kind, region = str(quantity).split("/", 1)
        held_out = kind == "held_out_miou"
        colour = look.held_out if held_out else look.muted
        axes.plot(line["epoch"], line["value"] * 100, color=colour, lw=1.4 if held_out else 0.9,
                  ls=(0, (4, 2)) if held_out else "-", alpha=1 if held_out else 0.6)
        words = display_name(region) + (" (held out)" if held_out else "")
        ends.append((float(line["epoch"].iloc[-1]), float(line["value"].iloc[-1]) * 100, words,
                     colour))
    low, high = axes.get_ylim()
    places = spread([end[1] for end in ends], (high - low) * 0.045)
    down = max(max(places, default=high) - high, 0.0)
    for (x, _, words, colour), y in zip(ends, places, strict=True):
        axes.annotate(words, (x, y - down), (7, 0), textcoords="offset points", fontsize=7.5,
                      color=colour, va="center", annotation_clip=False)


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Move values apart until neighbours are `gap` away from each other, around where they were."""
    order = np.argsort(values, kind="stable")
    placed = np.asarray(values, float)[order]
    for _ in range(100):
        overlap = gap - np.diff(placed)
        if not len(overlap) or overlap.max() <= gap * 0.01:
            break
        push = np.clip(overlap, 0, None) / 2
        placed[:-1] -= push
        placed[1:] += push
    found = np.empty_like(placed)
    found[order] = placed
    return [float(value) for value in found]


def _rate(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_title("Learning rate (×10⁻⁴)", fontsize=10)
    for name, colour in colours.items():
        rate = _series(table, name, "lr")
        axes.plot(rate["epoch"], rate["value"] * 1e4, color=colour, lw=1.5, drawstyle="steps-post")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)


def _memory(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    capacity = table.loc[table["quantity"] == "capacity", "value"].dropna()
    where = f"of {capacity.max() / 1e9:.0f} on the device" if len(capacity) else "of the host"
    axes.set_title(f"Memory (GB, {where})", fontsize=10)
    for name, colour in colours.items():
        memory, peak = _series(table, name, "memory"), _series(table, name, "memory_peak")
        axes.plot(memory["epoch"], memory["value"] / 1e9, color=colour, lw=1.5)
        axes.plot(peak["epoch"], peak["value"] / 1e9, color=colour, lw=1, ls=(0, (1.5, 1.5)))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)


def _speed(table: pd.DataFrame, axes: Axes, colours: Mapping[str, str]) -> None:
    axes.set_title("Speed (chips/s)", fontsize=10)
    for name, colour in colours.items():
        speed = _series(table, name, "samples_per_s")
        # One step says little: what a viewer wants is the middle of its neighbours.
        window = max(len(speed) // 40, 1)
        calm = speed["value"].rolling(window, center=True, min_periods=1).median()
        axes.plot(speed["epoch"], calm, color=colour, lw=1.5)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)


def suits(source: Any) -> bool:
    """A run, or a list of runs or events."""
    entries = list(source) if isinstance(source, (list, tuple)) else [source]
    return bool(entries) and all(
        isinstance(entry, Event) or callable(getattr(entry, "events", None)) for entry in entries)


PLOTS.add("curves", Plot(data, draw, lambda _: (8.6, 4.9), suits))
