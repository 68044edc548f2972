"""study: methods × splits × seeds, trained and scored as one queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from workbench.assembly import select_device
from workbench.data import Split
from workbench.errors import RecipeError, RunError, WorkbenchError
from workbench.estimation import estimate
from workbench.fitting.queue import Queue
from workbench.fitting.studyviews import is_seen, study_view
from workbench.recipe import AnyRecipe, Recipe
from workbench.runs.cells import labelled_recipes, labelled_splits
from workbench.runs.studies import ESTIMATE, Study, write_request
from workbench.storage import write_json


def study(recipes: AnyRecipe | Iterable[AnyRecipe] | Mapping[str, AnyRecipe],
          splits: Split | Iterable[Split] | Mapping[str, Split], *,
          seeds: int | Sequence[int] = 3, learning_rates: int = 3, name: str | None = None,
          root: str | Path = "studies", device: str = "auto", show: bool | None = None,
          plan: bool = False) -> Study:
    """Train every recipe on every split with every seed, score all, and return the study.

    Each method gets the same search: `learning_rates` values around its own, √10 apart, with the
    first seed; the lowest validation loss on the training regions of that split wins, and only
    what won is scored. The same call again, after an interruption or a kill, goes on where it was;
    with more recipes, splits or seeds the study grows. Several processes may make the same call:
    they share the work and never train the same cell. What fails is told and stops nothing else;
    the same call tries it again. Of each run the best checkpoint is kept, of those that were not
    chosen the history alone.

    Args:
        recipes: What to train; a mapping gives the methods the names that tables show.
        splits: What to train on, such as `split.leave_one_region_out()`.
        seeds: How many seeds (0, 1, 2, …), or which.
        learning_rates: How many are tried for each method on each split; 1 takes the recipe's.
        name: Name of the study's folder; by default that of the dataset.
        root: Folder of the studies.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        show: As for `wb.fit`; what is shown is estimated first (time, memory, disk).
        plan: Estimate, and train nothing yet.

    Returns:
        The study; `wb.compare(study)` compares its methods.

    Raises:
        RecipeError: There is nothing to train or no such device, or numbers make no sense.
        RunError: The study is there already and was begun with something else.
        OutOfSpaceError: The disk is full; what was trained before is whole.
    """
    methods, parts = labelled_recipes(recipes), labelled_splits(splits)
    asked = _seeds(seeds)
    if not isinstance(learning_rates, int) or learning_rates < 1:
        raise RecipeError(f"learning_rates={learning_rates!r} is not a whole number from 1 on.")
    select_device(device)
    folder = Path(root) / (name or next(iter(parts.values())).dataset.info.name)
    if name is not None and (not name or name != Path(name).name or name.startswith(".")):
        raise RunError(f"name={name!r} is not a plain folder name; the place goes into root=….")
    write_request(folder, methods, parts, asked, learning_rates)
    found = Study(folder, parts)
    if plan or is_seen(show):
        _estimate(found, device)
    if not plan:
        with study_view(found, show) as view:
            Queue(found, device, view).work_off()
    return found


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    found = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not found or len(set(found)) < len(found) or any(
            not isinstance(seed, int) or seed < 0 for seed in found):
        raise RecipeError(f"seeds={seeds!r} is neither a number of seeds from 1 on nor a list of "
                          "different ones from 0 on.")
    return found


def _estimate(found: Study, device: str) -> None:
    """Note what a training of each method costs on the first split, where that can be said."""
    said = found.estimate()
    missing = {method: recipe for method, recipe in found.recipes.items()
               if method not in said and isinstance(recipe, Recipe)}
    for method, recipe in missing.items():
        try:
            cost = estimate(recipe, found.split(found.split_names[0]), device=device)
        except WorkbenchError:
            continue  # its training will tell
        said[method] = {
            "seconds": cost.times.total_s if cost.times else None,
            "memory_bytes": cost.memory.total if cost.memory else None,
            "checkpoint_bytes": cost.checkpoint_bytes, "fits": cost.fits,
        }  # fmt: skip
    if missing:
        write_json(found.folder / ESTIMATE, said)
