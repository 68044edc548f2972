"""Rasters as layers of a map, over the widget's own channel: no tile server, no port."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from affine import Affine
from ipyleaflet import ImageOverlay
from rasterio.crs import CRS

from workbench.plots.webmap import Overlay, class_overlay, image_overlay

# Smoothing would invent colours between classes, which are the PNGs; imagery is WebP. Show it once
# beside the map: `widgets.HTML(PIXELATED)`.
PIXELATED = ('<style>img.leaflet-image-layer[src^="data:image/png"] '
             "{ image-rendering: pixelated; }</style>")

# A transparent pixel: for no address at all browsers draw a broken image.
NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="


def image_layer(pixels: npt.NDArray[np.uint8], transform: Affine, crs: CRS | str | None, *,
                name: str, pane: str | None = None, opacity: float = 1.0) -> ImageOverlay:
    """Return imagery ``(y, x, 3)`` or ``(y, x, 4)`` uint8 as a layer; see `image_overlay`.

    Args:
        pixels: Red, green, blue and perhaps alpha.
        transform: From columns and rows to coordinates of `crs`.
        crs: Where the pixels are.
        name: What the control of layers calls it.
        pane: The pane of the map that it lies in; a swipe needs one for each side.
        opacity: From 0 to 1.

    Raises:
        GridError: No CRS, or a place that Web Mercator does not show.
    """
    return layer(image_overlay(pixels, transform, crs), name=name, pane=pane, opacity=opacity)


def class_layer(classes: npt.NDArray, transform: Affine, crs: CRS | str | None,
                colors: Sequence[str], *, nodata: int = 255, name: str, pane: str | None = None,
                opacity: float = 0.7) -> ImageOverlay:
    """Return classes ``(y, x)`` as a layer in exactly their colours; see `class_overlay`.

    Args:
        classes: Class k has colour k; anything else is transparent.
        transform: From columns and rows to coordinates of `crs`.
        crs: Where the pixels are.
        colors: A colour for each class.
        nodata: Not drawn, even where it is the number of a class.
        name: What the control of layers calls it.
        pane: The pane of the map that it lies in; a swipe needs one for each side.
        opacity: From 0 to 1.

    Raises:
        GridError: No CRS, or a place that Web Mercator does not show.
    """
    overlay = class_overlay(classes, transform, crs, colors, nodata=nodata)
    return layer(overlay, name=name, pane=pane, opacity=opacity)


def layer(overlay: Overlay, *, name: str, pane: str | None = None,
          opacity: float = 1.0) -> ImageOverlay:
    """Return a picture that was made before as a layer."""
    return ImageOverlay(url=overlay.url, bounds=overlay.bounds, name=name, pane=pane or "",
                        opacity=opacity)
