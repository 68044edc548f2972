"""Rasters as layers of a map, over the widget's own channel: no tile server, no port."""

from __future__ import annotations

from ipyleaflet import ImageOverlay

from workbench.plots.webmap import Overlay

# Smoothing would invent colours between classes, which are the PNGs; imagery is WebP. Show it once
# beside the map: `widgets.HTML(PIXELATED)`.
PIXELATED = ('<style>img.leaflet-image-layer[src^="data:image/png"] '
             "{ image-rendering: pixelated; }</style>")

# A transparent pixel: for no address at all browsers ask for the page itself.
NOTHING = Overlay("data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
                  ((0.0, 0.0), (1e-6, 1e-6)))


def layer(overlay: Overlay, *, name: str, pane: str | None = None,
          opacity: float = 1.0) -> ImageOverlay:
    """Return a picture that was made before as a layer."""
    return ImageOverlay(url=overlay.url, bounds=overlay.bounds, name=name, pane=pane or "",
                        opacity=opacity)
