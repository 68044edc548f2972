"""A page that is one self-contained file: what stands on any of them, and how it is written."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
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
class Entry:
    """A colour and what it means."""

    name: str
    colour: str


def write_page(template: str, report: Any, path: Path) -> None:
    """Write a page as one file that needs no network; every text in it is escaped.

    Args:
        template: `<package>/<file>`, such as `workbench.reporting/comparison.html.j2`; it extends
            `workbench.reporting/page.html.j2`.
        report: What the template calls `report`.
        path: Where to write.
    """
    packages = ("workbench.reporting", template.partition("/")[0])
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader({name: jinja2.PackageLoader(name, ".") for name in packages}),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
    )
    write_text(path, environment.get_template(template).render(report=report))


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
