"""Labels drawn on a raster: points and polygons with a class, in a GeoPackage beside it."""

from __future__ import annotations

from workbench.data.labels.imagery import Imagery, open_imagery
from workbench.data.labels.labels import Labels

__all__ = ["Imagery", "Labels", "open_imagery"]
