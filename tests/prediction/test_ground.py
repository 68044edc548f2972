"""Pixels of another size than in training are refused, or resampled where that is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rioxarray
from affine import Affine
from rasterio.crs import CRS

from tests.prediction.conftest import BANDS, stored_scene, write_scene
from workbench.errors import GridError, RecipeError
from workbench.prediction.grid import raster_grid
from workbench.prediction.ground import pixel_sides_m, resampled_grid
from workbench.prediction.needs import Needs
from workbench.prediction.sources import open_source

NEEDS = Needs(BANDS, BANDS, 1e-4, gsd_m=30)
PLACES = {  # a pixel on the ground
    "UTM": ("EPSG:32720", Affine(30, 0, 500_000, 0, -30, 8_000_000), (30, 30)),
    "rotated": ("EPSG:32720", Affine(24, 18, 500_000, 18, -24, 8_000_000), (30, 30)),
    "degrees": ("EPSG:4326", Affine(3e-4, 0, 10, 0, -3e-4, 60), (16.7, 33.4)),
    "Web Mercator": ("EPSG:3857", Affine(30, 0, 0, 0, -30, 8_399_737), (15, 15)),
    "feet": ("EPSG:2263", Affine(100, 0, 1e6, 0, -100, 2e5), (30.48, 30.48)),
}


@pytest.mark.parametrize(("crs", "transform", "sides"), PLACES.values(), ids=PLACES)
def test_pixels_are_measured_on_the_ground(
        crs: str, transform: Affine, sides: tuple[float, float]) -> None:
    grid = raster_grid(40, 50, CRS.from_string(crs), transform)
    assert pixel_sides_m(grid) == pytest.approx(sides, rel=0.01)


@pytest.mark.parametrize("name", ["UTM", "rotated", "feet"])
def test_pixels_as_in_training_are_taken_as_they_are(name: str) -> None:
    crs, transform, _ = PLACES[name]
    assert resampled_grid("scene", raster_grid(40, 50, CRS.from_string(crs), transform), NEEDS,
                          None) is None


@pytest.mark.parametrize("name", ["degrees", "Web Mercator"])
def test_other_pixels_are_refused_with_both_remedies(name: str) -> None:
    crs, transform, _ = PLACES[name]
    grid = raster_grid(40, 50, CRS.from_string(crs), transform)
    with pytest.raises(GridError, match=r"A pixel of scene is .* × .* m .*trained on pixels of 30 "
                                        r"m.*gsd='training'.*gsd='source'"):
        resampled_grid("scene", grid, NEEDS, None)
    assert resampled_grid("scene", grid, NEEDS, "source") is None
    assert resampled_grid("scene", grid, replace(NEEDS, gsd_m=None), None) is None
    target = resampled_grid("scene", grid, NEEDS, "training")
    assert target is not None
    assert pixel_sides_m(target) == pytest.approx((30, 30), rel=0.01)
    assert str(target.crs.to_epsg()).startswith("326"), "a UTM zone of the north"


@pytest.mark.parametrize("gsd", [0, -3, float("nan"), "trainning"])
def test_what_is_no_length_is_refused(gsd: object) -> None:
    crs, transform, _ = PLACES["UTM"]
    grid = raster_grid(40, 50, CRS.from_string(crs), transform)
    with pytest.raises(RecipeError, match="no length"):
        resampled_grid("scene", grid, NEEDS, gsd)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=r"does not know.*gsd=10"):
        resampled_grid("scene", grid, replace(NEEDS, gsd_m=None), "training")


@pytest.mark.parametrize("nodata", [-9999, None])
@pytest.mark.parametrize("as_array", [False, True])
def test_ten_metre_pixels_become_thirty_metre_ones_by_their_mean(
        tmp_path: Path, nodata: int | None, as_array: bool) -> None:
    stored = np.abs(stored_scene(60, 90))
    path = write_scene(tmp_path / "fine.tif", stored, nodata=nodata,
                       transform=Affine(10, 0, 300_000, 0, -10, 8_400_000))
    source: object = path
    if as_array:
        with rioxarray.open_rasterio(path) as opened:
            source = opened.load().assign_coords(band=list(BANDS))
    with pytest.raises(GridError, match="10 × 10 m on the ground"):
        open_source(source, NEEDS)  # type: ignore[arg-type]
    opened_ = open_source(source, NEEDS, None, "training")  # type: ignore[arg-type]
    assert (opened_.grid.height, opened_.grid.width) == (20, 30)
    assert opened_.grid.transform == Affine(30, 0, 300_000, 0, -30, 8_400_000)
    expected = stored.reshape(3, 20, 3, 30, 3).mean(axis=(2, 4)) * 1e-4
    np.testing.assert_allclose(opened_.read(0, 0, 20, 30), expected, atol=1e-4)
    np.testing.assert_array_equal(opened_.read(7, 4, 9, 11), opened_.read(0, 0, 20, 30)[
        :, 7:16, 4:15])
    assert "60 × 90 pixels" in (opened_.facts or {})["resampled_from"]


def test_what_lies_outside_a_warped_scene_is_nodata(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "degrees.tif", np.abs(stored_scene(80, 80)) + 1, nodata=None,
                       crs="EPSG:4326", transform=Affine(3e-4, 0, 11.9, 0, -3e-4, 60))
    source = open_source(path, NEEDS, None, "training")
    pixels = source.read(0, 0, source.grid.height, source.grid.width)
    missing = np.isnan(pixels).any(axis=0)
    assert 0.001 < missing.mean() < 0.25, "the corners of a slanted scene"
    assert (pixels[:, ~missing] > 0.01).all(), "no zeros from outside"
