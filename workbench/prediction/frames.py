"""The dates of a source: layers of a file, steps of an array, as many as the model takes."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from workbench.data import bands as band_names
from workbench.data.info import count_dates
from workbench.data.readers.zarr_store import frame_dates, time_dim
from workbench.errors import BandError, DataError
from workbench.prediction.naming import band_places
from workbench.prediction.needs import Needs


def layer_places(name: str, count: int, said: Sequence[str | None], needs: Needs,
                 bands: Sequence[str] | None) -> list[int]:
    """Return where the needed bands stand in a file, counted from 0, the dates of each in turn.

    A file of several dates holds all bands of the first one, then all of the second. For the
    arguments see `band_places`; `bands` are those of one date.

    Raises:
        DataError: The file holds another number of dates.
        BandError: As `band_places` does, or dates have their bands in another order.
    """
    if needs.num_frames == 1:
        return band_places(name, count, said, needs, bands)
    names = [band_names.find(text) if text else None for text in said]
    if bands is not None:
        each = len(bands)
    elif times := max(names.count(band) for band in needs.bands):
        each = count // times
    else:
        each = len(needs.stored_bands) or len(needs.bands)
    if each * needs.num_frames != count:
        dates = f", {count_dates(count // each)} of {each}" if count % each == 0 else ""
        raise other_frames(name, f"{count} bands{dates}", needs)
    for place, band in enumerate(names):
        if band and names[place % each] not in (None, band):
            raise BandError(f"{name} calls its band {place + 1} {band}, and the same one of its "
                            f"first date {names[place % each]}: all bands of the first date come "
                            "first, then all of the second, in the same order.")
    places = band_places(name, each, said[:each], needs, bands)
    return [place + frame * each for place in places for frame in range(needs.num_frames)]


def split_frames(array: xr.DataArray, name: str, needs: Needs
                 ) -> tuple[tuple[str, ...] | None, list[xr.DataArray]]:
    """Return the dates of an array's steps in time, where they are known, and the steps.

    Raises:
        DataError: There are not as many steps as the model takes dates.
    """
    if needs.num_frames == 1:
        return None, [array]
    dim = time_dim(array)
    count = 1 if dim is None else array.sizes[dim]
    if dim is None or count != needs.num_frames:
        raise other_frames(name, count_dates(count), needs)
    dates = frame_dates(array)
    steps = [array.isel({dim: place}, drop=True) for place in range(count)]
    return None if dates is None else tuple(dates), steps


def last_date(said: Sequence[str | None]) -> range:
    """Return where the last date stands in a file that names the same bands again and again.

    Any other file is of one date.
    """
    count = len(said)
    for each in range(1, count // 2 + 1):
        if count % each == 0 and all(text and text == said[place % each]
                                     for place, text in enumerate(said)):
            return range(count - each, count)
    return range(count)


def other_frames(name: str, found: str, needs: Needs) -> DataError:
    """Make the error for a source of another number of dates than the model takes."""
    remedy = (
        "Choose one date of it." if needs.num_frames == 1 else
        "Give it as many, in the order of the training data: a file all bands of the first date, "
        "then all of the second; an array along `time`: xr.concat([first, second, …], 'time')."
    )
    return DataError(f"{name} holds {found}; the model takes images of "
                     f"{count_dates(needs.num_frames)}. {remedy}")
