"""When and where images were taken, for the models that are told, and on how many dates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from workbench.assembly.building import Model
from workbench.data import Dataset
from workbench.data.info import count_dates
from workbench.errors import DataError, RecipeError
from workbench.models.loading import require_frames as require_backbone_frames
from workbench.models.metadata import Dates, LonLat
from workbench.models.segmenter import Segmenter
from workbench.recipe import AnyRecipe, Recipe

# Dates and (longitude, latitude) of images to what the model takes beside them.
Encode = Callable[
    [Sequence[Dates | None], Sequence[LonLat | None]], tuple[Tensor | None, Tensor | None]
]


_REMEDY = {
    "time": "Say when they were taken (date= of from_folder)",
    "location": "Give their files a CRS and a transform",
}


def encoder(model: Model) -> Encode | None:
    """Return what makes a model's metadata; None for a model that takes pixels alone."""
    return model.encode if isinstance(model, Segmenter) and model.coords else None


def require_metadata(recipe: AnyRecipe, dataset: Dataset) -> None:
    """Refuse a dataset that lacks what a recipe tells its backbone.

    Raises:
        DataError: Chips have no date or no position; says how many and names some.
    """
    coords = recipe.coords if isinstance(recipe, Recipe) else ()
    for coord, known, what in (
        ("time", dataset.date, "date"), ("location", dataset.lonlat, "position"),
    ):  # fmt: skip
        lacking = [chip for chip in dataset if known(chip) is None] if coord in coords else []
        if lacking:
            raise DataError(
                f"The recipe tells the backbone the {what} of every chip (metadata="
                f"{getattr(recipe, 'metadata', '')!r}), but {len(lacking)} of {len(dataset)} chips "
                f"of {dataset.info.name} have no {what}, for example {', '.join(lacking[:3])}. "
                f"{_REMEDY[coord]}, leave them out with dataset.select(…), or train with "
                "metadata='none'."
            )


def require_frames(recipe: AnyRecipe, num_frames: int) -> None:
    """Refuse images of more dates than a recipe's model takes.

    Raises:
        RecipeError: Names what takes as many.
    """
    if isinstance(recipe, Recipe):
        require_backbone_frames(recipe.backbone, num_frames)
    elif num_frames > 1:
        raise RecipeError(
            f"{recipe!r} looks at one date, and images are of {num_frames}. What can be beaten "
            "there: wb.baselines(dataset)."
        )


def require_same_frames(model: Model, dataset: Dataset) -> None:
    """Refuse a dataset of another number of dates than a model was trained on.

    Raises:
        DataError: Says how many each has.
    """
    built = model.description.num_frames
    if built != dataset.num_frames:
        raise DataError(
            f"The model was trained on images of {count_dates(built)}, those of "
            f"{dataset.info.name} are of {count_dates(dataset.num_frames)}. Open the data with the "
            "same number of frames: frames= of Dataset.from_folder, or the dimension `time` of "
            "Dataset.from_xarray."
        )
