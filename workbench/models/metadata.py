"""Dates and positions as people give them, checked, for the backbones that encode them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

from workbench.errors import DataError

# One date, or the dates of an image's frames: ISO strings or what `str` makes ISO strings of.
Dates = str | datetime.date | Sequence[str | datetime.date]
LonLat = tuple[float, float]


def parse_dates(dates: Dates | Sequence[Dates]) -> list[list[datetime.datetime]]:
    """Return the dates of the frames of every image, at midnight where no time of day is given.

    Args:
        dates: A date or a list of frames' dates for each image; one date alone is one image.

    Raises:
        DataError: Something is not an ISO date, or images differ in their number of frames.
    """
    images = [dates] if _is_one(dates) else list(dates)  # type: ignore[arg-type]
    parsed = [
        [_parse(entry) for entry in ([image] if _is_one(image) else image)]  # type: ignore[union-attr]
        for image in images
    ]
    if len({len(frames) for frames in parsed}) > 1:
        raise DataError(f"The images have {sorted({len(f) for f in parsed})} dates; expected one "
                        "for each frame, the same number for every image.")  # fmt: skip
    return parsed


def parse_lonlat(lonlat: LonLat | Sequence[LonLat]) -> list[LonLat]:
    """Return longitude and latitude in degrees of every image; one pair alone is one image.

    Raises:
        DataError: A pair is not on the globe.
    """
    alone = len(lonlat) == 2 and not hasattr(lonlat[0], "__len__")
    pairs: Any = [lonlat] if alone else lonlat
    checked = [(float(longitude), float(latitude)) for longitude, latitude in pairs]
    for longitude, latitude in checked:
        on_globe = math.isfinite(longitude) and abs(longitude) <= 360 and abs(latitude) <= 90
        if not on_globe:
            raise DataError(
                f"({longitude:g}, {latitude:g}) is no position on the globe; expected longitude, "
                "then latitude, in degrees."
            )
    return checked


def _is_one(entry: object) -> bool:
    return isinstance(entry, str) or not hasattr(entry, "__len__")


def _parse(entry: object) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(str(entry))
    except ValueError:
        raise DataError(
            f"{entry!r} is not a date; expected an ISO date such as '2018-03-14'."
        ) from None
