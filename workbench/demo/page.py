"""The page of the report: what stands on it, and how it becomes one self-contained file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.reporting.page import Entry, Figure, Score, write_page


@dataclass(frozen=True)
class Row:
    """A line of the table of runs."""

    name: str
    baseline: bool
    first_baseline: bool
    colour: str
    in_region: Score
    held_out: Score
    gap: Score
    parameters: str
    size: str
    time: str


@dataclass(frozen=True)
class Tile:
    """A number worth a large font, and what it is."""

    value: str
    text: str


@dataclass(frozen=True)
class StripRow:
    """A chip: its images as data addresses."""

    region: str
    date: str
    held_out: bool
    images: list[str]


@dataclass(frozen=True)
class SceneView:
    """A scene before and after prediction, with a scale bar in percent of its width."""

    intro: str
    caption: str
    before: str
    after: str
    width_px: int
    scale_percent: float
    scale_text: str
    place: str
    legend: list[Entry]


@dataclass(frozen=True)
class Report:
    """Everything that stands on the page, in the order in which it stands there."""

    title: str
    version: str
    made: str
    headline: str
    kind: str
    lead: list[str]
    tiles: list[Tile]
    split_line: str
    world: Figure
    held_out_name: str
    rows: list[Row]
    verdicts: list[str]
    more_verdicts: list[str]
    regions: Figure
    strip_titles: list[str]
    strips: list[StripRow]
    legend: list[Entry]
    scene_title: str
    scene: SceneView
    origin: Sequence[tuple[str, str]]
    curves: Figure
    code: Mapping[str, str]
    folder: str
    footer: str


def write_report(report: Report, path: Path) -> None:
    """Write the page as one file that needs no network; every text in it is escaped."""
    write_page("workbench.demo/report.html.j2", report, path)
