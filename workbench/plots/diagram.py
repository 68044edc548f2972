"""The model that a recipe describes, drawn from the image down to the logits."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from workbench.assembly import Diagram, describe
from workbench.assembly.shapes import INK, LOOKS, Box, Line, Words
from workbench.plots import PLOTS, Plot, style
from workbench.recipe import Recipe, SpectralIndex

PIXEL = 1 / 84  # inches: a little larger than on the screen, where fonts are hinted
POINTS = 72 * PIXEL
EDGE = 8.0  # pixels around everything
TITLE = 15.0  # pixels a line


def data(source: Any, **options: Any) -> Diagram:
    """Return the diagram of a recipe, or the one given.

    Args:
        source: A diagram or a recipe.
        options: What `wb.describe` takes beside a recipe.
    """
    return source if isinstance(source, Diagram) else describe(source, **options)


def draw(diagram: Diagram, figure: Figure) -> None:
    """Draw the shapes of a diagram under its recipe."""
    drawing, title = diagram.drawing, _title(diagram)
    head = TITLE * len(title) + 6
    figure.set_layout_engine("none")  # laid out already, to the pixel
    axes = figure.add_axes((0, 0, 1, 1), aspect="equal")
    axes.set_axis_off()
    axes.set_xlim(-EDGE, drawing.width + EDGE)
    axes.set_ylim(drawing.height + EDGE, -head - EDGE)
    scale = figure.get_size_inches()[0] / _size(diagram)[0]
    for number, line in enumerate(title):
        place = Words(0, TITLE * (number + 0.8) - head, line, size=11.5, bold=True)
        _draw_words(axes, place, scale)
    for shape in drawing.shapes:
        match shape:
            case Box():
                _draw_box(axes, shape, scale)
            case Line():
                _draw_line(axes, shape, scale)
            case Words():
                _draw_words(axes, shape, scale)


def _title(diagram: Diagram) -> list[str]:
    return textwrap.wrap(repr(diagram.recipe), 88)


def _draw_box(axes: Axes, box: Box, scale: float) -> None:
    look = LOOKS[box.look]
    edge, width = _colour(look.edge), 72 * PIXEL * scale
    axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, facecolor=_colour(look.fill),
                             alpha=look.alpha, linewidth=0))
    for start, end in box.hatching:
        axes.plot(*zip(start, end, strict=True), color=edge, alpha=0.45, lw=width,
                  solid_capstyle="butt")
    axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor=edge,
                             linewidth=width, linestyle=(0, (4, 3)) if look.dashed else "-"))


def _draw_line(axes: Axes, line: Line, scale: float) -> None:
    colour = _colour(line.colour)
    axes.plot(*zip(*line.points, strict=True), color=colour, alpha=0.6, lw=POINTS * scale,
              solid_capstyle="butt")
    if line.arrow:
        axes.add_patch(Polygon(line.head, facecolor=colour, alpha=0.6, linewidth=0))


def _draw_words(axes: Axes, words: Words, scale: float) -> None:
    side = {"start": "left", "middle": "center", "end": "right"}[words.anchor]
    axes.text(words.x, words.y, words.text, fontsize=words.size * POINTS * scale, ha=side,
              va="baseline", fontweight="bold" if words.bold else "normal",
              alpha=0.72 if words.faint else 1, parse_math=False)


def _colour(name: str) -> str:
    return style.current().ink if name == INK else name


def _size(diagram: Diagram) -> tuple[float, float]:
    head = TITLE * len(_title(diagram)) + 6
    drawing = diagram.drawing
    return (drawing.width + 2 * EDGE) * PIXEL, (drawing.height + head + 2 * EDGE) * PIXEL


def suits(source: Any) -> bool:
    """A diagram or a recipe."""
    return isinstance(source, (Diagram, Recipe, SpectralIndex))


PLOTS.add("diagram", Plot(data, draw, _size, suits))
