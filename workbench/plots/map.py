"""A prediction on its grid: classes with a legend and a scale bar, its scene beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from workbench.data.info import parse_classes
from workbench.errors import GridError
from workbench.plots import PLOTS, Plot, style
from workbench.plots.pixels import NO_LABEL, TRUE_COLOUR, Pixels, classified, stretched
from workbench.prediction.grid import Grid, array_grid, spatial_dims
from workbench.prediction.scene import NODATA
from workbench.prediction.sources import Needs, open_source

METRES_PER_DEGREE = 111_320.0  # of latitude, mean Earth radius 6 371 km
MAX_SIDE = 2000  # more pixels than any figure shows
# Of the scale bar: points below the picture, and its own.
_BELOW, _THICK = 9, 4.5


@dataclass(frozen=True)
class MapTable:
    """Panels on one grid; `metres` is the ground width of the grid."""

    panels: list[tuple[str, Pixels]]
    entries: list[tuple[str, str]]
    metres: float
    place: str


def draw(table: MapTable, figure: Figure) -> None:
    """Draw the panels side by side, with one legend and one scale bar."""
    grid = figure.subplots(1, len(table.panels), squeeze=False)[0]
    for axes, (title, picture) in zip(grid, table.panels, strict=True):
        axes.imshow(picture, interpolation="nearest")
        axes.set_title(title)
        style.image_axes(axes)
    draw_scale_bar(grid[0], table.metres)
    handles = [Patch(facecolor=colour, label=name) for name, colour in table.entries]
    figure.legend(handles=handles, loc="outside lower left", ncols=5, handlelength=1,
                  handleheight=1, columnspacing=1.4)
    grid[-1].set_xlabel(table.place, loc="right", fontsize=8.5)


def draw_scale_bar(axes: Axes, metres: float) -> None:
    """Draw a bar of a round length, at most a quarter of the width, just under the picture."""
    look = style.current()
    length = round_length(metres / 4)
    share = length / metres
    # In points, not in shares of the height: a picture may be flat.
    below = axes.transAxes + ScaledTranslation(0, -_BELOW / 72, axes.figure.dpi_scale_trans)
    axes.add_line(Line2D([0, share], [0, 0], transform=below, color=look.ink, lw=_THICK,
                         solid_capstyle="butt", clip_on=False))
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.annotate(label, (share, 0), xytext=(6, -_BELOW), xycoords="axes fraction",
                  textcoords="offset points", va="center", fontsize=9, annotation_clip=False)


def round_length(metres: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above `metres`."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max(step * power for step in (1, 2, 5) if step * power <= metres * (1 + 1e-9))


def data(source: xr.Dataset, *, scene: str | Path | xr.DataArray | None = None,
         bands: Sequence[str] = TRUE_COLOUR, scene_bands: Sequence[str] | None = None) -> MapTable:
    """Gather a prediction and, beside it, the scene it was made from.

    Args:
        source: What `wb.predict` returned.
        scene: The scene, as it was given to `wb.predict`; of several dates the last one is shown.
        bands: Bands of the scene shown as red, green and blue.
        scene_bands: Names of the scene's bands in its order, where it does not say them itself.

    Raises:
        GridError: Scene and prediction are not on the same grid.
    """
    grid = array_grid(source)
    step = math.ceil(max(grid.height, grid.width) / MAX_SIDE)
    predicted = source["class"].transpose(*spatial_dims(source))[::step, ::step].values
    names, colours = _classes(source["class"])
    panels = [(_title(names), classified(predicted, colours))]
    legend = list(zip(names, colours, strict=True))
    if (predicted == NODATA).any():
        legend.append(("nodata", NO_LABEL))
    if scene is not None:
        needs = Needs(tuple(bands), num_frames=int(source.attrs.get("num_frames", 1)))
        panels.insert(0, ("Scene", _scene(scene, grid, needs, scene_bands, step)))
    place = f"{grid.crs.to_string()} · {grid.height} × {grid.width} pixels"
    return MapTable(panels, legend, ground_width(grid), place)


def _classes(predicted: xr.DataArray) -> tuple[list[str], list[str]]:
    """Return names and colours of the classes, also of a prediction that does not say them."""
    attributes = predicted.attrs
    if "flag_meanings" in attributes:
        names = [name.replace("_", " ") for name in attributes["flag_meanings"].split()]
        return names, attributes["flag_colors"].split()
    count = int(predicted.where(predicted != NODATA, 0).max()) + 1
    classes, _ = parse_classes([f"class {value}" for value in range(max(count, 2))])
    return [entry.name for entry in classes], [entry.color for entry in classes]


def _title(names: Sequence[str]) -> str:
    return f"Predicted {names[1]}" if len(names) == 2 else "Predicted classes"


def _scene(scene: str | Path | xr.DataArray, grid: Grid, needs: Needs,
           names: Sequence[str] | None, step: int) -> Pixels:
    opened = open_source(scene, needs, names, gsd="source")
    own = opened.grid
    if (own.height, own.width, own.crs) != (grid.height, grid.width, grid.crs) \
            or not own.transform.almost_equals(grid.transform):
        raise GridError(f"{opened.name} is not on the grid of the prediction: "
                        f"{own.height} × {own.width} pixels in {own.crs} against "
                        f"{grid.height} × {grid.width} in {grid.crs}.")
    rows = step * 128
    strips = [opened.read(top, 0, min(rows, grid.height - top), grid.width)[..., ::step, ::step]
              for top in range(0, grid.height, rows)]
    image = np.concatenate(strips, axis=-2)
    last = image if needs.num_frames == 1 else image[:, -1]
    return stretched(last, needs.bands, needs.bands)


def ground_width(grid: Grid) -> float:
    """Return the width of a grid on the ground, in metres, at its middle row."""
    length = math.hypot(grid.transform.a, grid.transform.d) * grid.width
    if grid.crs.is_geographic:
        _, latitude = grid.transform @ (grid.width / 2, grid.height / 2)
        return length * METRES_PER_DEGREE * math.cos(math.radians(latitude))
    return length * float(grid.crs.linear_units_factor[1])


def _size(table: MapTable) -> tuple[float, float]:
    height, width = table.panels[0][1].shape[:2]
    panel = 4.4
    return panel * len(table.panels), min(panel * height / width, 9.0) + 0.8


def suits(source: Any) -> bool:
    """What `wb.predict` returns of one run; a chip's ground and a view have their own plot."""
    return isinstance(source, xr.Dataset) and "class" in source and "image" not in source \
        and "step" not in source.attrs


PLOTS.add("map", Plot(data, draw, _size, suits))
