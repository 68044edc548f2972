"""How a dataset shows itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from workbench.data.folder import count_kinds
from workbench.data.info import count_dates
from workbench.reprs import html_card, html_table, text_table

if TYPE_CHECKING:
    from workbench.data.dataset import Dataset
    from workbench.data.split import Split


def _facts(dataset: Dataset) -> dict[str, str]:
    info = dataset.info
    counts = dataset.class_counts()
    total = sum(counts) or 1
    gsd = f" · {info.gsd_m:g} m" if info.gsd_m else ""
    facts = {
        "chips": f"{len(dataset)} of {info.chip_shape[0]} × {info.chip_shape[1]} pixels{gsd}"
                 + (f" · {count_dates(info.num_frames)}" if info.num_frames > 1 else ""),
        "bands": ", ".join(info.bands),
        "classes": ", ".join(
            f"{entry.name} {count / total:.1%}"
            for entry, count in zip(info.classes, counts, strict=True)
        ),
    }
    if nowhere := int(dataset.chips.geometry.isna().sum()):
        facts["not on the map"] = f"{nowhere} without georeference; they train all the same"
    if dataset.skipped:
        facts["left out"] = count_kinds(dataset.skipped)
    if info.notes:
        facts["mind"] = "; ".join(info.notes)
    return facts


def _regions(dataset: Dataset) -> tuple[list[str], list[list[str]]]:
    names = [entry.name for entry in dataset.classes]
    rows = []
    for region, chips in dataset.chips.groupby("region"):
        counts = [int(chips[f"count_{index}"].sum()) for index in range(len(names))]
        total = sum(counts) or 1
        rows.append([
            str(region), str(len(chips)), str(chips["cluster"].nunique()),
            *(f"{count / total:.1%}" for count in counts),
        ])
    return ["region", "chips", "clusters", *names], rows


def _title(dataset: Dataset) -> str:
    return dataset.info.name + (" (simulated)" if dataset.info.simulated else "")


def dataset_text(dataset: Dataset) -> str:
    """Return the facts and a table of regions."""
    facts = "\n".join(f"  {name}: {fact}" for name, fact in _facts(dataset).items())
    header, rows = _regions(dataset)
    return f"Dataset {_title(dataset)}\n{facts}\n{text_table(header, rows)}"


def dataset_html(dataset: Dataset) -> str:
    """Return the facts and a table of regions as HTML."""
    header, rows = _regions(dataset)
    return html_card(_title(dataset), _facts(dataset), body=html_table(header, rows))


def split_html(split: Split) -> str:
    """Return the split's line and its chips by region and part as HTML."""
    regions = split.dataset.chips["region"]
    counts = {part: Counter(regions.loc[list(chips)]) for part, chips in split.parts.items()}
    rows = [
        [region, *(counts[part][region] or "·" for part in counts)]
        for region in split.dataset.regions
    ]
    header = ["region", *(part.replace("_", " ") for part in counts)]
    return html_card(repr(split), body=html_table(header, rows))
