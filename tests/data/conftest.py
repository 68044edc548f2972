"""GeoTIFF pairs of any content, written on demand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from workbench.data import Dataset

WritePair = Callable[..., tuple[Path, Path]]
GRID = Affine(30, 0, 600_000, 0, -30, 4_200_000)


def write_tif(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    bands = pixels[None] if pixels.ndim == 2 else pixels
    defaults = dict(crs="EPSG:32630", transform=GRID)
    profile = {key: value for key, value in {**defaults, **profile}.items() if value is not None}
    descriptions = profile.pop("descriptions", None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path, "w", driver="GTiff", count=len(bands), height=bands.shape[1],
                             width=bands.shape[2], dtype=bands.dtype, **profile)
    with file:
        file.write(bands)
        if descriptions:
            file.descriptions = descriptions
    return path


@pytest.fixture
def write_pair(tmp_path: Path) -> WritePair:
    """Write `name_S2.tif` and `name_label.tif`; each call moves 20 km on unless told where."""
    written = []

    def write(name: str = "a", image: np.ndarray | None = None, mask: np.ndarray | None = None,
              *, mask_profile: dict[str, Any] | None = None, **profile: Any) -> tuple[Path, Path]:
        random = np.random.default_rng(len(written))
        written.append(name)
        if image is None:
            image = random.integers(100, 4000, (2, 16, 16)).astype(np.int16)
        if mask is None:
            mask = (random.random(image.shape[1:]) > 0.5).astype(np.uint8)
        shifted = Affine(30, 0, 400_000 + 20_000 * len(written), 0, -30, 4_200_000)
        profile = {"transform": shifted, **profile}
        return (
            write_tif(tmp_path / f"{name}_S2.tif", image, **profile),
            write_tif(tmp_path / f"{name}_label.tif", mask, **{
                **{key: profile.get(key) for key in ("transform", "crs") if key in profile},
                **(mask_profile or {}),
            }),
        )

    return write


@pytest.fixture
def open_pairs(tmp_path: Path) -> Callable[..., Dataset]:
    """Open what `write_pair` wrote: bands RED and NIR_NARROW, classes land and water."""

    def from_folder(**options: Any) -> Dataset:
        return Dataset.from_folder(
            str(tmp_path / "**/*_S2.tif"), str(tmp_path / "**/*_label.tif"),
            **{"bands": ["RED", "NIR_NARROW"], "classes": ["land", "water"], "scale": 1e-4,
               **options},
        )

    return from_folder
