"""Split: which chips train, validate, test, are held out."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.data.assignment import PARTS
from workbench.data.dataset import Dataset
from workbench.data.folder import ChipWarning
from workbench.data.index import overlapping
from workbench.data.splitting import SplitRule, assign
from workbench.errors import DataError, SplitError

if TYPE_CHECKING:
    from workbench.data.audit import Audit

_PASSING = "wb.open_run(folder, dataset=…) for a run, Split.from_json(data, dataset=…) for a split"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Split:
    """A dataset's chips in four parts that share no cluster.

    Attributes:
        dataset: The whole dataset.
        parts: Chip ids of `train`, `val`, `test` and `held_out`.
        hold_out: Names of the regions that are held out.
        left_out: Chips in the buffer between the parts; they are in none.
        rule: How it was made, where `Dataset.split` made it.
    """

    dataset: Dataset
    parts: dict[str, tuple[str, ...]]
    hold_out: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    rule: SplitRule | None = None

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

    def leave_one_region_out(self) -> list[Split]:
        """Return one split a region, in which it alone is held out, made as this one was.

        Raises:
            SplitError: There is one region only, or a part would be empty.
        """
        if len(self.dataset.regions) < 2:
            raise SplitError(
                f"{self.dataset.info.name} has one region, {', '.join(self.dataset.regions)}; "
                "leaving it out leaves nothing. Give regions when you open it: region=…."
            )
        rule = self.rule or SplitRule()
        return [split_dataset(self.dataset, region, rule.without(region))
                for region in self.dataset.regions]

    def audit(self) -> Audit:
        """Look for leaks between the parts and for implausible data; see `audit_split`."""
        from workbench.data.audit import audit_split

        return audit_split(self)

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which `from_json` opens the split again."""
        dataset = _only(self.dataset, self.parts, self.left_out)
        return {
            "dataset": {
                "name": dataset.info.name,
                "hash": dataset.hash,
                "layout_hash": dataset.layout_hash,
                "source": dataset.info.source,
            },
            "hold_out": list(self.hold_out),
            "parts": {part: list(chips) for part, chips in self.parts.items()},
            "left_out": list(self.left_out),
            "rule": None if self.rule is None else self.rule.to_json(),
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
        dataset = _open_again(saved) if dataset is None else dataset.again(saved["source"])
        parts = {part: tuple(data["parts"][part]) for part in PARTS}
        left_out = tuple(data.get("left_out", ()))  # older files have none
        place = f"{dataset.info.name} ({_place(dataset.info.source)})"
        named = [*(chip for part in PARTS for chip in parts[part]), *left_out]
        missing = [chip for chip in named if chip not in dataset]
        if missing:
            raise SplitError(
                f"The split names {len(missing)} chips that {place} does not have, for example "
                f"{', '.join(missing[:3])}. Bring the files back, or pass the dataset it was made "
                f"from: {_PASSING}."
            )
        dataset = _only(dataset, parts, left_out)
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
        rule = SplitRule.from_json(data["rule"]) if data.get("rule") else None
        return Split(dataset, parts, tuple(data["hold_out"]), left_out, rule)

    def __repr__(self) -> str:
        train, val, test, held_out = (len(self.parts[part]) for part in PARTS)
        names = ", ".join(display_name(region) for region in self.hold_out)
        held = f"held out {held_out} ({names})" if names else "nothing held out"
        buffer = f" · {len(self.left_out)} left out between parts" if self.left_out else ""
        return (
            f"train {train} · val {val} · test {test} · {held} · {len(self.overlaps)} overlaps"
            f"{buffer}"
        )

    def _repr_html_(self) -> str:
        from workbench.data.summary import split_html

        return split_html(self)


def _only(dataset: Dataset, parts: Mapping[str, tuple[str, ...]], left_out: Iterable[str]
          ) -> Dataset:
    """Return the dataset with the chips of the parts and the buffer, in its own order."""
    named = {chip for chips in (*parts.values(), left_out) for chip in chips}
    kept = [chip for chip in dataset if chip in named]
    return dataset if len(kept) == len(dataset) else dataset.select(kept)


def _open_again(saved: Mapping[str, Any]) -> Dataset:
    from workbench.data.sources import open_dataset

    try:
        return open_dataset(saved["source"])
    except DataError as error:
        raise SplitError(
            f"The dataset {saved['name']} of this split cannot be opened. {error} If it has moved, "
            f"open it yourself and pass it: {_PASSING}."
        ) from error


def _place(source: Mapping[str, Any]) -> str:
    keys = ("images", "table", "store", "root", "collection", "kind")
    return str(next(source[key] for key in keys if source.get(key)))


def display_name(region: str) -> str:
    """Return a region's name as people write it: `Bolivia`, `Sri-Lanka`, `USA`."""
    if region != region.lower():
        return region
    return region.upper() if len(region) <= 3 else region.title()


def split_dataset(dataset: Dataset, hold_out: Iterable[str] | str = (),
                  rule: SplitRule | None = None) -> Split:
    """Return which chips train, validate, test and are held out; see `Dataset.split`."""
    rule = rule or SplitRule()
    found = assign(dataset, hold_out, rule)
    return Split(dataset, found.parts, found.hold_out, found.left_out, rule)
