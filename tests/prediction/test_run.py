"""Predicting with a run: what it was trained on decides window, units and bands."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from workbench.data import Dataset
from workbench.errors import RunError
from workbench.prediction import PredictionWarning, predict
from workbench.recipe import SpectralIndex
from workbench.runs import Run
from workbench.training import train


@pytest.fixture(scope="module")
def run(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An NDWI run whose training data are gone."""
    folder = tmp_path_factory.mktemp("moved")
    data = shutil.copytree(tiny_folder, folder / "data")
    dataset = Dataset.from_folder(
        str(data / "*_S2.tif"), str(data / "*_label.tif"), classes=["land", "water"],
        bands=("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"), scale=1e-4,
        region="{region}_{number}_S2")
    for _ in train(SpectralIndex(), dataset.split(), folder / "ndwi", device="cpu"):
        pass
    shutil.rmtree(data)
    return Run(folder / "ndwi")


def test_a_run_predicts_where_its_training_data_are_not(run: Run, tiny_folder: Path) -> None:
    path = tiny_folder / "spain_0_S2.tif"
    with pytest.warns(PredictionWarning, match="does not name its 6 bands"):
        predicted = predict(run, path, device="cpu")
    with rasterio.open(path) as file:
        green, nir = file.read([2, 4]).astype(int)
    expected = np.where(green == -9999, 255, green > nir)
    np.testing.assert_array_equal(predicted["class"], expected)
    assert predicted.attrs["run"] == "ndwi"
    assert predicted.attrs["window"] == 32, "that of the training chips"
    assert predicted.attrs["overlap"] == 8


def test_a_run_without_a_checkpoint_is_named(run: Run, tiny_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run.folder, tmp_path / "ndwi")
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(RunError, match="no checkpoint 'best'"):
        predict(Run(copy), tiny_folder / "spain_0_S2.tif", device="cpu")
