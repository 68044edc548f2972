"""Choosing chips by what the index says of them: place, time, region, class."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import geopandas
import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.data.areas import within
from workbench.errors import DataError, unknown_name

if TYPE_CHECKING:
    from workbench.data.dataset import Dataset

DateRange: TypeAlias = str | datetime.date | tuple[Any, Any]
Chosen = npt.NDArray[np.bool_]


def filtered(dataset: Dataset, chip_ids: Iterable[str] | None, conditions: Mapping[str, Any]
             ) -> geopandas.GeoDataFrame:
    """Return the rows of the chips asked for; see `Dataset.select`."""
    chips = dataset.chips
    if chip_ids is not None:
        wanted = list(chip_ids)
        for chip in wanted:
            if chip not in chips.index:
                raise unknown_name("chip", chip, chips.index, "list(dataset)")
        chips = chips.loc[wanted]
    if not conditions or chips.empty:
        return chips
    met = {name: _CONDITIONS[name](dataset, chips, value) for name, value in conditions.items()}
    chosen = np.logical_and.reduce(list(met.values()))
    if not chosen.any():
        counts = ", ".join(f"{name}={_short(conditions[name])}: {found.sum()}"
                           for name, found in met.items())
        raise DataError(
            f"No chip of {dataset.info.name} meets what was asked for; of {len(chips)} chips meet "
            f"{counts}. Ask for less, or look at what there is: dataset.chips."
        )
    return chips[chosen]


def _in_regions(dataset: Dataset, chips: geopandas.GeoDataFrame, region: str | Iterable[str]
                ) -> Chosen:
    names = [region] if isinstance(region, str) else list(region)
    return chips["region"].isin([dataset.find_region(name) for name in names]).to_numpy()


def _in_time(dataset: Dataset, chips: geopandas.GeoDataFrame, date: DateRange) -> Chosen:
    first, last = date if isinstance(date, tuple | list) else (date, date)
    found: Chosen = chips["date"].notna().to_numpy(copy=True)
    days = chips["date"].fillna("").astype(str)
    # ISO dates are in the order of their letters; a month means all of its days.
    if first is not None:
        found &= (days >= _day(first)).to_numpy()
    if last is not None:
        end = _day(last)
        found &= (days.str.slice(0, len(end)) <= end).to_numpy()
    return found


def _day(given: object) -> str:
    text = str(given)[:10]
    try:
        datetime.date.fromisoformat(f"{text}-01-01"[:10] if len(text) < 7 else f"{text}-01"[:10])
    except ValueError:
        raise DataError(
            f"date={given!r} is no ISO date; write a year, a month or a day, such as '2019', "
            "'2019-09' or '2019-09-18'."
        ) from None
    return text


def _holding(dataset: Dataset, chips: geopandas.GeoDataFrame, holds: str | Iterable[str]
             ) -> Chosen:
    known = [entry.name for entry in dataset.classes]
    names = [holds] if isinstance(holds, str) else list(holds)
    if wrong := [name for name in names if name not in known]:
        raise unknown_name("class", wrong[0], known, "dataset.classes")
    counts: pd.DataFrame = chips[[f"count_{known.index(name)}" for name in names]]
    return (counts > 0).any(axis=1).to_numpy()


_CONDITIONS: dict[str, Callable[[Any, Any, Any], Chosen]] = {
    "region": _in_regions,
    "within": lambda dataset, chips, area: within(chips, area),
    "date": _in_time,
    "holds": _holding,
}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
