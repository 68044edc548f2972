"""Labels over their raster, and beside it the map that was made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patches import Polygon as Outline

from workbench.data.labels import Imagery, Labels
from workbench.plots import PLOTS, Plot, style
from workbench.plots.pixels import TRUE_COLOUR, Pixels, classified, stretched

# More pixels than a figure shows.
_SIDE = 900
# Least size of a shape that is drawn as it is, as a share of the picture's height.
_LEAST = 0.02
# What a false colour is made of, the first that the bands allow: water dark, plants green or red.
FALSE_COLOURS = (("SWIR_2", "NIR_NARROW", "RED"), ("SWIR_1", "NIR_NARROW", "RED"),
                 ("NIR_NARROW", "RED", "GREEN"), ("NIR_BROAD", "RED", "GREEN"))


@dataclass(frozen=True)
class LabelTable:
    """An image, shapes in its pixels ``(column, row)`` with their colours, and perhaps a map."""

    image: Pixels
    shapes: list[tuple[shapely.Geometry, str]]
    entries: list[tuple[str, str]]
    predicted: Pixels | None


def pictures(imagery: Imagery, side: int) -> dict[str, Pixels]:
    """Return the raster, thinned to `side`, in true and, where its bands allow, false colour."""
    image, bands = imagery.thinned(side), imagery.bands
    found = {"true colour" if set(TRUE_COLOUR) <= set(bands) else bands[0]: TRUE_COLOUR}
    fitting = [choice for choice in FALSE_COLOURS if set(choice) <= set(bands)]
    if fitting:
        found["false colour"] = fitting[0]
    return {name: stretched(image, bands, shown) for name, shown in found.items()}


def data(source: Labels, *, prediction: xr.Dataset | None = None, colours: str | None = None,
         ) -> LabelTable:
    """Gather labels in the pixels of a thinned picture.

    Args:
        source: The labels.
        prediction: The map made of them, on the raster's grid, shown beside.
        colours: `true colour` or `false colour`.
    """
    found = pictures(source.imagery, _SIDE)
    image = found.get(colours or "", next(iter(found.values())))
    raster = source.imagery.raster
    step = np.ceil(max(raster.height, raster.width) / _SIDE)
    inverse = ~raster.transform
    a, b, c, d, e, f = inverse[:6]

    def to_pixels(xy: Any) -> Any:
        columns = a * xy[:, 0] + b * xy[:, 1] + c
        rows = d * xy[:, 0] + e * xy[:, 1] + f
        return np.column_stack([columns, rows]) / step - 0.5

    colour = {entry.name: entry.color for entry in source.classes}
    shapes = [(shapely.transform(shape, to_pixels), colour[name])
              for shape, name in zip(source.table.geometry, source.table["class"], strict=True)]
    predicted = None
    if prediction is not None:
        predicted = classified(prediction["class"].values[:: int(step), :: int(step)],
                               [entry.color for entry in source.classes])
    return LabelTable(image, shapes, list(colour.items()), predicted)


def draw(table: LabelTable, figure: Figure) -> None:
    """Draw the image with the labels on it and, where there is one, the map."""
    grid = figure.subplots(1, 1 + (table.predicted is not None), squeeze=False)[0]
    grid[0].imshow(table.image, interpolation="nearest")
    grid[0].set_title("Labels")
    for shape, colour in table.shapes:
        for part in getattr(shape, "geoms", [shape]):
            # What is too small to be seen is shown as a dot.
            small = max(np.ptp(np.reshape(part.bounds, (2, 2)), axis=0)) < _LEAST * len(table.image)
            _mark(grid[0], part.centroid if small else part, colour)
    if table.predicted is not None:
        grid[1].imshow(table.predicted, interpolation="nearest")
        grid[1].set_title("Map from these labels")
    for axes in grid:
        style.image_axes(axes)
        axes.set_xlim(-0.5, table.image.shape[1] - 0.5)
        axes.set_ylim(table.image.shape[0] - 0.5, -0.5)
    handles = [Patch(facecolor=colour, label=name) for name, colour in table.entries]
    figure.legend(handles=handles, loc="outside lower left", ncols=5, handlelength=1,
                  handleheight=1)


def _mark(axes: Axes, shape: shapely.Geometry, colour: str) -> None:
    if shape.geom_type == "Polygon":
        axes.add_patch(Outline(shapely.get_coordinates(shape.exterior), facecolor=f"{colour}b0",
                               edgecolor="white", linewidth=1.0))
        return
    xy = shapely.get_coordinates(shape)
    mark = dict(marker="o", ms=4.5, mec="white", mew=0.7) if len(xy) == 1 else dict(lw=2)
    axes.plot(*xy.T, color=colour, **mark)


def _size(table: LabelTable) -> tuple[float, float]:
    height, width = table.image.shape[:2]
    return 4.3 * (1 + (table.predicted is not None)), min(4.3 * height / width, 8.0) + 0.7


def suits(source: Any) -> bool:
    """Labels."""
    return isinstance(source, Labels)


PLOTS.add("labels", Plot(data, draw, _size, suits))
