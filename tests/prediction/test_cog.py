from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from tests.prediction.conftest import NORTH_UP, TRANSFORMS
from workbench.errors import DataError
from workbench.prediction.cog import to_cog
from workbench.prediction.grid import raster_grid


def prediction(height: int = 40, width: int = 50, transform: Affine = NORTH_UP) -> xr.Dataset:
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, (height, width)).astype(np.uint8)
    probability = random.random((height, width), np.float32)
    classes[:4, :7], probability[:4, :7] = 255, np.nan
    attributes = {"flag_values": np.arange(3, dtype=np.uint8), "flag_meanings": "land water ice",
                  "flag_colors": "#d9c9a3 #1f78b4 #ffffff"}
    pixels = {"class": (("y", "x"), classes, attributes), "probability": (("y", "x"), probability)}
    grid = raster_grid(height, width, CRS.from_epsg(32720), transform)
    return grid.georeferenced(xr.Dataset(pixels, attrs={"run": "lora"}))


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_the_grid_is_the_predictions_to_the_bit(tmp_path: Path, transform: Affine) -> None:
    source = prediction(transform=transform)
    with rasterio.open(to_cog(source, tmp_path / "water.tif")) as file:
        assert file.transform == transform
        assert file.crs == CRS.from_epsg(32720)
        np.testing.assert_array_equal(file.read(1), source["class"])


def test_classes_have_nodata_colours_and_names(tmp_path: Path) -> None:
    with rasterio.open(to_cog(prediction(), tmp_path / "water.tif")) as file:
        assert (file.count, file.dtypes[0], file.nodata) == (1, "uint8", 255)
        assert file.colormap(1)[1] == (0x1F, 0x78, 0xB4, 255)
        assert file.colormap(1)[255][3] == 0
        assert file.tags(1)["class_1"] == "water"
        assert file.tags()["run"] == "lora"


def test_a_large_file_is_a_valid_cog_whose_overviews_hold_only_classes(tmp_path: Path) -> None:
    source = prediction(1100, 1300)
    with rasterio.open(to_cog(source, tmp_path / "water.tif")) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.profile["tiled"]
        assert file.overviews(1) == [2, 4]
        small = file.read(1, out_shape=(275, 325))
        assert set(np.unique(small)) <= {0, 1, 2, 255}


def test_probability_has_a_file_of_its_own_when_asked(tmp_path: Path) -> None:
    source = prediction()
    to_cog(source, tmp_path / "only.tif")
    to_cog(source, tmp_path / "water.tif", probability=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "only.tif", "water.tif", "water_probability.tif"]
    with rasterio.open(tmp_path / "water_probability.tif") as file:
        assert np.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(1), source["probability"])


def test_an_existing_file_is_replaced_whole(tmp_path: Path) -> None:
    to_cog(prediction(10, 10), tmp_path / "water.tif")
    with rasterio.open(to_cog(prediction(), tmp_path / "water.tif")) as file:
        assert file.shape == (40, 50)


def test_an_interruption_leaves_the_old_file_and_nothing_else(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = to_cog(prediction(10, 10), tmp_path / "water.tif")
    before = path.read_bytes()

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.prediction.cog._same", interrupted)
    with pytest.raises(KeyboardInterrupt):
        to_cog(prediction(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["water.tif"]


def test_a_file_that_reads_back_otherwise_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.prediction.cog._same", lambda *_: False)
    with pytest.raises(DataError, match=r"water\.tif.*other pixels than were written"):
        to_cog(prediction(), tmp_path / "water.tif")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_prediction_is_refused(tmp_path: Path) -> None:
    whole = prediction()
    for wrong, said in ((whole["class"], "not DataArray"),
                        (whole.drop_vars("class"), "with class, not a dataset with probability")):
        with pytest.raises(DataError, match=f"what wb.predict returned.*{said}"):
            to_cog(wrong, tmp_path / "water.tif")
    with pytest.raises(DataError, match="with probability, not a dataset with class"):
        to_cog(whole.drop_vars("probability"), tmp_path / "water.tif", probability=True)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"water\.png does not end in \.tif"):
        to_cog(prediction(), tmp_path / "water.png")
