"""Models on disk: the same logits again, no frozen backbone, nothing foreign taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from tests.assembly.conftest import RECIPES
from workbench.assembly import Model, build_model, load_model, restore_model, save_model
from workbench.errors import RunError, WeightsError
from workbench.recipe import AnyRecipe, Recipe

Build = Callable[..., Model]


def shaken(model: Model) -> Model:
    """Move what trains away from where it started."""
    generator = torch.Generator().manual_seed(9)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.05 * torch.randn(weight.shape, generator=generator)
    return model.eval()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_saved_and_loaded_a_model_gives_the_same_logits(
    recipe: AnyRecipe, build: Build, tmp_path: Path
) -> None:
    model = shaken(build(recipe))
    image = torch.rand(1, len(model.bands), 40, 33)
    with torch.no_grad():
        expected = model(image)
        save_model(model, tmp_path)
        loaded = load_model(tmp_path, device="cpu")
        assert torch.equal(loaded(image), expected)
    assert not loaded.training
    assert loaded.description == model.description


@pytest.mark.parametrize("recipe", RECIPES[:2], ids=lambda recipe: recipe.name)
def test_the_frozen_backbone_is_in_no_file(recipe: AnyRecipe, build: Build, tmp_path: Path) -> None:
    model = build(recipe)
    save_model(model, tmp_path)
    saved = [
        tensor for file in tmp_path.glob("*.safetensors") for tensor in load_file(file).values()
    ]
    frozen = {weight.shape for weight in model.parameters() if not weight.requires_grad}
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    running = sum(
        buffer.numel() for name, buffer in model.named_buffers() if "backbone" not in name
    )
    assert sum(tensor.numel() for tensor in saved) == trained + running
    assert not any(tuple(tensor.shape) in frozen and tensor.numel() > 1000 for tensor in saved)


def test_a_runs_checkpoint_is_found(build: Build, tmp_path: Path) -> None:
    best = tmp_path / "checkpoints" / "best"
    best.mkdir(parents=True)
    save_model(build(RECIPES[-1]), best)
    for run in (tmp_path, str(tmp_path), SimpleNamespace(folder=tmp_path)):
        assert load_model(run, device="cpu").threshold.item() == pytest.approx(0.1)
    with pytest.raises(RunError, match=r"has no checkpoint 'last'"):
        load_model(tmp_path, checkpoint="last")


def test_another_backbone_is_refused(build: Build, tmp_path: Path) -> None:
    save_model(build(Recipe()), tmp_path)
    path = tmp_path / "segmenter.json"
    said = json.loads(path.read_text())
    said["weights_hash"] = "0" * 64
    path.write_text(json.dumps(said))
    with pytest.raises(
        WeightsError, match=r"'workbench_tiny' found here is not the one .* Pass wei"
    ):
        load_model(tmp_path, device="cpu")


def test_files_of_another_model_are_refused(build: Build, tmp_path: Path) -> None:
    save_model(build(Recipe(peft="linear_probe", decoder="linear")), tmp_path)
    with pytest.raises(WeightsError, match="belongs to another model"):
        restore_model(build(Recipe()), tmp_path)


def test_a_truncated_file_is_named(build: Build, tmp_path: Path) -> None:
    save_model(build(Recipe()), tmp_path)
    path = tmp_path / "segmenter.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"segmenter.safetensors is missing or damaged"):
        load_model(tmp_path, device="cpu")


def test_another_versions_files_are_refused(build: Build, tmp_path: Path) -> None:
    save_model(build(RECIPES[-1]), tmp_path)
    (tmp_path / "segmenter.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="of another version of the workbench"):
        load_model(tmp_path)


def test_sizes_without_a_name_are_rebuilt(tmp_path: Path) -> None:
    sizes = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8}
    model = build_model(
        Recipe(backbone="prithvi", peft="full", decoder="fcn"), classes=2, bands=["RED", "BLUE"],
        mean=[0, 0], std=[1, 1], architecture=sizes, decoder_options={"channels": 8, "num_convs": 3}
    )
    (tmp_path / "model").mkdir()
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model", device="cpu")
    assert loaded.description.architecture == sizes
    image = torch.rand(1, 2, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(image), model.eval()(image))
