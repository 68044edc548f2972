"""Lines of a comparison: a run, or the seeds of one recipe, all scored on the same chips."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from workbench import metrics
from workbench.errors import RunError, SplitError
from workbench.evaluation import tables
from workbench.evaluation.chipscores import OWN
from workbench.evaluation.intervals import Estimate, difference, estimate
from workbench.evaluation.scores import Scores
from workbench.evaluation.scoring import is_scored, read_scores
from workbench.runs import Run, failures

Member = tuple[Scores, Run | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A line of a comparison: one run, or the seeds of one recipe.

    Attributes:
        name: What it is called beside the others.
        seeds: Scores of each seed.
        runs: The run of each seed, None for scores that came without one or from several splits.
        trained: All runs that the scores come from.
    """

    name: str
    seeds: tuple[Scores, ...]
    runs: tuple[Run | None, ...] = ()
    trained: tuple[Run, ...] = ()

    @property
    def first(self) -> Scores:
        """The scores whose facts stand for all seeds."""
        return self.seeds[0]

    @property
    def shown(self) -> str:
        """The name as people read it; a baseline says that it is one."""
        return f"{self.name} (baseline)" if self.first.baseline else self.name

    @property
    def runs_by_seed(self) -> list[tuple[Run, ...]]:
        """The runs that predicted the chips, seed by seed: one, or one of each split, or none."""
        if any(run is not None for run in self.runs):
            return [() if run is None else (run,) for run in self.runs]
        splits = len(self.trained) // len(self.seeds)  # those of the first seed come first
        return [self.trained[place * splits : (place + 1) * splits]
                for place in range(len(self.seeds))]

    def behind(self, seed: int | None = None) -> tuple[Run, ...]:
        """Return the runs that predicted the chips: one, or one of each split.

        Args:
            seed: Their seed; without it, or where no such run is at hand, the first one.
        """
        known = {scores.seed: runs for scores, runs in zip(self.seeds, self.runs_by_seed,
                                                           strict=False) if runs}
        return known.get(seed, next(iter(known.values()), ()))  # type: ignore[arg-type]

    def pooled(self, part: str) -> Estimate:
        """Return the mIoU of a part."""
        place = tables.pooled(self.first.chips, part)
        return estimate(tables.sums(self.seeds, place), metrics.miou)

    @functools.cached_property
    def gap(self) -> Estimate:
        """What is lost where it was never trained: in region - held out."""
        test, held_out = (tables.sums(self.seeds, tables.pooled(self.first.chips, part))
                          for part in tables.PARTS)
        return difference(test, held_out, metrics.miou, same="models")

    def facts(self) -> dict[str, Any]:
        """Return what every row about this entry says."""
        return {"run": self.name, "baseline": self.first.baseline, "method": self.first.method,
                "seeds": len(self.seeds),
                "trainable_parameters": self.first.trainable_parameters}


def entries_of(runs: Sequence[Run | Scores]) -> tuple[list[Entry], dict[str, str]]:
    """Return what is compared, and why the rest cannot be.

    Raises:
        RunError: No run has scores, or there are no runs.
        SplitError: The runs were scored on other chips or classes.
    """
    found, left_out = _scored(runs)
    groups: dict[tuple[str, int], list[Member]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for scores, run in found:
        # A recipe trained twice with one seed is a repetition, not a second seed.
        again = seen[scores.recipe_key, scores.seed]
        seen[scores.recipe_key, scores.seed] += 1
        member = aligned(scores, found[0][0]), run
        groups.setdefault((scores.recipe_key, again), []).append(member)
    return _named(list(groups.values())), left_out


def _scored(given: Sequence[Run | Scores]) -> tuple[list[Member], dict[str, str]]:
    """Return the scores of what has some, and why the rest has none."""
    found: list[Member] = []
    left_out = {}
    for entry in given:
        if isinstance(entry, Scores):
            found.append((entry, None))
        elif not isinstance(entry, Run):
            raise RunError(f"{entry!r} is neither a run nor scores. Open the folder of a run "
                           "first: wb.open_run('runs/<name>').")
        elif is_scored(entry):
            found.append((read_scores(entry), entry))
        else:
            left_out[entry.name] = failures.why(entry) or f"{entry.state}, not scored yet"
    if not found:
        said = " ".join(f"{name}: {why}" for name, why in left_out.items())
        raise RunError(f"None of the runs has scores. {said}" if left_out else
                       "There is nothing to compare: pass runs, such as wb.list_runs().")
    return found, left_out


def _named(groups: Sequence[list[Member]]) -> list[Entry]:
    entries: list[Entry] = []
    for members in groups:
        seeds, runs = zip(*members, strict=True)
        name = seeds[0].run + (f" ×{len(seeds)} seeds" if len(seeds) > 1 else "")
        taken = {*OWN, *seeds[0].chips.columns, *(entry.name for entry in entries)}
        candidates = itertools.chain([name], (f"{name} ({n})" for n in itertools.count(2)))
        entries.append(Entry(next(c for c in candidates if c not in taken), seeds, runs,
                             tuple(run for run in runs if run is not None)))
    return entries


def keys(scores: Scores) -> pd.MultiIndex:
    """Return what tells the chips of scores apart: over several splits one may be in two parts."""
    return pd.MultiIndex.from_arrays([scores.chips.index, scores.chips["part"]])


def aligned(scores: Scores, first: Scores) -> Scores:
    """Return scores with their chips in the order of `first`, or say why that cannot be."""
    if scores.classes != first.classes:
        raise SplitError(
            f"{scores.run!r} has the classes {', '.join(scores.classes)}, {first.run!r} has "
            f"{', '.join(first.classes)}: their scores cannot be compared."
        )
    own, wanted = (set(zip(one.chips.index, one.chips["part"], strict=True))
                   for one in (scores, first))
    if own != wanted:
        raise SplitError(
            f"{scores.run!r} was scored on {len(own)} chips of {scores.dataset}, {first.run!r} on "
            f"{len(wanted)} of {first.dataset}; {len(own & wanted)} are the same chips in the "
            "same part. Score both on one split: wb.compare([wb.evaluate(run, split) for run in "
            "runs])."
        )
    order = keys(scores).get_indexer(keys(first))
    counts = scores.counts[order]
    if differing := int((counts.sum(-1) != first.counts.sum(-1)).any(-1).sum()):
        raise SplitError(
            f"The labels of {differing} chips were others when {scores.run!r} was scored than "
            f"when {first.run!r} was. Score both again on the same data: wb.evaluate(run)."
        )
    kept = None if scores.reliability is None else scores.reliability[order]
    return dataclasses.replace(scores, chips=scores.chips.iloc[order], counts=counts,
                               reliability=kept)
