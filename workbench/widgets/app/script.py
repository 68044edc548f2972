"""The script that a Workbench stands for: what was done by mouse, in a file that runs by itself."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence

from workbench.data import Split
from workbench.data.sources import open_dataset
from workbench.errors import DataError, WorkbenchError
from workbench.recipe import AnyRecipe
from workbench.runs import Run
from workbench.widgets.app.queue import Training, is_done
from workbench.widgets.configure import code
from workbench.widgets.picker.plan import Plan, named

# What of a source `wb.load` does not take.
_CHANGES = {"select_bands", "remap", "areas"}
_CHOOSE = "# Choose data first: wb.open_catalog() lists what there is."


def script(split: Split | None, recipe: AnyRecipe, trainings: Sequence[Training],
           chosen: Iterable[Run], view: str = "") -> str:
    """Return Python that does the same without a mouse.

    Args:
        split: What is trained on now, None where nothing is chosen.
        recipe: What would be trained next.
        trainings: What was launched, and what waits; all of it is trained again.
        chosen: Runs that are compared; those that were not launched here are opened.
        view: The line that shows the comparison as it is shown.
    """
    splits = _distinct([training.split for training in trainings] + ([split] if split else []))
    lines = ["import workbench as wb", ""]
    for place, entry in enumerate(splits):
        lines += [*split_code(entry, _numbered("split", place, len(splits))), ""]
    if not splits:
        lines += [_CHOOSE, ""]
    names: dict[str, str] = {}
    for training in trainings:
        if training.error:
            continue
        name = _name(training.run.name if training.run else training.recipe.name, names.values())
        data = _numbered("split", _place(training.split, splits), len(splits))
        lines.append(f"{name} = wb.fit({code(training.recipe)}, {data})")
        names[str(training.run.folder) if training.run else name] = name
    if recipe not in [training.recipe for training in trainings]:
        lines.append(f"recipe = {code(recipe)}")
    compared = [run for run in chosen if is_done(run)]
    for run in compared:
        if str(run.folder) not in names:
            names[str(run.folder)] = _name(run.name, names.values())
            lines.append(f"{names[str(run.folder)]} = wb.open_run({str(run.folder)!r})")
    if compared:
        shown = ", ".join(names[str(run.folder)] for run in compared)
        lines += ["", f"comparison = wb.compare([{shown}])", "print(comparison)"]
        lines += [f"# In a notebook: {view or 'wb.compare_map(comparison)'}"]
    return "\n".join(lines).rstrip() + "\n"


def split_code(split: Split, name: str = "split") -> list[str]:
    """Return the lines that make a split again, its dataset included."""
    data, dataset = split.dataset, name.replace("split", "dataset")
    source = data.info.source
    try:
        all_chips = _chips(json.dumps(source, sort_keys=True))
    except WorkbenchError:
        return [f"# {name}: {data.info.name} was put together in this session; open it here."]
    lines = [f"{dataset} = {named(data, {}, whole=True)}"]
    if source["kind"] != "collection" or set(source) & _CHANGES:
        lines = ["from workbench.data.sources import open_dataset",
                 f"{dataset} = open_dataset({source!r})"]  # fmt: skip
    if set(data) != all_chips:
        lines.append(f"{dataset} = {dataset}.select({list(data)!r})")
    try:
        made = Plan.of(split).code(dataset)
    except DataError:  # put together by hand: chip by chip
        return [*lines, f"{name} = wb.Split.from_json({split.to_json()!r}, {dataset})"]
    return [*lines, re.sub(r"^split\b", name, made)]


@functools.lru_cache(maxsize=16)
def _chips(source: str) -> frozenset[str]:
    """Return the names of all chips of a dataset's source: those of a selection are fewer."""
    return frozenset(open_dataset(json.loads(source)))


def _distinct(splits: Iterable[Split]) -> list[Split]:
    found: list[Split] = []
    for split in splits:
        if not any(same(split, other) for other in found):
            found.append(split)
    return found


def same(one: Split, other: Split) -> bool:
    """Return whether two splits deal out the same chips in the same way."""
    return one is other or (one.parts == other.parts
                            and one.dataset.info.source == other.dataset.info.source)


def _place(split: Split, splits: Sequence[Split]) -> int:
    return next(place for place, other in enumerate(splits) if same(split, other))


def _numbered(word: str, place: int, count: int) -> str:
    return word if count == 1 else f"{word}_{place + 1}"


def _name(text: str, taken: Iterable[str]) -> str:
    """Return a variable's name that none of `taken` is."""
    base = re.sub(r"\W+", "_", text)
    base = f"run_{base}" if not base[:1].isalpha() else base
    used, name, count = {*taken, "wb", "recipe", "split", "dataset", "comparison"}, base, 1
    while name in used:
        count += 1
        name = f"{base}_{count}"
    return name
