"""Audit: leaks between the parts of a split, and data that cannot be what they claim."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely

from workbench.data.plausibility import implausible_bands
from workbench.data.raster import read_window
from workbench.errors import DataError
from workbench.reprs import html_card, html_table, text_table

if TYPE_CHECKING:
    from workbench.data.split import Split

Level = Literal["ok", "note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "error")

# Neighbours: chips whose outlines are closer than this share of a chip's side.
_NEAR = 0.05
# Shares of a class that differ by this factor and by this much make scores hard to compare.
_DRIFT_FACTOR, _DRIFT_SHARE = 2.0, 0.02
# Fewer clusters than this and no interval is drawn (the evaluation's own rule).
_FEWEST_CLUSTERS = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing the audit looked at: how bad, what, and the chips concerned."""

    level: Level
    what: str
    chips: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, repr=False)
class Audit:
    """All findings, worst first."""

    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Level:
        """The worst level found."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="ok")

    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (finding.level, finding.what, _shown(finding.chips)) for finding in self.findings
        ]

    def _title(self) -> str:
        counts = Counter(finding.level for finding in self.findings)
        return "Audit: " + ", ".join(
            f"{counts[level]} {level}" for level in reversed(LEVELS) if counts[level]
        )

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table(('level', 'what', 'chips'), self._rows())}"

    def _repr_html_(self) -> str:
        return html_card(self._title(), body=html_table(("level", "what", "chips"), self._rows()))


def _shown(chips: tuple[str, ...]) -> str:
    return ", ".join(chips[:3]) + (f", … ({len(chips)})" if len(chips) > 3 else "")


def audit_split(split: Split) -> Audit:
    """Check a split for leaks and its data for plausibility; reads few pixels.

    Looked for: chips of different parts on the same ground or touching, clusters in two parts,
    the same pixels under two names, classes missing from a part, class shares that drift,
    regions too small for intervals, chips that are not on the map, bands that cannot be what
    they are called, and chips left out.
    """
    checks = (
        _overlaps, _clusters, _neighbours, _duplicates, _classes, _drift, _small_regions,
        _off_the_map, _bands, _left_out,
    )
    findings = [finding for check in checks for finding in check(split)]
    findings.sort(key=lambda finding: -LEVELS.index(finding.level))
    return Audit(tuple(findings))


def _part_of(split: Split) -> dict[str, str]:
    return {chip: part for part, chips in split.parts.items() for chip in chips}


def _overlaps(split: Split) -> Iterable[Finding]:
    pairs = split.overlaps
    if pairs:
        chips = tuple(dict.fromkeys(chip for pair in pairs for chip in pair))
        yield Finding(
            "error",
            f"{len(pairs)} pairs of chips in different parts show the same ground, so scores are "
            "too good; split by='region', or cut the overlapping scenes apart",
            chips,
        )
    else:
        yield Finding("ok", "no chip overlaps a chip of another part")


def _clusters(split: Split) -> Iterable[Finding]:
    part_of = _part_of(split)
    chips = split.dataset.chips.loc[list(part_of)]
    parts = chips.assign(part=[part_of[chip] for chip in chips.index]).groupby("cluster")["part"]
    torn = chips[(parts.transform("nunique") > 1).to_numpy()]
    if len(torn):
        yield Finding(
            "error",
            f"{torn['cluster'].nunique()} clusters (blocks or scenes) are in more than one part; "
            "make the split with dataset.split(…)",
            tuple(torn.index),
        )
    else:
        yield Finding("ok", "no cluster (block or scene) is in two parts")


def _neighbours(split: Split) -> Iterable[Finding]:
    chips = split.dataset.chips
    train = chips.loc[list(split.parts["train"])].geometry.dropna()
    if not len(train):
        return
    tree = shapely.STRtree(train.to_numpy())
    for part in ("val", "test", "held_out"):
        others = chips.loc[list(split.parts[part])].geometry.dropna()
        if not len(others):
            continue
        shapes = others.to_numpy()
        near = _NEAR * np.sqrt(shapely.area(shapes))
        found = np.unique(tree.query(shapes, predicate="dwithin", distance=near)[0])
        if len(found):
            yield Finding(
                "warning" if part == "held_out" else "note",
                f"{len(found)} of {len(split.parts[part])} {part} chips touch a train chip; "
                "neighbouring ground is alike, which flatters scores",
                tuple(others.index[found]),
            )


def _duplicates(split: Split) -> Iterable[Finding]:
    chips = split.dataset.chips
    counts = [name for name in chips if name.startswith("count_")]
    # The same pixels have the same counts: only chips that agree in them need reading.
    groups = chips.groupby(["height", "width", "valid_fraction", *counts], sort=False).indices
    same: dict[bytes, list[str]] = defaultdict(list)
    for places in groups.values():
        if len(places) > 1:
            for chip in chips.index[places]:
                if digest := _content(split, chip):
                    same[digest].append(chip)
    twins = [tuple(group) for group in same.values() if len(group) > 1]
    part_of = _part_of(split)
    leaks = [group for group in twins if len({part_of.get(chip) for chip in group}) > 1]
    if leaks:
        yield Finding(
            "error",
            f"{len(leaks)} images are in more than one part under different names; "
            "remove the copies",
            tuple(chip for group in leaks for chip in group),
        )
    elif twins:
        yield Finding(
            "note",
            f"{len(twins)} images occur more than once within a part",
            tuple(chip for group in twins for chip in group),
        )
    else:
        yield Finding("ok", "no image occurs twice")


def _content(split: Split, chip: str) -> bytes | None:
    row = split.dataset.chips.loc[chip]
    bands = range(1, len(split.dataset.info.stored_bands) + 1)
    try:
        pixels = read_window(row["image"], bands, row["row_off"], row["col_off"], row["height"],
                             row["width"])
    except DataError:
        return None
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def _class_shares(split: Split, part: str) -> np.ndarray:
    counts = np.array(split.part(part).class_counts(), float)
    return counts / max(counts.sum(), 1)


def _classes(split: Split) -> Iterable[Finding]:
    for part, chips in split.parts.items():
        if not chips:
            continue
        missing = [
            entry.name
            for entry, share in zip(split.dataset.classes, _class_shares(split, part), strict=True)
            if share == 0
        ]
        if missing:
            yield Finding(
                "error" if part == "train" else "warning",
                f"{part} has no pixel of {', '.join(missing)}; "
                + ("it cannot be learned" if part == "train" else "no IoU of it can be given"),
            )


def _drift(split: Split) -> Iterable[Finding]:
    train = _class_shares(split, "train")
    for part in ("val", "test", "held_out"):
        if not split.parts[part]:
            continue
        shares = _class_shares(split, part)
        for entry, there, here in zip(split.dataset.classes, train, shares, strict=True):
            low, high = sorted((there, here))
            if low > 0 and high > _DRIFT_FACTOR * low and high - low > _DRIFT_SHARE:
                yield Finding(
                    "note" if part == "held_out" else "warning",
                    f"{entry.name} is {there:.1%} of the labelled pixels in train but {here:.1%} "
                    f"in {part}",
                )


def _small_regions(split: Split) -> Iterable[Finding]:
    for part in ("test", "held_out"):
        chips = split.part(part).chips
        clusters = chips.groupby("region")["cluster"].nunique()
        few = [str(region) for region in clusters.index[clusters < _FEWEST_CLUSTERS]]
        if few:
            yield Finding(
                "note",
                f"{part}: {', '.join(few)} have fewer than {_FEWEST_CLUSTERS} clusters; their "
                "scores come without intervals",
            )
    regions = set(split.train.regions)
    for part in ("val", "test"):
        absent = sorted(regions - set(split.part(part).regions))
        if absent:
            yield Finding("note", f"{part} has no chip of {', '.join(absent)} (too few clusters)")


def _off_the_map(split: Split) -> Iterable[Finding]:
    footprints = split.dataset.chips.geometry
    nowhere = footprints.index[footprints.isna()]
    if len(nowhere):
        yield Finding(
            "warning",
            f"{len(nowhere)} chips have no position, so overlaps between them cannot be seen; "
            "write CRS and geotransform into the files",
            tuple(nowhere),
        )
    placed = footprints.dropna()
    if not len(placed):
        return
    bounds = placed.bounds
    inside = bounds["minx"].ge(-180) & bounds["maxx"].le(180)
    inside &= bounds["miny"].ge(-90) & bounds["maxy"].le(90)
    if not inside.all():
        yield Finding(
            "error",
            f"{int((~inside).sum())} chips lie outside the globe: the CRS in the files is not "
            "that of their coordinates",
            tuple(placed.index[~inside.to_numpy()]),
        )


def _bands(split: Split) -> Iterable[Finding]:
    problems = implausible_bands(split.train)
    for what in problems:
        yield Finding("warning", what)
    if not problems:
        yield Finding("ok", "band values are plausible")


def _left_out(split: Split) -> Iterable[Finding]:
    from workbench.data.folder import count_kinds

    skipped = split.dataset.skipped
    if skipped:
        yield Finding("note", f"left out while indexing: {count_kinds(skipped)}", tuple(skipped))
