"""The picture of a model: from the image down to the logits, what is frozen and what learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.assembly.anatomy import Part
from workbench.assembly.blocks import BODY, GAP, PAD, Canvas, draw_blocks
from workbench.assembly.shapes import Box, Drawing, Line, fitted
from workbench.peft import Site
from workbench.reprs import readable_count

WIDTH = 600.0
FACTS = BODY + 18  # where the numbers stand, right of the boxes
BRANCH = 84.0  # of the box beside the blocks
ROW = 36.0
LEGEND = {"frozen": "frozen", "adapter": "added by the method", "partly trained": "partly trained",
          "trained": "trained"}  # fmt: skip


def draw_model(
    parts: Sequence[Part],
    sites: Sequence[Site],
    maps: Sequence[tuple[int, int]],
    classes: int,
    summary: Sequence[str],
) -> Drawing:
    """Lay a model out from top to bottom.

    Args:
        parts: From input to output.
        sites: Where added modules act on blocks.
        maps: Channels and pixels a cell of the feature maps, drawn where there are no blocks.
        classes: Number of classes.
        summary: Lines at the foot.
    """
    beside = [site for site in sites if site.place == "beside"]
    grafts = [part for part in parts if part.name == "adapter"]
    canvas = Canvas(Drawing(WIDTH), narrow=bool(beside))
    seen: list[tuple[str, ...]] = []
    spans: dict[str, tuple[float, float]] = {}
    for part in (*(p for p in parts if p not in grafts), _logits(classes)):
        top = canvas.y
        if part.pieces:
            looks = tuple(layer.state for layer in part.layers)
            here = [site for site in sites if part.pieces[0] in site.blocks]
            draw_blocks(canvas, part, here, detailed=looks not in seen)
            _facts(canvas, top, part, () if seen else grafts)
            seen.append(looks)
            spans["blocks"] = (spans.get("blocks", (top,))[0], canvas.y)
        else:
            draw = _network if part.name == "network" else _row
            draw(canvas, part, maps)
            spans[part.name] = (top, canvas.y)
        if part.name != "logits":
            # A branch makes maps of its own: those of the blocks go no further.
            _arrow(canvas, drawn=not (beside and part.name == "last norm"))
    if beside:
        _branch(canvas, beside[0].label, spans, maps)
    _foot(canvas, parts, summary)
    return canvas.drawing


def _logits(classes: int) -> Part:
    return Part("logits", 0, 0, note=f"{classes} classes at every pixel")


def _row(canvas: Canvas, part: Part, maps: Sequence[tuple[int, int]]) -> None:
    height = ROW if part.note else 22.0
    canvas.box(0, canvas.y, canvas.width, height, part.state, tip=part.note)
    canvas.words(PAD, canvas.y + 15, part.name, bold=True)
    if part.note:
        note = fitted(part.note, canvas.width - 2 * PAD, 10)
        canvas.words(PAD, canvas.y + 29, note, size=10, faint=True)
    _facts(canvas, canvas.y, part, ())
    canvas.y += height


def _network(canvas: Canvas, part: Part, maps: Sequence[tuple[int, int]]) -> None:
    """Draw a network without blocks: maps that shrink, one under the other."""
    canvas.words(canvas.width / 2, canvas.y + 12, part.note, bold=True, anchor="middle")
    _facts(canvas, canvas.y + 6, part, ())
    canvas.y += 20
    for index, (channels, stride) in enumerate(maps):
        width = canvas.width * (1 - 0.6 * index / max(len(maps) - 1, 1))
        canvas.box((canvas.width - width) / 2, canvas.y, width, 20, part.state)
        label = f"stride {stride} · {channels} channels"
        canvas.words(canvas.width / 2, canvas.y + 14, label, size=10, anchor="middle")
        canvas.y += 24
    canvas.y -= 4


def _facts(canvas: Canvas, top: float, part: Part, grafts: Sequence[Part]) -> None:
    """Write how a part is treated and its numbers; under it what was added beside it."""
    if part.state == "fixed":
        return
    lines = [(part.state, _numbers(part)), *(("adapter", _numbers(graft)) for graft in grafts)]
    for state, numbers in lines:
        if part.note or part.pieces or part.name == "network":
            canvas.words(FACTS, top + 15, state, bold=True)
            canvas.words(FACTS, top + 29, numbers, size=10, faint=True)
        else:
            canvas.words(FACTS, top + 15, f"{state}, {numbers}", size=10, faint=True)
        top += 36


def _numbers(part: Part) -> str:
    total, trained = readable_count(part.total), readable_count(part.trained)
    match part.state:
        case "frozen + adapter":
            return f"{trained} added to {readable_count(part.total - part.added)}"
        case "partly trained":
            return f"{trained} of {total}"
        case "adapter":
            return f"{trained} added"
    return total


def _arrow(canvas: Canvas, *, drawn: bool) -> None:
    x = canvas.width / 2
    if drawn:
        canvas.drawing.add(Line(((x, canvas.y + 1), (x, canvas.y + GAP - 1)), arrow=True))
    canvas.y += GAP


def _branch(
    canvas: Canvas, label: str, spans: Mapping[str, tuple[float, float]], maps: Sequence[object]
) -> None:
    """Draw what runs beside the blocks: from the image, along them, to the decoder."""
    top, bottom = spans["blocks"]
    x, middle = BODY - BRANCH, BODY - BRANCH / 2
    canvas.box(x, top, BRANCH, bottom - top, "adapter")
    canvas.words(middle, (top + bottom) / 2, label, size=10, bold=True, anchor="middle")
    entry = sum(spans["image"]) / 2
    # The neck is not there where the branch makes the pyramid.
    way_out = sum(spans["decoder"]) / 2
    canvas.drawing.add(
        Line(((canvas.width, entry), (middle, entry), (middle, top)), arrow=True),
        Line(((middle, bottom), (middle, way_out), (canvas.width, way_out)), arrow=True),
    )
    canvas.words(canvas.width + 8, way_out - 4, f"{len(maps)} maps", size=10)


def _foot(canvas: Canvas, parts: Sequence[Part], summary: Sequence[str]) -> None:
    """Draw the share that learns, the sizes, and what the looks mean."""
    total = sum(part.total for part in parts)
    added = sum(part.added for part in parts)
    trained = sum(part.trained for part in parts) - added
    canvas.y += 14
    if total:
        x = 0.0
        for look, count in (("adapter", added), ("trained", trained),
                            ("frozen", total - added - trained)):  # fmt: skip
            # What is there is seen, however small.
            width = max(WIDTH * count / total, 3) if count else 0
            width = min(width, WIDTH - x) if look != "frozen" else WIDTH - x
            if count:
                canvas.box(x, canvas.y, width, 10, look)
            x += width
        canvas.y += 10
    for bold, line in zip((True, *[False] * len(summary)), summary, strict=False):
        canvas.y += 16
        canvas.words(0, canvas.y, line, bold=bold, faint=not bold)
    canvas.y += 12
    x = 0.0
    drawn = {shape.look for shape in canvas.drawing.shapes if isinstance(shape, Box)}
    for look, meaning in LEGEND.items():
        if look in drawn:
            canvas.box(x, canvas.y, 18, 11, look)
            canvas.words(x + 24, canvas.y + 9, meaning, size=10)
            x += 24 + 6 * len(meaning) + 24
    canvas.y += 14
    canvas.drawing.height = canvas.y
