"""A collection: what a body of data is, where it lies and what to mind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.reprs import html_card, html_table, text_table
from workbench.storage import read_json

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class CatalogBand:
    """A band by its canonical name; the wavelength is the centre, in nanometres."""

    name: str
    wavelength_nm: float | None


@dataclass(frozen=True)
class CatalogClass:
    """A class of the masks: stored value, name, colour as `#rrggbb`."""

    value: int
    name: str
    color: str


@dataclass(frozen=True)
class Region:
    """A place used for splits: box as west, south, east, north in degrees, ISO date."""

    name: str
    title: str
    bbox: Box
    date: str


@dataclass(frozen=True, repr=False)
class Collection:
    """What a body of data is; its pixels come by `workbench.load(collection.id)`.

    Attributes:
        id: Name to load it by.
        title: Name to show.
        description: What it is, in sentences.
        bands: Bands of the images, in file order.
        classes: Classes of the masks.
        gsd_m: Ground sampling distance in metres.
        scale: With `offset`: stored value * scale + offset is reflectance, 0 to 1.
        offset: See `scale`.
        nodata: Stored value of missing image pixels.
        no_label: Mask values without a label.
        regions: Regions by name.
        hold_out: Regions that are held out by default.
        licence: SPDX name.
        simulated: Whether the pixels are computed, not measured.
        caveats: What to mind.
    """

    id: str
    title: str
    description: str
    bands: tuple[CatalogBand, ...]
    classes: tuple[CatalogClass, ...]
    gsd_m: float
    scale: float
    offset: float
    nodata: float | None
    no_label: tuple[int, ...]
    regions: Mapping[str, Region]
    hold_out: tuple[str, ...]
    licence: str
    simulated: bool
    caveats: tuple[str, ...]

    def _facts(self) -> dict[str, str]:
        return {
            "id": self.id,
            "bands": ", ".join(band.name for band in self.bands),
            "GSD": f"{self.gsd_m:g} m",
            "classes": ", ".join(f"{entry.value} {entry.name}" for entry in self.classes),
            "held out": ", ".join(self.hold_out) or "none by default",
            "licence": self.licence,
        }

    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (region.name, region.date, ", ".join(f"{edge:g}" for edge in region.bbox))
            for region in self.regions.values()
        ]

    def __repr__(self) -> str:
        facts = "\n".join(f"  {name}: {fact}" for name, fact in self._facts().items())
        notes = "\n".join(f"  ! {caveat}" for caveat in self.caveats)
        table = text_table(("region", "date", "west, south, east, north"), self._rows())
        return f"{_title(self)}\n{facts}\n{notes}\n{table}"

    def _repr_html_(self) -> str:
        table = html_table(("region", "date", "west, south, east, north"), self._rows())
        return html_card(_title(self), self._facts(), notes=self.caveats, body=table)


def _title(collection: Collection) -> str:
    return collection.title + (" (SIMULATED)" if collection.simulated else "")


def read_collection(path: Path) -> Collection:
    """Read a STAC collection and its items.

    Raises:
        WorkbenchError: The file is not JSON or lacks a field; names both.
    """
    data = read_json(path)
    try:
        return _collection(data, _regions(data, path.parent))
    except (KeyError, TypeError, StopIteration) as error:
        raise WorkbenchError(
            f"{path} is not a collection that the workbench understands: {error!r} is missing or "
            "of the wrong kind. Compare it with data_catalog/simulated-floods/collection.json."
        ) from error


def _collection(data: dict[str, Any], regions: dict[str, Region]) -> Collection:
    image, mask = data["item_assets"]["image"], data["item_assets"]["mask"]
    entries = mask["classification:classes"]
    return Collection(
        id=data["id"],
        title=data["title"],
        description=data["description"],
        bands=tuple(
            CatalogBand(band["name"], _nm(band.get("eo:center_wavelength")))
            for band in image["bands"]
        ),
        classes=tuple(
            CatalogClass(entry["value"], entry["name"], f"#{entry['color_hint'].lower()}")
            for entry in entries
            if not entry.get("nodata")
        ),
        gsd_m=image["gsd"],
        scale=image.get("raster:scale", 1.0),
        offset=image.get("raster:offset", 0.0),
        nodata=image.get("nodata"),
        no_label=tuple(entry["value"] for entry in entries if entry.get("nodata")),
        regions=regions,
        hold_out=tuple(data.get("workbench:hold_out", ())),
        licence=data["license"],
        simulated=data.get("workbench:simulated", False),
        caveats=tuple(data.get("workbench:caveats", ())),
    )


def _nm(wavelength_um: float | None) -> float | None:
    return None if wavelength_um is None else round(wavelength_um * 1000, 1)


def _regions(data: dict[str, Any], folder: Path) -> dict[str, Region]:
    items = [
        read_json(folder / link["href"]) for link in data["links"] if link["rel"] == "item"
    ]
    return {
        item["id"]: Region(
            name=item["id"],
            title=item["properties"].get("title", item["id"]),
            bbox=tuple(item["bbox"]),
            date=item["properties"]["datetime"][:10],
        )
        for item in items
    }
