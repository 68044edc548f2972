"""Bad input: what was wrong, where, and what to do; never a traceback."""

from __future__ import annotations

import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
from affine import Affine

import workbench as wb
from workbench.data import Dataset
from workbench.errors import DataError, GridError, UnknownNameError

BANDS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]


def arrays(crs=None, transform=None, side=64):
    rng = np.random.default_rng(0)
    mask = xr.DataArray(rng.integers(0, 2, (side, side)).astype(np.uint8), dims=("y", "x"))
    image = xr.DataArray(rng.random((6, side, side)).astype(np.float32), dims=("band", "y", "x"),
                         coords={"band": BANDS})
    if crs:
        image = image.rio.write_crs(crs).rio.write_transform(transform)
    return image, mask


def opened(image, mask, tmp_path, **options):
    return Dataset.from_xarray(image, mask, classes=["land", "water"], chip_size=16, name="field",
                               store=tmp_path / "field.zarr", **options)


def test_an_array_without_pixels_is_refused(tmp_path):
    image, mask = arrays()
    with pytest.raises(DataError, match=r"The image has no pixels: band 6, y 64, x 0"):
        opened(image.isel(x=slice(0, 0)), mask.isel(x=slice(0, 0)), tmp_path)


def test_a_mask_in_another_crs_is_refused_though_its_shape_fits(tmp_path):
    grid = Affine(30, 0, 5e5, 0, -30, 4.2e6)
    image, mask = arrays("EPSG:32630", grid)
    with pytest.raises(GridError, match="is in EPSG:32630, its mask in EPSG:32631"):
        opened(image, mask.rio.write_crs("EPSG:32631"), tmp_path)


@pytest.mark.parametrize(("crs", "west", "north", "step"), [
    ("EPSG:4326", 179.99, 50.0, 0.0003), ("EPSG:3413", -960, 960, 30), ("EPSG:3031", -960, 960, 30),
    ("EPSG:32660", 833_000, 6e6, 30),
])  # fmt: skip
def test_chips_at_the_antimeridian_and_the_poles_stay_small(tmp_path, crs, west, north, step):
    grid = Affine(step, 0, west, 0, -step, north)
    chips = opened(*arrays(crs, grid), tmp_path).chips
    assert len(chips) == 16
    assert chips.geometry.is_valid.all()
    # A chip that holds a pole is a box round it in degrees: some five times as large.
    metres = chips.geometry.to_crs("ESRI:54009").area
    assert metres.max() < 10 * (16 * 33) ** 2
    assert chips.total_bounds[0] >= -180
    assert chips.total_bounds[2] <= 180


@pytest.mark.parametrize("asked", [{"within": (100, 0, 101, 1)}, {"date": "1999"}])
def test_a_filter_that_nothing_meets_says_so(tiny_floods, asked):
    with pytest.raises(DataError, match=r"No chip of tiny-floods meets what was asked for"):
        tiny_floods.select(**asked)


def test_a_region_that_is_not_there_is_named(tiny_floods):
    with pytest.raises(UnknownNameError, match="No region named 'atlantis'"):
        tiny_floods.select(region="atlantis")


@pytest.mark.slow
def test_chips_without_georeference_are_not_on_the_map_and_train_all_the_same(tmp_path):
    field = opened(*arrays(), tmp_path)
    assert "not on the map: 16 without georeference; they train all the same" in repr(field)
    assert "not on the map" in field._repr_html_()
    split = field.split()
    warned = [found.check for found in split.audit().findings if found.level == "warning"]
    assert "position" in warned
    run = wb.fit(wb.Recipe(epochs=1, batch_size=4), split, root=tmp_path, device="cpu", show=False)
    assert run.state == "finished"
    assert 0 <= run.scores()["test"]["miou"] <= 1
