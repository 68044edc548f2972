"""The preview of runs: a few validation chips, and what the newest epoch makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from workbench.data.split import display_name
from workbench.errors import DataError
from workbench.plots import PLOTS, Plot, chips, style
from workbench.plots.chips import ChipTable, Strip
from workbench.plots.pixels import Pixels, classified, judged, stretched
from workbench.runs import Run
from workbench.runs.preview import Preview


def data(source: Any) -> ChipTable:
    """Gather the previews of a run, or of several runs of one split.

    The chips are those of the first run; runs that look at others are left out.
    """
    runs: Sequence[Run] = list(source) if isinstance(source, (list, tuple)) else [source]
    previews = {run.name: preview for run in runs if (preview := run.preview())}
    if not previews:
        return ChipTable((), ())
    classes = next(run for run in runs if run.name in previews).classes
    first = next(iter(previews.values()))
    alike = {name: preview for name, preview in previews.items()
             if np.array_equal(preview.chip_ids, first.chip_ids)
             and preview.label.shape == first.label.shape}
    return ChipTable(tuple(entry.name for entry in classes),
                     tuple(entry.color for entry in classes),
                     [_strip(first, place, alike) for place in range(len(first))])


def _strip(first: Preview, place: int, previews: dict[str, Preview]) -> Strip:
    label = first.label[place].astype(np.int64)
    predictions = {name: preview.prediction[place] for name, preview in previews.items()}
    picture = stretched(first.image[place], [str(band) for band in first.bands],
                              clear=label >= 0)
    region = display_name(str(first.regions[place]))
    return Strip(str(first.chip_ids[place]), region, None, False, picture, label, predictions)


def pictures(strip: Strip, colours: Sequence[str]) -> list[Pixels]:
    """Return image, label, and each run's prediction with its errors marked."""
    return [strip.picture, classified(strip.label, colours),
            *(judged(strip.label, predicted, colours) for predicted in strip.predictions.values())]


def titles(table: ChipTable) -> list[str]:
    """Return what the pictures of a strip are."""
    runs = table.runs
    return ["image", "label", *(["prediction"] if len(runs) == 1 else runs)]


def draw(table: ChipTable, figure: Figure) -> None:
    """Draw a column for each chip: image, label, predictions."""
    if not table.strips:
        raise DataError("There is no preview yet: it comes at the end of the first epoch.")
    names = titles(table)
    grid = figure.subplots(len(names), len(table.strips), squeeze=False)
    for strip, column in zip(table.strips, grid.T, strict=True):
        for axes, picture in zip(column, pictures(strip, table.colours), strict=True):
            axes.imshow(picture, interpolation="nearest")
            style.image_axes(axes)
        column[0].set_title(strip.region, fontsize=9, loc="center", fontweight="normal")
    for axes, name in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(name, fontsize=9)
    figure.legend(handles=chips.legend(table), loc="outside lower left", ncols=5,
                  handlelength=1, handleheight=1, columnspacing=1.4, fontsize=9)


def size(table: ChipTable) -> tuple[float, float]:
    """Return the natural width and height in inches."""
    rows, columns = len(titles(table)), max(len(table.strips), 1)
    return 8.6, 0.6 + rows * min(8.3 / columns, 1.5)


def suits(source: Any) -> bool:
    """Nothing by itself: a run is shown by its curves."""
    return False


PLOTS.add("preview", Plot(data, draw, size, suits))
