"""The sample chips of a dashboard, as small pictures that a browser shows."""

from __future__ import annotations

import base64
import io
from typing import Any

from matplotlib import image
from matplotlib.colors import to_hex

from workbench.plots import chips, preview
from workbench.plots.chips import ChipTable
from workbench.plots.pixels import Pixels

# A tile is shown at about this many pixels; more would only cost the connection.
SIDE = 128


def tiles(table: ChipTable) -> dict[str, Any]:
    """Return titles, legend, and a card for each chip with its pictures as data URLs."""
    if not table.strips:
        return {}
    shades = [{"name": str(patch.get_label()), "colour": to_hex(patch.get_facecolor())}
              for patch in chips.legend(table)]
    cards = [
        {"name": strip.region, "id": strip.chip_id,
         "pictures": [picture_url(pixels, lossless=place > 0) for place, pixels in
                      enumerate(preview.pictures(strip, table.colours))]}
        for strip in table.strips
    ]  # fmt: skip
    return {"titles": preview.titles(table), "legend": shades, "cards": cards}


def picture_url(pixels: Pixels, *, lossless: bool) -> str:
    """Return a small picture as a data URL.

    Imagery may lose a little; classes may not: a blurred edge is another class.
    """
    step = -(-max(pixels.shape[:2]) // SIDE)
    buffer = io.BytesIO()
    how: dict[str, Any] = {"lossless": True} if lossless else {"quality": 80}
    image.imsave(buffer, pixels[::step, ::step].copy(), format="webp", pil_kwargs=how)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
