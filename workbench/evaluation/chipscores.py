"""Scores of single chips, run by run: where all fail, and where they disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import geopandas
import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench import metrics
from workbench.errors import unknown_name
from workbench.evaluation.scores import Scores
from workbench.evaluation.tables import PARTS, of_class
from workbench.metrics import Counts

# Columns beside those of the chips and of the runs.
OWN = ("part", "pixels", "mean", "spread", "geometry")


def chip_table(runs: Mapping[str, tuple[Scores, ...]], score: str) -> pd.DataFrame:
    """Return one row a chip, the worst first; see `Comparison.chips`."""
    first = next(iter(runs.values()))[0]
    metric = _metric(score, first.classes)
    values = {name: _mean([metric(scores.counts) for scores in seeds])
              for name, seeds in runs.items()}
    tuned = [name for name, seeds in runs.items() if not seeds[0].baseline] or list(runs)
    matrix = np.stack([values[name] for name in tuned], axis=1)
    table = first.chips.assign(part=first.chips["part"].map(PARTS),
                               pixels=first.counts.sum((-2, -1)), **values)
    table["mean"] = _mean(list(matrix.T))
    table["spread"] = matrix.max(axis=1) - matrix.min(axis=1)
    if isinstance(table, geopandas.GeoDataFrame):
        table["geometry"] = table.pop("geometry")  # last, as geopandas has it
        table = table.set_geometry("geometry", crs=first.chips.crs)
    return table.sort_values("mean", kind="stable")


def _metric(score: str, classes: tuple[str, ...]) -> Callable[[Counts], npt.NDArray]:
    known: dict[str, Callable[[Counts], npt.NDArray]] = {
        "miou": metrics.miou, "accuracy": metrics.accuracy, "f1": metrics.mean_f1,
        "precision": metrics.mean_precision, "recall": metrics.mean_recall,
    }
    known |= {f"iou_{name}": of_class(metrics.iou, index) for index, name in enumerate(classes)}
    if score not in known:
        raise unknown_name("score of a chip", score, known, "comparison.chips()")
    return known[score]


def _mean(columns: list[npt.NDArray]) -> npt.NDArray:
    """Return the mean over what is known, NaN where nothing is."""
    stacked = np.stack(columns)
    with np.errstate(invalid="ignore"):  # 0 / 0; `warnings.catch_warnings` is not thread-safe
        return np.nansum(stacked, axis=0) / np.isfinite(stacked).sum(axis=0)
