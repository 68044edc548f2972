"""What the lines of a comparison cost to train: parameters, memory, time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import pandas as pd

from workbench.evaluation.entries import Entry
from workbench.runs import Run


def cost_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return one row an entry; see `Comparison.costs`."""
    return pd.DataFrame([_row(entry) for entry in entries])


def _row(entry: Entry) -> dict[str, Any]:
    row = entry.facts()
    for name, part in (("in_region", "test"), ("held_out", "held_out")):
        score = entry.pooled(part)
        row |= {name: score.value, f"{name}_low": _number(score.low),
                f"{name}_high": _number(score.high)}
    learned = [run for run in entry.trained if hasattr(run.recipe, "peft")]
    times = [seconds for run in learned if (seconds := run.duration_s()) is not None]
    row["train_s"] = statistics.fmean(times) if times else math.nan
    row["memory_bytes"], row["memory_of"] = _memory(learned)
    return row


def _memory(runs: Sequence[Run]) -> tuple[float, str]:
    peaks = [peak for run in runs if (peak := run.peak_memory()) is not None]
    on_device = bool(peaks) and all(place == "device" for _, place in peaks)
    of = "device" if on_device else "host"
    sizes = [size for size, place in peaks if place == of]
    return (max(sizes), of) if sizes else (math.nan, "")


def _number(value: float | None) -> float:
    return math.nan if value is None else value
