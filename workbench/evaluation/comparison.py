"""compare: runs side by side on the same chips, with differences that are paired."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench import metrics
from workbench.errors import RunError, SplitError
from workbench.evaluation import tables
from workbench.evaluation.intervals import LEVEL, Estimate, difference, estimate, holm
from workbench.evaluation.scores import Scores
from workbench.evaluation.scoring import read_scores
from workbench.evaluation.verdicts import sentence
from workbench.reprs import html_card, html_notes, html_table, readable_count, text_table
from workbench.runs import Run

_MOST_SENTENCES = 15


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A line of a comparison: one run, or the seeds of one recipe.

    Attributes:
        name: What it is called beside the others.
        seeds: Scores of each seed.
        runs: The run of each seed, None for scores that came without one.
    """

    name: str
    seeds: tuple[Scores, ...]
    runs: tuple[Run | None, ...] = ()

    @property
    def first(self) -> Scores:
        """The scores whose facts stand for all seeds."""
        return self.seeds[0]

    @property
    def shown(self) -> str:
        """The name as people read it; a baseline says that it is one."""
        return f"{self.name} (baseline)" if self.first.baseline else self.name

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


class Comparison:
    """Runs scored on the same chips.

    `table()` has one row for each place and run, `gap()` one for each run, `differences()` one
    for each place and pair of runs, `verdicts()` says the differences in words.
    """

    def __init__(self, entries: Sequence[Entry], by: str) -> None:
        self.entries = tuple(entries)
        self.by = by

    @property
    def runs(self) -> list[str]:
        """Names of what is compared, in order."""
        return [entry.name for entry in self.entries]

    def table(self, by: str | None = None) -> pd.DataFrame:
        """Return the scores of every run at every place, as `Scores.table` has them.

        Args:
            by: `region`, `cluster`, `date`, `part` or `class`; by default what was asked of
                `compare`.
        """
        found = []
        for entry in self.entries:
            rows = tables.score_table(entry.seeds, by or self.by)
            for position, (name, value) in enumerate(entry.facts().items()):
                rows.insert(position, name, value)
            found.append(rows.assign(_order=range(len(rows))))
        joined = pd.concat(found, ignore_index=True).sort_values("_order", kind="stable")
        return joined.drop(columns="_order").reset_index(drop=True)

    def gap(self) -> pd.DataFrame:
        """Return mIoU in region, held out, and the gap between them, one row for each run.

        In region and held out are different places, which are drawn apart; the seeds are the
        same in both.
        """
        rows = []
        for entry in self.entries:
            row = entry.facts()
            columns = {"in_region": entry.pooled("test"), "held_out": entry.pooled("held_out"),
                       "gap": entry.gap}
            for name, value in columns.items():
                row |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
            rows.append({**row, "why": entry.gap.why})
        numbers = [f"{name}{end}" for name in columns for end in ("", "_low", "_high")]
        return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))

    def differences(self, by: str | None = None) -> pd.DataFrame:
        """Return the difference in mIoU of every pair of runs at every place, paired by place.

        Args:
            by: As in `table`, but not `class`. By default what was asked of `compare`; then the
                totals are left out, because they hold the same chips again.

        Returns:
            `difference` (`run` - `other`) with its interval, `p`, `p_holm` corrected for the
            places shown, and `verdict`: `better`, `worse`, `no difference shown`, `no verdict`.
        """
        by = by or self.by
        chips = self.entries[0].first.chips
        places = [place for place in tables.places(chips, "region" if by == "class" else by)
                  if by == "part" or place.label != tables.PARTS[place.part]]
        rows = [row for first, second in itertools.combinations(self.entries, 2)
                for row in _pair(first, second, places)]
        return pd.DataFrame(rows, columns=_DIFFERENCE_COLUMNS)

    def verdicts(self, by: str | None = None) -> list[str]:
        """Return the differences as sentences, one for each pair of runs.

        Nothing is called better when the interval of its difference includes 0, or when it is
        not significant once corrected (Holm) for the number of places looked at.
        """
        table = self.differences(by)
        return [sentence(str(first), str(second), rows) for (first, second), rows
                in table.groupby(["run", "other"], sort=False)]

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        header = ["run", "parameters trained", "in region: mIoU %", "held out: mIoU %",
                  "gap: points"]
        rows = [[entry.shown, _parameters(entry.first.trainable_parameters),
                 f"{entry.pooled('test')}", f"{entry.pooled('held_out')}", f"{entry.gap}"]
                for entry in self.entries]
        return header, rows

    def _regions(self) -> tuple[list[str], list[list[str]]]:
        table = tables.formatted(self.table())
        score = "iou" if self.by == "class" else "miou"
        rows = []
        for (part, place), group in table.groupby(["part", self._place_column()], sort=False):
            if place != part:
                rows.append([str(place), str(part), str(group["clusters"].iloc[0]), *group[score]])
        return [self._place_column(), "part", "clusters", *self.runs], rows

    def _place_column(self) -> str:
        return "region" if self.by == "part" else self.by

    def _title(self) -> str:
        first = self.entries[0].first
        return f"{len(self.entries)} runs on {first.dataset}" + tables.simulated_note(
            first.simulated)

    def _notes(self) -> list[str]:
        chips = self.entries[0].first.chips
        notes = [tables.INTERVAL_NOTE]
        for part, label in tables.PARTS.items():
            if why := tables.sums(self.entries[0].seeds, tables.pooled(chips, part)).why:
                notes.append(f"{label}: {why}")
        if any(len(entry.seeds) == 1 and not entry.first.baseline for entry in self.entries):
            notes.append("Runs trained with one seed: intervals cover places, not the luck of "
                         "training. Fit the recipe with other seeds too: recipe.but(seed=1).")
        watched = [entry.name for entry in self.entries if any(one.watched for one in entry.seeds)]
        if watched:
            notes.append(f"Held-out regions were watched while {', '.join(watched)} trained: what "
                         "was decided after a look at them makes their scores too good.")
        if not any(entry.first.baseline for entry in self.entries):
            notes.append("No baseline is among these runs: fit wb.baselines(dataset) beside them.")
        return notes

    def _sentences(self) -> list[str]:
        said = self.verdicts("part")
        more = len(said) - _MOST_SENTENCES
        return said if more <= 0 else [
            *said[:_MOST_SENTENCES], f"… and {more} more pairs: comparison.verdicts()"]

    def __repr__(self) -> str:
        _, regions = shown = self._regions()
        blocks = [self._title(), text_table(*self._shown()), *self._sentences(),
                  *([text_table(*shown)] if regions else []), *self._notes()]
        return "\n".join(blocks)

    def _repr_html_(self) -> str:
        _, regions = shown = self._regions()
        blocks = [html_table(*self._shown()), html_notes(self._sentences()),
                  html_table(*shown) if regions else "", html_notes(self._notes())]
        return html_card(self._title(), body="".join(blocks))


def compare(runs: Iterable[Run | Scores], by: str = "region") -> Comparison:
    """Compare runs by their stored scores; nothing is predicted again.

    Runs that share everything but the seed become one line, whose interval covers the seeds too.

    Args:
        runs: Evaluated runs (`wb.fit` evaluates them), or scores from `wb.evaluate`.
        by: What the rows are: `region`, `part`, `class`, `cluster` or `date`.

    Raises:
        RunError: A run has no scores, or there are no runs.
        SplitError: The runs were scored on other chips or classes, and cannot be compared.
        UnknownNameError: There is nothing to group by that name.
    """
    given = list(runs)
    scores = [entry if isinstance(entry, Scores) else read_scores(entry) for entry in given]
    if not scores:
        raise RunError("There is nothing to compare: pass runs, such as wb.list_runs().")
    if by != "class":
        tables.places(scores[0].chips, by)
    groups: dict[tuple[str, int], list[tuple[Scores, Run | None]]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for entry, source in zip(scores, given, strict=True):
        # A recipe trained twice with one seed is a repetition, not a second seed.
        again = seen[entry.recipe_key, entry.seed]
        seen[entry.recipe_key, entry.seed] += 1
        member = _aligned(entry, scores[0]), source if isinstance(source, Run) else None
        groups.setdefault((entry.recipe_key, again), []).append(member)
    return Comparison(_named(list(groups.values())), by)


def _named(groups: Sequence[list[tuple[Scores, Run | None]]]) -> list[Entry]:
    entries: list[Entry] = []
    for members in groups:
        seeds, runs = zip(*members, strict=True)
        name = seeds[0].run + (f" ×{len(seeds)} seeds" if len(seeds) > 1 else "")
        taken = {entry.name for entry in entries}
        candidates = itertools.chain([name], (f"{name} ({n})" for n in itertools.count(2)))
        entries.append(Entry(next(c for c in candidates if c not in taken), seeds, runs))
    return entries


def _aligned(scores: Scores, first: Scores) -> Scores:
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
    order = scores.chips.index.get_indexer(first.chips.index)
    counts = scores.counts[order]
    if differing := int((counts.sum(-1) != first.counts.sum(-1)).any(-1).sum()):
        raise SplitError(
            f"The labels of {differing} chips were others when {scores.run!r} was scored than "
            f"when {first.run!r} was. Score both again on the same data: wb.evaluate(run)."
        )
    return dataclasses.replace(scores, chips=scores.chips.iloc[order], counts=counts)


_DIFFERENCE_COLUMNS = ["run", "other", "region", "part", "difference", "low", "high", "p",
                       "p_holm", "verdict", "why"]


def _pair(first: Entry, second: Entry, places: Sequence[tables.Place]) -> list[dict[str, Any]]:
    found = [difference(tables.sums(first.seeds, place), tables.sums(second.seeds, place),
                        metrics.miou, same="places") for place in places]
    known = [value.p for value in found if value.p is not None]
    corrected = iter(holm(known))
    rows = []
    for place, value in zip(places, found, strict=True):
        p_holm = math.nan if value.p is None else next(corrected)
        rows.append({
            "run": first.name, "other": second.name, "region": place.label,
            "part": tables.PARTS[place.part], "difference": value.value,
            "low": _number(value.low), "high": _number(value.high), "p": _number(value.p),
            "p_holm": p_holm, "verdict": _verdict(value, p_holm), "why": value.why,
        })  # fmt: skip
    return rows


def _verdict(value: Estimate, p_holm: float) -> str:
    if value.low is None or value.high is None:
        return "no verdict"
    if p_holm >= 1 - LEVEL or value.low <= 0 <= value.high:
        return "no difference shown"
    return "better" if value.value > 0 else "worse"


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _parameters(count: int | None) -> str:
    return "–" if count is None else readable_count(count)
