"""Split: which chips train, validate, test, are held out."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.data.assignment import PARTS, assign_clusters
from workbench.data.dataset import Dataset
from workbench.data.folder import ChipWarning
from workbench.data.index import overlapping
from workbench.errors import DataError, SplitError, UnknownNameError

if TYPE_CHECKING:
    from workbench.data.audit import Audit



@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """A dataset's chips in four parts that share no cluster.

    Attributes:
        dataset: The whole dataset.
        parts: Chip ids of `train`, `val`, `test` and `held_out`.
        hold_out: Names of the regions that are held out.
    """

    dataset: Dataset
    parts: dict[str, tuple[str, ...]]
    hold_out: tuple[str, ...] = ()

    def part(self, name: str) -> Dataset:
        """Return the chips of `train`, `val`, `test` or `held_out`.

        Raises:
            SplitError: No such part.
        """
        if name not in PARTS:
            raise SplitError(f"A split has no part {name!r}; it has {', '.join(PARTS)}.")
        return self.dataset.select(self.parts[name])

    @cached_property
    def train(self) -> Dataset:
        """The chips that weights are fitted to."""
        return self.part("train")

    @cached_property
    def val(self) -> Dataset:
        """The chips that the best checkpoint is chosen by."""
        return self.part("val")

    @cached_property
    def test(self) -> Dataset:
        """The chips of training regions that scores are reported for."""
        return self.part("test")

    @cached_property
    def held_out(self) -> Dataset:
        """The chips of regions that training never sees; empty without `hold_out`."""
        return self.part("held_out")

    @cached_property
    def overlaps(self) -> list[tuple[str, str]]:
        """Pairs of chips in different parts that show the same ground."""
        part_of = {chip: part for part in PARTS for chip in self.parts[part]}
        chips = self.dataset.chips.loc[list(part_of)]
        ids = chips.index.to_numpy()
        pairs = zip(*(ids[places] for places in overlapping(chips.geometry)), strict=True)
        return [(one, other) for one, other in pairs if part_of[one] != part_of[other]]

    def audit(self) -> Audit:
        """Look for leaks between the parts and for implausible data; see `audit_split`."""
        from workbench.data.audit import audit_split

        return audit_split(self)

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which `from_json` opens the split again."""
        dataset = _only(self.dataset, self.parts)
        return {
            "dataset": {
                "name": dataset.info.name,
                "hash": dataset.hash,
                "layout_hash": dataset.layout_hash,
                "source": dataset.info.source,
            },
            "hold_out": list(self.hold_out),
            "parts": {part: list(chips) for part, chips in self.parts.items()},
        }

    @staticmethod
    def from_json(data: Mapping[str, Any], dataset: Dataset | None = None) -> Split:
        """Open the split's dataset again and check that its chips are as they were.

        Chips that have come since belong to no part and are left out.

        Args:
            data: What `to_json` returned.
            dataset: The dataset, where it has moved; without it, it is opened as before.

        Raises:
            SplitError: The dataset cannot be opened, lacks chips or has changed; says what.

        Warns:
            ChipWarning: The chips are the same but their pixels or labels have changed.
        """
        if "imported" in data:
            raise SplitError(
                f"The model was imported from {data['imported']}; which chips it was trained on is "
                "not known. Give the split to use: wb.evaluate(run, dataset.split(…))."
            )
        saved = data["dataset"]
        if dataset is None:
            dataset = _open_again(saved)
        elif bands := saved["source"].get("select_bands"):
            dataset = dataset.with_bands(bands)
        parts = {part: tuple(data["parts"][part]) for part in PARTS}
        place = f"{dataset.info.name} ({_place(dataset.info.source)})"
        missing = [chip for part in PARTS for chip in parts[part] if chip not in dataset]
        if missing:
            raise SplitError(
                f"The split names {len(missing)} chips that {place} does not have, for example "
                f"{', '.join(missing[:3])}. Bring the files back, or pass the dataset it was made "
                "from: Split.from_json(data, dataset=…)."
            )
        dataset = _only(dataset, parts)
        if dataset.layout_hash != saved["layout_hash"]:
            raise SplitError(
                f"The chips of {place} are not those the split was made from: files, windows, "
                "regions, clusters or units have changed. Restore the data, or make a new split "
                "with dataset.split(…)."
            )
        if dataset.hash != saved["hash"]:
            warnings.warn(
                f"The pixels or labels of {place} have changed since the split was made from them; "
                "scores made before and after do not compare.",
                ChipWarning,
                stacklevel=2,
            )
        return Split(dataset, parts, tuple(data["hold_out"]))

    def __repr__(self) -> str:
        train, val, test, held_out = (len(self.parts[part]) for part in PARTS)
        names = ", ".join(display_name(region) for region in self.hold_out)
        held = f"held out {held_out} ({names})" if names else "nothing held out"
        return (
            f"train {train} · val {val} · test {test} · {held} · {len(self.overlaps)} overlaps"
        )


    def _repr_html_(self) -> str:
        from workbench.data.summary import split_html

        return split_html(self)


def _only(dataset: Dataset, parts: Mapping[str, tuple[str, ...]]) -> Dataset:
    """Return the dataset with the chips of the parts and no other, in its own order."""
    named = {chip for chips in parts.values() for chip in chips}
    kept = [chip for chip in dataset if chip in named]
    return dataset if len(kept) == len(dataset) else dataset.select(kept)


def _open_again(saved: Mapping[str, Any]) -> Dataset:
    from workbench.data.sources import open_dataset

    try:
        return open_dataset(saved["source"])
    except DataError as error:
        raise SplitError(
            f"The dataset {saved['name']} of this split cannot be opened. {error} If it has moved, "
            "open it yourself and pass it: Split.from_json(data, dataset=…)."
        ) from error


def _place(source: Mapping[str, Any]) -> str:
    return str(source.get("images") or source.get("root") or source.get("collection"))


def display_name(region: str) -> str:
    """Return a region's name as people write it: `Bolivia`, `Sri-Lanka`, `USA`."""
    if region != region.lower():
        return region
    return region.upper() if len(region) <= 3 else region.title()


def split_dataset(dataset: Dataset, hold_out: Iterable[str] | str, *, by: str,
                  fractions: tuple[float, float, float], seed: int) -> Split:
    """Assign whole clusters (or whole regions) to train, val and test, region by region.

    A region with three clusters or more is in all three parts. Of many random assignments the
    one is taken that spreads the classes most evenly. The same seed gives the same split.

    Args:
        dataset: What to split.
        hold_out: Regions that training never sees, whatever their case.
        by: `cluster`, or `region` for parts that share no region.
        fractions: Shares of train, val and test. A quarter for the test leaves five clusters, the
            fewest that intervals are drawn over, to regions of twenty.
        seed: Chooses the assignment.

    Raises:
        SplitError: A region does not exist, or a part would be empty.
    """
    if by not in ("cluster", "region"):
        raise SplitError(f"by={by!r} is not 'cluster' or 'region'.")
    if len(fractions) != 3 or min(fractions) < 0 or not sum(fractions) > 0:
        raise SplitError(
            f"fractions={fractions} must be three shares of train, val and test, such as "
            "(0.6, 0.15, 0.25)."
        )
    names = [hold_out] if isinstance(hold_out, str) else list(hold_out)
    try:
        held = tuple(dict.fromkeys(dataset.find_region(name) for name in names))
    except UnknownNameError as error:
        raise SplitError(f"hold_out: {error}") from None
    chips = dataset.chips
    if not len(chips):
        raise SplitError(f"{dataset.info.name} has no chips to split.")
    is_held = chips["region"].isin(held)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    parts["held_out"] = chips.index[is_held].tolist()
    training = chips[~is_held]
    if not len(training):
        raise SplitError(f"hold_out={list(names)} leaves no region to train on.")
    groups = training.groupby("region") if by == "cluster" else [("all regions", training)]
    for region, group in groups:
        assigned = assign_clusters(group, group[by], fractions, f"{seed}/{region}")
        for part in PARTS[:3]:
            parts[part] += group.index[(assigned == part).to_numpy()].tolist()
    for part, fraction in zip(PARTS[:3], fractions, strict=True):
        if fraction > 0 and not parts[part]:
            raise SplitError(
                f"The part {part!r} is empty: with {training['cluster'].nunique()} clusters "
                f"(blocks or scenes) in {training['region'].nunique()} regions, by={by!r} "
                "cannot fill three parts. Give larger regions (region= of from_folder), use a "
                "smaller chip_size, split by='region', or set its share in fractions= to 0."
            )
    order = {chip: place for place, chip in enumerate(chips.index)}
    return Split(
        dataset,
        {part: tuple(sorted(ids, key=order.__getitem__)) for part, ids in parts.items()},
        held,
    )
