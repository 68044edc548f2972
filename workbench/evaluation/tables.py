"""Counts per chip, added up by place and written as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench import metrics
from workbench.evaluation.grouping import By, column_of, members
from workbench.evaluation.intervals import (
    Estimate,
    Metric,
    Sums,
    estimate,
    point,
    sum_by_cluster,
)
from workbench.metrics import Counts

if TYPE_CHECKING:
    from workbench.evaluation.scores import Scores

PARTS = {"test": "in region", "held_out": "held out"}
INTERVAL_NOTE = (
    "[low, high]: 95 % bootstrap interval over independent places; none with fewer than five."
)
NO_CALIBRATION = (
    "No calibration: the scores were stored before reliability was kept; wb.evaluate(run) again."
)
_MEANS = {"f1": metrics.mean_f1, "precision": metrics.mean_precision,
          "recall": metrics.mean_recall}
_SCORES = ("miou", "accuracy", "f1", "iou", "precision", "recall")


@dataclass(frozen=True, eq=False)
class Place:
    """Chips that are reported together, and which of them are not independent of each other."""

    label: str
    part: str
    members: npt.NDArray[np.bool_]
    clusters: npt.NDArray


def pooled(chips: pd.DataFrame, part: str) -> Place:
    """Return all chips of a part."""
    return _place(chips, PARTS[part], part, (chips["part"] == part).to_numpy())


def places(chips: pd.DataFrame, by: By) -> list[Place]:
    """Return the totals of both parts (where they have chips), then the places of each.

    Args:
        chips: Columns `part`, `region`, `cluster`, `date`, and whatever else is known of them.
        by: As for `grouping.members`; `part` gives the totals alone.
    """
    parts = [part for part in PARTS if (chips["part"] == part).any()]
    found = [pooled(chips, part) for part in parts]
    if isinstance(by, str) and by == "part":
        return found
    groups = list(members(chips, by))
    for part in parts:
        inside = (chips["part"] == part).to_numpy()
        found += [_place(chips, label, part, inside & own) for label, own in groups
                  if (inside & own).any()]
    return found


def is_total(place: Place) -> bool:
    """Return whether a place is a whole part."""
    return place.label == PARTS[place.part]


def worst_first(entries: Sequence[Sequence[Scores]], found: Sequence[Place]) -> list[Place]:
    """Return the totals, then the places by their mean mIoU over runs, the lowest first."""
    def score(place: Place) -> float:
        values = [point(sums(seeds, place), metrics.miou) for seeds in entries]
        known = [value for value in values if not math.isnan(value)]
        return sum(known) / len(known) if known else math.inf

    return [*filter(is_total, found),
            *sorted((place for place in found if not is_total(place)), key=score)]


def _place(chips: pd.DataFrame, label: str, part: str, members: npt.NDArray[np.bool_]) -> Place:
    chosen = chips[members]
    # Where regions are pooled, a region (one event) is what is independent of the others.
    column = "region" if chosen["region"].nunique() > 1 else "cluster"
    return Place(label, part, members, chosen[column].to_numpy())


def sums(seeds: Sequence[Scores], place: Place) -> Sums:
    """Return the counts of a place by seed and cluster; the runs have the same chips."""
    return sum_by_cluster(np.stack([scores.counts[place.members] for scores in seeds]),
                          place.clusters)


def calibration(seeds: Sequence[Scores], place: Place) -> Sums | None:
    """Return the reliability histograms of a place, None where a seed has none."""
    kept = [scores.reliability for scores in seeds]
    if any(histograms is None for histograms in kept):
        return None
    return sum_by_cluster(np.stack([histograms[place.members] for histograms in kept
                                    if histograms is not None]), place.clusters)


def score_table(seeds: Sequence[Scores], by: By) -> pd.DataFrame:
    """Return the scores of a run, or of the seeds of one recipe (`Scores.table`)."""
    chips, classes = seeds[0].chips, seeds[0].classes
    if isinstance(by, str) and by == "class":
        rows = [class_row(seeds, place, index) for place in places(chips, "part")
                for index in range(len(classes))]
    else:
        rows = [place_row(seeds, place, by) for place in places(chips, by)]
    return pd.DataFrame(rows)


def place_row(seeds: Sequence[Scores], place: Place, by: By) -> dict[str, Any]:
    """Return the scores of a place, each with its interval; ECE has none (see `Scores.table`)."""
    totals = sums(seeds, place)
    miou = estimate(totals, metrics.miou)
    row = {
        column_of(by): place.label, "part": PARTS[place.part],
        "chips": int(place.members.sum()), "clusters": totals.clusters,
        "miou": miou.value, "low": _bound(miou.low), "high": _bound(miou.high),
    }  # fmt: skip
    row |= _columns("accuracy", estimate(totals, metrics.accuracy))
    for name, score in _MEANS.items():
        row |= _columns(name, estimate(totals, score))
    histograms = calibration(seeds, place)
    row["ece"] = math.nan if histograms is None else point(histograms, metrics.ece)
    for index, name in enumerate(seeds[0].classes):
        row |= _columns(f"iou_{name}", estimate(totals, of_class(metrics.iou, index)))
    return {**row, "why": miou.why}


def class_row(seeds: Sequence[Scores], place: Place, index: int) -> dict[str, Any]:
    """Return the scores of one class in a place, each with its interval."""
    totals = sums(seeds, place)
    iou = estimate(totals, of_class(metrics.iou, index))
    row = {"class": seeds[0].classes[index], "part": PARTS[place.part], "clusters": totals.clusters,
           "iou": iou.value, "low": _bound(iou.low), "high": _bound(iou.high)}
    for score in (metrics.f1, metrics.precision, metrics.recall):
        row |= _columns(score.__name__, estimate(totals, of_class(score, index)))
    return {**row, "why": iou.why}


def of_class(score: Callable[[Counts], metrics.Scores], index: int) -> Metric:
    """Return the score of one class."""
    return lambda counts: score(counts)[..., index]


def _columns(name: str, value: Estimate) -> dict[str, float]:
    return {name: value.value, f"{name}_low": _bound(value.low), f"{name}_high": _bound(value.high)}


def _bound(value: float | None) -> float:
    return math.nan if value is None else value


def formatted(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for people: each score in percent with its interval in one cell."""
    shown = {}
    for name, low, high in _score_columns(table):
        shown[name] = [f"{_estimate(*row)}" for row in table[[name, low, high]].to_numpy()]
    rest = {name: table[name] for name in table.columns
            if name not in shown and not name.endswith(("low", "high"))}
    return pd.DataFrame({**rest, **shown})[[name for name in table.columns
                                            if name in rest or name in shown]]


def _score_columns(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    for name in table.columns:
        if f"{name}_low" in table:
            yield name, f"{name}_low", f"{name}_high"
        elif name in _SCORES and "low" in table:
            yield name, "low", "high"


def _estimate(value: float, low: float, high: float) -> Estimate:
    if math.isnan(low):
        return Estimate(value)
    return Estimate(value, low, high)


def simulated_note(simulated: bool) -> str:
    """Return what a title adds where the pixels were computed."""
    return " (simulated data)" if simulated else ""
