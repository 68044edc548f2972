"""The catalogue's side of the picker: what exists, where, and what one should know of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.catalog import Catalog, Collection
from workbench.catalog.collection import FLAGS
from workbench.catalog.fetching import default_root
from workbench.data.simulated.generate import is_complete, simulated_root
from workbench.reprs import readable_bytes
from workbench.widgets.basemap import enclosing
from workbench.widgets.picker.atlas import place_atlas
from workbench.widgets.picker.tints import SETS, Tint
from workbench.widgets.picker.view import PickerView

_HIDDEN = 255
_FILTERS = ("text", "sensor", "task", "label", "start", "end")


class CataloguePage:
    """The collections of a catalogue on the map and in a list.

    Attributes:
        chosen: The collection whose card is open.
    """

    def __init__(self, catalog: Catalog, view: PickerView) -> None:
        self.catalog, self._view = catalog, view
        self.chosen: Collection | None = None
        self.previews: dict[str, list[dict[str, str]]] = {}
        self._filters: dict[str, Any] = {"text": ""}
        self._found = catalog
        self._entries = list(catalog.values())
        self._atlas, self._owners = place_atlas(self._entries)

    def show(self) -> None:
        """Draw the map and the list."""
        self._view.page = {"mode": "catalogue", "title": "Catalogue", "colours": [],
                           "note": "", "placed": True, "code": ""}
        self._view.selection = {}
        self._view.draw(self._atlas)
        self.refresh()

    def refresh(self) -> None:
        """Show what was found and what is chosen."""
        codes = np.array([self._code(entry) for entry in self._entries], np.uint8)
        palette = [*(f"--wb-set-{number}" for number in range(SETS)), "--wb-left_out"]
        self._view.paint(Tint(codes[self._owners], palette, []))  # the list is the legend
        everything = self.catalog.values()
        places = sum(len(entry.places) for entry in self._found.values())
        self._view.catalogue = {
            "entries": [self._card(entry) for entry in self._found.values()],
            "chosen": self.chosen.id if self.chosen else None,
            "filters": self._filters,
            "choices": {
                "sensor": sorted({name for entry in everything for name in entry.sensors}),
                "task": sorted({entry.task for entry in everything}),
                "label": sorted({kind.name for entry in everything for kind in entry.classes}),
            },
            "found": f"{len(self._found)} of {len(self.catalog)} collections · {places} places"
                     + ("" if len(self._found) else ": loosen a filter"),
        }  # fmt: skip

    def search(self, filters: dict[str, Any]) -> None:
        """Show only what fits."""
        self._filters = {name: filters.get(name) for name in _FILTERS}
        self._found = self.catalog.search(**{**self._filters, "text": filters.get("text") or ""})
        if self.chosen and self.chosen.id not in self._found:
            self.chosen = None
        self.refresh()

    def choose(self, name: str | None, *, fly: bool = True) -> None:
        """Open the card of a collection, or close it."""
        self.chosen = None if name is None else self.catalog[name]
        self.refresh()
        boxes = [place.bbox for place in self.chosen.places if place.bbox] if self.chosen else []
        if boxes and fly:
            self._view.fly(enclosing(boxes))

    def at_group(self, group: int) -> None:
        """Choose a collection that has places of a region; asked again, the next one."""
        there = [int(owner) for owner in
                 np.unique(self._owners[self._atlas.groups == group])
                 if self._entries[owner].id in self._found]
        if there:
            known = [self._entries[owner].id for owner in there]
            place = known.index(self.chosen.id) + 1 if self.chosen and self.chosen.id in known \
                else 0
            self.choose(known[place % len(known)], fly=False)

    def at_shape(self, place: int) -> None:
        """Choose the collection of one place."""
        self.choose(self._entries[int(self._owners[place])].id, fly=False)

    def _code(self, entry: Collection) -> int:
        if entry.id not in self._found:
            return _HIDDEN
        if self.chosen is not None and entry is not self.chosen:
            return SETS  # quiet
        return self._entries.index(entry) % SETS

    def _colour(self, entry: Collection) -> str:
        return f"--wb-set-{self._entries.index(entry) % SETS}"

    def _card(self, entry: Collection) -> dict[str, Any]:
        chips = "" if entry.chips is None else f"{entry.chips} chips · "
        opened, fetch = how_to_open(entry)
        return {
            "id": entry.id, "title": entry.shown_title,
            "colour": f"var({self._colour(entry)})",
            "line": f"{chips}{len(entry.bands)} bands · {entry.gsd_m:g} m · {_licence(entry)}",
            "flags": [FLAGS[flag] for flag in entry.flags], "caveats": list(entry.caveats),
            "description": entry.description,
            "classes": [{"name": kind.name, "colour": kind.color} for kind in entry.classes],
            "facts": list(_facts(entry).items()), "open": opened, "fetch": fetch,
            "preview": self.previews.get(entry.id, []),
        }  # fmt: skip


def _licence(entry: Collection) -> str:
    return "licence not stated" if entry.licence == "other" else entry.licence


def _facts(entry: Collection) -> dict[str, str]:
    dates = [(place.start[:10], place.end[:10]) for place in entry.places]
    regions = ", ".join(region.title for region in list(entry.regions.values())[:12])
    more = len(entry.regions) - 12
    facts = {
        "sensors": ", ".join(entry.sensors),
        "bands": ", ".join(band.name for band in entry.bands),
        "regions": regions + (f" and {more} more" if more > 0 else ""),
        "dates": f"{min(dates)[0]} to {max(end for _, end in dates)}" if dates else "",
        "splits": ", ".join(entry.splits),
        "size": readable_bytes(entry.size_bytes) if entry.size_bytes else "",
        "licence": _licence(entry),
        "cite": entry.citation or "",
    }
    return {name: fact for name, fact in facts.items() if fact}


def is_here(entry: Collection) -> bool:
    """Tell whether a collection can be opened without generating or fetching anything."""
    if entry.simulated:
        return is_complete(simulated_root())
    folder = default_root(entry)
    return folder.is_dir() and any(folder.iterdir())


def how_to_open(entry: Collection) -> tuple[str, str]:
    """Return the words on the button that opens a collection, or else the line that fetches it."""
    if is_here(entry):
        return f"Open {entry.chips or 'its'} chips", ""
    if entry.simulated:
        return "Generate and open (a minute or two)", ""
    size = f"  # {readable_bytes(entry.size_bytes)}" if entry.size_bytes else ""
    return "", f'wb.download("{entry.id}"){size}'
