"""Simulated chips of three dates whose classes no single date tells: what greens up, what dries."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from workbench.data import Dataset

BANDS = ("RED", "NIR_NARROW")
DATES = ("2022-03-05", "2022-06-10", "2022-09-15")
SIDE, FIELD = 32, 16
# Change from date to date, and how much brighter one field is than another: far more.
CHANGE, BRIGHTER = 0.05, 0.4


def season(seed: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Return reflectance ``(band, time, y, x)`` and classes ``(y, x)``: 0 dries, 1 greens up."""
    rng = np.random.default_rng(seed)
    fields = (side // FIELD, side // FIELD)
    greens = np.kron(rng.integers(0, 2, fields), np.ones((FIELD, FIELD), int))
    # Bands of one field are alike in nothing, or their contrast on one date would tell.
    base = np.kron(rng.uniform(0.1, 0.1 + BRIGHTER, (2, 1, *fields)), np.ones((FIELD, FIELD)))
    trend = np.where(greens, CHANGE, -CHANGE) * np.array([-1, 0, 1])[:, None, None]
    image = base + np.stack([-trend, trend])
    return image + rng.normal(0, 0.004, image.shape), greens


def write_seasons(folder: Path, places=("north", "south", "west"), count: int = 6) -> Dataset:
    """Write GeoTIFFs, all bands of the first date, then of the second and third; open them."""
    for place, name in enumerate(places):
        for number in range(count):
            image, mask = season(100 * place + number)
            grid = dict(driver="GTiff", width=SIDE, height=SIDE, crs="EPSG:32630", transform=Affine(
                30, 0, 300_000 + 20_000 * number, 0, -30, 4_000_000 + 200_000 * place))
            layers = image.swapaxes(0, 1).reshape(-1, SIDE, SIDE)
            with rasterio.open(folder / f"{name}_{number}_stack.tif", "w", count=len(layers),
                               dtype="int16", nodata=-9999, **grid) as file:
                file.write(np.rint(layers * 10_000).astype(np.int16))
                file.descriptions = BANDS * len(DATES)
            with rasterio.open(folder / f"{name}_{number}_mask.tif", "w", count=1, dtype="uint8",
                               **grid) as file:
                file.write(mask.astype(np.uint8), 1)
    return open_seasons(folder)


def open_seasons(folder: Path) -> Dataset:
    return Dataset.from_folder(
        str(folder / "*_stack.tif"), str(folder / "*_mask.tif"), bands=BANDS, frames=len(DATES),
        classes=["dries", "greens up"], region="{region}_{number}_stack", scale=1e-4,
        name="simulated-seasons", date=DATES,
    )
