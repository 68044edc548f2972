"""What is shown on the map of regions: a score of one run, or the difference between two."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from workbench.evaluation.comparison import Comparison
from workbench.evaluation.tables import PARTS
from workbench.reprs import readable_percent

# Both read with any colour vision, and their ends in light and dark themes alike.
_SCORES, _DIFFERENCES = "cividis", "PuOr"
UNKNOWN = "#9aa4b0"


@dataclass(frozen=True)
class Measure:
    """mIoU of a run, or how much better it is than another one.

    Attributes:
        run: Name of the run.
        other: Name of the run that it is held against.
    """

    run: str
    other: str | None = None

    def __str__(self) -> str:
        return self.run if self.other is None else f"{self.run} − {self.other}"


class Place(NamedTuple):
    """A region on the map: its value in 0..1, what is said of it, and whether that is certain."""

    value: float
    text: str
    certain: bool


def measures(runs: Sequence[str]) -> list[Measure]:
    """Return what can be shown: each run, then the differences of each to the others."""
    pairs = [Measure(run, other) for place, run in enumerate(runs) for other in runs[place + 1 :]]
    return [*(Measure(run) for run in runs), *pairs]


def places(comparison: Comparison, measure: Measure) -> dict[str, Place]:
    """Return the value of each region; certain is what an interval or a verdict supports.

    Over several splits it is that of the models which held the region out, where some did.
    """
    if measure.other is None:
        table = comparison.table("region")
        rows = table[(table["run"] == measure.run) & ~table["region"].isin(PARTS.values())]
        return {row["region"]: Place(row["miou"], _score(row), not math.isnan(row["low"]))
                for row in _held_out_last(rows)}
    table = comparison.differences("region")
    rows = table[(table["run"] == measure.run) & (table["other"] == measure.other)]
    return {row["region"]: Place(row["difference"], _difference(row),
                                 row["verdict"] in ("better", "worse"))
            for row in _held_out_last(rows)}


def _held_out_last(rows: pd.DataFrame) -> list[dict]:
    held_out = rows["part"] == PARTS["held_out"]
    return [*rows[~held_out].to_dict("records"), *rows[held_out].to_dict("records")]


def _score(row: dict) -> str:
    interval = "" if math.isnan(row["low"]) \
        else f" [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    return f"mIoU {readable_percent(row['miou'])}{interval} · {row['chips']} chips"


def _difference(row: dict) -> str:
    interval = "" if math.isnan(row["low"]) \
        else f" [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
    return f"{100 * row['difference']:+.1f} points{interval} · {row['verdict']}"


@dataclass(frozen=True)
class Scale:
    """Colours from one value to another."""

    low: float
    high: float
    name: str

    def color(self, value: float) -> str:
        """Return the colour of a value; beyond the ends it stays theirs."""
        if math.isnan(value):
            return UNKNOWN
        share = (value - self.low) / ((self.high - self.low) or 1)
        return to_hex(colormaps[self.name](min(max(share, 0.0), 1.0)))

    def gradient(self) -> str:
        """Return the colours as a CSS gradient."""
        stops = ", ".join(to_hex(colormaps[self.name](step / 8)) for step in range(9))
        return f"linear-gradient(90deg, {stops})"

    def ends(self, measure: Measure, unit: str | None = None) -> tuple[str, str]:
        """Return the two ends as text, the second with the unit."""
        unit = unit or ("mIoU %" if measure.other is None else "points of mIoU")
        sign = "+" if measure.other else ""
        return f"{100 * self.low:{sign}.0f}", f"{100 * self.high:{sign}.0f} {unit}"

    def html(self, measure: Measure, unit: str | None = None) -> str:
        """Return the scale as a bar with its ends, and what it measures."""
        low, high = self.ends(measure, unit)
        return (f'<div class="wb-scale"><b>{escape(str(measure))}</b><span>{escape(low)}</span>'
                f'<i style="background:{self.gradient()}"></i><span>{escape(high)}</span></div>')


def scale(values: Iterable[float], measure: Measure) -> Scale:
    """Return a scale that holds values, in round numbers; that of differences has 0 in its middle.

    Args:
        values: Fractions; NaN is no value.
        measure: What they are.
    """
    known = [value for value in values if not math.isnan(value)]
    if measure.other is not None:
        reach = math.ceil(100 * max([0.01, *map(abs, known)])) / 100
        return Scale(-reach, reach, _DIFFERENCES)
    low = math.floor(20 * min(known, default=0.0)) / 20
    return Scale(low, max(math.ceil(20 * max(known, default=1.0)) / 20, low + 0.05), _SCORES)
