"""A comparison as a page: scores, verdicts, the map of regions, chips with layers and a swipe."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.data.split import display_name
from workbench.errors import DataError, unknown_name
from workbench.evaluation import Comparison
from workbench.evaluation.atlas import Atlas
from workbench.evaluation.tables import PARTS, formatted, simulated_note
from workbench.plots import PLOTS
from workbench.plots.chip_map import layer, layer_names
from workbench.plots.map import ground_width, round_length
from workbench.prediction.grid import array_grid
from workbench.reporting.page import Entry, Figure, figure, write_page
from workbench.reporting.regions import RegionMap, anchor, region_map
from workbench.reprs import readable_count

# Runs whose layers are on the page; with more it would be long in loading.
_MOST_RUNS = 6
# Chips on the page where it is not said which: enough for one in each of a dozen regions.
_MOST_CHIPS = 12


@dataclass(frozen=True)
class Ground:
    """A chip: where it is, how each run does, and its layers as pictures by name."""

    chip: str
    anchor: str
    region: str
    held_out: bool
    facts: str
    wrong: list[tuple[str, str]]
    layers: dict[str, str]
    scale_percent: float
    scale_text: str


@dataclass(frozen=True)
class Report:
    """Everything that stands on the page."""

    title: str
    version: str
    made: str
    simulated: bool
    notes: list[str]
    header: list[str]
    rows: list[list[str]]
    verdicts: list[str]
    figure: Figure
    regions: RegionMap | None
    table_header: list[str]
    table_rows: list[list[str]]
    layers: list[str]
    left: str
    right: str
    legend: list[Entry]
    intro: str
    grounds: list[Ground]
    footer: str


def write(comparison: Comparison, path: str | Path, *,
          chips: Sequence[str] | None = None) -> Path:
    """Write a comparison as one file; see `Comparison.report`."""
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise DataError(f"{path} does not end in .html; a report is a page.")
    write_page("workbench.reporting/comparison.html.j2", _report(comparison, chips), path)
    return path


def _report(comparison: Comparison, chips: Sequence[str] | None) -> Report:
    atlas = Atlas(comparison) if any(entry.behind() for entry in comparison.entries) else None
    if atlas is None and chips:
        raise DataError("These scores came without their runs, so there are no chips to show.")
    chosen = [] if atlas is None else _chosen(atlas, chips)
    runs = [] if atlas is None else atlas.runs[:_MOST_RUNS]
    grounds, legend = _grounds(atlas, chosen, runs) if atlas is not None else ([], [])
    names = list(grounds[0].layers) if grounds else []
    table = formatted(comparison.table("region"))
    shown = [name for name in ("run", "region", "part", "chips", "clusters", "miou", "accuracy")
             if name in table]
    first, version = comparison.entries[0].first, importlib.metadata.version("workbench")
    return Report(
        title=_title(comparison), version=version,
        made=f"{datetime.date.today():%-d %B %Y}", simulated=first.simulated,
        notes=comparison.notes(), header=["run", "parameters trained", "in region: mIoU %",
                                           "held out: mIoU %", "gap: points"],
        rows=[[entry.shown, _parameters(entry.first.trainable_parameters),
               f"{entry.pooled('test')}", f"{entry.pooled('held_out')}", f"{entry.gap}"]
              for entry in comparison.entries],
        verdicts=comparison.verdicts("part"), figure=_figure(comparison),
        regions=None if atlas is None else region_map(
            atlas, {str(atlas.chips.loc[chip, "region"]) for chip in chosen}),
        table_header=shown, table_rows=[[str(cell) for cell in row]
                                        for row in table[shown].to_numpy()],
        layers=names, left=names[0] if names else "",
        right=next((name for name in names if name.startswith("errors")), ""),
        legend=legend, grounds=grounds, intro=_intro(comparison, by_hand=chips is not None),
        footer=f"Made by workbench {version} from the scores and checkpoints of the runs.",
    )


def _intro(comparison: Comparison, *, by_hand: bool) -> str:
    """Return which chips are shown, and which run predicted them where there are several."""
    said = "Chips chosen by hand." if by_hand else \
        "In each region the chip that the runs differ on most, as far as their counts tell." \
        if len(comparison.entries) > 1 else \
        "In each region the chip on which the run gets most pixels wrong."
    if any(len(entry.behind()) > 1 for entry in comparison.entries):
        said += " Of several splits the run is shown that held the chip out."
    if any(len(entry.seeds) > 1 for entry in comparison.entries):
        said += " Of several seeds the first is shown; shares of wrong pixels are those of all."
    return said


def _chosen(atlas: Atlas, chips: Sequence[str] | None) -> list[str]:
    """Return the chips asked for, or of each region the one that the runs differ on most."""
    if chips is not None:
        for chip in chips:
            if chip not in atlas.chips.index:
                raise unknown_name("chip", chip, map(str, atlas.chips.index), "comparison.chips()")
        return list(chips)
    found = []
    for region in atlas.regions[:_MOST_CHIPS]:
        ranked = atlas.disputed(region=region)
        if ranked.empty:
            ranked = atlas.worst(atlas.comparison.runs[0], region=region)
        found += [str(chip) for chip in ranked.index[:1]]
    return found


def _grounds(atlas: Atlas, chips: Sequence[str],
             runs: Sequence[str]) -> tuple[list[Ground], list[Entry]]:
    bands, classes = atlas.data.bands, [entry.name for entry in atlas.data.classes]
    names = [name for name in layer_names(bands, runs, classes)
             if not name.startswith("confidence") and " in " not in name.partition(" of ")[2]]
    legend: dict[tuple[str, str], None] = {}
    grounds = []
    for chip in chips:
        ground = atlas.ground(chip).sel(run=list(runs))
        layers = [layer(ground, name) for name in names]
        legend |= dict.fromkeys(entry for shown in layers for entry in shown.entries)
        row, metres = atlas.chips.loc[chip], ground_width(array_grid(ground))
        length = round_length(metres / 4)
        facts = [chip, PARTS[str(row["part"])], row["date"] if isinstance(row["date"], str) else ""]
        grounds.append(Ground(
            chip, anchor(str(row["region"])), display_name(str(row["region"])),
            bool(row["part"] == "held_out"), " · ".join(filter(None, facts)),
            [(run, f"{100 * row[f'wrong {run}']:.1f} %") for run in runs],
            {shown.name: shown.address() for shown in layers},
            round(100 * length / metres, 2),
            f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"))
    return grounds, [Entry(name, colour) for name, colour in legend]


def _figure(comparison: Comparison) -> Figure:
    plot = PLOTS["regions"]
    table = plot.data(comparison)
    height = 2.2 + 0.075 * table["run"].nunique() * table["region"].nunique()
    return figure(plot, table, narrow=(3.9, height),
                  alt="Mean IoU of every run, in region and held out, and region by region.",
                  caption="Bars are 95 % intervals over independent places. Where bars of two runs "
                          "overlap, only the paired verdicts say whether they differ.")


def _title(comparison: Comparison) -> str:
    first, count = comparison.entries[0].first, len(comparison.entries)
    return (f"{count} run{'s' if count > 1 else ''} on {first.dataset}"
            f"{simulated_note(first.simulated)}")


def _parameters(count: int | None) -> str:
    return "–" if count is None else readable_count(count)
