from __future__ import annotations

import numpy as np
import rasterio
import shapely
from rasterio.warp import transform_bounds

from workbench.demo import make_scene


def test_the_scene_lies_in_bolivia_outside_every_chip(demo_folder, tiny_floods):
    with rasterio.open(demo_folder / "scene.tif") as scene:
        box = shapely.box(*transform_bounds(scene.crs, "EPSG:4326", *scene.bounds))
    assert -66 < box.centroid.x < -64
    assert -16 < box.centroid.y < -11
    assert not tiny_floods.chips.geometry.intersects(box).any()


def test_the_same_seed_makes_the_same_scene(demo_folder, tiny_floods, tmp_path):
    label = make_scene(tmp_path, tiny_floods, seed=0)
    with rasterio.open(demo_folder / "scene_label.tif") as written:
        np.testing.assert_array_equal(written.read(1), label)
