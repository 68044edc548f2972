"""Reading STAC 1.1: collections with our own fields, and the items of their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.catalog import documents
from workbench.catalog.collection import (
    Asset,
    CatalogBand,
    CatalogClass,
    Collection,
    Place,
    PublishedSplit,
)
from workbench.errors import WorkbenchError
from workbench.storage import shipped

# Multihash prefixes of the STAC file extension: the hash function's code and its length.
_MULTIHASH = {"1220": "sha256", "d50110": "md5"}


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitFields(_Fields):
    """One entry of `workbench:splits`."""

    description: str
    source: str
    lists: dict[Literal["train", "val", "test", "held_out"], str]


class CollectionFields(_Fields):
    """The fields that the workbench adds to a STAC collection, without their prefix."""

    simulated: bool = False
    hold_out: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    reader: str | None = None
    folder: str | None = None
    task: Literal["segmentation"] = "segmentation"
    chips: int | None = Field(default=None, ge=0)
    chip_shape: tuple[int, int] | None = None
    statistics_source: str | None = None
    splits: dict[str, SplitFields] = {}
    flags: tuple[Literal["not-on-the-map", "splits-leak"], ...] = ()


class AssetFields(_Fields):
    """The fields that the workbench adds to an asset of a collection."""

    path: str
    unpack: Literal["tar", "zip"] | None = None
    part_of: str | None = None
    optional: bool = False


class ItemFields(_Fields):
    """The fields that the workbench adds to the properties of an item."""

    region: str | None = None
    chips: int | None = Field(default=None, ge=0)
    source_name: str | None = None


def own_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that begin with `workbench:`, without that prefix."""
    prefix = "workbench:"
    return {key.removeprefix(prefix): value for key, value in data.items()
            if key.startswith(prefix)}


def read_collection(href: str | Path, data: Any = None) -> Collection:
    """Read a STAC collection; its items are read when its places are first asked for.

    Args:
        href: A file or a URL.
        data: What stands there, where it is known.

    Raises:
        WorkbenchError: The file is not JSON or lacks a field; names both.
        DownloadError: Its server cannot be reached or refuses.
    """
    href = str(href) if documents.remote(str(href)) else str(Path(href).absolute())
    data = documents.read(href) if data is None else data
    try:
        return _collection(data, href)
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise WorkbenchError(
            f"{href} is not a collection that the workbench understands: {_what(error)}. Compare "
            "it with data_catalog/simulated-floods/collection.json."
        ) from error


def _what(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"workbench:{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{error!r} is missing or of the wrong kind"


def _collection(data: dict[str, Any], href: str) -> Collection:
    own = CollectionFields(**own_fields(data))
    image, mask = data["item_assets"]["image"], data["item_assets"]["mask"]
    entries = mask["classification:classes"]
    return Collection(
        id=data["id"],
        title=data["title"],
        description=data["description"],
        bands=_bands(image),
        extra_bands={key: _bands(asset) for key, asset in data["item_assets"].items()
                     if key not in ("image", "mask")},
        classes=tuple(
            CatalogClass(entry["value"], entry["name"], f"#{entry['color_hint'].lower()}")
            for entry in entries
            if not entry.get("nodata")
        ),
        gsd_m=image["gsd"],
        dtype=image.get("data_type"),
        scale=image.get("raster:scale", 1.0),
        offset=image.get("raster:offset", 0.0),
        nodata=image.get("nodata"),
        no_label=tuple(entry["value"] for entry in entries if entry.get("nodata")),
        licence=data["license"],
        citation=data.get("sci:citation"),
        doi=data.get("sci:doi"),
        sensors=tuple(data.get("summaries", {}).get("constellation", ())),
        assets={key: _asset(key, asset) for key, asset in data.get("assets", {}).items()},
        href=None if Path(href).is_relative_to(shipped("data_catalog")) else href,
        read_places=lambda: tuple(_places(data, href)),
        **{**dict(own), "splits": {
            name: PublishedSplit(name, **split.model_dump()) for name, split in own.splits.items()
        }},
    )  # fmt: skip


def _bands(asset: dict[str, Any]) -> tuple[CatalogBand, ...]:
    return tuple(
        CatalogBand(
            name=band["name"],
            wavelength_nm=_nm(band.get("eo:center_wavelength")),
            gsd_m=band.get("gsd", asset.get("gsd")),
            mean=band.get("statistics", {}).get("mean"),
            std=band.get("statistics", {}).get("stddev"),
        )
        for band in asset["bands"]
    )


def _nm(wavelength_um: float | None) -> float | None:
    return None if wavelength_um is None else round(wavelength_um * 1000, 1)


def _asset(name: str, data: dict[str, Any]) -> Asset:
    own = AssetFields(**own_fields(data))
    return Asset(
        name=name, title=data.get("title", name), href=data["href"],
        roles=tuple(data.get("roles", ())), size_bytes=data.get("file:size"),
        checksum=_checksum(data.get("file:checksum")), **dict(own),
    )  # fmt: skip


def _checksum(multihash: str | None) -> str | None:
    if multihash is None:
        return None
    for prefix, algorithm in _MULTIHASH.items():
        if multihash.startswith(prefix):
            return f"{algorithm}:{multihash.removeprefix(prefix)}"
    raise TypeError(f"file:checksum {multihash!r}, neither SHA-256 nor MD5 as a multihash")


def _places(data: dict[str, Any], href: str) -> Iterator[Place]:
    """Yield the items that a collection links to, or that the server of its items has."""
    for item in documents.linked(data, href, "item"):
        if not documents.remote(item) and not Path(item).is_file():
            raise WorkbenchError(f"{item} is not there, but its collection links to it.")
        yield _place(documents.read(item), item)
    for items in documents.linked(data, href, "items"):
        for place, page in documents.pages(items):
            yield from (_place(item, place) for item in page.get("features", ()))


def _place(data: dict[str, Any], href: str) -> Place:
    try:
        properties = data["properties"]
        own = ItemFields(**own_fields(properties))
        start = properties["datetime"] or properties["start_datetime"]
        end = properties["datetime"] or properties["end_datetime"]
        return Place(
            name=data["id"], title=properties.get("title", data["id"]),
            region=own.region or data["id"], geometry=data["geometry"],
            bbox=tuple(data["bbox"]) if data["geometry"] else None,
            start=start[:10], end=end[:10], chips=own.chips,
            source_name=own.source_name or own.region or data["id"],
        )  # fmt: skip
    except (KeyError, TypeError, ValidationError) as error:
        raise WorkbenchError(f"{href} is not a STAC item: {_what(error)}.") from error
