"""The layers of a chip's ground: image, label, predictions, errors, confidence, disagreement.

A layer has a name that people read, such as `errors of lora`. The comparison map, its report and
this plot show the same layers by the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from workbench.errors import unknown_name
from workbench.evaluation.maps import (
    confidence_map,
    disagreement_map,
    error_map,
    prediction_classes,
)
from workbench.plots import PLOTS, Plot, style
from workbench.plots.map import draw_scale_bar, ground_width
from workbench.plots.pixels import TRUE_COLOUR, Pixels, Stretch, classified, stretched
from workbench.plots.webmap import (
    LARGEST_SIDE,
    Overlay,
    class_address,
    class_overlay,
    image_address,
    image_overlay,
)
from workbench.prediction.grid import array_grid
from workbench.prediction.result import NODATA

IMAGE, FALSE_COLOUR, LABEL, DISAGREEMENT = "image", "image in false colour", "label", "disagreement"
# Vegetation turns red and water black: what near infrared is shown for.
# With shortwave infrared, where there is one: burns and moisture.
FALSE_COLOURS = (("SWIR_2", "NIR_NARROW", "RED"), ("SWIR_2", "NIR_BROAD", "RED"),
                 ("NIR_NARROW", "RED", "GREEN"), ("NIR_BROAD", "RED", "GREEN"))
_PANEL = 3.1  # inches


@dataclass(frozen=True, eq=False)
class Layer:
    """One way to show the ground.

    Attributes:
        name: What it is called.
        pixels: ``(y, x, 4)`` RGBA of imagery, or ``(y, x)`` classes.
        colors: A colour for each class; empty for imagery.
        entries: Names and colours of the legend.
        quiet: The class that lets the image show through, 255 for none.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    colors: tuple[str, ...] = ()
    entries: tuple[tuple[str, str], ...] = ()
    quiet: int = NODATA

    @property
    def imagery(self) -> bool:
        """Whether it shows what the satellite saw."""
        return not self.colors

    def painted(self) -> Pixels:
        """Return it as RGBA, transparent where there is nothing to show."""
        if self.imagery:
            return self.pixels
        painted = classified(self.pixels, self.colors)
        painted[self.pixels >= len(self.colors), 3] = 0
        return painted

    def address(self) -> str:
        """Return it as a picture in a data address, a pixel a pixel."""
        if self.imagery:
            return image_address(self.pixels)
        return class_address(self.pixels, self.colors, nodata=self.quiet)

    def overlay(self, ground: xr.Dataset, *, side: int = LARGEST_SIDE) -> Overlay:
        """Return it as a picture for a web map.

        Args:
            ground: What it is a layer of.
            side: The longer side of the picture at most.
        """
        grid = array_grid(ground)
        if self.imagery:
            return image_overlay(self.pixels, grid.transform, grid.crs, side=side)
        return class_overlay(self.pixels, grid.transform, grid.crs, self.colors,
                             nodata=self.quiet, side=side)


def layer_names(bands: Sequence[str], runs: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return the names of all layers that there are.

    Args:
        bands: Bands of the image.
        runs: Names of the runs.
        classes: Names of the classes.
    """
    names = [IMAGE, *([FALSE_COLOUR] if _false_colours(bands) else []), LABEL]
    names += [f"prediction of {run}" for run in runs]
    for run in runs:
        names.append(f"errors of {run}")
        if len(classes) > 2:
            names += [f"errors of {run} in {name}" for name in classes]
    return [*names, *(f"confidence of {run}" for run in runs),
            *([DISAGREEMENT] if len(runs) > 1 else [])]


def layers_of(ground: xr.Dataset) -> list[str]:
    """Return the names of the layers of what `wb.chip_map` or `wb.scene_view` returned."""
    needs = {IMAGE: "image", FALSE_COLOUR: "image", LABEL: "label", "errors": "label",
             "confidence": "probability"}
    return [name for name in layer_names(*_said(ground))
            if needs.get(name, needs.get(name.partition(" of ")[0], "class")) in ground]


def layer(ground: xr.Dataset, name: str, stretch: Stretch | None = None) -> Layer:
    """Return a layer of what `wb.chip_map` or `wb.scene_view` returned.

    Args:
        ground: What that returned.
        name: One of `layers_of`.
        stretch: The range of values of imagery; by default that of the ground.

    Raises:
        UnknownNameError: There is no layer of that name; names the nearest.
    """
    bands, runs, classes = _said(ground)
    if name not in (known := layers_of(ground)):
        raise unknown_name("layer", name, known, "workbench.plots.chip_map.layers_of")
    if name in (IMAGE, FALSE_COLOUR):
        return _imagery(ground, name, bands, stretch)
    if name == LABEL:
        return _classes(name, ground.assign({"class": ground["label"]}))
    if name == DISAGREEMENT:
        return _classes(name, disagreement_map(ground), quiet=0)
    what, _, rest = name.partition(" of ")
    # The longest name that fits: a run may be called `a in b`.
    run = max((run for run in runs if rest == run or rest.startswith(f"{run} in ")), key=len)
    own = ground.sel(run=run) if "run" in ground.dims else ground
    if what == "prediction":
        return _classes(name, own)
    if what == "confidence":
        return _classes(name, confidence_map(own))
    of = rest.removeprefix(f"{run} in ") if rest != run else None
    found = error_map(own, ground["label"], of=of)
    return _classes(name, found, quiet=0 if of or len(classes) == 2 else NODATA)


def _said(ground: xr.Dataset) -> tuple[list[str], list[str], list[str]]:
    """Return the names of bands, runs and classes of a chip's ground."""
    runs = np.atleast_1d(ground["run"].values) if "run" in ground.coords else ["the run"]
    bands = ground["band"].values if "band" in ground.coords else ()
    return ([str(name) for name in bands], [str(name) for name in runs],
            [entry.name for entry in prediction_classes(ground)])


def shown_bands(name: str, bands: Sequence[str]) -> tuple[str, ...]:
    """Return the bands that a layer of imagery shows as red, green and blue."""
    shown = TRUE_COLOUR if name == IMAGE else _false_colours(bands)
    assert shown is not None
    return shown


def _imagery(ground: xr.Dataset, name: str, bands: Sequence[str],
             stretch: Stretch | None) -> Layer:
    # Cloud is not labelled.
    clear = ground["label"].values != NODATA if "label" in ground else None
    return Layer(name, stretched(ground["image"].values, bands, shown_bands(name, bands), clear,
                                 stretch))


def _false_colours(bands: Sequence[str]) -> tuple[str, ...] | None:
    return next((shown for shown in FALSE_COLOURS if set(shown) <= set(bands)), None)


def _classes(name: str, found: xr.Dataset, quiet: int = NODATA) -> Layer:
    legend = prediction_classes(found)
    entries = tuple((entry.name, entry.color) for entry in legend)
    return Layer(name, found["class"].transpose("y", "x").values,
                 tuple(entry.color for entry in legend), entries, quiet)


@dataclass(frozen=True)
class GroundTable:
    """Layers beside each other; `metres` is their width on the ground."""

    layers: list[Layer]
    metres: float
    title: str


def data(source: xr.Dataset, *, show: Sequence[str] | None = None) -> GroundTable:
    """Gather layers of a chip's ground, or of a part of a large scene.

    Args:
        source: What `wb.chip_map` or `wb.scene_view` returned.
        show: Names of layers; by default image, label, and the errors of each run, or what it
            predicts where nobody knows the label.

    Raises:
        UnknownNameError: There is no layer of that name; names the nearest.
    """
    _, runs, _ = _said(source)
    judged = "errors" if "label" in source else "prediction"
    names = show or [name for name in (IMAGE, LABEL, *(f"{judged} of {run}" for run in runs))
                     if name in layers_of(source)]
    title = " · ".join([*source.attrs.get("chips", ())[:1], str(source.attrs.get("source", ""))])
    if "seed" in source.attrs:
        title += f" · seed {source.attrs['seed']}"
    if source.attrs.get("simulated"):
        title += " (simulated)"
    return GroundTable([layer(source, name) for name in names],
                       ground_width(array_grid(source)), title)


def draw(table: GroundTable, figure: Figure) -> None:
    """Draw layers side by side, with one legend and one scale bar."""
    grid = figure.subplots(1, len(table.layers), squeeze=False)[0]
    for axes, shown in zip(grid, table.layers, strict=True):
        axes.imshow(shown.painted(), interpolation="nearest")
        axes.set_title(_wrapped(shown.name), fontsize=9.5, loc="center", fontweight="normal")
        style.image_axes(axes)
    draw_scale_bar(grid[0], table.metres)
    grid[-1].set_xlabel(table.title, loc="right", fontsize=8.5)
    entries = dict.fromkeys(entry for shown in table.layers for entry in shown.entries)
    handles = [Patch(facecolor=color, label=name) for name, color in entries]
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=5, handlelength=1,
                      handleheight=1, columnspacing=1.4)


def _wrapped(name: str) -> str:
    """Break before the run's name where the title is longer than its picture."""
    return name if len(name) < 34 else name.replace(" of ", " of\n", 1)


def _size(table: GroundTable) -> tuple[float, float]:
    height, width = table.layers[0].pixels.shape[:2]
    return _PANEL * len(table.layers), min(_PANEL * height / width, 6.0) + 1.0


def suits(source: Any) -> bool:
    """What `wb.chip_map` or `wb.scene_view` returns."""
    return isinstance(source, xr.Dataset) and "class" in source and (
        "image" in source or "step" in source.attrs)


PLOTS.add("chip_map", Plot(data, draw, _size, suits))
