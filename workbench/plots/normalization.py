"""What a band holds, and what it is scaled by: the training part beside all known statistics."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workbench.data.dataset import Dataset
from workbench.data.split import Split
from workbench.data.statistics import NamedStatistics, band_statistics, published_statistics
from workbench.errors import DataError
from workbench.models.loading import find_facts
from workbench.plots import PLOTS, Plot, style
from workbench.recipe import Recipe
from workbench.runs import Run

# Chips whose pixels the histogram is made of, spread over the training part.
_CHIPS = 24
_COLUMNS = 3


class Scaling(NamedTuple):
    """Pixels of some training chips ``(band, pixel)``, and mean and deviation as each source has.

    Attributes:
        bands: Names of the bands.
        pixels: In physical units.
        statistics: The training part's first.
        chosen: Which of them the recipe asks for.
    """

    bands: tuple[str, ...]
    pixels: npt.NDArray[np.float32]
    statistics: tuple[NamedStatistics, ...]
    chosen: str


def data(source: Any, recipe: Recipe | None = None) -> Scaling:
    """Read some chips of the training part and measure all of it.

    Args:
        source: A run, a split, or a dataset, of which all chips count.
        recipe: Names the backbone and the choice; by default the run's, or the defaults.

    Raises:
        DataError: There is no valid pixel.
    """
    if isinstance(source, Run):
        recipe = recipe or (source.recipe if isinstance(source.recipe, Recipe) else None)
        source = source.split
    recipe = recipe or Recipe()
    part = source.train if isinstance(source, Split) else source
    part = part.with_bands(recipe.bands or part.bands)
    mean, std = band_statistics(part)
    found = [NamedStatistics("dataset", part.bands, tuple(mean), tuple(std))]
    if published := published_statistics(part):
        found.append(published._replace(whose="published"))
    if own := _pretraining(recipe, part.bands):
        found.append(own)
    return Scaling(part.bands, _pixels(part), tuple(found), recipe.normalization)


def _pretraining(recipe: Recipe, bands: tuple[str, ...]) -> NamedStatistics | None:
    facts = find_facts(recipe.backbone)
    if facts.mean is None or facts.std is None:
        return None
    stated = dict(zip(facts.bands, zip(facts.mean, facts.std, strict=True), strict=True))
    known = tuple(band for band in bands if band in stated)
    if not known:
        return None
    mean, std = zip(*(stated[band] for band in known), strict=True)
    return NamedStatistics("backbone", known, mean, std)


def _pixels(part: Dataset) -> npt.NDArray[np.float32]:
    ids = list(part)
    some = ids[:: max(1, len(ids) // _CHIPS)][:_CHIPS]
    pixels = np.concatenate([part.read(chip).pixels for chip in some], axis=1)
    if not pixels.shape[1]:
        raise DataError(f"{part.info.name}: there is no valid pixel in the chips looked at.")
    return pixels


def draw(table: Scaling, figure: Figure) -> None:
    """Draw a histogram a band, and under it mean and deviation as each source states them."""
    rows = -(-len(table.bands) // _COLUMNS)
    axes = figure.subplots(rows, min(_COLUMNS, len(table.bands)), squeeze=False)
    for place, panel in enumerate(axes.flat):
        if place < len(table.bands):
            _band(panel, table, place)
        else:
            panel.set_visible(False)
    look = style.current()
    handles = [Line2D([], [], color=look.runs[place], marker="o", lw=2, label=_label(one, table))
               for place, one in enumerate(table.statistics)]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    figure.suptitle("Training pixels, and mean ± deviation that they are scaled by", x=0.01,
                    ha="left", fontsize=10)


def _label(one: NamedStatistics, table: Scaling) -> str:
    said = {"dataset": "measured on the training part", "published": "as published",
            "backbone": "of the backbone's pre-training"}[one.whose]
    return f"{said} (chosen)" if one.whose == table.chosen else said


def _band(panel: Axes, table: Scaling, place: int) -> None:
    look, band = style.current(), table.bands[place]
    values = table.pixels[place]
    stated = [(one.mean[one.bands.index(band)], one.std[one.bands.index(band)], number)
              for number, one in enumerate(table.statistics) if band in one.bands]
    edges = [np.quantile(values, (0.002, 0.998)), *([m - s, m + s] for m, s, _ in stated)]
    low, high = np.min(edges), np.max(edges)
    panel.hist(values, bins=np.linspace(low, high, 61).tolist(), color=look.rule, density=True)
    top = panel.get_ylim()[1]
    for mean, std, number in stated:
        y = -top * (0.10 + 0.11 * number)
        chosen = table.statistics[number].whose == table.chosen
        panel.plot([mean - std, mean + std], [y, y], color=look.runs[number],
                   lw=3 if chosen else 1.5, solid_capstyle="round")
        panel.plot([mean], [y], "o", color=look.runs[number], ms=6 if chosen else 4)
    panel.axhline(0, color=look.muted, lw=0.6)
    panel.set_ylim(-top * (0.12 + 0.11 * len(table.statistics)), top * 1.05)
    panel.set_yticks([])
    panel.set_title(band, fontsize=9, loc="left")


def _size(table: Scaling) -> tuple[float, float]:
    return 8.6, 0.9 + 1.7 * -(-len(table.bands) // _COLUMNS)


PLOTS.add("normalization", Plot(data, draw, _size, lambda source: False))
