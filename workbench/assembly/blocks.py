"""Transformer blocks in the picture of a model: their layers, and what a method put to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.assembly.anatomy import Part
from workbench.assembly.shapes import Box, Drawing, Line, Words, fitted
from workbench.peft import Site
from workbench.reprs import readable_count

BODY = 420.0  # of all boxes
LANE = 142.0  # for a branch beside the blocks and its arrows, taken from the boxes
GAP = 14.0
PAD = 10.0
LAYER = 20.0
SQUARE = 7.0


class Canvas:
    """A drawing, the width of its boxes, and how far down it has come."""

    def __init__(self, drawing: Drawing, *, narrow: bool) -> None:
        self.drawing = drawing
        self.width = BODY - LANE if narrow else BODY
        self.y = 1.0

    def box(
        self, x: float, y: float, width: float, height: float, look: str, tip: str = ""
    ) -> None:
        """Add a box."""
        self.drawing.add(Box(x + 0.5, y, width - 1, height, look, tip))

    def words(self, x: float, y: float, text: str, **style: Any) -> None:
        """Add text."""
        self.drawing.add(Words(x, y, text, **style))


def draw_blocks(canvas: Canvas, part: Part, sites: Sequence[Site], *, detailed: bool) -> None:
    """Draw blocks of one kind.

    Args:
        canvas: Drawn on, and moved down.
        part: The blocks.
        sites: Where added modules act on these blocks.
        detailed: Whether to show the layers of one of them.
    """
    top = canvas.y
    frame = len(canvas.drawing.shapes)
    detailed = detailed and bool(part.layers)
    _title(canvas, part)
    for site in sites:
        if site.place == "tokens":
            _tokens(canvas, site)
    if detailed:
        _layers(canvas, part.layers)
    for site in sites:
        if site.place == "behind":
            _behind(canvas, site)
    height = canvas.y - top + 4
    _stack(canvas, top, height, len(part.pieces))
    outer = Box(0.5, top, canvas.width - 1, height, "block" if detailed else part.state)
    canvas.drawing.shapes.insert(frame, outer)
    for site in sites:
        if site.place == "beside":
            _exchange(canvas, site, top, height)
    canvas.y = top + height + min(len(part.pieces) - 1, 2) * 3


def _title(canvas: Canvas, part: Part) -> None:
    """Write the name, and draw a square for each block."""
    canvas.words(PAD, canvas.y + 15, part.name, bold=True)
    room = canvas.width - 2 * PAD - 90
    step = min(SQUARE + 2, room / len(part.pieces))
    x = canvas.width - PAD - step * len(part.pieces)
    for index in part.pieces:
        canvas.box(x, canvas.y + 7, step - 1, SQUARE + 1, part.state, f"block {index}")
        x += step
    canvas.y += 22


def _tokens(canvas: Canvas, site: Site) -> None:
    x = PAD
    for look, count in (("adapter", 6), ("frozen", 10)):
        for _ in range(count):
            canvas.box(x, canvas.y + 4, SQUARE + 1, SQUARE + 1, look)
            x += SQUARE + 2
    label = fitted(site.label, canvas.width - x - 8 - PAD, 10)
    canvas.words(x + 8, canvas.y + 12, label, size=10)
    canvas.y += 20


def _layers(canvas: Canvas, layers: Sequence[Part]) -> None:
    """Draw the layers of one block beside each other, what was added to each under it."""
    step = (canvas.width - 2 * PAD + 5) / len(layers)
    first: dict[str, float] = {}
    for index, layer in enumerate(layers):
        x, width = PAD + index * step, step - 5
        group = {"norm": "", "fc1": "MLP", "fc2": "MLP"}.get(layer.name, "attention")
        first.setdefault(group, x)
        tip = f"{layer.name}: {layer.state}, {readable_count(layer.total)}"
        canvas.box(x, canvas.y + 14, width, LAYER, layer.state, tip)
        canvas.words(x + width / 2, canvas.y + 28, layer.name, size=10, anchor="middle")
        if layer.added:
            canvas.box(x, canvas.y + 14 + LAYER + 2, width, 14, "adapter", tip)
            label = fitted(f"+{readable_count(layer.added)}", width, 9)
            canvas.words(x + width / 2, canvas.y + 47, label, size=9, anchor="middle")
    for group, x in first.items():
        canvas.words(x, canvas.y + 9, group, size=9, faint=True)
    canvas.y += 18 + LAYER + (16 if any(layer.added for layer in layers) else 0)


def _behind(canvas: Canvas, site: Site) -> None:
    canvas.words(PAD, canvas.y + 15, "+", size=12, bold=True)
    x = PAD + 14
    for piece in site.pieces:
        canvas.box(x, canvas.y + 4, 60, 15, "adapter")
        canvas.words(x + 30, canvas.y + 15, piece, size=9.5, anchor="middle")
        x += 64
    label = fitted(site.label, canvas.width - x - 6 - PAD, 10)
    canvas.words(x + 6, canvas.y + 15, label, size=10)
    canvas.y += 22


def _stack(canvas: Canvas, top: float, height: float, count: int) -> None:
    """Draw the edges of the blocks that lie under the first."""
    x, y = canvas.width, top + height
    for depth in range(1, min(count, 3)):
        d = 3.0 * depth
        left, right = d, x + d - 1
        canvas.drawing.add(Line((
            (right - 2, top + d), (right, top + d), (right, y + d), (left, y + d),
            (left, y + d - 3),
        )))  # fmt: skip


def _exchange(canvas: Canvas, site: Site, top: float, height: float) -> None:
    """Draw the arrows between these blocks and what runs beside them: in above, out below."""
    left, right = canvas.width + 8, canvas.width + 8 + 50
    into, out = site.pieces
    for label, y, ends in ((into, top + 0.36 * height, (right, left)),
                           (out, top + 0.86 * height, (left, right))):  # fmt: skip
        canvas.drawing.add(Line(((ends[0], y), (ends[1], y)), "#a8972a", arrow=True))
        canvas.words((left + right) / 2, y - 3, label, size=9, anchor="middle")
