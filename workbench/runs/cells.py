"""Cells of a study: which trainings it consists of, as plain data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from workbench.data import Split
from workbench.errors import RecipeError
from workbench.recipe import AnyRecipe, Recipe

# Learning rates that are tried lie this factor apart: half an order of magnitude.
STEP = 10**0.5


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training of a study.

    Attributes:
        method: Which recipe, by its label.
        split: Which split, by its label.
        seed: Of the training.
        learning_rate: What it is trained with; None leaves it to the recipe.
        name: Name of the run's folder.
    """

    method: str
    split: str
    seed: int
    learning_rate: float | None
    name: str

    def recipe(self, given: AnyRecipe) -> AnyRecipe:
        """Return what is trained."""
        if not isinstance(given, Recipe):
            return given
        if self.learning_rate is None:
            return given.but(seed=self.seed)
        return given.but(seed=self.seed, learning_rate=self.learning_rate)

    def __str__(self) -> str:
        rate = "" if self.learning_rate is None else f", learning rate {self.learning_rate:g}"
        return f"{self.method} on {self.split}, seed {self.seed}{rate}"


def make_cell(method: str, split: str, seed: int, learning_rate: float | None,
              methods: Mapping[str, str], splits: Mapping[str, str]) -> Cell:
    """Return a cell; `methods` and `splits` turn labels into parts of its folder's name."""
    rate = [] if learning_rate is None else [f"lr{learning_rate:g}"]
    name = "-".join([methods[method], splits[split], *rate, f"seed{seed}"])
    return Cell(method, split, seed, learning_rate, name)


def rates(recipe: AnyRecipe, count: int) -> list[float | None]:
    """Return the learning rates to try: `count` of them around the recipe's own, √10 apart.

    Every method gets equally many, so that none is tuned better than another. What has no
    learning rate gets one trial, and a single trial keeps the recipe as it is.
    """
    if not isinstance(recipe, Recipe) or count == 1:
        return [None]
    return [float(f"{recipe.lr * STEP ** (place - (count - 1) / 2):.2g}")
            for place in range(count)]


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Return a name for folders of every label, each another."""
    found: dict[str, str] = {}
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9_]+", "-", label).strip("-").lower() or "x"
        name, number = plain, 2
        while name in found.values():
            name, number = f"{plain}-{number}", number + 1
        found[label] = name
    return found


def labelled_recipes(recipes: AnyRecipe | Iterable[AnyRecipe] | Mapping[str, AnyRecipe]
                     ) -> dict[str, AnyRecipe]:
    """Return recipes by label: as given, else by their names.

    Raises:
        RecipeError: There is none, something is no recipe, or two are the same.
    """
    if isinstance(recipes, AnyRecipe):
        recipes = [recipes]
    if isinstance(recipes, Mapping):
        found = {str(label): recipe for label, recipe in recipes.items()}
    else:
        if not isinstance(recipes, Iterable):
            raise RecipeError(f"{recipes!r} is {type(recipes).__name__}, not recipes.")
        found = {}
        for recipe in recipes:
            label = getattr(recipe, "name", repr(recipe))
            if label in found:
                raise RecipeError(
                    f"Two of the recipes are called {label!r}. Give them labels: wb.study({{"
                    f"\"first\": …, \"second\": …}}, …)."
                )
            found[label] = recipe
    if not found:
        raise RecipeError("There is nothing to study: pass recipes, such as wb.baselines(dataset).")
    for label, recipe in found.items():
        if not isinstance(recipe, AnyRecipe):
            raise RecipeError(f"{label!r} is {type(recipe).__name__}, not a recipe.")
    return found


def labelled_splits(splits: Split | Iterable[Split] | Mapping[str, Split]) -> dict[str, Split]:
    """Return splits by label: as given, else by what they hold out.

    Raises:
        RecipeError: There is none, or something is no split.
    """
    if isinstance(splits, Split):
        splits = [splits]
    if isinstance(splits, Mapping):
        found = {str(label): split for label, split in splits.items()}
    else:
        found = {}
        for split in splits:
            base = "+".join(getattr(split, "hold_out", ())) or "split"
            label, number = base, 2
            while label in found:
                label, number = f"{base}-{number}", number + 1
            found[label] = split
    if not found:
        raise RecipeError("There is nothing to study on: pass a split, dataset.split(…).")
    for label, split in found.items():
        if not isinstance(split, Split):
            raise RecipeError(f"{label!r} is {type(split).__name__}, not a split: dataset.split(…) "
                              "makes one.")
    return found
