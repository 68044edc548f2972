"""Boxes, lines and words of a drawing, and their SVG; plots draw the same shapes as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

Point = tuple[float, float]
INK = "ink"


class Look(NamedTuple):
    """How a box is filled and edged; colours are hexadecimal, or `ink`: the text's own.

    `hatch` is the distance in pixels of diagonal lines, 0 for none: what colour says is said a
    second time.
    """

    fill: str
    alpha: float
    edge: str
    hatch: float = 0.0
    dashed: bool = False


# Paul Tol's "bright" scheme, translucent: it reads on light and dark pages and by everybody.
# Source: personal.sron.nl/~pault, figure 1.
LOOKS = {
    "fixed": Look(INK, 0.0, "#888888", dashed=True),
    "block": Look(INK, 0.03, "#888888"),
    "frozen": Look("#888888", 0.18, "#888888"),
    "frozen + adapter": Look("#888888", 0.18, "#ccbb44"),
    "partly trained": Look("#888888", 0.18, "#ee6677", hatch=12),
    "trained": Look("#ee6677", 0.32, "#ee6677", hatch=6),
    "adapter": Look("#ccbb44", 0.75, "#a8972a"),
}


@dataclass(frozen=True)
class Box:
    """A rectangle in one of the looks; `tip` is shown under the mouse."""

    x: float
    y: float
    width: float
    height: float
    look: str
    tip: str = ""

    @property
    def hatching(self) -> list[tuple[Point, Point]]:
        """The diagonal lines of its look, cut at its edges."""
        step = LOOKS[self.look].hatch
        if not step:
            return []
        lines = []
        reach = step
        while reach < self.width + self.height:
            # From the left or lower edge up to the right, to the upper or right edge.
            x0, y0 = max(0.0, reach - self.height), min(reach, self.height)
            x1, y1 = min(reach, self.width), max(0.0, reach - self.width)
            lines.append(((self.x + x0, self.y + y0), (self.x + x1, self.y + y1)))
            reach += step
        return lines


@dataclass(frozen=True)
class Line:
    """A line through points, with an arrow's head at its end where asked for."""

    points: tuple[Point, ...]
    colour: str = INK
    arrow: bool = False

    @property
    def head(self) -> tuple[Point, Point, Point]:
        """The arrow's head: a triangle on the last stretch, which runs along an axis."""
        (x0, y0), (x, y) = self.points[-2:]
        dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
        back = (x - 5 * dx, y - 5 * dy)
        return (x, y), (back[0] - 3 * dy, back[1] - 3 * dx), (back[0] + 3 * dy, back[1] + 3 * dx)


@dataclass(frozen=True)
class Words:
    """Text on a baseline; `anchor` is what x means: `start`, `middle` or `end`."""

    x: float
    y: float
    text: str
    size: float = 11
    bold: bool = False
    faint: bool = False
    anchor: str = "start"


@dataclass
class Drawing:
    """Shapes on a page of a width and a height in pixels; y points down."""

    width: float
    height: float = 0.0
    shapes: list[Box | Line | Words] = field(default_factory=list)

    def add(self, *shapes: Box | Line | Words) -> None:
        """Put shapes on top of those there are."""
        self.shapes += shapes

    def svg(self, label: str) -> str:
        """Return inline SVG that takes its text colour from the page.

        Args:
            label: What the drawing says, for those who do not see it.
        """
        size = f"{self.width:g} {self.height:g}"
        # A line each: where a page strips SVG, as of notebooks not trusted, words stay words.
        shapes = "\n".join(map(_svg, self.shapes))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" '
            f'aria-label="{escape(label)}" style="width:100%;max-width:{self.width:g}px;'
            'display:block;font-family:var(--jp-ui-font-family,system-ui,sans-serif)" '
            f'fill="currentColor">{shapes}</svg>'
        )


def fitted(text: str, width: float, size: float = 11) -> str:
    """Return text, cut with an ellipsis where it would be wider than `width` pixels."""
    room = width / size
    for count, character in enumerate(text):
        # Of sans-serif type; no font is measured, because none is known.
        room -= 0.7 if character.isupper() or character in "_mw" else 0.52
        if room < 0:
            return text[: max(count - 1, 1)].rstrip(" ,;:") + "…"
    return text


def _svg(shape: Box | Line | Words) -> str:
    match shape:
        case Box():
            return _svg_box(shape)
        case Line():
            path = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
            colour = _css(shape.colour)
            drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" opacity=".6"/>'
            return drawn + (_polygon(shape.head, colour) if shape.arrow else "")
    style = ' font-weight="600"' if shape.bold else ""
    style += ' opacity=".72"' if shape.faint else ""
    return (
        f'<text x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size:g}" '
        f'text-anchor="{shape.anchor}"{style}>{escape(shape.text)}</text>'
    )


def _svg_box(box: Box) -> str:
    look = LOOKS[box.look]
    dash = ' stroke-dasharray="4 3"' if look.dashed else ""
    tip = f"<title>{escape(box.tip)}</title>" if box.tip else ""
    lines = "".join(f"M{x0:g} {y0:g}L{x1:g} {y1:g}" for (x0, y0), (x1, y1) in box.hatching)
    hatch = f'<path d="{lines}" stroke="{_css(look.edge)}" opacity=".45"/>' if lines else ""
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="2" '
        f'fill="{_css(look.fill)}" fill-opacity="{look.alpha:g}" stroke="{_css(look.edge)}"{dash}>'
        f"{tip}</rect>{hatch}"
    )


def _polygon(points: Sequence[Point], colour: str) -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polygon points="{path}" fill="{colour}" opacity=".6"/>'


def _css(colour: str) -> str:
    return "currentColor" if colour == INK else colour
