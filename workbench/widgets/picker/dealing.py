"""The dataset's side of the picker: regions, parts, what is chosen, and the split that follows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from workbench.data import PARTS, Dataset
from workbench.data.areas import Area, within
from workbench.data.split import display_name
from workbench.data.splitting import SplitRule
from workbench.errors import WorkbenchError
from workbench.widgets.basemap import enclosing
from workbench.widgets.picker.atlas import Atlas, chip_atlas
from workbench.widgets.picker.pictures import chip_pictures
from workbench.widgets.picker.plan import Plan
from workbench.widgets.picker.tints import PART_NAMES, choices, tint
from workbench.widgets.picker.view import PickerView


class DatasetPage:
    """One dataset and the plan of its split.

    Attributes:
        plan: The last plan that makes a split.
        chosen: Ids of the chips that are chosen on the map.
        made: Called after every change of the plan.
    """

    def __init__(self, plan: Plan, view: PickerView, made: Callable[[], None]) -> None:
        plan.split  # noqa: B018 - what cannot be split is refused before anything is shown
        self.plan, self._view, self.made = plan, view, made
        self.chosen: tuple[str, ...] = ()
        self._history: list[Plan] = []
        self._by = "part"
        self._area: Area | None = None
        self._fold = ""
        self._atlas: Atlas = chip_atlas(plan.dataset)

    @property
    def dataset(self) -> Dataset:
        """The dataset with its drawn regions."""
        return self.plan.dataset

    def show(self, title: str, back: bool) -> None:
        """Draw map and panel."""
        self._title, self._back = title, back
        self._view.selection = {}
        self._view.classes = [{"name": entry.name, "colour": entry.color}
                              for entry in self.dataset.classes]
        self._draw()
        self.refresh()
        boxes = self.dataset.chips.geometry.dropna().bounds.to_numpy()
        if len(boxes):
            self._view.fly(enclosing(map(tuple, boxes)))

    def refresh(self) -> None:
        """Show the plan's split."""
        split, dataset = self.plan.split, self.dataset
        lost = int((~self._atlas.placed).sum())
        note = _count(len(dataset)) + (f" · {lost} not on the map" if lost else "")
        self._view.page = {
            "mode": "dataset", "title": self._title, "back": self._back, "note": note,
            "colours": [list(choice) for choice in choices(dataset)], "coloured": self._by,
            "placed": lost < len(dataset), "undo": bool(self._history), "fold": self._fold,
            "code": self._view.page.get("code", ""),
        }  # fmt: skip
        self._view.paint(tint(split, self._by))
        self._view.parts = self._parts()
        self._view.regions = self._regions()
        rule = split.rule or SplitRule()
        self._view.options = {
            "by": rule.by, "fractions": list(rule.fractions), "buffer_km": rule.buffer_km,
            "seed": rule.seed, "published": "split" in dataset.chips,
        }  # fmt: skip

    def change(self, plan: Plan, *, remember: bool = True) -> None:
        """Take over a plan if a split can be made of it.

        Raises:
            WorkbenchError: It cannot; the last plan stays.
        """
        plan.split  # noqa: B018 - raises where there is none
        if remember:
            self._history.append(self.plan)
        drawn = (plan.areas, plan.within) != (self.plan.areas, self.plan.within)
        self.plan, self._fold = plan, ""
        if drawn:
            self._draw()
        self.refresh()
        self.made()

    def undo(self) -> None:
        """Go back to the plan before the last change."""
        if self._history:
            self.change(self._history.pop(), remember=False)
            self.choose_nothing()

    def give(self, region: str, part: str) -> None:
        """Move a region to a part, or let it be shared out."""
        self.change(self.plan.moved(self.dataset.find_region(region), part))
        if self._view.selection.get("name") == region:
            self.choose_region(region)

    def move(self, part: str) -> None:
        """Move what is chosen: a region, the region of a chip, or what is drawn.

        Args:
            part: A part; '' shares a region out; 'only' leaves out all that is not drawn.
        """
        if self._area is not None and part == "only":
            self.change(self.plan.only(self._area))
            self.choose_nothing()
        elif self._area is not None:
            self.change(self.plan.drawn(self._area, part))
            self.choose_region(self.plan.areas[-1][0])
        elif name := self._view.selection.get("name"):
            self.change(self.plan.moved(name, part))
            if self._view.selection["kind"] == "region":
                self.choose_region(name)
            else:
                self.choose_chip(self._view.selection["at"])

    def fold(self, step: int) -> None:
        """Hold out one region alone, the next or the one before; 0 begins with the chosen one."""
        regions = self.dataset.regions
        held = [name for name, part in self.plan.given.items() if part == "held_out"]
        name = self._view.selection.get("name")
        if step == 0:
            region = name or (held[0] if held else regions[0])
        else:
            place = regions.index(held[0]) + step if held else 0
            region = regions[place % len(regions)]
        self.change(self.plan.fold(region))
        self._fold = f"{regions.index(region) + 1} of {len(regions)}"
        self.refresh()
        self.choose_region(region)

    def options(self, values: Mapping[str, Any]) -> None:
        """Share out in another way."""
        train, val, test = (float(share) for share in values["fractions"])
        buffer = values["buffer_km"]
        rule = SplitRule(str(values["by"]), (train, val, test),
                         None if buffer is None else float(buffer), int(values["seed"]))
        self.change(dataclasses.replace(self.plan, rule=rule))

    def colour(self, by: str) -> None:
        """Colour the chips by something else."""
        if by in dict(choices(self.dataset)):
            self._by = by
            self.refresh()

    def choose_nothing(self) -> None:
        """Choose nothing."""
        self._area, self.chosen = None, ()
        self._view.selection = {}

    def choose_region(self, name: str) -> None:
        """Choose all chips of a region."""
        self._area = None
        chips = self.dataset.chips
        there = (chips["region"] == name).to_numpy()
        self.chosen = tuple(chips.index[there])
        own = chips[there]
        days = own["date"].dropna()
        when = "" if days.empty else f" · {_span(days.min(), days.max())}"
        self._view.selection = {
            "kind": "region", "name": name, "title": display_name(name),
            "place": self.dataset.regions.index(name), "part": self.plan.given.get(name, ""),
            "lines": [f"{_count(len(own))} in {own['cluster'].nunique()} clusters{when}",
                      self._classes(there)],
        }  # fmt: skip

    def choose_chip(self, place: int) -> None:
        """Open one chip."""
        self._area = None
        chip = self._atlas.names[place]
        row = self.dataset.chips.loc[chip]
        region = str(row["region"])
        mask = np.arange(len(self.dataset)) == place
        try:
            pictures = chip_pictures(self.dataset, chip)
        except (WorkbenchError, OSError) as error:
            pictures, problem = [], str(error)
        else:
            problem = ""
        when = f" · {row['date'][:10]}" if isinstance(row["date"], str) else ""
        part = next((PART_NAMES[part] for part in PARTS if chip in self.plan.split.parts[part]),
                    "left out")
        self.chosen = (chip,)
        self._view.selection = {
            "kind": "chip", "at": place, "title": chip, "name": region, "place": -1,
            "part": self.plan.given.get(region, ""), "pictures": pictures,
            "lines": [f"{display_name(region)}{when} · {part}", problem or self._classes(mask)],
            "mover": f"all of {display_name(region)}:",
        }  # fmt: skip

    def choose_area(self, area: Area) -> None:
        """Choose what lies within a drawn area."""
        area = _rounded(area)
        inside = within(self.dataset.chips, area)
        regions = Counter(self.dataset.chips.loc[inside, "region"])
        self.chosen = tuple(self.dataset.chips.index[inside])
        there = ", ".join(f"{display_name(name)} ({count})"
                          for name, count in regions.most_common(4))
        more = f" and {len(regions) - 4} more regions" if len(regions) > 4 else ""
        self._area = area if inside.any() else None
        self._view.selection = {
            "kind": "area" if inside.any() else "empty", "title": _count(int(inside.sum())),
            "place": -1, "part": "",
            "lines": [f"{there}{more}", self._classes(inside)] if inside.any()
            else ["No chip has its middle there; draw a larger one."],
            "mover": "make it a region and", "name": "",
        }  # fmt: skip

    def _draw(self) -> None:
        self._atlas = chip_atlas(self.dataset)
        self._view.draw(self._atlas)

    def _classes(self, chips: Any) -> str:
        names = [f"count_{place}" for place in range(self.dataset.num_classes)]
        counts = self.dataset.chips.loc[chips, names].to_numpy(float).sum(0)
        shares = counts / max(counts.sum(), 1)
        order = np.argsort(-shares)[:4]
        return ", ".join(f"{self.dataset.classes[place].name} {shares[place]:.1%}"
                         for place in order)

    def _parts(self) -> list[dict[str, Any]]:
        split, rows = self.plan.split, []
        place = {chip: number for number, chip in enumerate(self.dataset)}
        counts = self.dataset.chips.filter(regex=r"^count_\d+$").to_numpy(float)
        for part in (*PARTS, "left_out"):
            chips = split.left_out if part == "left_out" else split.parts[part]
            if not chips and part == "left_out":
                continue
            own = counts[[place[chip] for chip in chips]].sum(0)
            rows.append({
                "part": part, "title": PART_NAMES[part], "chips": len(chips),
                "classes": (own / own.sum()).round(4).tolist() if own.sum() else None,
                "note": "" if chips else "none",
            })  # fmt: skip
        return rows

    def _regions(self) -> list[dict[str, Any]]:
        split, chips = self.plan.split, self.dataset.chips
        part_of = {chip: part for part in PARTS for chip in split.parts[part]}
        counted: dict[str, Counter[str]] = {name: Counter() for name in self.dataset.regions}
        for chip, region in zip(chips.index, chips["region"], strict=True):
            counted[region][part_of.get(chip, "left_out")] += 1
        return [
            {"name": name, "title": display_name(name), "place": number,
             "chips": sum(counts.values()), "part": self.plan.given.get(name, ""),
             "counts": [counts[part] for part in (*PARTS, "left_out")]}
            for number, (name, counts) in enumerate(counted.items())
        ]  # fmt: skip


def _count(chips: int) -> str:
    return "1 chip" if chips == 1 else f"{chips} chips"


def _span(start: str, end: str) -> str:
    return start[:10] if start[:10] == end[:10] else f"{start[:10]} to {end[:10]}"


def _rounded(area: Any) -> Area:
    """Eleven metres are finer than any hand draws; west comes back to within ±180°."""
    if np.ndim(area) == 1:
        west, south, east, north = (round(float(edge), 4) for edge in area)
        if east - west < 360:
            west, east = ((edge + 180) % 360 - 180 for edge in (west, east))
        return round(west, 4), south, round(east, 4), north
    return [(round(float(lon), 4), round(float(lat), 4)) for lon, lat in area]
