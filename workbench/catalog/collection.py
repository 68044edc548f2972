"""A collection: what a body of data is, where it lies, how it comes and what to mind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from workbench.reprs import html_card, html_notes, html_table, readable_bytes, text_table

Box = tuple[float, float, float, float]
# What a flag of a collection means, as people read it.
FLAGS = {
    "not-on-the-map": "cannot be placed on a map",
    "splits-leak": "its published splits leak",
}
_ROWS_SHOWN = 15


@dataclass(frozen=True)
class CatalogBand:
    """A band by its canonical name.

    Attributes:
        name: As in `workbench.data.bands`.
        wavelength_nm: Centre wavelength in nanometres.
        gsd_m: Ground sampling distance it was measured with, in metres.
        mean: Mean in physical units, where a source states it.
        std: Standard deviation in physical units, where a source states it.
    """

    name: str
    wavelength_nm: float | None
    gsd_m: float | None = None
    mean: float | None = None
    std: float | None = None


@dataclass(frozen=True)
class CatalogClass:
    """A class of the masks: stored value, name, colour as `#rrggbb`."""

    value: int
    name: str
    color: str


@dataclass(frozen=True)
class Place:
    """One item of a collection: an event, an MGRS tile, a country's part of a tile.

    Attributes:
        name: Id of the item.
        title: Name to show.
        region: The region it belongs to.
        geometry: GeoJSON in WGS 84; None where the data say nothing of their position.
        bbox: West, south, east, north in degrees.
        start: First ISO date.
        end: Last ISO date.
        chips: How many chips lie there, where it is known.
        source_name: What the files call it, where that differs from `region`.
    """

    name: str
    title: str
    region: str
    geometry: Mapping[str, Any] | None
    bbox: Box | None
    start: str
    end: str
    chips: int | None
    source_name: str


@dataclass(frozen=True)
class Region:
    """A unit of splits: the places of one name.

    `bbox` is west, south, east, north in degrees, None where no place has a position; `date` and
    `end` are the first and the last ISO date.
    """

    name: str
    title: str
    bbox: Box | None
    date: str
    end: str
    chips: int | None
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Asset:
    """A file, or all files below a prefix, that a collection is downloaded from.

    Attributes:
        name: Key in the collection.
        title: Name to show.
        href: `https://…`, `gs://bucket/…` or `hf://datasets/owner/name@revision/…`; one that ends
            in a slash stands for everything below it.
        roles: Among `data`, `labels`, `metadata`, `sample`.
        path: Where it goes, below the root.
        size_bytes: As its source states it.
        checksum: `sha256:…` or `md5:…` as a source states it; None where none does.
        unpack: `tar` or `zip` for an archive that is unpacked into the root.
        part_of: The first part, where an archive comes in several.
        optional: Whether it is left out unless asked for.
    """

    name: str
    title: str
    href: str
    roles: tuple[str, ...]
    path: str
    size_bytes: int | None = None
    checksum: str | None = None
    unpack: str | None = None
    part_of: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class PublishedSplit:
    """A split that others published: `lists` maps a part to where its list of chips lies."""

    name: str
    description: str
    source: str
    lists: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class Collection:
    """What a body of data is; its chips come by `workbench.load(collection.id)`.

    Attributes:
        id: Name to load it by.
        title: Name to show.
        description: What it is, in sentences.
        bands: Bands of the images, in file order.
        extra_bands: Bands of further images by asset, such as Sentinel-1 in `image_s1`.
        classes: Classes of the masks.
        gsd_m: Ground sampling distance in metres.
        dtype: How images are stored.
        scale: With `offset`: stored value * scale + offset is the physical unit.
        offset: See `scale`.
        nodata: Stored value of missing image pixels.
        no_label: Mask values without a label.
        places: The items with their footprints, read when first asked for.
        hold_out: Regions that are held out by default.
        licence: SPDX name; `other` where the source states none.
        citation: What to cite.
        doi: The dataset's DOI.
        sensors: Such as `sentinel-2`.
        task: `segmentation`.
        chips: How many there are.
        chip_shape: Rows and columns of a chip.
        reader: Which layout the files are in.
        folder: Name of the folder that holds it, where the layout asks for one.
        statistics_source: Where the bands' statistics come from.
        assets: What to download.
        splits: Published splits by name.
        flags: Among `not-on-the-map` and `splits-leak`.
        simulated: Whether the pixels are computed, not measured.
        caveats: What to mind.
        href: File or URL that it was read from; None for one that comes with the workbench.
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
    hold_out: tuple[str, ...]
    licence: str
    simulated: bool
    caveats: tuple[str, ...]
    dtype: str | None = None
    extra_bands: Mapping[str, tuple[CatalogBand, ...]] = field(default_factory=dict)
    citation: str | None = None
    doi: str | None = None
    sensors: tuple[str, ...] = ()
    task: str = "segmentation"
    chips: int | None = None
    chip_shape: tuple[int, int] | None = None
    reader: str | None = None
    folder: str | None = None
    statistics_source: str | None = None
    assets: Mapping[str, Asset] = field(default_factory=dict)
    splits: Mapping[str, PublishedSplit] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    href: str | None = None
    read_places: Callable[[], tuple[Place, ...]] = tuple

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The items of the collection, in the order of its links."""
        return self.read_places()

    @cached_property
    def regions(self) -> dict[str, Region]:
        """The regions by name: places of one region joined."""
        by_region = sorted(self.places, key=attrgetter("region"))
        joined = {name: _joined(name, tuple(places))
                  for name, places in groupby(by_region, key=attrgetter("region"))}
        order = dict.fromkeys(place.region for place in self.places)
        return {name: joined[name] for name in order}

    @cached_property
    def searched(self) -> str:
        """Everything that a search looks into, in lower case."""
        texts = [self.id, self.title, self.description, self.task, *self.sensors,
                 *(band.name for band in self.bands), *(kind.name for kind in self.classes),
                 *(text for place in self.places for text in (place.region, place.title))]
        return " ".join(dict.fromkeys(texts)).lower()

    @property
    def size_bytes(self) -> int | None:
        """Bytes to download, as far as sources state them; None where none does."""
        stated = [asset.size_bytes for asset in self.assets.values()
                  if asset.size_bytes is not None and "sample" not in asset.roles]
        return sum(stated) if stated else None

    def download(self, root: str | Path | None = None, **options: Any) -> Path:
        """Download the collection; see `workbench.download`."""
        from workbench.catalog.fetching import download

        return download(self, root, **options)

    def _facts(self) -> dict[str, str]:
        facts = {
            "id": self.id,
            "sensors": ", ".join(self.sensors),
            "chips": "" if self.chips is None else f"{self.chips} of {_shape(self.chip_shape)}",
            "bands": ", ".join(band.name for band in self.bands),
            "GSD": f"{self.gsd_m:g} m",
            "classes": ", ".join(f"{entry.value} {entry.name}" for entry in self.classes),
            "splits": ", ".join(self.splits),
            "held out": ", ".join(self.hold_out) or "none by default",
            "download": readable_bytes(self.size_bytes) if self.size_bytes else "",
            "licence": "not stated" if self.licence == "other" else self.licence,
            "cite": self.citation or "",
        }
        return {name: fact for name, fact in facts.items() if fact}

    def _notes(self) -> list[str]:
        return [*(f"⚑ {FLAGS[flag]}" for flag in self.flags), *self.caveats]

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                region.name,
                region.date if region.date == region.end else f"{region.date} to {region.end}",
                "" if region.chips is None else str(region.chips),
                ", ".join(f"{edge:.4g}" for edge in region.bbox) if region.bbox else "unknown",
            )
            for region in self.regions.values()
        ]

    _HEADER = ("region", "date", "chips", "west, south, east, north")

    def __repr__(self) -> str:
        facts = "\n".join(f"  {name}: {fact}" for name, fact in self._facts().items())
        notes = "\n".join(f"  ! {note}" for note in self._notes())
        rows = self._rows()
        more = f"\n… {len(rows) - _ROWS_SHOWN} more" if len(rows) > _ROWS_SHOWN else ""
        table = text_table(self._HEADER, rows[:_ROWS_SHOWN])
        return f"{self.shown_title}\n{facts}\n{notes}\n{table}{more}"

    def _repr_html_(self) -> str:
        rows = self._rows()
        more = [f"… {len(rows) - _ROWS_SHOWN} more"] if len(rows) > _ROWS_SHOWN else []
        body = html_table(self._HEADER, rows[:_ROWS_SHOWN]) + html_notes(more)
        return html_card(self.shown_title, self._facts(), notes=self._notes(), body=body)

    @property
    def shown_title(self) -> str:
        """The title, which says so where the data are simulated."""
        return self.title + (" (SIMULATED)" if self.simulated else "")


def _shape(shape: tuple[int, int] | None) -> str:
    return "any size" if shape is None else f"{shape[0]} × {shape[1]}"


def _joined(name: str, places: tuple[Place, ...]) -> Region:
    boxes = [place.bbox for place in places if place.bbox]
    counts = [place.chips for place in places if place.chips is not None]
    return Region(
        name=name,
        title=places[0].title if len(places) == 1 else name,
        bbox=None if not boxes else (
            min(box[0] for box in boxes), min(box[1] for box in boxes),
            max(box[2] for box in boxes), max(box[3] for box in boxes),
        ),
        date=min(place.start for place in places),
        end=max(place.end for place in places),
        chips=sum(counts) if counts else None,
        places=places,
    )  # fmt: skip
