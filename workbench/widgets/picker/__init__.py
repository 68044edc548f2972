"""pick: what exists and where, and a split made on the map."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import traitlets
from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from workbench.catalog import Catalog, Collection, open_catalog
from workbench.data import Dataset, Split, load
from workbench.data.choosing import telling_chips
from workbench.errors import DataError, WorkbenchError
from workbench.plots import plot
from workbench.plots.style import Picture
from workbench.widgets.basemap import new_map
from workbench.widgets.latest import Latest
from workbench.widgets.picker.browsing import CataloguePage, is_here
from workbench.widgets.picker.dealing import DatasetPage
from workbench.widgets.picker.pictures import chip_pictures, thumbnail
from workbench.widgets.picker.plan import Picked, Plan, named
from workbench.widgets.picker.view import PANES, PickerView
from workbench.widgets.telling import telling

Source = Catalog | Collection | Dataset | Split
_VERDICTS = {"ok": "Audit: nothing found", "note": "Audit: notes only",
             "warning": "Audit: look at this", "error": "Audit: this split is not sound"}
_KEPT: dict[str, Picked] = {}


def pick(source: Source | str | None = None, *, key: str | None = None) -> Picker:
    """Show data on a map: collections with their cards, chips, and a split made with the mouse.

    Args:
        source: A catalogue, or a collection of it, its id, a dataset or a split to begin with;
            without one the catalogue that comes with the workbench.
        key: A name under which the kernel keeps what was done: the same cell run again goes on
            from it. Without one, or with a split as `source`, every run of the cell starts fresh.

    Returns:
        A panel that shows itself; `.value` is the split, None as long as no dataset is open.

    Raises:
        DataError: `source` is none of these, or a dataset has no chips.
        UnknownNameError: No such collection.
        SplitError: The dataset cannot be split, for example because it has one cluster only.
    """
    return Picker(find_source(source), key=key)


def find_source(source: Source | str | None) -> Source:
    """Return what a map begins with; see `pick`."""
    if isinstance(source, str):
        return open_catalog()[source]
    if not isinstance(source, Source | None):
        raise DataError(
            f"A map takes a catalogue, a collection or its id, a dataset or a split, not a "
            f"{type(source).__name__}."
        )
    return open_catalog() if source is None else source


class Picker(traitlets.HasTraits):
    """A map of what exists, and of how one dataset is split; see `pick`.

    Args:
        source: What it begins with.
        key: As for `pick`.
        picked: What was open before, to go on from; without it what is kept under `key`.

    Attributes:
        value: The split; None as long as no dataset is open.
        box: The widget, to be put beside others.
    """

    value = traitlets.Instance(Split, allow_none=True)

    def __init__(self, source: Source, *, key: str | None = None,
                 picked: Picked | None = None) -> None:
        super().__init__()
        self._key, self._source = key, source
        self._still: DisplayHandle | None = None
        self._chart = new_map(height="450px", panes=PANES)
        self._view = PickerView(self._chart, self._hear)
        self._auditor = Latest(self._audit, pause_s=0.5)
        self._opener = Latest(self._open, pause_s=0)
        self._catalogue: CataloguePage | None = None
        self._deal: DatasetPage | None = None
        inner = widgets.VBox([self._chart, self._view])
        inner.add_class("wb-pick")
        self.box = widgets.Box([inner])
        self.box.add_class("wb-pick-frame")
        self._begin(picked or _KEPT.get(key or ""))

    @property
    def picked(self) -> Picked | None:
        """What is open; None as long as no dataset is."""
        if self._deal is None:
            return None
        return Picked(self.collection.id if self.collection else None, self._deal.plan)

    @property
    def collection(self) -> Collection | None:
        """The collection whose card is open or whose chips are shown."""
        return self._catalogue.chosen if self._catalogue else None

    @property
    def selected(self) -> Dataset | None:
        """The chips that are chosen on the map: of a region, a drawn area, or one."""
        if self._deal is None or not self._deal.chosen:
            return None
        return self._deal.dataset.select(self._deal.chosen)

    @property
    def code(self) -> str:
        """The line that makes the same split."""
        if self._deal is None:
            return f'wb.load("{self.collection.id}")' if self.collection else "wb.open_catalog()"
        shell = get_ipython()
        name = named(self._deal.plan.source, shell.user_ns if shell else {},
                     whole=self.collection is not None)
        return self._deal.plan.code(name)

    def show(self) -> None:
        """Show the map; under it, as an output that a stored notebook keeps, a still picture.

        The map itself lives only as long as its kernel.
        """
        display(self.box)
        self._still = DisplayHandle()
        self._still.display(self._bundle(), raw=True)

    def wait(self) -> None:
        """Return when what is being opened is open and audited."""
        self._opener.wait()
        self._auditor.wait()

    def open(self, collection: Collection) -> None:
        """Open a collection's chips in the background; `wait` returns when they are there."""
        self._opener.ask((collection, True))

    def __repr__(self) -> str:
        return self.code if self.value is None else f"{self.value!r}\n{self.code}"

    def _begin(self, kept: Picked | None) -> None:
        source = self._source
        if isinstance(source, Dataset | Split):
            plan = Plan.of(source)
            if (kept is not None and isinstance(source, Dataset)
                    and kept.plan.source.layout_hash == source.layout_hash):
                plan = dataclasses.replace(kept.plan, source=plan.source)
            self._deal_out(plan, _title(plan.source))
            return
        catalog = source if isinstance(source, Catalog) else Catalog({source.id: source})
        self._catalogue = CataloguePage(catalog, self._view)
        if kept is not None and (kept.collection is None or kept.collection in catalog):
            self._catalogue.chosen = catalog[kept.collection] if kept.collection else None
            self._deal_out(kept.plan, self._catalogue.chosen.shown_title
                           if self._catalogue.chosen else _title(kept.plan.source))
            return
        self._catalogue.show()
        if isinstance(source, Collection):
            self._choose(source.id)
            if is_here(source):
                self.open(source)

    def _deal_out(self, plan: Plan, title: str) -> None:
        self._deal = DatasetPage(plan, self._view, self._made)
        self._deal.show(title, back=self._catalogue is not None)
        self._made()

    def _made(self) -> None:
        """Take over the split that the page has made."""
        assert self._deal is not None
        self.value = self._deal.plan.split
        self._view.page = {**self._view.page, "code": self.code}
        self._view.audit = {"state": "busy", "title": "Looking for leaks and odd data …"}
        if self._key and self.picked:
            _KEPT[self._key] = self.picked
        self._auditor.ask(self.value)

    def _audit(self, split: Split) -> None:
        with telling(self._no_audit):
            self._show_audit(split)

    def _no_audit(self, why: str) -> None:
        self._view.audit = {"state": "failed", "title": f"No audit: {why}"}

    def _show_audit(self, split: Split) -> None:
        try:
            audit = split.audit()
        except OSError as error:
            self._no_audit(str(error))
            return
        if split is self.value:
            findings = [{"level": finding.level, "check": finding.check, "what": str(finding)}
                        for finding in audit.findings]
            self._view.audit = {"state": "done", "title": _VERDICTS[audit.worst],
                                "worst": audit.worst, "findings": findings}
            self._redraw()

    def _redraw(self) -> None:
        if self._still:
            self._still.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, Any]:
        source = self.value or self.collection or self._source
        try:
            return {"text/plain": repr(self), "image/png": _picture(source).png(dpi=96)}
        except DataError:  # nothing of it is on the map
            return {"text/plain": repr(self)}

    def _open(self, wanted: tuple[Collection, bool]) -> None:
        """Open a collection, or only look at one of its chips, in a thread."""
        collection, whole = wanted
        page = self._view.page
        words = "opening" if is_here(collection) else "generating"

        def progress(done: int, total: int) -> None:
            if whole:
                self._view.page = {**page, "busy": f"{words} {collection.id}: {done} of {total}"}

        try:
            if whole:
                progress(0, collection.chips or 0)
            dataset = load(collection, progress=progress)
            if whole:
                if self._catalogue:  # another card may have been opened meanwhile
                    self._catalogue.chosen = collection
                self._deal_out(Plan.of(dataset), collection.shown_title)
            elif self._catalogue:
                chip = telling_chips(dataset, 1)[0]
                self._catalogue.previews[collection.id] = chip_pictures(dataset, chip)
                if self._deal is None:
                    self._catalogue.refresh()
        except (WorkbenchError, OSError) as error:
            self._view.page = {**page, "busy": str(error)} if whole else page

    def _choose(self, name: str | None) -> None:
        assert self._catalogue is not None
        self._catalogue.choose(name)
        chosen = self._catalogue.chosen
        if chosen and chosen.id not in self._catalogue.previews and is_here(chosen):
            self._opener.ask((chosen, False))

    def _close(self) -> None:
        self._deal = self.value = None
        if self._key:
            _KEPT.pop(self._key, None)
        assert self._catalogue is not None
        self._catalogue.show()
        self._redraw()

    def _hear(self, message: dict[str, Any]) -> None:
        """Do what the browser asks for; what cannot be done is said, and nothing changes."""
        actions = self._actions()
        if message.get("do") not in actions:
            return
        self._view.message = ""
        try:
            actions[message["do"]](message)
        except WorkbenchError as error:
            self._view.message = str(error)

    def _actions(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        deal, catalogue = self._deal, self._catalogue
        if deal is not None:
            return {
                "region": lambda m: deal.choose_region(m["name"]),
                "group": lambda m: deal.choose_region(deal.dataset.regions[m["at"]]),
                "shape": lambda m: deal.choose_chip(m["at"]),
                "area": lambda m: deal.choose_area(m["area"]),
                "give": lambda m: deal.give(m["region"], m["part"]),
                "move": lambda m: deal.move(m["part"]),
                "fold": lambda m: deal.fold(m["step"]),
                "options": deal.options, "undo": lambda _: deal.undo(),
                "colour": lambda m: deal.colour(m["by"]),
                "nothing": lambda _: deal.choose_nothing(),
                "thumb": lambda m: self._send_thumb(deal, m["at"]),
                **({"close": lambda _: self._close()} if catalogue else {}),
            }
        assert catalogue is not None
        return {
            "search": catalogue.search, "choose": lambda m: self._choose(m["id"]),
            "group": lambda m: catalogue.at_group(m["at"]),
            "shape": lambda m: catalogue.at_shape(m["at"]),
            "open": lambda m: self.open(catalogue.catalog[m["id"]]),
        }

    def _send_thumb(self, deal: DatasetPage, place: int) -> None:
        try:
            url = thumbnail(deal.dataset, list(deal.dataset)[place])
        except (WorkbenchError, OSError):
            url = ""
        self._view.send({"thumb": place, "url": url})

    def _ipython_display_(self) -> None:
        self.show()


def _title(dataset: Dataset) -> str:
    return dataset.info.name + (" (simulated)" if dataset.info.simulated else "")


def _picture(source: Source) -> Picture:
    kinds = {Catalog: "atlas", Split: "parts"}
    return plot(source, kinds.get(type(source), "world"))
