"""Merged models: the same logits from plain weights, and files like any other model's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.assembly.test_files import shaken
from workbench.assembly import Model, load_model, merge, save_model
from workbench.errors import RecipeError, RunExistsError
from workbench.peft import IA3, FullFineTuning, LoRA, Method
from workbench.recipe import AnyRecipe, Recipe, SpectralIndex

Build = Callable[..., Model]
IMAGE = torch.rand(1, 6, 40, 33, generator=torch.Generator().manual_seed(2))


def trained(recipe: AnyRecipe, build: Build, folder: Path) -> Model:
    model = shaken(build(recipe))
    folder.mkdir()
    save_model(model, folder)
    return model


@pytest.mark.parametrize("options", [LoRA(rank=4), LoRA(rank=4, dora=True), IA3()], ids=repr)
def test_a_merged_model_has_the_same_logits_and_plain_weights(
    options: Method, build: Build, tmp_path: Path
) -> None:
    model = trained(Recipe(peft=options), build, tmp_path / "run")
    merged = merge(tmp_path / "run", folder=tmp_path / "merged", device="cpu")
    plain = build(Recipe(peft=FullFineTuning()))
    assert list(merged.state_dict()) == list(plain.state_dict())
    with torch.no_grad():
        expected, found = model(IMAGE), merged(IMAGE)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max())
        again = load_model(tmp_path / "merged", device="cpu")
        assert torch.equal(again(IMAGE), found)
    assert again.description == merged.description
    assert not merged.training


def test_a_merged_models_recipe_says_whose_weights_they_are(build: Build, tmp_path: Path) -> None:
    trained(Recipe(), build, tmp_path / "run")
    recipe = merge(tmp_path / "run", device="cpu").description.recipe
    assert recipe == Recipe(peft=FullFineTuning(), learning_rate=Recipe().lr)


@pytest.mark.parametrize("recipe", [Recipe(peft="linear_probe"), Recipe(peft="bitfit")])
def test_what_cannot_be_merged_is_refused(recipe: Recipe, build: Build, tmp_path: Path) -> None:
    trained(recipe, build, tmp_path / "run")
    with pytest.raises(RecipeError, match=r"Only adapters of the LoRA family .* fold into plain"):
        merge(tmp_path / "run", folder=tmp_path / "merged", device="cpu")
    assert not (tmp_path / "merged").exists()


def test_an_index_has_nothing_to_merge(build: Build, tmp_path: Path) -> None:
    trained(SpectralIndex(), build, tmp_path / "run")
    with pytest.raises(RecipeError, match="A spectral index has no weights"):
        merge(tmp_path / "run", device="cpu")


def test_a_folder_that_is_there_is_left_as_it_is(build: Build, tmp_path: Path) -> None:
    trained(Recipe(), build, tmp_path / "run")
    (tmp_path / "merged").mkdir()
    with pytest.raises(RunExistsError, match="is there already"):
        merge(tmp_path / "run", folder=tmp_path / "merged", device="cpu")
