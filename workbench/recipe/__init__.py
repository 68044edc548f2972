"""Recipes: everything a run needs but the data, as frozen options that survive JSON."""

from __future__ import annotations

from workbench.recipe.either import (
    AnyRecipe,
    baselines,
    recipe_from_json,
    require_recipe,
    scratch_unet,
)
from workbench.recipe.recipe import Recipe
from workbench.recipe.spectral_index import SpectralIndex

__all__ = ["AnyRecipe", "Recipe", "SpectralIndex", "baselines", "recipe_from_json",
           "require_recipe", "scratch_unet"]  # fmt: skip
