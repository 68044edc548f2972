"""Tiny data that every test can share; nothing here comes from the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from workbench.data import Dataset

pytest_plugins = ["tests.plugin"]

HLS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
CHIP = 32
CHIPS_A_REGION = 8
# Upper left corner and UTM zone; places lie 20 km apart so that chips never touch.
PLACES = {
    "bolivia": (32720, 300_000, 8_400_000),
    "ghana": (32630, 600_000, 900_000),
    "spain": (32630, 650_000, 4_250_000),
}
# Reflectance of water and land by band: water is dark from NIR on, as in nature.
WATER = np.array([0.06, 0.07, 0.06, 0.04, 0.02, 0.01])
LAND = np.array([0.05, 0.08, 0.07, 0.28, 0.22, 0.13])


def write_chip(folder: Path, name: str, seed: int, *, epsg: int, east: float, north: float,
               side: int = CHIP) -> tuple[Path, Path]:
    """Write an int16 image (reflectance x 10 000, nodata -9999) and its int16 mask."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    angle, offset = random.uniform(0, np.pi), random.uniform(-0.15, 0.15)
    water = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) > offset
    mean = np.where(water, WATER[:, None, None], LAND[:, None, None]) * random.uniform(0.9, 1.1)
    pixels = mean + random.normal(0, 0.015, (6, side, side))
    stored = np.clip(pixels * 10_000, 1, None).astype(np.int16)
    mask = water.astype(np.int16)
    stored[:, 0, :3] = -9999
    mask[-1, :4] = -1
    grid = dict(driver="GTiff", width=side, height=side, dtype="int16", crs=f"EPSG:{epsg}",
                transform=Affine(30, 0, east, 0, -30, north))
    paths = folder / f"{name}_S2.tif", folder / f"{name}_label.tif"
    with rasterio.open(paths[0], "w", count=6, nodata=-9999, **grid) as file:
        file.write(stored)
    with rasterio.open(paths[1], "w", count=1, nodata=-1, **grid) as file:
        file.write(mask, 1)
    return paths


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 image and mask pairs in three regions, 32 x 32 pixels each."""
    folder = tmp_path_factory.mktemp("tiny_floods")
    for place, (region, (epsg, east, north)) in enumerate(PLACES.items()):
        for number in range(CHIPS_A_REGION):
            write_chip(folder, f"{region}_{number}", seed=100 * place + number, epsg=epsg,
                       east=east + 20_000 * number, north=north)
    return folder


@pytest.fixture(scope="session")
def tiny_floods(tiny_folder: Path) -> Dataset:
    """24 chips in bolivia, ghana and spain: six HLS bands, land 0 and water 1, easy to learn."""
    return Dataset.from_folder(
        str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"), bands=HLS,
        classes=[("land", "#d9c9a3"), ("water", "#1f78b4")], region="{region}_{number}_S2",
        scale=1e-4, name="tiny-floods",
    )
