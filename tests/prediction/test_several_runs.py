"""Several runs at once: one reading, one backbone in memory, and what each run says alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from safetensors.torch import save_file

from tests.prediction.conftest import stored_scene, write_scene
from workbench.assembly import load_model
from workbench.data import Dataset
from workbench.errors import DataError, RecipeError, RunError
from workbench.models import load_backbone
from workbench.peft import LoRA
from workbench.prediction import predict, to_cog
from workbench.prediction.trained import open_trained
from workbench.recipe import Recipe, SpectralIndex
from workbench.runs import Run
from workbench.training import train

HLS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with weights of the tiny backbone."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(load_backbone("workbench_tiny", weights="random").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def runs(weights: Path, tiny_floods: Dataset, tmp_path_factory: pytest.TempPathFactory
         ) -> dict[str, Run]:
    """Two probes and two that adapt the same backbone, hardly trained."""
    folder = tmp_path_factory.mktemp("runs")
    usual = Recipe(backbone="workbench_tiny", weights=str(weights), epochs=1, batch_size=8,
                   decoder="linear", peft="linear_probe", augment=False, feature_cache="off")
    recipes = {
        "probe": usual, "unet": usual.but(decoder="unet"),
        "lora": usual.but(peft=LoRA(rank=2)), "bitfit": usual.but(peft="bitfit"),
    }
    split = tiny_floods.select(region="spain").split()
    for name, recipe in recipes.items():
        for _ in train(recipe, split, folder / name, device="cpu"):
            pass
    return {name: Run(folder / name) for name in recipes}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = np.concatenate([stored_scene(45, 70), stored_scene(45, 70, seed=1)])
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.tif", stored, bands=HLS)


def test_several_runs_say_together_what_each_says_alone(
        runs: dict[str, Run], scene: Path) -> None:
    together = predict(runs.values(), scene, entropy=True, device="cpu")
    assert together["class"].dims == ("run", "y", "x")
    assert together["run"].values.tolist() == list(runs)
    assert together["class"].dtype == np.uint8
    assert together["entropy"].dtype == together["probability"].dtype == np.float32
    for name, run in runs.items():
        alone = predict(run, scene, entropy=True, device="cpu")
        xr.testing.assert_equal(together.sel(run=name, drop=True), alone)
    assert "run" not in together.attrs
    assert together.attrs["checkpoint"] == "best"


def test_one_run_in_a_list_keeps_the_dimension(runs: dict[str, Run], scene: Path) -> None:
    assert predict([runs["lora"]], scene, device="cpu")["class"].dims == ("run", "y", "x")


def test_a_backbone_of_several_runs_is_in_memory_once(runs: dict[str, Run]) -> None:
    def megabytes(names: list[str]) -> float:
        models = open_trained([runs[name] for name in names], "cpu").models
        weights = itertools.chain.from_iterable(model.parameters() for model in models)
        return 1e-6 * sum({weight.data_ptr(): weight.nbytes for weight in weights}.values())

    alone = {name: megabytes([name]) for name in ("probe", "lora", "bitfit", "unet")}
    backbone = 1e-6 * sum(weight.nbytes for weight in
                          open_trained(runs["probe"], "cpu").models[0].backbone.parameters())
    assert megabytes(["probe", "bitfit"]) < alone["probe"] + 0.1 * alone["bitfit"]
    assert megabytes(["lora", "bitfit", "probe"]) < alone["lora"] + 0.35 * backbone
    assert megabytes(["probe", "unet"]) == pytest.approx(
        alone["unet"] + alone["probe"] - backbone, rel=0.01)


def test_linear_probes_run_their_backbone_once_a_window(
        runs: dict[str, Run], scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [load_model(runs[name], device="cpu") for name in ("probe", "unet")]
    passes = []
    for model in models:
        model.backbone.register_forward_pre_hook(lambda module, _: passes.append(module))
    predict(models[:1], scene, device="cpu")
    once = len(passes)
    predict(models, scene, device="cpu")
    assert len(passes) == 2 * once


def test_entropy_is_that_of_the_probabilities_and_nan_at_nodata(
        runs: dict[str, Run], scene: Path) -> None:
    found = predict(runs["lora"], scene, entropy=True, device="cpu")
    p = found["probability"].values.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = -p * np.log(p) - np.where(p < 1, (1 - p) * np.log(1 - p), 0)
    np.testing.assert_allclose(found["entropy"], expected, atol=1e-5)
    assert (np.isnan(found["entropy"]) == (found["class"] == 255)).all()
    assert "entropy" not in predict(runs["lora"], scene, device="cpu")


def test_runs_on_other_bands_are_each_given_their_own(
        runs: dict[str, Run], weights: Path, tiny_floods: Dataset, scene: Path, tmp_path: Path
        ) -> None:
    spain = tiny_floods.select(region="spain")
    few = Recipe(backbone="workbench_tiny", weights=str(weights), bands=("RED", "GREEN", "BLUE"),
                 epochs=1, batch_size=8, decoder="linear", peft="linear_probe", augment=False)
    others = {"ndwi": SpectralIndex(), "colours": few}
    for name, recipe in others.items():
        for _ in train(recipe, spain.split(), tmp_path / name, device="cpu"):
            pass
    asked = [Run(tmp_path / "ndwi"), runs["probe"], Run(tmp_path / "colours")]
    together = predict(asked, scene, device="cpu")
    for run in asked:
        alone = predict(run, scene, device="cpu")
        np.testing.assert_array_equal(together.sel(run=run.name)["class"], alone["class"])
        np.testing.assert_allclose(together.sel(run=run.name)["probability"],
                                   alone["probability"], atol=1e-6)
    assert open_trained(asked, "cpu").needs.bands == (
        "GREEN", "NIR_NARROW", "BLUE", "RED", "SWIR_1", "SWIR_2")


def test_runs_that_cannot_be_compared_are_refused_by_name(
        runs: dict[str, Run], scene: Path, tmp_path: Path, tiny_folder: Path) -> None:
    other = Dataset.from_folder(
        str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"), bands=HLS, scale=1e-4,
        classes=["field", "lake"], region="{region}_{number}_S2")
    for _ in train(SpectralIndex(), other.split(), tmp_path / "lakes", device="cpu"):
        pass
    with pytest.raises(RunError, match=r"'lora' and 'lakes'.*classes differ.*water; field, lake"):
        predict([runs["lora"], Run(tmp_path / "lakes")], scene, device="cpu")
    with pytest.raises(RunError, match=r"Several runs are called 'lora'"):
        predict([runs["lora"], runs["lora"]], scene, device="cpu")
    with pytest.raises(RunError, match="nothing to predict with"):
        predict([], scene)


def test_a_prediction_of_several_runs_is_written_run_by_run(
        runs: dict[str, Run], scene: Path, tmp_path: Path) -> None:
    together = predict([runs["lora"], runs["probe"]], scene, device="cpu")
    with pytest.raises(DataError, match=r"several runs \('lora', 'probe'\).*sel\(run='lora'\)"):
        to_cog(together, tmp_path / "water.tif")
    assert to_cog(together.sel(run="probe"), tmp_path / "water.tif").exists()


def test_models_of_other_windows_need_one_said(runs: dict[str, Run], scene: Path) -> None:
    models = [load_model(runs[name], device="cpu") for name in ("lora", "probe")]
    models[1].description = replace(models[1].description, image_size=24)
    with pytest.raises(RecipeError, match=r"model 0 32, model 1 24 pixels.*window=32"):
        predict(models, scene)
    assert predict(models, scene, window=24).attrs["window"] == 24
