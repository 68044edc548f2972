from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import torch
import xarray as xr
from affine import Affine

from tests.prediction.conftest import BANDS, TRANSFORMS, stored_scene
from workbench.assembly import ModelDescription, build_model
from workbench.data import ClassInfo
from workbench.errors import BandError, RecipeError, RunError
from workbench.prediction import PredictionWarning, predict, to_cog
from workbench.recipe import Recipe, SpectralIndex

ScenePath = Callable[..., Path]
CLASSES = (ClassInfo(name="dry land", color="#d9c9a3"), ClassInfo(name="water", color="#1f78b4"))


class Convolutions(torch.nn.Module):
    """Two 3 x 3 convolutions in physical units: an answer depends on 2 pixels around it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.ReLU(),
            torch.nn.Conv2d(4, 2, 3, padding=1))
        self.description = ModelDescription(
            Recipe(), CLASSES, ("NIR_NARROW", "GREEN"), mean=(0.2, 0.2), std=(0.1, 0.1),
            scale=1e-4, image_size=16)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 20 * self.layers(image.nan_to_num())


MODEL = Convolutions()


def ndwi() -> torch.nn.Module:
    return build_model(SpectralIndex(), classes=CLASSES, bands=BANDS, scale=1e-4)


def whole(stored: np.ndarray) -> np.ndarray:
    image = stored.astype(np.float32)[[1, 0]] * np.float32(1e-4)
    image[:, stored[1] == -9999] = np.nan
    with torch.inference_mode():
        return MODEL(torch.from_numpy(image[None])).softmax(1)[0].numpy()


def test_windows_give_what_the_whole_scene_gives_and_nodata_stays_exact(
        scene_path: ScenePath) -> None:
    predicted = predict(MODEL, scene_path(), overlap=8)
    expected, missing = whole(stored_scene()), stored_scene()[1] == -9999
    assert predicted["class"].dtype == np.uint8
    assert predicted["probability"].dtype == np.float32
    assert ((predicted["class"] == 255).values == missing).all()
    assert (np.isnan(predicted["probability"]).values == missing).all()
    np.testing.assert_allclose(predicted["probability"].values[~missing],
                               expected.max(0)[~missing], atol=1e-6)
    np.testing.assert_array_equal(predicted["class"].values[~missing],
                                  expected.argmax(0)[~missing])


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_file_in_prediction_and_cog_share_one_grid(
        scene_path: ScenePath, tmp_path: Path, transform: Affine) -> None:
    path = scene_path(transform=transform)
    predicted = predict(ndwi(), path)
    with (rasterio.open(path) as source,
          rasterio.open(to_cog(predicted, tmp_path / "water.tif")) as written):
        assert (written.transform, written.crs, written.shape) == (
            source.transform, source.crs, source.shape)
        assert written.nodata == 255
        assert written.tags(1) == {"class_0": "dry_land", "class_1": "water"}
        np.testing.assert_array_equal(written.read(1), predicted["class"])
    assert predicted.rio.crs == source.crs


def test_an_array_keeps_its_coordinates(scene_path: ScenePath) -> None:
    path = scene_path()
    with rioxarray.open_rasterio(path) as opened:
        array = opened.load().assign_coords(band=list(BANDS))
    cut = array.isel(x=slice(7, 33), y=slice(4, 39))
    predicted = predict(MODEL, cut, overlap=8)
    xr.testing.assert_equal(predicted.x.drop_vars("spatial_ref"), cut.x.drop_vars("spatial_ref"))
    xr.testing.assert_equal(predicted.y.drop_vars("spatial_ref"), cut.y.drop_vars("spatial_ref"))
    in_file = predict(MODEL, path, overlap=8).isel(x=slice(9, 31), y=slice(6, 37))
    np.testing.assert_allclose(predicted["probability"][2:-2, 2:-2], in_file["probability"],
                               atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (5, 60), (16, 16), (17, 33)])
def test_scenes_of_any_size_are_covered(scene_path: ScenePath, size: tuple[int, int]) -> None:
    stored = np.abs(stored_scene(*size))
    predicted = predict(MODEL, scene_path(stored, nodata=None), overlap=8)
    np.testing.assert_allclose(predicted["probability"], whole(stored).max(0), atol=1e-6)


def test_a_scene_of_nodata_is_all_nodata(scene_path: ScenePath) -> None:
    with pytest.warns(PredictionWarning, match=r"No pixel of .*scene\.tif .*NIR_NARROW, GREEN"):
        predicted = predict(MODEL, scene_path(np.full_like(stored_scene(), -9999)))
    assert (predicted["class"] == 255).all()
    assert np.isnan(predicted["probability"]).all()


def test_classes_come_with_names_and_colours(scene_path: ScenePath) -> None:
    attributes = predict(ndwi(), scene_path())["class"].attrs
    assert attributes["flag_values"].tolist() == [0, 1]
    assert attributes["flag_meanings"] == "dry_land water"
    assert attributes["flag_colors"] == "#d9c9a3 #1f78b4"


def test_reflectance_is_predicted_with_scale_one_and_refused_without(
        scene_path: ScenePath) -> None:
    reflectance = stored_scene().astype(np.float32)
    reflectance[reflectance > -9999] *= np.float32(1e-4)
    path = scene_path(reflectance)
    with pytest.raises(BandError, match=r"scale=1 for reflectance"):
        predict(MODEL, path)
    predicted = predict(MODEL, path, scale=1)
    assert (predicted["class"].values == predict(MODEL, scene_path())["class"].values).all()


def test_progress_counts_windows_up_to_the_last(scene_path: ScenePath) -> None:
    calls: list[tuple[int, int]] = []
    predict(MODEL, scene_path(), progress=lambda *done: calls.append(done))
    assert calls[-1] == (12, 12)  # windows of 16 pixels, 4 shared, on 40 × 50 pixels
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


@pytest.mark.parametrize(("setting", "said"), [
    ({"window": 0}, "window=0 is below 1"), ({"window": -3}, "window=-3"),
    ({"overlap": 16}, "overlap=16 is not from 0 to 15"), ({"overlap": -1}, "overlap=-1"),
    ({"batch_size": 0}, "batch_size=0 is below 1"),
    ({"window": 24.5}, "window=24.5 is no whole number"),
    ({"overlap": "half"}, "overlap='half' is no whole number"),
    ({"scale": "1e-4"}, "scale='1e-4' is no number"),
    ({"scale": float("nan")}, "scale=nan is no number"),
])
def test_settings_out_of_range_are_named(
        scene_path: ScenePath, setting: dict[str, int], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        predict(MODEL, scene_path(), **setting)


def test_a_model_that_diverged_is_not_believed(scene_path: ScenePath) -> None:
    broken = Convolutions()
    with torch.no_grad():
        broken.layers[2].bias.fill_(float("nan"))
    with pytest.raises(RunError, match="not finite"):
        predict(broken, scene_path())
