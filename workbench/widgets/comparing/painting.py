"""From a chip and the name of a layer to pictures and a legend, each made once."""

from __future__ import annotations

from collections import OrderedDict
from html import escape

import numpy as np
import xarray as xr

from workbench.evaluation.atlas import Atlas
from workbench.plots.chip_map import FALSE_COLOUR, IMAGE, LABEL, Layer, layer
from workbench.plots.webmap import Overlay, outline
from workbench.prediction.grid import array_grid
from workbench.widgets.basemap import Bounds
from workbench.widgets.comparing.pair import Corners

# Pictures that are kept: those of a dozen chips.
_KEPT = 96


class Painter:
    """Makes the pictures of an atlas for the two maps."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas
        self._made: OrderedDict[tuple[str, int | None, str], tuple[Layer, Overlay]] = OrderedDict()

    def side(self, chip: str, name: str,
             seed: int | None = None) -> tuple[Overlay, Overlay | None, str]:
        """Return the image of a chip, the layer to lay over it, and its legend."""
        if name in (IMAGE, FALSE_COLOUR):
            return self._made_once(chip, name, seed)[1], None, ""
        _, image = self._made_once(chip, IMAGE, seed)
        shown, overlay = self._made_once(chip, name, seed)
        said = "" if seed is None or name == LABEL else f"seed {seed}"
        return image, overlay, legend(shown, said)

    def _made_once(self, chip: str, name: str, seed: int | None) -> tuple[Layer, Overlay]:
        key = chip, seed, name
        if key not in self._made:
            ground = self._atlas.ground(chip, seed)
            shown = layer(ground, name)
            self._made[key] = shown, shown.overlay(ground)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]


def legend(shown: Layer, said: str = "") -> str:
    """Return the colours of a layer and what they mean, as HTML, and what else is to be said."""
    items = "".join(
        f'<span><i class="wb-swatch{" wb-clear" if place == shown.quiet else ""}" '
        f'style="background:{color}"></i>{escape(name)}</span>'
        for place, (name, color) in enumerate(shown.entries))
    more = f'<span class="wb-of">{escape(said)}</span>' if said else ""
    return f'<div class="wb-legend">{items}{more}</div>'


def chip_corners(ground: xr.Dataset) -> Corners:
    """Return latitude and longitude of the corners of the chip that a ground lies around."""
    own = ground["chip"].values == 0
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    return corners(ground, (int(rows[0]), int(rows[-1]) + 1),
                   (int(columns[0]), int(columns[-1]) + 1))


def all_corners(ground: xr.Dataset) -> Corners:
    """Return latitude and longitude of the corners of a whole ground."""
    return corners(ground, (0, ground.sizes["y"]), (0, ground.sizes["x"]))


def corners(ground: xr.Dataset, rows: tuple[int, int], columns: tuple[int, int]) -> Corners:
    """Return latitude and longitude of the corners of a window of a ground."""
    grid = array_grid(ground)
    return outline(rows, columns, (grid.height, grid.width), grid.transform, grid.crs)


def around(places: Corners) -> Bounds:
    """Return the box round corners, with a fiftieth of its size as air on each side."""
    lats, lons = zip(*places, strict=True)
    high, wide = 0.02 * (max(lats) - min(lats)), 0.02 * (max(lons) - min(lons))
    return (min(lons) - wide, max(min(lats) - high, -90.0), max(lons) + wide,
            min(max(lats) + high, 90.0))
