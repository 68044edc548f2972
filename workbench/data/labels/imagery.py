"""Imagery: a georeferenced raster, read window by window in physical units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.enums import Resampling
from rasterio.warp import transform_bounds

from workbench.data.bands import find
from workbench.data.info import parse_bands
from workbench.data.raster import Raster, describe, open_raster, read_window
from workbench.data.reading import valid_pixels
from workbench.errors import BandError, GridError

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Imagery:
    """A raster with a place on Earth, and what its values mean.

    Attributes:
        raster: What the file says of itself.
        stored_bands: Bands of the file in its order; None for one that is not used.
        scale: Stored value * scale + offset is the physical unit.
        offset: See `scale`.
        nodata: Stored value of missing pixels; None for what the file says.
    """

    raster: Raster
    stored_bands: tuple[str | None, ...]
    scale: float
    offset: float
    nodata: float | None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.raster.path)

    @property
    def crs(self) -> str:
        """`EPSG:…` or WKT."""
        assert self.raster.crs is not None
        return self.raster.crs

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that `read` returns, in order."""
        return tuple(band for band in self.stored_bands if band is not None)

    @property
    def outline(self) -> shapely.Polygon:
        """The raster's outline in its CRS."""
        height, width = self.raster.height, self.raster.width
        corners = ((0, 0), (width, 0), (width, height), (0, height))
        return shapely.Polygon([self.raster.transform @ corner for corner in corners])

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees; west above east crosses the antimeridian."""
        west, south, east, north = transform_bounds(self.crs, "EPSG:4326", *self.outline.bounds)
        return west, south, east, north

    def read(self, row_off: int, col_off: int, height: int, width: int) -> Pixels:
        """Return ``(band, y, x)`` in physical units; NaN in all bands where one has no value.

        Raises:
            DataError: The file is damaged there.
        """
        stored = read_window(self.raster.path, self._indexes, row_off, col_off, height, width)
        return self._physical(stored)

    def thinned(self, side: int) -> Pixels:
        """Return the whole raster as `read` does, thinned to at most `side` rows and columns."""
        step = max(1, math.ceil(max(self.raster.height, self.raster.width) / side))
        shape = math.ceil(self.raster.height / step), math.ceil(self.raster.width / step)
        handle = open_raster(self.raster.path)
        return self._physical(handle.read(
            self._indexes, out_shape=(len(self._indexes), *shape), resampling=Resampling.nearest
        ))

    @property
    def _indexes(self) -> list[int]:
        return [place for place, band in enumerate(self.stored_bands, 1) if band is not None]

    def _physical(self, stored: npt.NDArray) -> Pixels:
        nodata = self.raster.nodata if self.nodata is None else self.nodata
        valid = valid_pixels(stored, nodata)
        image = stored.astype(np.float32)
        if (self.scale, self.offset) != (1.0, 0.0):
            image *= np.float32(self.scale)
            image += np.float32(self.offset)
        image[:, ~valid] = np.nan
        return image


def open_imagery(path: str | Path, bands: Sequence[str | None] | None = None, *,
                 scale: float | None = None, offset: float | None = None,
                 nodata: float | None = None) -> Imagery:
    """Open a GeoTIFF to be labelled; nothing is read.

    Args:
        path: The file.
        bands: Names of all bands in file order, None for one that is not used; by default what the
            file says.
        scale: Stored value * scale + offset is the physical unit; by default what the file says.
        offset: See `scale`.
        nodata: Stored value of missing pixels; by default what the file says.

    Raises:
        DataError: The file cannot be opened.
        GridError: It does not say where its pixels are.
        BandError: Bands are unknown, or nobody names them.
    """
    raster = describe(Path(path).expanduser().absolute())
    if not raster.georeferenced:
        raise GridError(
            f"{path} has no CRS or no geotransform, so nothing can be drawn on it on a map. Write "
            f"its true position into it (`gdal_edit.py -a_srs EPSG:… -a_ullr … {Path(path).name}`)."
        )
    handle = open_raster(raster.path)
    return Imagery(
        raster, _bands(raster, bands),
        _of_all(handle.scales, 1.0) if scale is None else scale,
        _of_all(handle.offsets, 0.0) if offset is None else offset, nodata,
    )  # fmt: skip


def _of_all(values: Sequence[float], default: float) -> float:
    return float(values[0]) if len(set(values)) == 1 else default


def _bands(raster: Raster, bands: Sequence[str | None] | None) -> tuple[str | None, ...]:
    if bands is not None:
        named = parse_bands(bands)
        if len(named) != raster.count:
            raise BandError(
                f"{raster.path} has {raster.count} bands, bands= names {len(named)}. Name every "
                "band in file order, and None for one that is not used."
            )
        return named
    said = tuple(find(text) if text else None for text in raster.descriptions)
    known = [band for band in said if band is not None]
    if not known or len(set(known)) < len(known):
        raise BandError(
            f"{raster.path} does not name its {raster.count} bands. Name them in file order: "
            "bands=['BLUE', 'GREEN', 'RED', …], and None for one that is not used."
        )
    return said
