"""The catalogue: collections by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.catalog import documents
from workbench.catalog.collection import FLAGS, Collection
from workbench.catalog.stac import read_collection
from workbench.errors import WorkbenchError, unknown_name
from workbench.reprs import html_card, html_table, text_table
from workbench.storage import read_json, shipped

# Classes that a table still names.
_NAMED = 3


class Catalog(Mapping[str, Collection]):
    """Collections by id; iterates over the ids.

    Attributes:
        skipped: Collections of a server that the workbench cannot use, with the reason.
    """

    def __init__(self, collections: Mapping[str, Collection],
                 skipped: Mapping[str, str] | None = None) -> None:
        self._collections = dict(collections)
        self.skipped = dict(skipped or {})

    def __getitem__(self, name: str) -> Collection:
        try:
            return self._collections[name]
        except KeyError:
            raise unknown_name(
                "collection", name, self._collections, "workbench.open_catalog()"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._collections)

    def __len__(self) -> int:
        return len(self._collections)

    def __contains__(self, name: object) -> bool:
        return name in self._collections

    def search(self, text: str = "", *, sensor: str | None = None, task: str | None = None,
               label: str | None = None, start: str | None = None, end: str | None = None
               ) -> Catalog:
        """Return the collections that all of this holds for.

        Args:
            text: Words that occur in title, description, sensors, bands, classes or regions, in
                any case.
            sensor: A sensor, such as `sentinel-2`.
            task: A task, such as `segmentation`.
            label: The name of a class.
            start: ISO date; something was taken then or later.
            end: ISO date; something was taken then or before.
        """
        words = text.lower().split()
        return Catalog({
            entry.id: entry for entry in self.values()
            if all(word in entry.searched for word in words)
            and (sensor is None or sensor in entry.sensors)
            and (task is None or task == entry.task)
            and (label is None or label in {kind.name for kind in entry.classes})
            and _taken(entry, start or "", end or "9999")
        })

    _HEADER = ("id", "title", "chips", "bands", "GSD", "classes", "regions", "licence", "mind")

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                entry.id,
                entry.shown_title,
                "" if entry.chips is None else str(entry.chips),
                str(len(entry.bands)),
                f"{entry.gsd_m:g} m",
                _named(entry),
                str(len(entry.regions)),
                "not stated" if entry.licence == "other" else entry.licence,
                ", ".join(FLAGS[flag] for flag in entry.flags),
            )
            for entry in self.values()
        ]

    def __repr__(self) -> str:
        return "\n".join([text_table(self._HEADER, self._rows()), *self._notes()])

    def _repr_html_(self) -> str:
        table = html_table(self._HEADER, self._rows())
        return html_card("Catalogue", notes=self._notes(), body=table)

    def _notes(self) -> list[str]:
        if not self.skipped:
            return []
        return [f"{len(self.skipped)} more collections cannot be used; catalog.skipped says why"]


def _taken(entry: Collection, start: str, end: str) -> bool:
    """Tell whether a place of a collection has images of that time; one without dates has not."""
    if not start and end == "9999":
        return True
    # A date without a day ("2018-07") is before all of its days and not after them.
    return any(place.end[:10] >= start and place.start[:10] <= end for place in entry.places)


def _named(entry: Collection) -> str:
    names = [kind.name for kind in entry.classes]
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} classes"


def open_catalog(place: str | Path | None = None) -> Catalog:
    """Open the catalogue that comes with the workbench, or a STAC catalogue of your own.

    Args:
        place: The file or URL of a catalogue, a collection or a STAC API; or a folder with a
            `catalog.json`, or with a `collection.json` in it or in each of its folders.

    Returns:
        The collections. Of a server's, those that the workbench cannot use are in `skipped`.

    Raises:
        WorkbenchError: There is no catalogue, none of its collections can be used, or a file of
            it is damaged; names the file.
        DownloadError: A server cannot be reached or refuses.
    """
    collections: dict[str, Collection] = {}
    skipped: dict[str, str] = {}
    for href, data in _documents(str(shipped("data_catalog") if place is None else place)):
        try:
            entry = read_collection(href, data)
        except WorkbenchError as error:
            if not documents.remote(href):
                raise
            skipped[data.get("id", href)] = str(error)
            continue
        if entry.id in collections:
            raise WorkbenchError(f"{href}: the catalogue has two collections {entry.id!r}.")
        collections[entry.id] = entry
    if skipped and not collections:
        name, reason = next(iter(skipped.items()))
        raise WorkbenchError(f"None of the {len(skipped)} collections at {place} can be used. The "
                             f"first, {name}: {reason}")
    return Catalog(collections, skipped)


def find_collection(name: str) -> Collection:
    """Return a collection by its id in the catalogue, or by the file or URL it stands in.

    Raises:
        UnknownNameError: The catalogue has none of that id.
        WorkbenchError: The file is no collection.
        DownloadError: Its server cannot be reached or refuses.
    """
    if documents.remote(name) or name.endswith(".json"):
        return read_collection(name)
    return open_catalog()[name]


def _documents(place: str) -> Iterator[tuple[str, Any]]:
    """Yield file or URL of every collection, with what stands there."""
    folder = Path(place)
    if not documents.remote(place) and folder.is_dir():
        alone = [*folder.glob("collection.json"), *sorted(folder.glob("*/collection.json"))]
        if alone and not (folder / "catalog.json").is_file():
            yield from ((str(file), read_json(file)) for file in alone)
            return
        place = str(folder / "catalog.json")
    if not documents.remote(place) and not Path(place).is_file():
        raise WorkbenchError(
            f"There is no STAC catalogue at {place}; expected a catalog.json, or a folder with a "
            "collection.json in it or in each of its folders."
        )
    yield from _below(place, documents.read(place), ())


def _below(href: str, document: Any, above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the collections of a document: itself, its children, or those an API lists."""
    if not isinstance(document, dict):
        raise WorkbenchError(f"{href} is no STAC catalogue: it holds no JSON object.")
    if document.get("type") == "Collection" or "item_assets" in document:
        yield href, document
        return
    for listing in documents.linked(document, href, "data"):
        for place, page in documents.pages(listing):
            yield from ((_self(entry, place), entry) for entry in page.get("collections", ()))
        return
    for child in documents.linked(document, href, "child"):
        if child not in above:  # a catalogue may link back
            yield from _below(child, documents.read(child), (*above, href))


def _self(document: dict[str, Any], place: str) -> str:
    return next(iter(documents.linked(document, place, "self")), place)
