"""Models from recipes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.assembly.conftest import BANDS, RECIPES
from workbench.assembly import Model, ModelDescription, build_model
from workbench.errors import BandError, RecipeError
from workbench.recipe import AnyRecipe, Recipe, SpectralIndex

Build = Callable[..., Model]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_gives_logits_for_its_bands(recipe: AnyRecipe, build: Build) -> None:
    model = build(recipe).eval()
    with torch.no_grad():
        logits = model(torch.rand(2, len(model.bands), 40, 50))
    assert logits.shape == (2, 2, 40, 50)


def test_the_seed_decides_every_weight_and_the_callers_stays(build: Build) -> None:
    before = torch.get_rng_state()
    first, again, other = (build(Recipe(seed=seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["decoder.head.weight"], other["decoder.head.weight"])


def test_methods_start_from_the_same_decoder(build: Build) -> None:
    models = [build(Recipe(peft=peft)) for peft in ("lora", "full", "linear_probe")]
    heads = [model.decoder.state_dict() for model in models]
    assert all(torch.equal(heads[0][name], head[name]) for head in heads for name in head)


def test_a_recipe_narrows_the_bands_and_their_statistics(build: Build) -> None:
    recipe = Recipe(bands=["SWIR_1", "B3"], peft="full", decoder="linear")
    model = build(recipe, mean=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert model.bands == ("SWIR_1", "GREEN")
    assert model.normalize.mean.tolist() == [5.0, 2.0]


@pytest.mark.parametrize("recipe", [Recipe(bands=["VV"]), SpectralIndex(index="mndwi")])
def test_bands_that_are_not_there_are_named(recipe: AnyRecipe) -> None:
    with pytest.raises(BandError, match=r"The dataset has no band (VV|SWIR_1). It has BLUE, GREEN"):
        build_model(recipe, classes=2, bands=["BLUE", "GREEN"], weights="random")


def test_a_method_that_does_not_fit_names_those_that_do(build: Build) -> None:
    with pytest.raises(RecipeError) as error:
        build(Recipe(backbone="unet_encoder"))
    assert str(error.value) == (
        "LoRA does not fit 'unet_encoder': it has no linear layers in the role q, v, fc1, fc2 "
        "(roles: none: it is no transformer). Methods that fit: 'full', 'linear_probe', "
        "'norm_tuning'."
    )


def test_the_backbones_statistics_serve_when_chosen_or_none_are_given(build: Build) -> None:
    recipe = Recipe(backbone="prithvi_eo_v2_tiny_tl", peft="linear_probe", decoder="linear")
    own = pytest.approx([0.1087, 0.1342, 0.1433, 0.2734, 0.1958, 0.1363])
    chosen = build(recipe.but(normalization="backbone"))
    assert chosen.normalize.mean.tolist() == own
    assert build(recipe, mean=None, std=None).normalize.mean.tolist() == own
    assert build(recipe).normalize.mean.tolist() == pytest.approx([0.1] * 6)


def test_without_any_statistics_it_says_so(build: Build) -> None:
    recipe = Recipe(backbone="unet_encoder", peft="full")
    with pytest.warns(UserWarning, match="takes its input as it is. Pass mean and std"):
        model = build(recipe, mean=None, std=None)
    assert model.normalize.std.tolist() == [1.0] * 6
    with pytest.raises(RecipeError, match="has no statistics for the bands BLUE, "):
        build(recipe.but(normalization="backbone"))


def test_an_index_needs_two_classes_and_finds_water(build: Build) -> None:
    with pytest.raises(RecipeError, match="tells two classes apart; the dataset has 3"):
        build(SpectralIndex(), classes=3)
    assert build(SpectralIndex(), classes=["Open water", "land"]).water == 0
    assert build(SpectralIndex(), classes=2).water == 1


def test_the_description_survives_json(build: Build) -> None:
    model = build(Recipe(), scale=1e-4, image_size=(96, 64))
    description = model.description
    assert description.weights_hash == model.description.weights_hash
    assert ModelDescription.from_json(description.to_json()) == description
    assert (description.scale, description.bands) == (1e-4, tuple(BANDS))
