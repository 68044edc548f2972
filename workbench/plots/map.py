"""A prediction on its grid: classes with a legend and a scale bar, its scene beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch, Rectangle

from workbench.errors import GridError
from workbench.plots import PLOTS, Plot, style
from workbench.plots.pixels import NO_LABEL, Pixels, classified

NODATA_CLASS = 255
METRES_PER_DEGREE = 111_320.0  # of latitude, mean Earth radius 6 371 km
MAX_SIDE = 2000  # more pixels than any figure shows


@dataclass(frozen=True)
class MapTable:
    """Panels on one grid; `metres` is the ground width of the grid, None without a CRS."""

    panels: list[tuple[str, Pixels]]
    entries: list[tuple[str, str]]
    metres: float | None
    place: str


def draw(table: MapTable, figure: FigureBase) -> None:
    """Draw the panels side by side, with one legend and one scale bar."""
    grid = figure.subplots(1, len(table.panels), squeeze=False)[0]
    for axes, (title, picture) in zip(grid, table.panels, strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title)
        style.image_axes(axes)
    if table.metres:
        _scale_bar(grid[0], table.panels[0][1].shape[1], table.metres)
    handles = [Patch(facecolor=colour, label=name) for name, colour in table.entries]
    figure.legend(handles=handles, loc="outside lower left", ncols=5, handlelength=1,
                  handleheight=1, columnspacing=1.4)
    grid[-1].set_xlabel(table.place, loc="right", fontsize=8.5)


def _scale_bar(axes: Axes, width: int, metres: float) -> None:
    """Draw a bar of a round length, about a fifth of the width, just under the picture."""
    look = style.current()
    length = round_length(metres / 4)
    share = length / metres
    bar = Rectangle((0, -0.028), share, 0.012, transform=axes.transAxes, clip_on=False,
                    color=look.ink, lw=0)
    axes.add_patch(bar)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.annotate(label, (share, -0.022), xytext=(6, 0), xycoords="axes fraction",
                  textcoords="offset points", va="center", fontsize=9, annotation_clip=False)


def round_length(metres: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above `metres`."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9))


PLOTS.add("map", Plot(lambda x: x, draw, lambda _: (9.0, 4.8), lambda s: False))
