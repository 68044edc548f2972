"""What holds for recipes of either kind, and the baselines, which are of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from workbench.errors import RecipeError
from workbench.peft import FullFineTuning
from workbench.recipe.recipe import Recipe
from workbench.recipe.spectral_index import NearInfrared, SpectralIndex

AnyRecipe = Recipe | SpectralIndex


def require_recipe(given: object) -> None:
    """Refuse what is no recipe.

    Raises:
        RecipeError: It is something else.
    """
    if not isinstance(given, AnyRecipe):
        raise RecipeError(f"{given!r:.80} is a {type(given).__name__}, not a recipe. The recipe "
                          "comes first, then the split: wb.fit(wb.Recipe(peft='lora'), split).")


def recipe_from_json(data: Mapping[str, Any]) -> AnyRecipe:
    """Return the recipe of either kind that `to_json` wrote."""
    kinds: dict[str, type[Recipe] | type[SpectralIndex]] = {
        cls.kind: cls for cls in (Recipe, SpectralIndex)
    }
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind not in kinds or not isinstance(data.get("given"), Mapping):
        raise RecipeError(
            f"This is not a recipe: its kind is {kind!r}, expected one of {', '.join(kinds)}."
        )
    return kinds[kind].from_json(data)


class Described(Protocol):
    """What `baselines` has to know of a dataset."""

    @property
    def bands(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def classes(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def num_frames(self) -> int: ...  # noqa: D102


def baselines(dataset: Described, **changes: Any) -> list[AnyRecipe]:
    """Return the recipes to beat on a dataset: water indices that it fits, and a scratch U-Net.

    Of several dates an index cannot tell which one it should look at; the U-Net takes all.

    Args:
        dataset: Says which bands, classes and dates there are.
        **changes: Fields of the U-Net's recipe, such as `epochs`.
    """
    water = any("water" in entry.name.lower() for entry in dataset.classes)
    fits = water and len(dataset.classes) == 2 and dataset.num_frames == 1
    nir: NearInfrared = "NIR_BROAD" if "NIR_BROAD" in dataset.bands else "NIR_NARROW"
    indices = [
        index
        for index in (SpectralIndex(nir=nir), SpectralIndex(index="mndwi"))
        if fits and set(index.bands) <= set(dataset.bands)
    ]
    tried = [index.but(threshold=value) for index in indices for value in (0.0, "tuned")]
    return [*tried, scratch_unet(**changes)]


def scratch_unet(**changes: Any) -> Recipe:
    """Return the recipe of a U-Net that starts from nothing, the baseline that suits all data."""
    scratch = Recipe(backbone="unet_encoder", peft=FullFineTuning(), decoder="unet")
    return scratch.but(**changes)
