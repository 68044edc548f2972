"""Scenes on grids of every kind, as files and as arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from affine import Affine

BANDS = ("GREEN", "NIR_NARROW", "SWIR_1")
NORTH_UP = Affine(30, 0, 300_000, 0, -30, 8_400_000)
TRANSFORMS = {
    "north up": NORTH_UP,
    "south up": Affine(30, 0, 300_000, 0, 30, 8_400_000),
    "rotated": Affine(28.7, 8.8, 300_000, 8.8, -28.7, 8_400_000),
    "oblong, odd numbers": Affine(10 / 3, 0, 1 / 7, 0, -7.77, 2 / 3),
}


def stored_scene(height: int = 40, width: int = 50, seed: int = 0) -> npt.NDArray[np.int16]:
    """Reflectance x 10 000 ``(band, y, x)``; -9999 at the upper left."""
    random = np.random.default_rng(seed)
    stored = random.integers(200, 4000, (len(BANDS), height, width)).astype(np.int16)
    stored[1, :3, :5] = -9999
    return stored


def write_scene(path: Path, stored: npt.NDArray, *, bands: tuple[str | None, ...] = BANDS,
                transform: Affine = NORTH_UP, crs: str | None = "EPSG:32720",
                nodata: float | None = -9999, **profile: object) -> Path:
    count, height, width = stored.shape
    with rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width,
                       dtype=stored.dtype, crs=crs, transform=transform, nodata=nodata,
                       **profile) as file:
        file.write(stored)
        for number, name in enumerate(bands, 1):
            if name:
                file.set_band_description(number, name)
    return path


@pytest.fixture
def scene_path(tmp_path: Path) -> Callable[..., Path]:
    """Write a scene, by default the usual one, and return its path."""
    def write(stored: npt.NDArray | None = None, **how: object) -> Path:
        return write_scene(tmp_path / "scene.tif", stored_scene() if stored is None else stored,
                           **how)  # type: ignore[arg-type]
    return write
