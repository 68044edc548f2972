"""Making splits: whole clusters, regions, tiles or blocks, with a buffer between the parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import geopandas
import numpy as np

from workbench.data.assignment import PARTS, Fractions, assign_clusters
from workbench.data.dataset import Dataset
from workbench.data.grouping import blocks, tiles
from workbench.data.neighbours import RADIUS_KM, Outlines
from workbench.errors import SplitError, UnknownNameError

UNITS = ("cluster", "region", "tile", "block", "published")
# Who stays where two parts come too near: what scores are reported for is never thinned for it.
_STAYS = ("held_out", "test", "val", "train")


_LISTS = ("fractions", *PARTS[:3])


def names(regions: Iterable[str] | str) -> tuple[str, ...]:
    """Return names of regions, of which one may come alone."""
    return (regions,) if isinstance(regions, str) else tuple(regions)


@dataclasses.dataclass(frozen=True)
class SplitRule:
    """How a split was made; see `Dataset.split`."""

    by: str = "cluster"
    fractions: Fractions = (0.6, 0.15, 0.25)
    buffer_km: float | None = None
    seed: int = 0
    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.by not in UNITS:
            raise SplitError(
                f"by={self.by!r} is not {', '.join(map(repr, UNITS[:-1]))} or {UNITS[-1]!r}."
            )
        if len(self.fractions) != 3 or min(self.fractions) < 0 or not sum(self.fractions) > 0:
            raise SplitError(
                f"fractions={self.fractions} must be three shares of train, val and test, such as "
                "(0.6, 0.15, 0.25)."
            )
        half_round = RADIUS_KM * np.pi
        if self.buffer_km is not None and not 0 <= self.buffer_km < half_round:
            raise SplitError(
                f"buffer_km={self.buffer_km} must be a distance in kilometres from 0 up, below "
                f"{half_round:.0f}, half way round the globe."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        return dataclasses.asdict(self) | lists

    @staticmethod
    def from_json(data: dict[str, Any]) -> SplitRule:
        """Return what `to_json` was made from."""
        # Older files name no regions.
        return SplitRule(**{**data, **{name: tuple(data.get(name, ())) for name in _LISTS}})

    def without(self, region: str) -> SplitRule:
        """Return the rule that gives a region to no part."""
        train, val, test = (
            tuple(name for name in given if name.lower() != region.lower())
            for given in (self.train, self.val, self.test)
        )
        return dataclasses.replace(self, train=train, val=val, test=test)


@dataclasses.dataclass(frozen=True)
class Assigned:
    """Which chips are in which part, what is held out and what lies in the buffer."""

    parts: dict[str, tuple[str, ...]]
    hold_out: tuple[str, ...]
    left_out: tuple[str, ...]


def assign(dataset: Dataset, hold_out: Iterable[str] | str, rule: SplitRule) -> Assigned:
    """Assign whole clusters, regions, tiles or blocks to train, val and test; see `Dataset.split`.

    Raises:
        SplitError: A region does not exist, chips have no place or no published part where one is
            needed, or a part would be empty.
    """
    chips = dataset.chips
    if not len(chips):
        raise SplitError(f"{dataset.info.name} has no chips to split.")
    part_of = _named(dataset, {"hold_out": names(hold_out), "train": rule.train, "val": rule.val,
                               "test": rule.test})
    held = tuple(region for region, part in part_of.items() if part == "hold_out")
    if rule.by == "block" or rule.buffer_km:
        _require_places(dataset, rule)
    is_held = chips["region"].isin(held)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    parts["held_out"] = chips.index[is_held].tolist()
    training = chips[~is_held]
    if not len(training):
        raise SplitError(f"hold_out={list(held)} leaves no region to train on.")
    for part in PARTS[:3]:
        own = [region for region, given in part_of.items() if given == part]
        parts[part] += chips.index[chips["region"].isin(own)].tolist()
    shared = training[~training["region"].isin(part_of)]
    buffer_km = _buffer_km(chips, rule)
    if len(shared):
        if rule.by == "published":
            _add_published(dataset, shared, parts)
        else:
            _add_groups(shared, parts, rule, buffer_km)
    before = {part: len(ids) for part, ids in parts.items()}
    left_out = _thin(chips, parts, buffer_km) if buffer_km else set()
    _require_filled(training, parts, before, rule, buffer_km)
    ordered = {
        part: tuple(chip for chip in chips.index if chip in members)
        for part, members in ((part, set(ids) - left_out) for part, ids in parts.items())
    }
    only_held = set(chips["region"]) - set(chips.loc[_in_training(ordered), "region"])
    if rule.by == "published" and ordered["held_out"]:
        held = tuple(sorted(only_held & set(chips.loc[list(ordered["held_out"]), "region"])))
    return Assigned(ordered, held, tuple(chip for chip in chips.index if chip in left_out))


def _named(dataset: Dataset, given: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the part of every region that is named, as the dataset spells it."""
    part_of: dict[str, str] = {}
    for part, regions in given.items():
        for name in regions:
            try:
                region = dataset.find_region(name)
            except UnknownNameError as error:
                raise SplitError(f"{part}: {error}") from None
            if part_of.setdefault(region, part) != part:
                raise SplitError(f"The region {region!r} is named by both {part_of[region]}= and "
                                 f"{part}=; give it to one of them.")
    return part_of


def _in_training(parts: dict[str, tuple[str, ...]]) -> list[str]:
    return [chip for part in PARTS[:3] for chip in parts[part]]


def _require_places(dataset: Dataset, rule: SplitRule) -> None:
    nowhere = int(dataset.chips.geometry.isna().sum())
    if nowhere:
        raise SplitError(
            f"{nowhere} of {len(dataset)} chips of {dataset.info.name} have no position, so "
            f"by={rule.by!r} with buffer_km={rule.buffer_km} cannot tell their neighbours. Write "
            "CRS and geotransform into the files, or split by='cluster' or 'region' without a "
            "buffer."
        )


def _buffer_km(chips: geopandas.GeoDataFrame, rule: SplitRule) -> float:
    """Return the buffer: as given; for blocks, half a chip's side, so that none touch."""
    if rule.buffer_km is not None or rule.by != "block":
        return rule.buffer_km or 0.0
    side = np.sqrt(2) * float(np.median(Outlines(chips.geometry).reach)) * RADIUS_KM
    return side / 2


def _add_groups(training: geopandas.GeoDataFrame, parts: dict[str, list[str]], rule: SplitRule,
                buffer_km: float) -> None:
    # Regions and tiles may not be torn, so they are dealt out over all regions at once.
    apart = rule.by in ("cluster", "block")
    groups = training.groupby("region") if apart else [("all regions", training)]
    for region, group in groups:
        if rule.by == "block":
            units = blocks(group, buffer_km)
        elif rule.by == "tile":
            units = tiles(group)
            if units.isna().any():
                raise SplitError(
                    f"{int(units.isna().sum())} chips, for example {units.index[units.isna()][0]}, "
                    "have neither an MGRS tile in their name nor a position; split by='cluster' or "
                    "'region'."
                )
        else:
            units = group[rule.by]
        assigned = assign_clusters(group, units, rule.fractions, f"{rule.seed}/{region}")
        for part in PARTS[:3]:
            parts[part] += group.index[(assigned == part).to_numpy()].tolist()


def _add_published(dataset: Dataset, training: geopandas.GeoDataFrame,
                   parts: dict[str, list[str]]) -> None:
    """Take the parts from the column `split` of the index; a chip without one is in no part."""
    published = training.get("split")
    if published is None or not published.isin(PARTS).any():
        raise SplitError(
            f"{dataset.info.name} comes without a published split. Split by='cluster', 'region', "
            "'tile' or 'block'."
        )
    for part in PARTS:
        parts[part] += training.index[(published == part).to_numpy()].tolist()


def _thin(chips: geopandas.GeoDataFrame, parts: dict[str, list[str]], km: float) -> set[str]:
    """Return the chips that lie nearer than `km` to a chip of a part that stays."""
    outlines = Outlines(chips.geometry)
    place = {chip: number for number, chip in enumerate(chips.index)}
    kept = np.empty(0, int)
    dropped: set[str] = set()
    for part in _STAYS:
        members = np.array([place[chip] for chip in parts[part]], int)
        near = np.unique(outlines.near(members, kept, km)[0])
        dropped |= set(chips.index[near])
        kept = np.concatenate([kept, np.setdiff1d(members, near)])
    for ids in parts.values():
        ids[:] = [chip for chip in ids if chip not in dropped]
    return dropped


def _require_filled(training: geopandas.GeoDataFrame, parts: dict[str, list[str]],
                    before: dict[str, int], rule: SplitRule, buffer_km: float) -> None:
    if rule.by == "published":
        return
    for part, fraction in zip(PARTS[:3], rule.fractions, strict=True):
        if not fraction or parts[part]:
            continue
        if before[part]:
            raise SplitError(
                f"The part {part!r} is empty: all its {before[part]} chips lie nearer than "
                f"{buffer_km:.3g} km to chips of another part. Give a smaller buffer_km=, split "
                "by='region', or hold fewer regions out."
            )
        raise SplitError(
            f"The part {part!r} is empty: with {training['cluster'].nunique()} clusters "
            f"(blocks or scenes) in {training['region'].nunique()} regions, by={rule.by!r} "
            "cannot fill three parts. Give larger regions (region= of from_folder), use a "
            "smaller chip_size, split by='region', or set its share in fractions= to 0."
        )
