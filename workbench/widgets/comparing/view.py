"""View: what a comparison map shows, as data that the next cell can use."""

from __future__ import annotations

import dataclasses

from workbench.errors import UnknownNameError, unknown_name
from workbench.evaluation import Comparison
from workbench.evaluation.atlas import Atlas
from workbench.plots.chip_map import IMAGE, layer_names
from workbench.plots.measures import Measure


@dataclasses.dataclass(frozen=True)
class View:
    """What a comparison map shows.

    Attributes:
        runs: The run whose scores colour the regions; two for the first minus the second.
        region: The region that is shown, None for all of them.
        chip: Id of the chip that is shown.
        left: Name of the layer on the left.
        right: Name of the layer on the right.
        swipe: Whether both lie in one map.
        seed: The seed whose run is shown where a line of the comparison has several, else None.
    """

    runs: tuple[str, ...]
    region: str | None
    chip: str
    left: str
    right: str
    swipe: bool = False
    seed: int | None = None

    @property
    def measure(self) -> Measure:
        """What colours the regions."""
        return Measure(*self.runs)


def layers(atlas: Atlas) -> list[str]:
    """Return the names of the layers that the chips of an atlas have."""
    return layer_names(atlas.data.bands, atlas.runs, [entry.name for entry in atlas.data.classes])


def first_view(atlas: Atlas) -> View:
    """Return where to begin: the chip on which the first run does worst, with its errors."""
    first = atlas.runs[0]
    sides = [f"errors of {run}" for run in atlas.runs[:2]]
    left, right = sides if len(sides) == 2 else (IMAGE, sides[0])
    return View((first,), None, worst_chip(atlas, (first,), None), left, right,
                seed=next(iter(atlas.seeds), None))


def worst_chip(atlas: Atlas, runs: tuple[str, ...], region: str | None) -> str:
    """Return the chip to look at first: the worst one, or the first where none has a label."""
    worst = atlas.worst(*runs, region=region)
    if len(worst):
        return str(worst.index[0])
    chips = atlas.chips if region is None else atlas.chips[atlas.chips["region"] == region]
    return str(chips.index[0])


def checked(atlas: Atlas, view: View) -> View:
    """Return a view with its region as the data spell it.

    Raises:
        UnknownNameError: There is no such run, region, chip, layer or seed; names the nearest.
    """
    compared = atlas.comparison.runs
    for run in view.runs:
        if run not in compared:
            raise unknown_name("run", run, compared, "comparison.runs")
    if view.chip not in atlas.chips.index:
        raise unknown_name("chip", view.chip, map(str, atlas.chips.index),
                           "comparison.entries[0].first.chips")
    for name in (view.left, view.right):
        if name not in (known := layers(atlas)):
            raise unknown_name("layer", name, known, "the menu above each map")
    if view.seed is not None and not atlas.seeds:
        raise UnknownNameError("Every line of the comparison has one seed; leave out seed=.")
    if view.seed is None and atlas.seeds:
        view = dataclasses.replace(view, seed=atlas.seeds[0])
    if view.seed is not None and view.seed not in atlas.seeds:
        raise unknown_name("seed", str(view.seed), map(str, atlas.seeds), "the menu of seeds")
    if view.region is None:
        return view
    for region in atlas.regions:
        if region.lower() == view.region.lower():
            return dataclasses.replace(view, region=region)
    raise unknown_name("region", view.region, atlas.regions, "the menu of regions")


def code(atlas: Atlas, view: View) -> str:
    """Return the lines that show a view again, and those that make its layers without a map."""
    given = {"chip": view.chip, "region": view.region, "left": view.left, "right": view.right,
             "runs": list(view.runs), "swipe": view.swipe, "seed": view.seed}
    first = dataclasses.asdict(first_view(atlas)) | {"chip": None}
    shown = "".join(f", {name}={value!r}" for name, value in given.items()
                    if value != first[name] and value != list(first["runs"]))
    seed = "" if view.seed is None else f", seed={view.seed}"
    return (f"comparison = wb.compare({_compared(atlas.comparison)})\n"
            f"wb.compare_map(comparison{shown})\n\n"
            f"# the same layers without a map\n"
            f"ground = wb.chip_map(comparison, {view.chip!r}{seed})\n"
            f"wb.plot(ground, show=[{view.left!r}, {view.right!r}])")


def _compared(comparison: Comparison) -> str:
    """Return what was given to `wb.compare`, as code."""
    if comparison.study is not None:
        return f"wb.open_study({str(comparison.study.folder)!r})"
    folders = [run.folder for entry in comparison.entries for run in entry.trained]
    return f"[{', '.join(f'wb.open_run({str(folder)!r})' for folder in folders)}]"
