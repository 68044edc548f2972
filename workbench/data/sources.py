"""Opening datasets: by the name of a collection, or again from what a split remembers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas

from workbench.catalog import CatalogBand, Collection
from workbench.catalog.catalog import find_collection
from workbench.catalog.fetching import default_root, interrupted
from workbench.data.bands import canonical_all
from workbench.data.dataset import Dataset
from workbench.data.folder import count_kinds
from workbench.data.info import ClassInfo, ClassSpec, DatasetInfo
from workbench.data.joining import concat
from workbench.data.progress import Bar, Progress
from workbench.data.published import find_split, published_lists
from workbench.data.readers import READERS, Found
from workbench.data.regions import regions_from_json
from workbench.data.store import index_path, open_index, stored_shape
from workbench.errors import DataError, unknown_name

# The kinds of `info.source` that `open_dataset` opens.
REOPENED = ("folder", "collection", "table", "xarray", "concat")


def _from_folder(region: Any, **fields: Any) -> Dataset:
    return Dataset.from_folder(**fields, region=regions_from_json(region))


def _from_xarray(store: str, **fields: Any) -> Dataset:
    return Dataset.from_xarray(store, **fields)


_OPENERS: dict[Any, Callable[..., Dataset]] = {
    "folder": _from_folder, "table": Dataset.from_table, "xarray": _from_xarray,
}  # fmt: skip


def open_dataset(source: Mapping[str, Any]) -> Dataset:
    """Open a dataset again from its `info.source`.

    Raises:
        DataError: The source is of no known kind, or its files are not there.
    """
    fields = dict(source)
    kind = fields.pop("kind", None)
    chosen: dict[str, Any] = {name: fields.pop(name)
                              for name in ("select_bands", "remap", "areas") if name in fields}
    if kind in _OPENERS:
        classes: dict[int, ClassSpec] = {
            int(value): (name, color) for value, (name, color) in fields.pop("classes").items()
        }
        dataset = _OPENERS[kind](classes=classes, **fields)
    elif kind == "collection":
        dataset = load(**fields)
    elif kind == "concat":
        members = [open_dataset(member["source"]).select(member["chips"])
                   for member in fields["members"]]
        dataset = concat(members, name=fields["name"])
    else:
        raise DataError(f"A dataset's source has kind {kind!r}; expected one of "
                        f"{', '.join(map(repr, REOPENED))}.")
    return dataset.again(chosen)


def load(collection: str | Collection = "simulated-floods", *, root: str | Path | None = None,
         images: str | None = None, split: str | None = None, seed: int = 0,
         progress: Progress | None = None) -> Dataset:
    """Open a collection's chips; the first time they are generated, or indexed where they lie.

    The index is kept below the root: later, a dataset opens without reading a pixel. An
    interrupted call goes on where it stopped; files that came or changed are read again.

    Args:
        collection: An id of `workbench.open_catalog()`, a collection, or the file or URL of one.
        root: Where the chips are or shall be; without it where `workbench.download` puts them.
        images: Another choice of images, where the collection has one: `s1` for Sentinel-1.
        split: Only the chips of this published split; `dataset.split(by="published")` makes it.
        seed: Which of the possible simulated datasets.
        progress: Called with the number of scenes done and in all; without it a bar is shown.

    Raises:
        UnknownNameError: No such collection, choice of images or published split.
        DataError: The root is not this dataset (says what was expected and found), its download
            has not ended, its chips are damaged, or none of them can be used.
        LabelError: A mask holds a value that is neither a class nor a no-label value.
        DownloadError: The lists of `split` cannot be fetched.

    Warns:
        ChipWarning: Some chips cannot be used and are left out; said once, with their number.
    """
    entry = find_collection(collection) if isinstance(collection, str) else collection
    if not isinstance(entry, Collection):
        raise DataError(f"wb.load takes a collection or its id, not a {type(entry).__name__}; "
                        "wb.open_catalog() lists them. wb.Dataset.from_folder opens files.")
    if not entry.simulated:
        return _load_files(entry, root, images, split, progress)
    from workbench.data.simulated.generate import generate, simulated_root

    folder = simulated_root(seed) if root is None else Path(root).expanduser().absolute()
    generate(folder, seed=seed, progress=progress)
    source = {
        "kind": "collection",
        "collection": entry.href or entry.id,
        "root": None if root is None else str(folder),
        "seed": seed,
    }
    return _open_index(folder, entry, source)


def _load_files(entry: Collection, root: str | Path | None, images: str | None,
                split: str | None, progress: Progress | None) -> Dataset:
    folder = default_root(entry) if root is None else Path(root).expanduser().absolute()
    if archives := interrupted(folder):
        raise DataError(
            f"{folder}: the download of {', '.join(archives)} was interrupted while it was "
            f"unpacked. workbench.download({entry.id!r}, root=…) goes on where it stopped."
        )
    lists = {} if split is None else published_lists(entry, find_split(entry, split), folder)
    only = {chip: part for part, chips in lists.items() for chip in chips} or None
    reader = READERS[entry.reader or "geotiff"]
    choice = _choice(entry, images)
    found = reader.scan(folder, entry, images, only)
    if not found:
        raise DataError(f"{folder} holds none of the {len(only or ())} chips of {split!r}.")
    path = index_path(folder, images)
    source = {
        "kind": "collection", "collection": entry.href or entry.id,
        "root": None if root is None else str(folder),
        **({} if images is None else {"images": images}), **({} if split is None else
                                                             {"split": split}),
    }  # fmt: skip
    info = _info(entry, choice, source, (1, 1))
    shape = stored_shape(path) or _first_shape(found, info) or entry.chip_shape or (1, 1)
    info = info.model_copy(update={"chip_shape": shape, "notes": reader.notes(info)})
    with contextlib.ExitStack() as stack:
        table = open_index(path, folder, found, info, progress or stack.enter_context(Bar()))
    bad = table["reason"].notna()
    skipped = table.loc[bad, "reason"].to_dict()
    chips = table[~bad].drop(columns=["stamp", "reason", *"abcdef"])
    if not len(chips):
        first, reason = next(iter(skipped.items()))
        raise DataError(f"None of {len(skipped)} chips of {entry.title} in {folder} can be used "
                        f"({count_kinds(skipped)}). The first, {first}: {reason}")
    if only:
        chips = chips.assign(split=[only[chip] for chip in chips.index])
    return Dataset(info, chips, skipped)


def _choice(entry: Collection, images: str | None) -> tuple[CatalogBand, ...]:
    """Return the bands of a choice of images."""
    if images is None:
        return entry.bands
    choices = {key.removeprefix("image_"): bands for key, bands in entry.extra_bands.items()}
    if images not in choices:
        raise unknown_name("choice of images", images, choices, f"{entry.id}: images=None or one "
                           "of extra_bands")
    return choices[images]


def _first_shape(found: Sequence[Found], info: DatasetInfo) -> tuple[int, int] | None:
    """Return rows and columns of the first image that can be opened."""
    for chip in found:
        with contextlib.suppress(DataError):
            grid = READERS[info.reader].grid(chip.image, info)
            return grid.height, grid.width
    return None


def _open_index(root: Path, entry: Collection, source: dict[str, Any]) -> Dataset:
    """Open `chips.parquet`, whose paths are relative to `root`."""
    path = root / "chips.parquet"
    try:
        chips = geopandas.read_parquet(path).set_index("chip_id")
        files = {kind: [str(root / name) for name in chips[kind]] for kind in ("image", "mask")}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read ({error}). Delete the folder {root} and load again."
        ) from error
    chips = chips.assign(col_off=0, row_off=0, **files)
    shape = int(chips["height"].iloc[0]), int(chips["width"].iloc[0])
    return Dataset(_info(entry, entry.bands, source, shape), chips)


def _info(entry: Collection, choice: Sequence[CatalogBand], source: dict[str, Any],
          chip_shape: tuple[int, int]) -> DatasetInfo:
    """Return the facts of a collection; other choices of images are in physical units already."""
    bands = canonical_all([band.name for band in choice])
    own = choice is entry.bands
    return DatasetInfo(
        name=entry.id,
        collection=entry.id,
        bands=bands,
        classes=tuple(ClassInfo(name=kind.name, color=kind.color) for kind in entry.classes),
        scale=entry.scale if own else 1.0,
        offset=entry.offset if own else 0.0,
        nodata=entry.nodata if own else None,
        no_label=entry.no_label,
        gsd_m=entry.gsd_m,
        simulated=entry.simulated,
        source=source,
        stored_bands=bands,
        class_values=tuple(kind.value for kind in entry.classes),
        chip_shape=chip_shape,
        reader="geotiff" if entry.simulated else entry.reader or "geotiff",
    )
