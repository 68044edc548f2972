"""A strip of chips beside a map: small pictures in an order that means something."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
import xarray as xr
from PIL import Image

from workbench.plots.chip_map import IMAGE, layer

_FILES = Path(__file__).parents[1] / "browser"
# Pixels of a picture's side; a browser shows it at half of that on a sharp screen.
SIDE = 144


class Strip(anywidget.AnyWidget):
    """Chips in a row that scrolls; a click, or Enter, chooses one.

    Args:
        chosen: Called with the id of the chip.
    """

    _esm = _FILES / "strip.js"
    _css = _FILES / "strip.css"

    title = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    cards: Any = traitlets.List().tag(sync=True)
    pictures: Any = traitlets.Dict().tag(sync=True)
    current = traitlets.Unicode().tag(sync=True)

    def __init__(self, chosen: Callable[[str], object]) -> None:
        super().__init__()
        self.on_msg(lambda _, message, __: chosen(str(message["chip"])))

    def show(self, title: str, note: str, cards: Sequence[dict[str, str]]) -> None:
        """Show other chips; pictures that are there already stay.

        Args:
            title: What the order means.
            note: What is said where there is no chip.
            cards: `id`, `name` and `value` of each chip.
        """
        shown = {card["id"] for card in cards}
        with self.hold_sync():
            self.title, self.note, self.cards = title, note, list(cards)
            self.pictures = {chip: url for chip, url in self.pictures.items() if chip in shown}

    def add(self, pictures: dict[str, str]) -> None:
        """Show pictures that have come."""
        self.pictures = {**self.pictures, **pictures}


def thumbnail(ground: xr.Dataset, run: str | None = None) -> str:
    """Return a chip as a small picture (a data address), the errors of a run painted over it.

    Args:
        ground: What `wb.chip_map` returned.
        run: Name of the run; without one the image alone is shown.
    """
    own = (ground["chip"] == 0).values
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    chip = ground.isel(y=slice(rows[0], rows[-1] + 1), x=slice(columns[0], columns[-1] + 1))
    pixels = layer(chip, IMAGE).pixels.copy()
    if run is not None:
        errors = layer(chip, f"errors of {run}")
        wrong = (errors.pixels >= len(errors.colors) - (2 if errors.quiet == 0 else 1)) & (
            errors.pixels < len(errors.colors))
        pixels[wrong] = errors.painted()[wrong]
    picture = Image.fromarray(pixels, "RGBA")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=84)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
