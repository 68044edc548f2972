"""What would make a training fit: single changes, each with its estimate, and the least of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.errors import RecipeError
from workbench.estimation.costs import Memory
from workbench.estimation.forecast import Forecast
from workbench.estimation.showing import difference
from workbench.peft import FullFineTuning, LinearProbe, LoRA
from workbench.recipe import Recipe


@dataclass(frozen=True)
class Remedy:
    """A changed recipe.

    Attributes:
        what: The change, as arguments of `recipe.but`.
        recipe: With the change.
        memory: What it needs then.
        slower: How many times as long an epoch takes, by its operations.
        fits: Whether that is free.
        keeps: What stays as it is, in words.
    """

    what: str
    recipe: Recipe
    memory: Memory
    slower: float
    fits: bool
    keeps: str


def remedies(forecast: Forecast, recipe: Recipe) -> list[Remedy]:
    """Return the single changes that lower the memory, the least invasive first."""
    before = forecast.memory(recipe)
    found = []
    for changed, keeps in _changes(forecast, recipe):
        try:
            memory = forecast.memory(changed)
        except RecipeError:  # the method or the backbone has no such thing
            continue
        if memory.total < before.total:
            slower = forecast.slower(changed, recipe)
            fits = forecast.fits(memory)
            found.append(Remedy(difference(recipe, changed), changed, memory, slower, fits, keeps))
    return found


def fitted(forecast: Forecast, recipe: Recipe) -> Recipe | None:
    """Return the recipe with the fewest changes that fit, None where none do.

    What is learned from a step stays the same: first smaller batches, more of them in a step; then
    activations computed again; last a shorter number format.
    """
    for changes in ({}, {"gradient_checkpointing": True},
                    {"gradient_checkpointing": True, "precision": "bf16"}):  # fmt: skip
        base = recipe.but(**changes)
        try:
            for smaller in (base, *_smaller(base)):
                if forecast.fits(forecast.memory(smaller)):
                    return smaller
        except RecipeError:
            continue
    return None


def largest_batch(forecast: Forecast, recipe: Recipe, most: int) -> int:
    """Return the largest power of two that fits, at most `most`; 1 where nothing does."""
    size = 1
    while 2 * size <= most and forecast.fits(forecast.memory(recipe.but(batch_size=2 * size))):
        size *= 2
    return size


def _changes(forecast: Forecast, recipe: Recipe) -> Iterator[tuple[Recipe, str]]:
    smaller = list(_smaller(recipe))
    if smaller:
        fits = (entry for entry in smaller
                if forecast.fits(forecast.memory(entry)))
        yield next(fits, smaller[-1]), "as many chips a step"
    if not recipe.gradient_checkpointing:
        yield recipe.but(gradient_checkpointing=True), "the same numbers"
    if recipe.precision in ("auto", "fp32"):
        yield recipe.but(precision="bf16"), "numbers with fewer digits"
    if isinstance(recipe.peft, FullFineTuning) and not recipe.from_scratch:
        yield recipe.but(peft=LoRA()), "another method"
    if not isinstance(recipe.peft, LinearProbe) and not recipe.from_scratch:
        if isinstance(recipe.peft, LoRA) and set(recipe.peft.targets) - {"q", "v"}:
            fewer = recipe.peft.but(targets=("q", "v"))
            yield recipe.but(peft=fewer), "the method, on fewer layers"
        yield recipe.but(peft=LinearProbe()), "another method"


def _smaller(recipe: Recipe) -> Iterator[Recipe]:
    """Yield the recipe with batches of a half, a quarter, …, and as many more of them in a step."""
    size, accumulate = recipe.chips_at_once, recipe.accumulate
    while size % 2 == 0:
        size, accumulate = size // 2, accumulate * 2
        yield recipe.but(batch_size=size, accumulate=accumulate)
