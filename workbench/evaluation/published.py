"""The PEFT paper's table beside one's own: method by method, on one scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.errors import unknown_name
from workbench.evaluation.entries import Entry
from workbench.evaluation.intervals import Estimate
from workbench.paper import BATCH_SIZES, paper_scores
from workbench.recipe import Recipe

# Our collections, as the paper calls its datasets. The simulated floods have the regions of
# Sen1Floods11 and none of its pixels.
DATASETS = {
    "sen1floods11": "sen1floods11", "simulated-floods": "sen1floods11",
    "hls-burn-scars": "burn_scars", "reben-7k": "reBEN_7k",
    "m-cashew-plant": "m_cashew_plantation", "m-sa-crop-type": "m_sa_crop_type",
}  # fmt: skip
COLUMNS = ["source", "run", "backbone", "method", "in_region", "in_region_low", "in_region_high",
           "in_region_std", "held_out", "held_out_low", "held_out_high", "held_out_std"]


def paper_dataset(asked: str, dataset: str) -> str:
    """Return the paper's dataset for `beside="paper"` or `beside="paper:<dataset>"`.

    Raises:
        UnknownNameError: It has none such, or none like this dataset.
    """
    source, _, name = asked.partition(":")
    if source != "paper":
        raise unknown_name("table to lay beside", asked,
                           ["paper", *(f"paper:{known}" for known in BATCH_SIZES)],
                           "wb.paper_scores()")
    name = name or DATASETS.get(dataset, dataset)
    if name not in BATCH_SIZES:
        raise unknown_name("dataset in the PEFT paper", name, BATCH_SIZES,
                           'wb.compare(…, beside="paper:<dataset>"), wb.paper_scores()')
    return name


def beside_paper(entries: Sequence[Entry], dataset: str) -> pd.DataFrame:
    """Return one's own scores and the published ones, rows of one method next to each other.

    Args:
        entries: One's own.
        dataset: As the paper calls it.

    Returns:
        `source` ("here" or "paper"), `run`, `backbone`, `method`, and `in_region` and `held_out`
        as fractions: one's own with their intervals, the paper's with the standard deviation over
        the authors' runs. Of the paper, the models that are among one's own, else all.
    """
    own = [_own(entry) for entry in entries]
    published = paper_scores()
    published = published[published["dataset"] == dataset]
    tuned = {row["backbone"] for row, entry in zip(own, entries, strict=True)
             if not entry.first.baseline}
    shared = tuned & set(published["backbone"])
    if shared:
        published = published[published["backbone"].isin(shared)
                              | published["model"].str.startswith("UNet")]
    rows = [*own, *(_published(row) for row in published.to_dict("records"))]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    rows.sort(key=lambda row: methods.index(row["method"]))
    table = pd.DataFrame(rows, columns=COLUMNS)
    numbers = COLUMNS[4:]
    table[numbers] = table[numbers].astype(float)
    table.attrs["source"] = published.attrs.get("source", {})
    return table


def _own(entry: Entry) -> dict[str, Any]:
    recipe = next((run.recipe for run in entry.trained), None)
    learned = isinstance(recipe, Recipe)
    row: dict[str, Any] = {
        "source": "here", "run": entry.name,
        "backbone": recipe.backbone if isinstance(recipe, Recipe) else entry.first.method,
        "method": recipe.peft.kind if isinstance(recipe, Recipe) else "none",
    }  # fmt: skip
    if learned and entry.first.baseline:
        row["method"] = "full"
    for name, part in (("in_region", "test"), ("held_out", "held_out")):
        score = entry.pooled(part)
        row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    return row


def _published(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    share = {name: None if row.get(name) is None else row[name] / 100
             for name in ("miou", "std", "held_out_miou", "held_out_std")}
    return {"source": "paper", "run": row["model"], "backbone": row["backbone"],
            "method": row["method"], "in_region": share["miou"], "in_region_std": share["std"],
            "held_out": share["held_out_miou"], "held_out_std": share["held_out_std"]}


def shown(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows for people."""
    header = ["method", "source", "model or run", "in region: mIoU %", "held out: mIoU %"]
    rows = [[row["method"], row["source"], row["run"], _score(row, "in_region"),
             _score(row, "held_out")] for row in table.to_dict("records")]
    return header, rows


def _score(row: Mapping[Hashable, Any], name: str) -> str:
    value, low, high, std = (row[f"{name}{end}"] for end in ("", "_low", "_high", "_std"))
    if not pd.isna(low):
        return f"{Estimate(value, low, high)}"
    return f"{Estimate(value)}" + ("" if pd.isna(std) else f" ± {100 * std:.1f}")
