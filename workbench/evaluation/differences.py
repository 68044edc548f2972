"""Differences between two lines of a comparison, place by place, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from workbench import metrics
from workbench.evaluation import tables
from workbench.evaluation.entries import Entry
from workbench.evaluation.intervals import LEVEL, Estimate, difference, holm

COLUMNS = ["run", "other", "region", "part", "difference", "low", "high", "p",
           "p_holm", "verdict", "why"]


def pair(first: Entry, second: Entry, places: Sequence[tables.Place]) -> list[dict[str, Any]]:
    """Return the rows of `Comparison.differences` about two runs."""
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
    return math.nan if value is None else value
