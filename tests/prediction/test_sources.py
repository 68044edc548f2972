from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rioxarray
import xarray as xr

from tests.prediction.conftest import BANDS, NORTH_UP, stored_scene
from workbench.errors import BandError, DataError, GridError
from workbench.prediction.sources import Needs, PredictionWarning, Source, open_source

NEEDS = Needs(("NIR_NARROW", "GREEN"), BANDS, scale=1e-4)
ScenePath = Callable[..., Path]


def expected() -> np.ndarray:
    stored = stored_scene().astype(np.float32)[[1, 0]]
    return np.where((stored == -9999).any(0), np.nan, stored * np.float32(1e-4))


def named_array(path: Path) -> xr.DataArray:
    with rioxarray.open_rasterio(path) as opened:
        return opened.load().assign_coords(band=list(BANDS))


def whole(source: Source) -> np.ndarray:
    assert source.grid.transform == NORTH_UP
    return np.concatenate([source.read(0, 0, 15, 50), source.read(15, 0, 25, 50)], axis=1)


def test_a_file_gives_the_needed_bands_by_name_in_physical_units(scene_path: ScenePath) -> None:
    pixels = whole(open_source(scene_path(), NEEDS, None))
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, expected())


@pytest.mark.parametrize("order", [("band", "y", "x"), ("y", "x", "band"), ("x", "band", "y")])
def test_an_array_gives_the_same_whatever_its_order(
        scene_path: ScenePath, order: tuple[str, ...]) -> None:
    array = named_array(scene_path()).transpose(*order)
    np.testing.assert_array_equal(whole(open_source(array, NEEDS, None)), expected())


@pytest.mark.parametrize("change", [
    lambda array: array.assign_coords(band=["B03", "b8a", "swir16"]),
    lambda array: array.drop_vars("band").assign_attrs(long_name=("green", "nir08", "swir_1")),
    lambda array: array.rename(band="bands"),
    lambda array: array.expand_dims("time"),
    lambda array: array.where(array != -9999),
], ids=["aliases", "long_name", "dimension bands", "one date", "already masked"])
def test_bands_are_found_however_they_are_named(
        scene_path: ScenePath, change: Callable[[xr.DataArray], xr.DataArray]) -> None:
    array = change(named_array(scene_path()))
    np.testing.assert_array_equal(whole(open_source(array, NEEDS, None)), expected())


def test_a_single_band_needs_no_band_dimension(scene_path: ScenePath) -> None:
    array = named_array(scene_path()).sel(band="GREEN").drop_vars("band")
    needs = Needs(("GREEN",), scale=1e-4)
    pixels = whole(open_source(array.assign_attrs(long_name="green"), needs, None))
    np.testing.assert_array_equal(pixels, stored_scene()[:1] * np.float32(1e-4))


def test_infinite_values_and_the_collections_nodata_are_missing_too(
        scene_path: ScenePath) -> None:
    stored = stored_scene().astype(np.float32)
    stored[0, 5, 5], stored[0, 6, 6], stored[0, 7, 7] = np.inf, np.nan, 0
    source = open_source(scene_path(stored, nodata=-9999), Needs(BANDS, nodata=0.0), None)
    missing = np.isnan(source.read(0, 0, 40, 50))
    assert (missing == missing[0]).all(), "a pixel without one band is without all, as in training"
    assert missing[0, 5:8, 5:8].diagonal().all()
    assert missing[0, :3, :5].all()
    assert missing[0].sum() == 3 + 15


def test_the_mask_of_a_file_is_obeyed(scene_path: ScenePath) -> None:
    import rasterio

    path = scene_path(nodata=None)
    mask = np.full((40, 50), 255, np.uint8)
    mask[10:12, 20:23] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(mask)
    pixels = open_source(path, Needs(BANDS), None).read(5, 0, 20, 50)
    assert np.isnan(pixels).all(axis=0).sum() == 6
    assert np.isnan(pixels[:, 5:7, 20:23]).all()


def test_bands_without_names_are_taken_for_the_training_bands_and_it_is_said(
        scene_path: ScenePath) -> None:
    path = scene_path(bands=(None,) * 3)
    with pytest.warns(PredictionWarning, match="does not name its 3 bands.*GREEN, NIR_NARROW"):
        source = open_source(path, NEEDS, None)
    np.testing.assert_array_equal(whole(source), expected())


def test_naming_the_bands_by_hand_decides_and_needs_no_warning(scene_path: ScenePath) -> None:
    path = scene_path(bands=("BLUE", "RED", None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = open_source(path, NEEDS, ["B03", "B8A", "whatever"])
    np.testing.assert_array_equal(whole(source), expected())


def test_missing_bands_are_named_with_what_is_there_and_the_remedy(scene_path: ScenePath) -> None:
    with pytest.raises(BandError, match=(
            r"needs NIR_NARROW, GREEN; .*scene\.tif lacks NIR_NARROW .* Its 3 bands: GREEN, red, "
            r"\(no name\)\..*bands=\['NIR_NARROW'")):
        open_source(scene_path(bands=("GREEN", "red", None)), NEEDS, None)


def test_unnamed_bands_of_another_number_are_refused(scene_path: ScenePath) -> None:
    with pytest.raises(BandError, match=r"lacks NIR_NARROW, GREEN"):
        open_source(scene_path(stored_scene()[:2], bands=()), NEEDS, None)


def test_two_bands_of_one_name_are_refused(scene_path: ScenePath) -> None:
    with pytest.raises(BandError, match="more than one"):
        open_source(scene_path(bands=("GREEN", "B8A", "nir08")), NEEDS, None)


def test_naming_too_few_bands_or_one_string_is_refused(scene_path: ScenePath) -> None:
    with pytest.raises(BandError, match=r"names 2 bands \(GREEN, RED\).*has 3"):
        open_source(scene_path(), NEEDS, ["GREEN", "RED"])
    with pytest.raises(BandError, match="one string"):
        open_source(scene_path(), NEEDS, "GREEN")


def test_a_file_without_position_is_refused_with_the_remedy(scene_path: ScenePath) -> None:
    with pytest.raises(GridError, match=r"scene\.tif has no CRS.*gdal_edit\.py -a_srs"):
        open_source(scene_path(crs=None), NEEDS, None)


def test_a_stack_of_dates_is_refused_with_the_remedy(scene_path: ScenePath) -> None:
    dates = xr.concat([named_array(scene_path())] * 2, "time")
    with pytest.raises(DataError, match=r"2 steps along time.*isel\(time=0\)"):
        open_source(dates, NEEDS, None)


def test_a_missing_truncated_or_foreign_source_is_named(
        scene_path: ScenePath, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tif"):
        open_source(tmp_path / "nowhere.tif", NEEDS, None)
    path = scene_path()
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"scene\.tif.*truncated"):
        open_source(path, NEEDS, None).read(30, 0, 10, 50)
    with pytest.raises(DataError, match="not ndarray"):
        open_source(np.zeros(3), NEEDS, None)  # type: ignore[arg-type]
