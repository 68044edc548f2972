"""Recipes: readable, strict, and the same after JSON."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.errors import RecipeError
from workbench.losses import CrossEntropy, Dice, Focal
from workbench.peft import FullFineTuning, LinearProbe, LoRA
from workbench.recipe import AnyRecipe, Recipe, SpectralIndex, baselines, recipe_from_json
from workbench.schedules import Cosine, Plateau

RECIPES: list[AnyRecipe] = [
    Recipe(),
    Recipe(peft=LoRA(rank=4, targets=["q"]), epochs=3, bands=["B04", "B03"], seed=2),
    Recipe(peft="full", decoder="linear", learning_rate=1e-3),
    Recipe(backbone="unet_encoder", peft="full"),
    Recipe(loss=Focal(gamma=1.0), schedule=Cosine(warmup=0.0), class_weights=[1, 2.5]),
    Recipe(loss="dice", class_weights="balanced", label_smoothing=0.1, accumulate=2),
    SpectralIndex(),
    SpectralIndex(index="mndwi", threshold="tuned"),
    SpectralIndex(threshold=0.15),
]


def dataset(bands: list[str], classes: list[str], num_frames: int = 1) -> Any:
    return SimpleNamespace(bands=bands, num_frames=num_frames,
                           classes=[SimpleNamespace(name=name) for name in classes])


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_a_recipe_survives_json(recipe: AnyRecipe) -> None:
    again = recipe_from_json(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe
    assert type(again) is type(recipe)


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_repr_is_the_python_that_makes_it(recipe: AnyRecipe) -> None:
    assert eval(repr(recipe)) == recipe


@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_a_recipe_can_be_copied_pickled_and_hashed(recipe: AnyRecipe) -> None:
    again = pickle.loads(pickle.dumps(copy.deepcopy(recipe)))
    assert again == recipe
    assert hash(again) == hash(recipe)


def test_repr_names_only_what_differs() -> None:
    assert repr(Recipe(epochs=10, peft="full")) == "Recipe(peft=FullFineTuning(), epochs=10)"


def test_json_tells_what_was_given_and_what_it_resolved_to() -> None:
    said = Recipe(peft="linear_probe").to_json()
    assert said["kind"] == "recipe"
    assert said["given"]["learning_rate"] is None
    assert said["given"]["peft"] == {"kind": "linear_probe"}
    assert said["resolved"] == {"learning_rate": 9e-4}


@pytest.mark.parametrize(
    ("recipe", "lr"),
    [
        (Recipe(), 7e-4),
        (Recipe(peft="full"), 1e-4),
        (Recipe(peft="linear_probe"), 9e-4),
        (Recipe(backbone="unet_encoder", peft="full"), 1e-3),
        (Recipe(learning_rate=3e-4), 3e-4),
    ],
)
def test_the_learning_rate_is_the_methods_unless_given(recipe: Recipe, lr: float) -> None:
    assert recipe.lr == lr


def test_names_are_short_and_tell_recipes_apart() -> None:
    assert [recipe.name for recipe in RECIPES] == [
        "workbench_tiny-lora-unet",
        "workbench_tiny-lora-rank4-targetsq-unet",
        "workbench_tiny-full-linear",
        "unet-scratch",
        "workbench_tiny-lora-unet-focal",
        "workbench_tiny-lora-unet-dice",
        "ndwi-0",
        "mndwi-tuned",
        "ndwi-0.15",
    ]


def test_but_changes_a_copy_only() -> None:
    recipe = Recipe(epochs=5)
    assert recipe.but(peft="full") == Recipe(epochs=5, peft=FullFineTuning())
    assert recipe == Recipe(epochs=5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"epoch": 3}, "no field 'epoch' (did you mean 'epochs'?"),
        ({"epochs": 0}, "epochs=0 is below 1"),
        ({"backbone": "prithvi_v2_300"}, "Did you mean 'prithvi_eo_v2_300'?"),
        ({"decoder": "u-net"}, "Did you mean 'unet'? wb.decoders() lists all"),
        ({"peft": "lorra"}, "Did you mean 'lora'? wb.peft_methods() lists all"),
        ({"peft": {"kind": "lora", "rank": 0}}, "LoRA: rank=0 is below 1"),
        ({"peft": 3}, "peft=3 is not a PEFT method"),
        ({"bands": ["NIRR"]}, "No band named 'NIRR'"),
        ({"bands": ["RED", "B4"]}, "more than once"),
        ({"normalization": "none"},
         "normalization='none' is not one of 'dataset', 'published' or 'backbone'"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 is not above 0"),
        ({"learning_rate": math.inf}, "learning_rate=inf: input should be a finite number"),
        ({"seed": 2**64}, "seed=18446744073709551616 is not below 4294967296"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'?"),
        ({"schedule": {"kind": "plateau", "factor": 1.0}}, "Plateau: factor=1.0 is not below 1"),
        ({"loss": "focul"}, "Did you mean 'focal'?"),
        ({"loss": Plateau()}, "loss=Plateau() is not a loss. Pass a name (cross_entropy, "),
        ({"class_weights": "even"}, "class_weights='even' is neither 'balanced' nor"),
        ({"class_weights": [0, 0]}, "a number for each class, 0 or more and not all 0"),
    ],
)
def test_a_wrong_field_is_named_with_the_remedy(fields: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)) as error:
        Recipe(**fields)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("threshold", [1.5, "tune", True, None])
def test_a_threshold_is_a_number_or_tuned(threshold: Any) -> None:
    with pytest.raises(RecipeError, match="is neither within -1 and 1 nor 'tuned'"):
        SpectralIndex(threshold=threshold)


def test_a_recipe_of_before_losses_and_schedules_could_be_chosen_still_opens() -> None:
    written = {"epochs": 7, "lr_patience": 2, "lr_factor": 0.1}
    opened = Recipe.from_json({"kind": "recipe", "given": written})
    assert opened == Recipe(epochs=7, schedule=Plateau(patience=2, factor=0.1))
    assert (opened.loss, opened.accumulate) == (CrossEntropy(), 1)


def test_losses_and_schedules_are_chosen_by_name_or_with_options() -> None:
    assert Recipe(loss="dice").loss == Dice()
    assert Recipe(schedule={"kind": "cosine", "warmup": 0.2}).schedule == Cosine(warmup=0.2)
    said = Recipe(loss=Focal(gamma=1.0)).to_json()["given"]
    assert said["loss"] == {"kind": "focal", "gamma": 1.0}
    assert said["schedule"] == {"kind": "plateau", "patience": 4, "factor": 0.5}


def test_recipes_of_an_unknown_kind_are_refused() -> None:
    with pytest.raises(RecipeError, match="its kind is 'magic', expected one of recipe, spectral"):
        recipe_from_json({"kind": "magic"})


def test_baselines_are_the_indices_that_fit_and_a_scratch_unet() -> None:
    water = dataset(["GREEN", "NIR_NARROW", "SWIR_1"], ["land", "Water"])
    names = [recipe.name for recipe in baselines(water, epochs=3)]
    assert names == ["ndwi-0", "ndwi-tuned", "mndwi-0", "mndwi-tuned", "unet-scratch"]
    assert baselines(water, epochs=3)[-1].epochs == 3


def test_indices_are_left_out_without_their_bands_or_without_water() -> None:
    narrow = dataset(["GREEN", "RED", "SWIR_1"], ["land", "water"])
    assert [recipe.name for recipe in baselines(narrow)] == ["mndwi-0", "mndwi-tuned",
                                                             "unet-scratch"]  # fmt: skip
    burn = dataset(["GREEN", "NIR_NARROW", "SWIR_1"], ["unburned", "burned"])
    assert [recipe.name for recipe in baselines(burn)] == ["unet-scratch"]
    dates = dataset(["GREEN", "NIR_NARROW", "SWIR_1"], ["land", "water"], num_frames=3)
    assert [recipe.name for recipe in baselines(dates)] == ["unet-scratch"]


def test_ndwi_takes_the_broad_near_infrared_where_there_is_one() -> None:
    both = dataset(["GREEN", "NIR_BROAD", "NIR_NARROW"], ["land", "water"])
    ndwi = baselines(both)[0]
    assert repr(ndwi) == "SpectralIndex(nir='NIR_BROAD')"
    assert ndwi.to_json()["resolved"] == {"bands": ["GREEN", "NIR_BROAD"]}
    assert SpectralIndex().bands == ("GREEN", "NIR_NARROW")
    assert SpectralIndex(index="mndwi", nir="NIR_BROAD").bands == ("GREEN", "SWIR_1")


def test_every_field_has_advice() -> None:
    for cls in (Recipe, SpectralIndex):
        assert all(field.description for field in cls.model_fields.values())


def test_the_default_method_is_lora_and_linear_probing_is_named_so() -> None:
    assert Recipe().peft == LoRA()
    assert Recipe(peft="linear_probe").peft == LinearProbe()
