"""A scene to predict that no chip overlaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from workbench.data import Dataset
from workbench.data.simulated.generate import write_chip
from workbench.data.simulated.regions import HELD_OUT, REGIONS
from workbench.data.simulated.scene import simulate_scene

SCENE_SIDE = 512
SCENE, LABEL = "scene.tif", "scene_label.tif"


def make_scene(folder: str | Path, dataset: Dataset, seed: int = 0) -> np.ndarray:
    """Write `scene.tif` and `scene_label.tif`: a simulated scene of Bolivia outside every chip.

    Args:
        folder: Where to; it exists.
        dataset: Whose chips it must not overlap.
        seed: Which scene.

    Returns:
        The label ``(y, x)``: 1 water, 0 land, -1 no label.
    """
    folder = Path(folder)
    profile = REGIONS[HELD_OUT]
    scene = simulate_scene(
        profile, seed=np.random.SeedSequence([seed, 20]), shape=(SCENE_SIDE, SCENE_SIDE),
        lonlat=_free_spot(dataset, profile.area),
    )
    write_chip(folder / SCENE, folder / LABEL, scene.image, scene.mask, scene.date,
               crs=scene.crs, transform=scene.transform)
    return scene.mask


def _free_spot(dataset: Dataset, area: tuple[float, float, float, float]) -> tuple[float, float]:
    """Return the first place of a grid, in degrees, where a scene overlaps no chip."""
    west, south, east, north = area
    half = 1.2 * SCENE_SIDE * 30 / 2 / 111_320 / np.cos(np.deg2rad(max(abs(south), abs(north))))
    taken = shapely.union_all(dataset.chips.geometry.dropna().to_numpy())
    spots = [(float(lon), float(lat)) for lat in np.linspace(north - half, south + half, 40)
             for lon in np.linspace(west + half, east - half, 20)]
    return next(spot for spot in spots if not taken.intersects(
        shapely.box(spot[0] - half, spot[1] - half, spot[0] + half, spot[1] + half)))
