"""What is checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench.assembly.building import build_skeleton
from workbench.data import Dataset, Split
from workbench.data.audit import audit_split
from workbench.data.sources import REOPENED
from workbench.data.statistics import NamedStatistics
from workbench.errors import SplitError
from workbench.events import WarningRaised
from workbench.models.weights import require_weight_file
from workbench.recipe import Recipe

_REMEDY = "Split again with other fractions or with fewer held-out regions: dataset.split(…)."


def require_split(given: object) -> None:
    """Refuse what is no split.

    Raises:
        SplitError: It is something else.
    """
    if not isinstance(given, Split):
        raise SplitError(
            f"A split is needed, not a {type(given).__name__}: dataset.split(hold_out=[…]) makes "
            "one."
        )


def check_split(split: Split) -> None:
    """Refuse a split that cannot be trained on.

    Raises:
        SplitError: It is no split, a part is empty or has no labels, or there is only one class.
    """
    require_split(split)
    if split.dataset.num_classes < 2:
        raise SplitError(
            f"{split.dataset.info.name} has {split.dataset.num_classes} class; segmentation needs "
            "two. Name the classes when you open it: classes=[…]."
        )
    for name in ("train", "val"):
        part = split.part(name)
        if not len(part):
            raise SplitError(f"The part {name!r} has no chips ({split!r}). {_REMEDY}")
        counts = [f"count_{number}" for number in range(split.dataset.num_classes)]
        if not part.chips[counts].to_numpy().sum():
            raise SplitError(f"The part {name!r} has no labelled pixel ({split!r}). {_REMEDY}")


def require_buildable(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse a recipe that no model for the bands and classes of a dataset can be built from.

    No weights and no pixels are read.

    Raises:
        RecipeError: The PEFT method does not fit the backbone, or a size is impossible.
        BandError: A band that the recipe needs is not there.
        WeightsError: There is no file with the weights.
    """
    if recipe.weights is not None and recipe.weights not in ("hub", "random"):
        require_weight_file(Path(recipe.weights))
    build_skeleton(
        recipe, classes=dataset.num_classes, bands=dataset.bands,
        image_size=dataset.info.chip_shape, num_frames=dataset.num_frames,
    )  # fmt: skip


def require_held_out(split: Split) -> None:
    """Refuse to watch held-out regions where there are none.

    Raises:
        SplitError: The split holds out nothing.
    """
    if not split.parts["held_out"]:
        raise SplitError(
            f"watch_held_out=True, but nothing is held out ({split!r}). Hold a region out: "
            "dataset.split(hold_out=[…]), or leave watch_held_out away."
        )


def require_reopening(dataset: Dataset) -> None:
    """Refuse a dataset that another process cannot open from its files.

    Raises:
        SplitError: It was put together in this process.
    """
    if dataset.info.source.get("kind") not in REOPENED:
        raise SplitError(
            f"{dataset.info.name} was put together in this process, and the process that wb.launch "
            "starts cannot open it. Open it with wb.load(…) or wb.Dataset.from_folder(…), or "
            "train here with wb.fit(…)."
        )


def audited(split: Split, statistics: NamedStatistics | None = None) -> Iterator[WarningRaised]:
    """Yield what the audit of a split warns of; `statistics` are what the model will use."""
    for finding in audit_split(split, statistics).findings:
        if finding.level in ("warning", "error"):
            yield WarningRaised(message=f"{finding.level}: {finding}")
