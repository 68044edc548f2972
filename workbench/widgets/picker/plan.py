"""What the picker edits: which regions go where and how the rest is shared out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from workbench.catalog import open_catalog
from workbench.data import Dataset, Split
from workbench.data.areas import Area
from workbench.data.splitting import SplitRule
from workbench.errors import DataError, SplitError, UnknownNameError

# How `Dataset.split` calls the parts.
_ARGUMENTS = {"held_out": "hold_out", "train": "train", "val": "val", "test": "test"}
_RULE = ("by", "fractions", "buffer_km", "seed")
_SETTINGS = SplitRule()


@dataclasses.dataclass(frozen=True)
class Plan:
    """A split that has not been made yet; every change is a new plan.

    Attributes:
        source: The dataset as it was given.
        areas: Regions drawn on the map: name and area.
        given: Parts of the regions that are not shared out.
        rule: How the others are.
        within: All that is kept of the dataset, where that is not all of it.
    """

    source: Dataset
    areas: tuple[tuple[str, Area], ...] = ()
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rule: SplitRule = _SETTINGS
    within: Area | None = None

    @staticmethod
    def of(source: Dataset | Split) -> Plan:
        """Begin with a split, or with what a dataset's collection holds out by default.

        Raises:
            DataError: The split was put together by hand: no line makes it again.
            SplitError: There is nothing to split.
        """
        if isinstance(source, Split):
            rule = source.rule
            if rule is None:
                raise DataError(
                    "wb.pick cannot change a split that dataset.split(…) did not make. Pick on "
                    "its dataset: wb.pick(split.dataset)."
                )
            lists = {"held_out": source.hold_out, "train": rule.train, "val": rule.val,
                     "test": rule.test}
            given = {source.dataset.find_region(region): part
                     for part, regions in lists.items() for region in regions}
            return Plan(source.dataset, given=given, rule=_bare(rule))
        try:
            hold_out = open_catalog()[source.info.collection or ""].hold_out
        except UnknownNameError:
            hold_out = ()
        regions = source.regions
        held = {region: "held_out" for region in hold_out if region in regions}
        plan = Plan(source, given=held if len(held) < len(regions) else {})
        try:
            plan.split  # noqa: B018 - raises where there is none
        except SplitError:
            # Too few clusters for three parts: it can be looked at, and trained on as a whole.
            plan = Plan(source, rule=SplitRule(fractions=(1.0, 0.0, 0.0)))
            plan.split  # noqa: B018
        return plan

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset with the drawn regions, and only what is kept."""
        dataset = self.source
        for name, area in self.areas:
            dataset = dataset.with_region(name, within=area)
        return dataset if self.within is None else dataset.select(within=self.within)

    @cached_property
    def split(self) -> Split:
        """The split.

        Raises:
            SplitError: It cannot be made; see `Dataset.split`.
        """
        lists, rule = self._lists(), self.rule
        return self.dataset.split(
            lists["hold_out"], train=lists["train"], val=lists["val"], test=lists["test"],
            by=rule.by, fractions=rule.fractions, buffer_km=rule.buffer_km, seed=rule.seed)

    def moved(self, region: str, part: str) -> Plan:
        """Return the plan in which a region goes to a part, or is shared out where it is ''."""
        given = {name: own for name, own in self.given.items() if name != region}
        return dataclasses.replace(self, given={**given, region: part} if part else given)

    def drawn(self, area: Area, part: str) -> Plan:
        """Return the plan in which what is drawn is a region of its own, in a part."""
        taken, number = set(self.dataset.regions), len(self.areas) + 1
        while f"drawn-{number}" in taken:
            number += 1
        name = f"drawn-{number}"
        plan = dataclasses.replace(self, areas=(*self.areas, (name, area)))._tidy()
        return dataclasses.replace(plan, given={**plan.given, name: part})

    def only(self, area: Area) -> Plan:
        """Return the plan of what lies within an area alone."""
        return dataclasses.replace(self, within=area)._tidy()

    def _tidy(self) -> Plan:
        """Return the plan without regions that have no chip any more."""
        regions = self.dataset.regions
        given = {region: part for region, part in self.given.items() if region in regions}
        return dataclasses.replace(self, given=given)

    def fold(self, region: str) -> Plan:
        """Return the plan in which this region alone is held out."""
        given = {name: part for name, part in self.given.items()
                 if part != "held_out" and name != region}
        return dataclasses.replace(self, given={**given, region: "held_out"})

    def code(self, name: str) -> str:
        """Return the line that makes the split of a dataset of this name."""
        shown = [f"{argument}={regions!r}" for argument, regions in self._lists().items()
                 if regions]
        shown += [f"{field}={getattr(self.rule, field)!r}" for field in _RULE
                  if getattr(self.rule, field) != getattr(_SETTINGS, field)]
        drawn = "".join(f".with_region({region!r}, within={area!r})"
                        for region, area in self.areas)
        kept = "" if self.within is None else f".select(within={self.within!r})"
        return f"split = {name}{drawn}{kept}.split({', '.join(shown)})"

    def to_json(self) -> dict[str, Any]:
        """Return plain data, all but the dataset."""
        return {"areas": [list(entry) for entry in self.areas], "given": dict(self.given),
                "rule": self.rule.to_json(), "within": self.within}

    @staticmethod
    def from_json(data: Mapping[str, Any], source: Dataset) -> Plan:
        """Return the plan that `to_json` wrote, for its dataset."""
        within = data["within"]
        return Plan(source, tuple((name, _area(area)) for name, area in data["areas"]),
                    dict(data["given"]), SplitRule.from_json(data["rule"]),
                    None if within is None else _area(within))

    def _lists(self) -> dict[str, list[str]]:
        return {argument: [region for region, own in self.given.items() if own == part]
                for part, argument in _ARGUMENTS.items()}


class Picked(NamedTuple):
    """What is open on a map: a plan, and the collection that its chips were opened from.

    Attributes:
        collection: Its id; None where a dataset was given.
        plan: What is made of it.
    """

    collection: str | None
    plan: Plan


def _bare(rule: SplitRule) -> SplitRule:
    return dataclasses.replace(rule, train=(), val=(), test=())


def _area(data: Sequence[Any]) -> Area:
    """Return a drawn area as the map gave it: a box, or a list of corners."""
    corners = [tuple(entry) if isinstance(entry, list) else entry for entry in data]
    return corners if isinstance(corners[0], tuple) else tuple(corners)


def named(source: Dataset, variables: Mapping[str, object], *, whole: bool) -> str:
    """Return how the code calls a dataset: by its variable, else by the line that loads it.

    Args:
        source: The dataset.
        variables: Those of the notebook.
        whole: Whether it is as `wb.load` gives it: what was chosen of it later no line knows.
    """
    for name, value in variables.items():
        if value is source and not name.startswith("_"):
            return name
    origin = source.info.source
    if not whole or origin.get("kind") != "collection":
        return "dataset"
    options = "".join(f", {option}={origin[option]!r}" for option in ("root", "images", "split")
                      if origin.get(option) is not None)
    seed = f", seed={origin['seed']}" if origin.get("seed") else ""
    return f"wb.load({origin['collection']!r}{options}{seed})"
