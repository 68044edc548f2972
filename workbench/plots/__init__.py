"""Static pictures of every noun; they work from disk, headless and after a restart.

The contract: one plot a file. A plot-file registers a `Plot`: `data(source, **options)` gathers a
table, `draw(table, figure)` draws it. Nothing here touches pyplot's global state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from workbench.errors import DataError
from workbench.plots.style import Picture, ThemeName, themed
from workbench.registry import Registry


@dataclass(frozen=True)
class Plot:
    """One kind of picture.

    `size(table)` is the natural width and height in inches; `suits` tells whether it is the
    picture to show when a source comes without a kind.
    """

    data: Callable[..., Any]
    draw: Callable[[Any, Figure], None]
    size: Callable[[Any], tuple[float, float]]
    suits: Callable[[Any], bool]


PLOTS: Registry[Plot] = Registry("plot", "workbench.plots.PLOTS")


def plot(source: Any, kind: str | None = None, *, theme: ThemeName = "light",
         width: float | None = None, height: float | None = None, **options: Any) -> Picture:
    """Draw runs, scores, a comparison, a dataset, a split, a prediction, or the model of a recipe.

    Args:
        source: What to draw.
        kind: One of `workbench.plots.PLOTS`; chosen from the source when left out.
        theme: Colours for a light or a dark page.
        width: Width in inches; each plot knows a good one.
        height: Height in inches; each plot knows a good one.
        options: Options of the plot's `data`, for example `chips=` and `runs=` for "chips".

    Returns:
        A `matplotlib.figure.Figure` that shows itself in a notebook; `.savefig(path)` writes it.

    Raises:
        UnknownNameError: There is no plot of that kind.
        DataError: The source has nothing to draw.
    """
    chosen = PLOTS[kind] if kind else _suiting(source)
    return render(chosen, chosen.data(source, **options), theme=theme, width=width, height=height)


def render(chosen: Plot, table: Any, *, theme: ThemeName = "light", width: float | None = None,
           height: float | None = None) -> Picture:
    """Draw a table that was gathered before; one table can be drawn in several sizes."""
    natural = chosen.size(table)
    with themed(theme):
        figure = Picture(figsize=(width or natural[0], height or natural[1]), layout="constrained")
        chosen.draw(table, figure)
        # Ticks are made at the first drawing: make them while the theme is in force.
        figure.draw_without_rendering()
    return figure


def _suiting(source: Any) -> Plot:
    for chosen in PLOTS.values():
        if chosen.suits(source):
            return chosen
    raise DataError(
        f"plot() knows no picture for {type(source).__name__}; it draws runs, lists of runs, "
        "scores, comparisons, datasets, splits, audits, predictions and recipes. Kinds: "
        f"{', '.join(PLOTS)}."
    )


from workbench.plots import (  # noqa: E402  (each file registers its plot)
    atlas,  # noqa: F401
    audit,  # noqa: F401
    chip_map,  # noqa: F401
    chips,  # noqa: F401
    curves,  # noqa: F401
    diagram,  # noqa: F401
    gap,  # noqa: F401
    heatmap,  # noqa: F401
    labels,  # noqa: F401
    map,  # noqa: F401
    normalization,  # noqa: F401
    pareto,  # noqa: F401
    parts,  # noqa: F401
    preview,  # noqa: F401
    regions,  # noqa: F401
    reliability,  # noqa: F401
    world,  # noqa: F401
)
