"""Study: methods × splits × seeds, read from its folder."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from workbench.data import Split
from workbench.errors import RunError
from workbench.events import EpochDone
from workbench.recipe import AnyRecipe, Recipe, recipe_from_json
from workbench.runs import studies_shown
from workbench.runs.cells import Cell, make_cell, rates, slugs
from workbench.runs.folder import RECIPE
from workbench.runs.listing import RunList
from workbench.runs.run import Run
from workbench.storage import read_json, write_json

STUDY, ESTIMATE, RUNS, CHOSEN = "study.json", "estimate.json", "runs", "chosen"
LOCK = ".lock"
FORMAT = 1


class Study:
    """Trainings of several methods on several splits with several seeds, and what came of them.

    The folder alone is the truth; this object reads it. `wb.study` makes one and trains what it
    lacks, `wb.open_study` opens one, `wb.compare(study)` compares its methods.

    Args:
        folder: Where it is.
        splits: Its splits by label, where they are open already.
    """

    def __init__(self, folder: Path, splits: dict[str, Split] | None = None) -> None:
        self.folder = Path(folder).absolute()
        self._asked = read_json(self.folder / STUDY)
        if self._asked.get("format") != FORMAT:
            raise RunError(f"{self.folder / STUDY} is of another version of the workbench "
                           f"(format {self._asked.get('format')!r}).")
        self._open_splits = dict(splits or {})
        self._runs: dict[str, Run] = {}

    @property
    def name(self) -> str:
        """Return the name of the study, which is its folder's."""
        return self.folder.name

    @functools.cached_property
    def recipes(self) -> dict[str, AnyRecipe]:
        """Return what is trained, by label."""
        return {label: recipe_from_json(data) for label, data in self._asked["recipes"].items()}

    @property
    def methods(self) -> list[str]:
        """Return the labels of the recipes."""
        return list(self._asked["recipes"])

    @property
    def split_names(self) -> list[str]:
        """Return the labels of the splits."""
        return list(self._asked["splits"])

    @property
    def seeds(self) -> list[int]:
        """Return the seeds."""
        return list(self._asked["seeds"])

    @property
    def learning_rates(self) -> int:
        """Return how many learning rates are tried for each method on each split."""
        return int(self._asked["learning_rates"])

    def split(self, label: str) -> Split:
        """Return a split; opens its dataset and says what it misses."""
        if label not in self._open_splits:
            opened = next(iter(self._open_splits.values()), None)
            data = self._asked["splits"][label]
            same = opened is not None and data["dataset"] == opened.to_json()["dataset"]
            self._open_splits[label] = Split.from_json(data, opened.dataset if same and opened
                                                       else None)
        return self._open_splits[label]

    def run(self, cell: Cell) -> Run | None:
        """Return the run of a cell, None before it has begun."""
        if cell.name not in self._runs:
            folder = self.folder / RUNS / cell.name
            if not (folder / RECIPE).exists():
                return None
            self._runs[cell.name] = Run(folder, self._open_splits.get(cell.split))
        return self._runs[cell.name]

    def state(self, cell: Cell) -> str:
        """Return how a cell stands: `waiting`, or as its run does."""
        run = self.run(cell)
        return "waiting" if run is None else run.state

    @functools.cached_property
    def _slugs(self) -> tuple[dict[str, str], dict[str, str]]:
        return slugs(self.methods), slugs(self.split_names)

    def trials(self, method: str, split: str) -> list[Cell]:
        """Return the trainings by which the learning rate is chosen; all have the first seed."""
        return [make_cell(method, split, self.seeds[0], rate, *self._slugs)
                for rate in rates(self.recipes[method], self.learning_rates)]

    def chosen(self, method: str, split: str) -> Cell | None:
        """Return the trial that was chosen (see `choose`), None before that."""
        path = self._choice(method, split)
        if not path.exists():
            return None
        name = read_json(path)["run"]
        return next(cell for cell in self.trials(method, split) if cell.name == name)

    def choose(self, method: str, split: str) -> Cell | None:
        """Choose the trial with the lowest validation loss, for good; None until all have ended.

        Validation chips lie in the training regions of that split: nothing held out is looked at.
        A trial that failed is out; where all failed nothing is chosen.
        """
        trials = self.trials(method, split)
        states = [self.state(cell) for cell in trials]
        if not set(states) <= {"finished", "failed"} or "finished" not in states:
            return None
        losses = {cell: best_loss(run) if (run := self.run(cell)) and state == "finished"
                  else math.inf for cell, state in zip(trials, states, strict=True)}
        best = min(trials, key=losses.__getitem__)
        write_json(self._choice(method, split), {
            "run": best.name,
            "validation_loss": {cell.name: None if loss == math.inf else loss
                                for cell, loss in losses.items()},
        })  # fmt: skip
        return best

    def _choice(self, method: str, split: str) -> Path:
        return self.folder / CHOSEN / f"{self._slugs[0][method]}-{self._slugs[1][split]}.json"

    def finals(self, method: str, split: str) -> list[Cell]:
        """Return the trainings that are scored, one a seed; empty before the choice."""
        first = self.chosen(method, split)
        if first is None:
            return []
        others = self.seeds[1:] if isinstance(self.recipes[method], Recipe) else []
        return [first, *(make_cell(method, split, seed, first.learning_rate, *self._slugs)
                         for seed in others)]

    def cells(self) -> list[Cell]:
        """Return every training that is known by now, those to be done first before the others."""
        pairs = [(method, split) for split in self.split_names for method in self.methods]
        trials = [cell for pair in pairs for cell in self.trials(*pair)]
        finals = [cell for place in range(1, len(self.seeds)) for pair in pairs
                  for cell in self.finals(*pair)[place : place + 1]]
        return [*trials, *finals]

    def size(self, method: str | None = None) -> int:
        """Return how many trainings the study, or one method of it, consists of."""
        if method is None:
            return sum(map(self.size, self.methods))
        recipe = self.recipes[method]
        seeds = len(self.seeds) - 1 if isinstance(recipe, Recipe) else 0
        return (len(rates(recipe, self.learning_rates)) + seeds) * len(self.split_names)

    @property
    def runs(self) -> RunList:
        """Return the runs that were chosen and are scored."""
        cells = [cell for split in self.split_names for method in self.methods
                 for cell in self.finals(method, split)]
        found = [run for cell in cells if (run := self.run(cell)) and run.scores()]
        return RunList(found)

    def estimate(self) -> dict[str, Any]:
        """Return what was estimated before it began, by method; empty where nothing was."""
        path = self.folder / ESTIMATE
        return read_json(path) if path.exists() else {}

    def disk_bytes(self) -> int:
        """Return what the folder takes on the disk."""
        return disk_bytes(self.folder)

    def __repr__(self) -> str:
        return studies_shown.text(self)

    def _repr_html_(self) -> str:
        return studies_shown.html(self)


def best_loss(run: Run) -> float:
    """Return the lowest validation loss of a run, infinite where there is none."""
    losses = [event.val_loss for event in run.events() if isinstance(event, EpochDone)]
    return min((loss for loss in losses if loss is not None), default=math.inf)


def disk_bytes(folder: Path) -> int:
    """Return the sum of the sizes of the files in a folder, which others may be changing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def open_study(folder: str | Path) -> Study:
    """Open a study from its folder, wherever and by whomever it was trained.

    Raises:
        RunError: There is no study there.
    """
    path = Path(folder)
    if not (path / STUDY).exists():
        raise RunError(f"{path} is not a study: it has no {STUDY}. Give the folder that wb.study "
                       "made, such as studies/<name>.")
    return Study(path)


def is_study(folder: str | Path) -> bool:
    """Return whether a folder is that of a study."""
    return (Path(folder) / STUDY).exists()


def write_request(folder: Path, recipes: dict[str, AnyRecipe], splits: dict[str, Split],
                  seeds: Sequence[int], learning_rates: int) -> None:
    """Write what is asked for; a study that is there already may grow, but not change.

    Raises:
        RunError: What was asked for before under the same labels was something else.
    """
    asked: dict[str, Any] = {
        "format": FORMAT,
        "recipes": {label: recipe.to_json() for label, recipe in recipes.items()},
        "splits": {label: split.to_json() for label, split in splits.items()},
        "seeds": list(seeds), "learning_rates": learning_rates,
    }
    folder.mkdir(parents=True, exist_ok=True)
    # Two processes may add to it at the same moment.
    with FileLock(folder / LOCK):
        if (folder / STUDY).exists():
            before = read_json(folder / STUDY)
            _refuse_changes(folder, before, asked)
            for part in ("recipes", "splits"):
                asked[part] = before[part] | asked[part]
            asked["seeds"] = list(dict.fromkeys([*before["seeds"], *seeds]))
            if asked == before:
                return
        write_json(folder / STUDY, asked)


def _refuse_changes(folder: Path, before: dict[str, Any], asked: dict[str, Any]) -> None:
    changed = [f"{part[:-1]} {label!r}" for part in ("recipes", "splits")
               for label, value in asked[part].items()
               if label in before[part] and not _same(part, before[part][label], value)]
    if before["learning_rates"] != asked["learning_rates"]:
        changed.append(f"learning_rates={before['learning_rates']}")
    if before["seeds"][0] != asked["seeds"][0]:
        changed.append(f"the first seed {before['seeds'][0]}")
    if changed:
        raise RunError(
            f"The study {folder} was begun with another {' and another '.join(changed)}. A study "
            "may grow by recipes, splits and seeds, but what it has stays comparable: give this "
            "one another name=…, or change it back."
        )


def _same(part: str, before: dict[str, Any], now: dict[str, Any]) -> bool:
    if part == "recipes":
        return (before["kind"], before["given"]) == (now["kind"], now["given"])
    # Where the files lie may change, which chips are in which part may not.
    return (before["parts"], before["dataset"]["hash"]) == (now["parts"], now["dataset"]["hash"])
