"""What training has seen of the ground that scores are reported for; the index alone tells."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import shapely

from workbench.data.doctor.evidence import Evidence
from workbench.data.doctor.finding import Finding, check
from workbench.data.grouping import named_tiles

# Neighbours: chips whose outlines are closer than this share of a chip's side.
_NEAR = 0.05
_SCORED = ("test", "held_out", "val")


@check("overlaps")
def overlaps(evidence: Evidence) -> Iterable[Finding]:
    """Chips of different parts on the same ground."""
    pairs = evidence.split.overlaps
    if pairs:
        chips = tuple(dict.fromkeys(chip for pair in pairs for chip in pair))
        yield Finding(
            "error",
            f"{len(pairs)} pairs of chips in different parts show the same ground, so scores are "
            "too good; split by='region', or cut the overlapping scenes apart",
            chips,
        )
    elif evidence.dataset.chips.geometry.notna().any():
        yield Finding("ok", "no chip overlaps a chip of another part")


@check("clusters")
def clusters(evidence: Evidence) -> Iterable[Finding]:
    """Clusters that are torn between parts."""
    part_of = evidence.part_of
    chips = evidence.dataset.chips.loc[list(part_of)]
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


@check("neighbours")
def neighbours(evidence: Evidence) -> Iterable[Finding]:
    """Chips that touch one that training sees."""
    split = evidence.split
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
                "split by='block', or give buffer_km=",
            )


@check("tiles")
def tiles(evidence: Evidence) -> Iterable[Finding]:
    """Chips on an MGRS tile, and of a tile and a day, that training sees, by their names."""
    chips = evidence.dataset.chips.loc[list(evidence.part_of)]
    parts = pd.Series(evidence.part_of).reindex(chips.index)
    tile = named_tiles(chips)
    scene = tile + " " + chips["date"].astype(object).where(chips["date"].notna())
    trained, seen = set(tile[parts == "train"].dropna()), set(scene[parts == "train"].dropna())
    for part in _SCORED:
        here = tile[parts == part]
        found = here.index[here.isin(trained)]
        days = int(scene[parts == part].isin(seen).sum())
        if len(found):
            day = f", {days} of them on the same day" if days else ""
            yield Finding(
                "warning",
                f"{len(found)} of {len(here)} {part} chips lie on an MGRS tile that also has train "
                f"chips{day} ({here[found].nunique()} of {here.nunique()} tiles)",
                tuple(found), "split by='tile'",
            )


@check("events")
def events(evidence: Evidence) -> Iterable[Finding]:
    """Parts from training's own regions: meant so by `dataset.split`, seldom by published ones."""
    split = evidence.split
    if split.rule is not None and split.rule.by != "published":
        return
    regions = evidence.dataset.chips["region"]
    trained = set(regions.loc[list(split.parts["train"])])
    for part in ("test", "held_out"):
        here = regions.loc[list(split.parts[part])]
        found = here.index[here.isin(trained).to_numpy()]
        if len(found):
            which = "all" if len(found) == len(here) else f"{len(found)} of"
            yield Finding(
                "warning" if part == "held_out" else "note",
                f"{which} {len(here)} {part} chips "
                "come from regions (events) that training also sees: their scores say nothing of "
                "new places",
                tuple(found), "hold regions out: dataset.split(hold_out=[…])",
            )
