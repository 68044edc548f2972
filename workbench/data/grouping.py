"""What a split keeps whole besides clusters and regions: spatial blocks and MGRS tiles."""

from __future__ import annotations

import re
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely

from workbench.data.neighbours import RADIUS_KM, Floats, on_sphere

# As many as `chipping.block_side` makes of a scene: enough to fill three parts evenly.
_BLOCKS = 16
# A block narrower than this many buffers would lose most of its chips to them.
_BUFFERS_A_BLOCK = 4
# With fewer, a region cannot be in all three parts, whatever the buffer.
_FEWEST = 4
# MGRS tiles as Sentinel-2 and HLS write them: T10SEH, 10SEH. The letters I and O do not occur.
_TILE = re.compile(r"(?<![A-Z0-9])T?(\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])(?![A-Z0-9])")


def centres(footprints: geopandas.GeoSeries) -> Floats:
    """Return the middle of each outline's corners as a unit vector ``(chip, 3)``."""
    corners, owner = shapely.get_coordinates(footprints.to_numpy(), return_index=True)
    sums = np.zeros((len(footprints), 3))
    np.add.at(sums, owner, on_sphere(corners))
    middle: Floats = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return middle


def blocks(chips: geopandas.GeoDataFrame, buffer_km: float) -> pd.Series:
    """Return a spatial block for each chip of one region, which it cuts again and again in half.

    The block with the most places is cut next, across its longest side, until there are sixteen
    or all are narrow against the buffer. Chips of one place stay together.
    """
    # A tenth of a metre and less is the same place.
    where, place = np.unique(centres(chips.geometry).round(8), axis=0, return_inverse=True)
    whole = [np.arange(len(where))]
    done: list[np.ndarray] = []
    while whole and len(whole) + len(done) < _BLOCKS:
        block = whole.pop(max(range(len(whole)), key=lambda number: len(whole[number])))
        sides = np.ptp(where[block], axis=0)
        narrow = sides.max() * RADIUS_KM < _BUFFERS_A_BLOCK * buffer_km
        if len(block) < 2 or (narrow and len(whole) + len(done) + 1 >= _FEWEST):
            done.append(block)
            continue
        order = block[np.argsort(where[block, sides.argmax()], kind="stable")]
        whole += [order[: len(order) // 2], order[len(order) // 2 :]]
    number = np.empty(len(where), int)
    for name, block in enumerate(sorted([*whole, *done], key=lambda block: int(block.min()))):
        number[block] = name
    return pd.Series(number[place.ravel()], chips.index).map("{:02d}".format)


def tiles(chips: geopandas.GeoDataFrame) -> pd.Series:
    """Return the MGRS tile of each chip: from its id or file name, else its UTM zone and 100 km.

    None where neither a name nor a position tells.
    """
    found = named_tiles(chips)
    nameless = found.index[found.isna() & chips.geometry.notna()]
    if len(nameless):
        found.loc[nameless] = _squares(chips.geometry.loc[nameless])
    return found


def named_tiles(chips: geopandas.GeoDataFrame) -> pd.Series:
    """Return the MGRS tile in the id or the file name of each chip, None where there is none."""
    names = [
        f"{chip} {Path(str(image)).name}".replace("_", " ").upper()
        for chip, image in zip(chips.index, chips["image"], strict=True)
    ]
    found = [match[1] if (match := _TILE.search(name)) else None for name in names]
    return pd.Series(found, chips.index, dtype=object)


def _squares(footprints: geopandas.GeoSeries) -> list[str]:
    middle = centres(footprints)
    lon = np.rad2deg(np.arctan2(middle[:, 1], middle[:, 0]))
    lat = np.rad2deg(np.arcsin(middle[:, 2].clip(-1, 1)))
    zones = ((lon + 180) // 6).astype(int) % 60 + 1
    names = np.empty(len(lon), object)
    for zone in np.unique(zones):
        for south in (False, True):
            here = (zones == zone) & ((lat < 0) == south)
            if here.any():
                points = geopandas.points_from_xy(lon[here], lat[here], crs="EPSG:4326")
                grid = points.to_crs(32_700 + zone if south else 32_600 + zone)
                names[here] = [
                    f"{zone:02d}{'S' if south else 'N'}-{int(x // 1e5)}-{int(y // 1e5)}"
                    for x, y in zip(grid.x, grid.y, strict=True)
                ]
    return names.tolist()
