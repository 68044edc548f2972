"""Scores: confusion counts of every chip, and what follows from them."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench import metrics
from workbench.errors import RunError
from workbench.evaluation import tables
from workbench.evaluation.chipcolumns import columns_from_json, columns_to_json
from workbench.evaluation.grouping import By
from workbench.evaluation.intervals import Estimate, difference, estimate
from workbench.metrics import RELIABILITY_BINS, Counts, Histogram
from workbench.reprs import html_card, html_table, text_table
from workbench.storage import read_json, write_text

FORMAT = 1


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """How a run predicted the chips of a split: counts and histograms, kept for each chip.

    Attributes:
        run: Name of the run.
        method: Name of its recipe, such as `workbench_tiny-lora-unet`.
        baseline: Whether it is what fine-tuning has to beat: an index, or trained from scratch.
        seed: Seed of its training.
        recipe_key: Equal for runs that share everything but the seed: recipe, training chips.
        trainable_parameters: Of the model, where they are known.
        dataset: Name of the dataset that was predicted.
        simulated: Whether its pixels were computed, not measured.
        classes: Names of the classes.
        chips: One row a chip, indexed by chip id: `part` (`test` or `held_out`), `region`,
            `cluster`, `date`, what else the dataset says of it, and its footprint in EPSG:4326
            (`geometry`) where it is known.
        counts: Pixels ``(chip, K, K)`` int64, true class by predicted class.
        watched: Whether the scores of held-out regions were shown while it trained.
        reliability: Histograms ``(chip, bin, 3)`` as `metrics.reliability` makes them; None in
            scores that were stored before they were kept.
    """

    run: str
    method: str
    baseline: bool
    seed: int
    recipe_key: str
    trainable_parameters: int | None
    dataset: str
    simulated: bool
    classes: tuple[str, ...]
    chips: pd.DataFrame
    counts: Counts
    watched: bool = False
    reliability: Histogram | None = None

    @functools.cached_property
    def in_region(self) -> Estimate:
        """Mean IoU on the test chips of the regions trained on."""
        return self._pooled("test")

    @functools.cached_property
    def held_out(self) -> Estimate:
        """Mean IoU on the regions that training never saw."""
        return self._pooled("held_out")

    @functools.cached_property
    def gap(self) -> Estimate:
        """What the run loses where it was never trained: in region - held out."""
        test, held_out = (tables.sums([self], tables.pooled(self.chips, part))
                          for part in ("test", "held_out"))
        return difference(test, held_out, metrics.miou, same="models")

    def _pooled(self, part: str) -> Estimate:
        return estimate(tables.sums([self], tables.pooled(self.chips, part)), metrics.miou)

    def table(self, by: By = "region") -> pd.DataFrame:
        """Return the scores as a table; fractions 0 to 1, NaN where there is none.

        Args:
            by: `region`, `cluster`, `date`, `month` (of the year) or any column of `chips`; a
                GeoDataFrame of polygons, each of which takes the chips whose middle it holds
                (`wb.compare(…, exact=True)` cuts chips);
                `part` for the two totals alone, or `class`. A column with many numbers is cut into
                quarters.

        Returns:
            Totals first (`in region`, `held out`), then one row for each place, with chips,
            clusters, `miou`, `accuracy`, `f1`, `precision`, `recall` (means over classes) and
            `iou_<class>`, each with its interval (`low` and `high` for mIoU, `<score>_low` and
            `<score>_high` for the others), `why` there is none, and `ece`, the calibration error,
            without one (draws of a distance are biased away from 0). By class: `iou`, `f1`,
            `precision` and `recall`.
        """
        return tables.score_table([self], by)

    def summary(self) -> dict[str, Any]:
        """Return what a run says of itself: mIoU by part and region, as plain data."""
        table = self.table()
        summary: dict[str, Any] = {}
        for part, label in tables.PARTS.items():
            rows = table[table["part"] == label]
            if len(rows):
                total, regions = rows.iloc[0], rows.iloc[1:]
                summary[part] = {
                    **{name: _plain(total[name]) for name in ("miou", "low", "high")},
                    "chips": int(total["chips"]), "clusters": int(total["clusters"]),
                    "why": total["why"],
                    "regions": dict(zip(regions["region"], map(_plain, regions["miou"]),
                                        strict=True)),
                }  # fmt: skip
        if len(summary) == 2:
            gap = self.gap
            summary["gap"] = {"miou": _plain(gap.value), "low": gap.low, "high": gap.high,
                              "why": gap.why}
        return summary

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        table = tables.formatted(self.table())
        header = ["region", "part", "chips", "clusters", "mIoU %", "accuracy %",
                  *(f"IoU {name} %" for name in self.classes)]
        names = ["region", "part", "chips", "clusters", "miou", "accuracy",
                 *(f"iou_{name}" for name in self.classes)]
        return header, table[names].to_numpy().tolist()

    def _title(self) -> str:
        return f"Scores of {self.run} on {self.dataset}" + tables.simulated_note(self.simulated)

    def _notes(self) -> list[str]:
        notes = [f"gap between in region and held out: {self.gap} points", tables.INTERVAL_NOTE]
        return notes if self.reliability is not None else [*notes, tables.NO_CALIBRATION]

    def __repr__(self) -> str:
        return "\n".join([self._title(), text_table(*self._shown()), *self._notes()])

    def _repr_html_(self) -> str:
        return html_card(self._title(), body=html_table(*self._shown()), notes=self._notes())

    def write(self, path: Path) -> None:
        """Write everything as one JSON file, whole or not at all."""
        facts = {name: getattr(self, name) for name in _FACTS}
        counts = self.counts.reshape(len(self.chips), -1).tolist()
        data = {"format": FORMAT, **facts, "chips": columns_to_json(self.chips), "counts": counts}
        if self.reliability is not None:
            data["reliability"] = self.reliability.reshape(len(self.chips), -1).tolist()
        write_text(path, json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n")

    @staticmethod
    def read(path: Path) -> Scores:
        """Read what `write` wrote.

        Raises:
            RunError: The file is of another version or was damaged.
        """
        data = read_json(path)
        try:
            return _from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{path} does not hold the scores of this version of the workbench ({error!r}). "
                "Make them again: wb.evaluate(run)."
            ) from error


_FACTS = ("run", "method", "baseline", "seed", "recipe_key", "trainable_parameters", "dataset",
          "simulated", "classes", "watched")


def _from_json(data: Mapping[str, Any]) -> Scores:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}")
    # Before it could be chosen, nobody watched.
    facts = {name: data[name] for name in _FACTS if name != "watched"}
    facts["watched"] = data.get("watched", False)
    facts["classes"] = classes = tuple(facts["classes"])
    chips = columns_from_json(data["chips"])
    counts = np.asarray(data["counts"], np.int64).reshape(len(chips), len(classes), len(classes))
    histograms = None
    if "reliability" in data:
        histograms = np.asarray(data["reliability"], float).reshape(-1, RELIABILITY_BINS, 3)
        if len(histograms) != len(chips):
            raise ValueError(f"{len(histograms)} histograms of {len(chips)} chips")
    return Scores(**facts, chips=chips, counts=counts, reliability=histograms)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
