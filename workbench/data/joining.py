"""concat: several datasets as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import geopandas
import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset
from workbench.data.index import merge_clusters
from workbench.data.info import DatasetInfo, count_dates
from workbench.errors import BandError, DataError, LabelError

# Chips of a dataset that are read to compare its units with another's: units differ by 100 and
# more (0 to 1, 0 to 255, 0 to 10 000), scenes by far less.
_LOOKED_AT = 3
_UNITS_APART = 30.0


def concat(datasets: Iterable[Dataset], *, name: str | None = None) -> Dataset:
    """Join datasets of equal bands, dates, units, classes and chip size; chips stay in their files.

    Clusters of different datasets become one where their chips show the same ground, regions of
    one name are one region. Ids of chips and names of clusters get their dataset's name in front.

    Args:
        datasets: Two or more.
        name: What to call them together; by default their names joined.

    Raises:
        BandError: Bands differ; says how to choose those they share.
        LabelError: Classes differ; says how to map them.
        DataError: Chips differ in size or number of dates, units seem to differ, or one dataset is
            given twice.
    """
    given = list(datasets)
    if len(given) < 2:
        raise DataError(f"wb.concat joins two datasets or more; got {len(given)}.")
    if wrong := [one for one in given if not isinstance(one, Dataset)]:
        raise DataError(f"wb.concat joins datasets, not a {type(wrong[0]).__name__}.")
    first, *others = given
    for other in others:
        _require_equal(first, other)
    members = [info for one in given for info in (one.members or (one.info,))]
    tables = _tables(given)
    chips = geopandas.GeoDataFrame(pd.concat(tables), geometry="geometry", crs="EPSG:4326")
    info = DatasetInfo(
        name=name or " + ".join(dict.fromkeys(one.info.name for one in given)),
        bands=first.bands, classes=first.classes, stored_bands=first.bands,
        class_values=tuple(range(first.num_classes)), chip_shape=first.info.chip_shape,
        num_frames=first.num_frames,
        gsd_m=first.info.gsd_m if len({one.info.gsd_m for one in given}) == 1 else None,
        simulated=any(one.info.simulated for one in given),
        notes=tuple(dict.fromkeys(note for one in given for note in one.info.notes)),
        source={"kind": "concat", "members": [
            {"source": one.info.source, "chips": list(one)} for one in given], "name": name},
    )  # fmt: skip
    skipped = {chip: reason for one in given for chip, reason in one.skipped.items()}
    return Dataset(info, merge_clusters(chips), skipped, tuple(members))


def _tables(datasets: Sequence[Dataset]) -> list[geopandas.GeoDataFrame]:
    """Return the chips of each, with the number of the member that each is of."""
    names = Counter(one.info.name for one in datasets)
    tables, start = [], 0
    for number, one in enumerate(datasets):
        label = one.info.name + (f"#{number + 1}" if names[one.info.name] > 1 else "")
        chips = one.chips
        member = start + (chips["member"] if one.members else 0 * chips["count_ignore"])
        files = _files(one)
        if any(files & _files(other) for other in datasets[:number]):
            raise DataError(f"{label} holds chips that are in the datasets before it, too.")
        ids = [f"{label}/{chip}" for chip in chips.index]
        tables.append(chips.assign(member=member, cluster=f"{label}/" + chips["cluster"])
                      .set_axis(pd.Index(ids, name=chips.index.name)))
        start += len(one.members) or 1
    return tables


def _files(dataset: Dataset) -> set[tuple[object, ...]]:
    return set(dataset.chips[["image", "row_off", "col_off"]].itertuples(index=False, name=None))


def _require_equal(first: Dataset, other: Dataset) -> None:
    one, two = first.info, other.info
    if first.bands != other.bands:
        shared = [band for band in first.bands if band in other.bands]
        raise BandError(
            f"{one.name} has the bands {', '.join(one.bands)}, {two.name} has "
            f"{', '.join(two.bands)}. "
            + (f"Choose those they share in both: .with_bands({shared})." if shared
               else "They share none.")
        )
    if [kind.name for kind in one.classes] != [kind.name for kind in two.classes]:
        raise LabelError(
            f"{one.name} has the classes {_names(first)}, {two.name} has {_names(other)}. Give "
            f"both the same names in the same order: {two.name}.remap({{…}})."
        )
    if one.num_frames != two.num_frames:
        raise DataError(
            f"Chips of {one.name} are of {count_dates(one.num_frames)}, those of {two.name} of "
            f"{count_dates(two.num_frames)}. Open both with the same number of frames."
        )
    if one.chip_shape != two.chip_shape:
        raise DataError(
            f"Chips of {one.name} have {one.chip_shape[0]} × {one.chip_shape[1]} pixels, those of "
            f"{two.name} {two.chip_shape[0]} × {two.chip_shape[1]}. Open both with the same "
            "chip_size."
        )
    levels = [_level(dataset) for dataset in (first, other)]
    apart = np.maximum(levels[0], levels[1]) / np.minimum(*levels)
    if np.median(apart) > _UNITS_APART:
        raise DataError(
            f"The units of {one.name} and {two.name} seem to differ: values of {one.bands[0]} are "
            f"about {levels[0][0]:.3g} in one and {levels[1][0]:.3g} in the other. Open them with "
            "scale=, such as scale=1e-4 for Sentinel-2 integers, so that both are reflectance."
        )


def _names(dataset: Dataset) -> str:
    return ", ".join(kind.name for kind in dataset.classes)


def _level(dataset: Dataset) -> np.ndarray:
    """Return the mean size of the values of each band in a few chips."""
    ids = list(dataset)
    some = ids[:: max(1, len(ids) // _LOOKED_AT)][:_LOOKED_AT]
    values = [dataset.read(chip) for chip in some]
    return np.mean([np.abs(one.pixels).mean(axis=1) for one in values], axis=0) + 1e-9
