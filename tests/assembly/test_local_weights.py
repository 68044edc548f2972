"""A recipe names a local weight file: used wherever the model is built, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from workbench.assembly import build_model, describe, load_model, save_model
from workbench.data import Dataset
from workbench.errors import RecipeError, WeightsError
from workbench.fitting import resume
from workbench.models import load_backbone
from workbench.models.backbones import HLS_BANDS
from workbench.recipe import Recipe
from workbench.training import Control, train

UNITS = {"classes": 2, "bands": HLS_BANDS, "mean": [0.1] * 6, "std": [0.2] * 6}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write weights that are not those shipped under the name."""
    torch.manual_seed(11)
    path = tmp_path / "own" / "weights.safetensors"
    path.parent.mkdir()
    save_file(load_backbone("workbench_tiny", weights="random").state_dict(), path)
    return path


def recipe(file: Path, **more: object) -> Recipe:
    return Recipe(weights=str(file), peft="linear_probe", decoder="linear", **more)  # type: ignore[arg-type]


def test_the_backbone_is_that_of_the_file(file: Path) -> None:
    model = build_model(recipe(file), **UNITS)  # type: ignore[arg-type]
    own = load_backbone("workbench_tiny", weights=file, bands=HLS_BANDS)
    assert model.description.weights == str(file)
    assert model.description.weights_hash == own.weights_hash()
    assert model.description.weights_hash != load_backbone("workbench_tiny").weights_hash()


def test_a_relative_path_is_made_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    named = Recipe(weights="weights.safetensors")
    assert named.weights == str(file)
    assert Recipe.from_json(named.to_json()) == named
    assert named.name == "workbench_tiny-lora-unet-weights-weights"
    assert str(file) in repr(describe(named))


def test_random_and_hub_mean_what_they_mean_to_load_backbone(file: Path) -> None:
    assert Recipe(weights="random", peft="full").from_scratch
    assert not Recipe(weights="random", peft="lora").pretrained
    assert recipe(file).pretrained
    own = build_model(Recipe(weights="random", seed=3), **UNITS)  # type: ignore[arg-type]
    shipped = build_model(Recipe(seed=3), **UNITS)  # type: ignore[arg-type]
    assert own.description.weights_hash != shipped.description.weights_hash
    with pytest.raises(WeightsError, match="workbench_tiny is not on the hub"):
        build_model(Recipe(weights="hub"), **UNITS)  # type: ignore[arg-type]


def test_an_argument_goes_before_the_recipe(file: Path) -> None:
    model = build_model(recipe(file), weights="random", **UNITS)  # type: ignore[arg-type]
    assert model.description.weights == "random"


def test_a_wrong_path_is_answered_with_what_there_is(file: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is 'weights.safetensors'\. Check the path"):
        build_model(recipe(file.with_name("weight.safetensors")), **UNITS)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=r"is a folder; it holds weights.safetensors\. Check"):
        build_model(recipe(file.parent), **UNITS)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="weights='' names no file"):
        Recipe(weights="")


def test_a_saved_model_asks_for_a_file_that_was_moved_and_refuses_another(
    file: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    model = build_model(recipe(file), **UNITS).eval()  # type: ignore[arg-type]
    save_model(model, saved)
    image = torch.rand(1, 6, 32, 32)
    with torch.no_grad():
        assert torch.equal(load_model(saved, device="cpu")(image), model(image))
        moved = file.rename(tmp_path / "moved.safetensors")
        with pytest.raises(WeightsError, match=r"was trained on the weights in .*Pass weights="):
            load_model(saved, device="cpu")
        assert torch.equal(load_model(saved, device="cpu", weights=moved)(image), model(image))
    save_file(load_backbone("workbench_tiny", weights="random").state_dict(), file)
    with pytest.raises(WeightsError, match=r"is not the one .* was trained on"):
        load_model(saved, device="cpu")


def test_a_run_goes_on_with_the_file_from_any_folder(
    file: Path, tiny_floods: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    split = tiny_floods.split(hold_out=["bolivia"])
    named = recipe(Path("weights.safetensors"), epochs=2)
    control = Control()
    for event in train(named, split, tmp_path / "run", device="cpu", control=control):
        if event.kind == "epoch_done":
            control.stop("the test")
    monkeypatch.chdir(tmp_path)
    run = resume("run", device="cpu", show=False)
    assert run.state == "finished"
    assert load_model(run, device="cpu").description.weights == str(file)
