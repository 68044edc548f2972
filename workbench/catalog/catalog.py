"""The catalogue: collections by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from workbench.catalog.collection import FLAGS, Collection
from workbench.catalog.stac import read_collection
from workbench.errors import WorkbenchError, unknown_name
from workbench.reprs import html_card, html_table, text_table
from workbench.storage import read_json, shipped

# Classes that a table still names.
_NAMED = 3


class Catalog(Mapping[str, Collection]):
    """Collections by id; iterates over the ids."""

    def __init__(self, collections: Mapping[str, Collection]) -> None:
        self._collections = dict(collections)

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
        return text_table(self._HEADER, self._rows())

    def _repr_html_(self) -> str:
        return html_card("Catalogue", body=html_table(self._HEADER, self._rows()))


def _named(entry: Collection) -> str:
    names = [kind.name for kind in entry.classes]
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} classes"


def open_catalog(path: str | Path | None = None) -> Catalog:
    """Open the catalogue that comes with the workbench, or a static STAC catalogue of your own.

    Args:
        path: A `catalog.json` or its folder.

    Raises:
        WorkbenchError: There is no catalogue, or a file in it is damaged; names the file.
    """
    file = Path(path) if path is not None else shipped("data_catalog")
    if file.is_dir():
        file = file / "catalog.json"
    if not file.is_file():
        raise WorkbenchError(f"There is no STAC catalogue at {file}; expected a catalog.json.")
    links = read_json(file).get("links", [])
    children = [file.parent / link["href"] for link in links if link.get("rel") == "child"]
    return Catalog({entry.id: entry for entry in map(read_collection, children)})
