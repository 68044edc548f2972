from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio.features
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from tests.prediction.conftest import NORTH_UP, TRANSFORMS
from workbench.errors import DataError, UnknownNameError
from workbench.prediction import polygons, to_polygons
from workbench.prediction.grid import raster_grid

SAID = {"flag_meanings": "dry_land water ice", "flag_colors": "#d9c9a3 #1f78b4 #ffffff"}


def prediction(values: np.ndarray, transform: Affine = NORTH_UP, crs: str = "EPSG:32720"
               ) -> xr.Dataset:
    grid = raster_grid(*values.shape, CRS.from_string(crs), transform)
    return grid.georeferenced(xr.Dataset({"class": (("y", "x"), values.astype(np.uint8), SAID)}))


def blotches(height: int = 70, width: int = 50, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.choice([0, 1, 2, 255], (height // 3 + 1, width // 3 + 1))
    return np.kron(coarse, np.ones((3, 3), int))[:height, :width]


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_polygons_burnt_again_are_the_prediction(tmp_path: Path, transform: Affine) -> None:
    values = blotches()
    table = geopandas.read_file(
        to_polygons(prediction(values, transform), tmp_path / "water.gpkg"), layer="prediction")
    assert table.crs.to_epsg() == 32720
    assert table.geometry.is_valid.all()
    assert set(zip(table["class"], table["value"], strict=True)) == {
        ("dry land", 0), ("water", 1), ("ice", 2)}
    burnt = rasterio.features.rasterize(
        zip(table.geometry, table["value"], strict=True), values.shape, fill=255,
        transform=transform)
    np.testing.assert_array_equal(burnt, values)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 12), seed=st.integers(0, 1000), height=st.integers(1, 30))
def test_strips_leave_no_trace(rows: int, seed: int, height: int) -> None:
    values = np.random.default_rng(seed).choice([0, 1, 255], (height, 12))
    array = prediction(values)["class"]

    def polygons_by(strip: int) -> list[tuple[int, str]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(polygons, "_ROWS", strip)
            return sorted((piece.value, piece.shape.normalize().simplify(0).normalize().wkt)
                          for piece in polygons._pieces(array, [0, 1]))

    assert polygons_by(rows) == polygons_by(1000)


def test_areas_are_those_on_the_ground_in_any_crs(tmp_path: Path) -> None:
    values = np.ones((100, 100))
    degrees = prediction(values, Affine(1e-3, 0, 10, 0, -1e-3, 60), "EPSG:4326")
    mercator = prediction(values, Affine(20, 0, 0, 0, -20, 8_399_737), "EPSG:3857")
    for source, area in ((degrees, 100 * 111.42e3 * 0.0001 * 55.8e3), (mercator, 1e6)):
        table = geopandas.read_file(to_polygons(source, tmp_path / "all.gpkg"))
        assert table["area_m2"].sum() == pytest.approx(area, rel=0.01)
    utm = geopandas.read_file(to_polygons(prediction(values), tmp_path / "all.gpkg"))
    assert utm["area_m2"].item() == pytest.approx(9e6, rel=2e-3)


def test_chosen_classes_small_areas_and_steps_are_left_out(tmp_path: Path) -> None:
    values = np.zeros((40, 40), int)
    values[np.add.outer(np.arange(40), np.arange(40)) > 50] = 1
    values[2, 2] = 1
    both = geopandas.read_file(to_polygons(prediction(values), tmp_path / "a.gpkg",
                                           classes="water"))
    assert both["class"].tolist() == ["water", "water"]
    plain = geopandas.read_file(to_polygons(
        prediction(values), tmp_path / "a.gpkg", classes=["water"], simplify=1, min_area_m2=5000))
    assert len(plain) == 1
    assert len(plain.geometry[0].exterior.coords) < 10 < len(both.geometry[1].exterior.coords)


def test_a_prediction_of_nodata_is_an_empty_layer(tmp_path: Path) -> None:
    table = geopandas.read_file(to_polygons(prediction(np.full((5, 5), 255)),
                                            tmp_path / "none.gpkg"))
    assert len(table) == 0
    assert {"class", "value", "area_m2"} <= set(table.columns)


def test_an_interruption_leaves_the_old_file_and_nothing_else(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = to_polygons(prediction(blotches()), tmp_path / "water.gpkg")
    before = path.read_bytes()
    monkeypatch.setattr(polygons, "_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        to_polygons(prediction(blotches(seed=1)), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["water.gpkg"]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"water\.shp does not end in \.gpkg"):
        to_polygons(prediction(blotches()), tmp_path / "water.shp")
    with pytest.raises(UnknownNameError, match=r"'watr'\. Did you mean 'water'"):
        to_polygons(prediction(blotches()), tmp_path / "water.gpkg", classes="watr")
    with pytest.raises(DataError, match="simplify=0"):
        to_polygons(prediction(blotches()), tmp_path / "water.gpkg", simplify=0)
    several = xr.concat([prediction(blotches())] * 2, xr.Variable("run", ["a", "b"]))
    with pytest.raises(DataError, match="several runs"):
        to_polygons(several, tmp_path / "water.gpkg")
