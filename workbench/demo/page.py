"""The page of the report: what stands on it, and how it becomes one self-contained file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import matplotlib.image
from matplotlib.colors import to_hex
from matplotlib.patches import Patch

from workbench.plots import Plot, render
from workbench.plots.pixels import Pixels
from workbench.storage import write_text


@dataclass(frozen=True)
class Figure:
    """A drawing in two shapes as data addresses; each is light or dark with the page."""

    wide: str
    narrow: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Score:
    """A score as it is printed: `82.1` and `[79.0, 85.2]`, empty where there is no interval."""

    value: str
    interval: str


@dataclass(frozen=True)
class Row:
    """A line of the table of runs."""

    name: str
    baseline: bool
    first_baseline: bool
    colour: str
    in_region: Score
    held_out: Score
    gap: Score
    parameters: str
    size: str
    time: str


@dataclass(frozen=True)
class Tile:
    """A number worth a large font, and what it is."""

    value: str
    text: str


@dataclass(frozen=True)
class Entry:
    """A colour and what it means."""

    name: str
    colour: str


@dataclass(frozen=True)
class StripRow:
    """A chip: its images as data addresses."""

    region: str
    date: str
    held_out: bool
    images: list[str]


@dataclass(frozen=True)
class SceneView:
    """A scene before and after prediction, with a scale bar in percent of its width."""

    intro: str
    caption: str
    before: str
    after: str
    width_px: int
    scale_percent: float
    scale_text: str
    place: str
    legend: list[Entry]


@dataclass(frozen=True)
class Report:
    """Everything that stands on the page, in the order in which it stands there."""

    title: str
    version: str
    made: str
    headline: str
    kind: str
    lead: list[str]
    tiles: list[Tile]
    split_line: str
    world: Figure
    held_out_name: str
    rows: list[Row]
    verdicts: list[str]
    more_verdicts: list[str]
    regions: Figure
    strip_titles: list[str]
    strips: list[StripRow]
    legend: list[Entry]
    scene_title: str
    scene: SceneView
    origin: Sequence[tuple[str, str]]
    curves: Figure
    code: Mapping[str, str]
    folder: str
    footer: str


def write_report(report: Report, path: Path) -> None:
    """Write the page as one file that needs no network; every text in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("workbench.demo", "."), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True,
    )
    write_text(path, environment.get_template("report.html.j2").render(report=report))


def figure(plot: Plot, table: Any, *, alt: str, caption: str,
           narrow: tuple[float, float]) -> Figure:
    """Draw a table in its natural shape, and in one that reads well on a phone.

    Args:
        plot: How to draw.
        table: What to draw.
        alt: What the picture shows, for those who cannot see it.
        caption: What to look for in it.
        narrow: Width and height on a phone, in inches.
    """
    wide = render(plot, table).svg()
    small = render(plot, table, width=narrow[0], height=narrow[1]).svg()
    return Figure(_svg_address(wide), _svg_address(small), alt, caption)


def _svg_address(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def png_address(pixels: Pixels) -> str:
    """Return an exact picture as a data address; right for classes."""
    return _address(pixels, "png", {"optimize": True})


def photo_address(pixels: Pixels) -> str:
    """Return a compressed picture as a data address; right for imagery."""
    return _address(pixels, "webp", {"quality": 86})


def _address(pixels: Pixels, kind: str, options: dict[str, Any]) -> str:
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, pixels, format=kind, pil_kwargs=options)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def entries(legend: Sequence[Patch]) -> list[Entry]:
    """Return the legend of a matplotlib plot as text and colours."""
    return [Entry(str(patch.get_label()), to_hex(patch.get_facecolor())) for patch in legend]
