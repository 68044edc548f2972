from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from tests.prediction.conftest import NORTH_UP, TRANSFORMS
from workbench.errors import GridError
from workbench.prediction.grid import array_grid, raster_grid


def array(height: int = 4, width: int = 5, transform: Affine = NORTH_UP) -> xr.DataArray:
    ys = transform.f + transform.e * (np.arange(height) + 0.5)
    xs = transform.c + transform.a * (np.arange(width) + 0.5)
    values = xr.DataArray(np.zeros((height, width)), {"y": ys, "x": xs}, ("y", "x"))
    return values.rio.write_crs("EPSG:32720")


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_file_opened_by_rioxarray_keeps_its_transform_to_the_bit(
        scene_path: Callable[..., Path], transform: Affine) -> None:
    with rioxarray.open_rasterio(scene_path(transform=transform)) as opened:
        grid = array_grid(opened)
    assert grid.transform == transform
    assert grid.crs == CRS.from_epsg(32720)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_dataset_on_a_grid_says_the_same_grid(transform: Affine) -> None:
    grid = raster_grid(4, 5, CRS.from_epsg(32720), transform)
    placed = grid.georeferenced(xr.Dataset({"class": (("y", "x"), np.zeros((4, 5)))}))
    back = array_grid(placed)
    assert (back.transform, back.crs, back.height, back.width) == (transform, grid.crs, 4, 5)
    assert placed.rio.transform().almost_equals(transform)


def test_a_cut_of_an_array_is_where_it_was_cut_whatever_the_stored_transform_says() -> None:
    whole = array(20, 30).rio.write_transform(NORTH_UP)
    cut = array_grid(whole.isel(y=slice(3, 9), x=slice(7, 20)))
    assert cut.transform.almost_equals(Affine(30, 0, 300_210, 0, -30, 8_399_910))
    every_second = array_grid(whole.isel(y=slice(0, None, 2), x=slice(0, None, 2)))
    assert every_second.transform.a == pytest.approx(60)


def test_coordinates_alone_give_the_transform() -> None:
    assert array_grid(array()).transform.almost_equals(NORTH_UP)


def test_an_array_of_one_pixel_needs_a_stored_transform() -> None:
    assert array_grid(array(1, 1).rio.write_transform(NORTH_UP)).transform == NORTH_UP
    with pytest.raises(GridError, match=r"one pixel along x.*rio\.write_transform"):
        array_grid(array(1, 1))


def test_latitudes_and_longitudes_are_rows_and_columns() -> None:
    grid = array_grid(array().rename(x="longitude", y="Latitude".lower()))
    assert (grid.height, grid.width) == (4, 5)


@pytest.mark.parametrize(("broken", "said"), [
    (lambda: array().drop_vars("spatial_ref"), r'no CRS.*rio\.write_crs\("EPSG'),
    (lambda: array().rename(x="column"), "dimensions y, column; expected y and x"),
    (lambda: array().drop_vars("x"), "no coordinates y and x and no stored transform"),
    (lambda: array().isel(x=[0, 1, 3]), r"along x are not evenly spaced.*rio\.reproject"),
    (lambda: array().rio.write_transform(TRANSFORMS["rotated"]), r"contradict it.*drop_vars"),
])
def test_an_array_that_does_not_say_where_it_is_is_refused_with_the_remedy(
        broken: Callable[[], xr.DataArray], said: str) -> None:
    with pytest.raises(GridError, match=said):
        array_grid(broken())


def test_coordinates_of_a_file_are_those_of_pixel_centres(
        scene_path: Callable[..., Path]) -> None:
    path = scene_path()
    with rasterio.open(path) as file:
        grid = raster_grid(*file.shape, file.crs, file.transform)
    with rioxarray.open_rasterio(path) as opened:
        np.testing.assert_array_equal(grid.coordinates["x"], opened.x)
        np.testing.assert_array_equal(grid.coordinates["y"], opened.y)
