from __future__ import annotations

import pytest

from workbench.errors import RecipeError
from workbench.recipe import Recipe, SpectralIndex
from workbench.runs.cells import (
    labelled_recipes,
    labelled_splits,
    make_cell,
    rates,
    slugs,
)


def test_every_method_is_tried_with_as_many_learning_rates_around_its_own():
    assert rates(Recipe(learning_rate=1e-3), 3) == [0.00032, 1e-3, 0.0032]
    assert len(rates(Recipe(peft="full"), 5)) == 5
    assert rates(Recipe(), 1) == [None]
    assert rates(SpectralIndex(), 3) == [None]


def test_a_cell_trains_the_recipe_with_its_seed_and_learning_rate():
    cell = make_cell("LoRA", "bolivia", 2, 3e-4, slugs(["LoRA"]), slugs(["bolivia"]))
    assert cell.name == "lora-bolivia-lr0.0003-seed2"
    recipe = cell.recipe(Recipe(epochs=3))
    assert recipe == Recipe(epochs=3, seed=2, learning_rate=3e-4)
    assert cell.recipe(SpectralIndex()) == SpectralIndex()


def test_labels_that_look_alike_get_folders_of_their_own():
    assert slugs(["LoRA r=4", "LoRA r/4", "!"]) == {
        "LoRA r=4": "lora-r-4", "LoRA r/4": "lora-r-4-2", "!": "x"}


def test_recipes_are_labelled_by_name_and_splits_by_what_they_hold_out(split):
    assert list(labelled_recipes([Recipe(), SpectralIndex()])) == [
        "workbench_tiny-lora-unet", "ndwi-0"]
    assert list(labelled_splits([split, split])) == ["bolivia", "bolivia-2"]
    assert list(labelled_splits(split)) == ["bolivia"]


def test_what_cannot_be_studied_is_refused(split):
    with pytest.raises(RecipeError, match="nothing to study"):
        labelled_recipes([])
    with pytest.raises(RecipeError, match="Two of the recipes are called 'workbench_tiny-lora-u"):
        labelled_recipes([Recipe(), Recipe(epochs=3)])
    with pytest.raises(RecipeError, match="'lora' is str, not a recipe"):
        labelled_recipes({"lora": "lora"})
    with pytest.raises(RecipeError, match="nothing to study on"):
        labelled_splits([])
    with pytest.raises(RecipeError, match="not a split"):
        labelled_splits([split.dataset])
