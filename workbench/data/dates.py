"""When images were taken: a date, one for each frame, a table, or a part of the file's name."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas

from workbench.errors import DataError

Day = str | datetime.date
DateSpec = Day | Sequence[Day] | Mapping[str, Day | Sequence[Day]] | None


def find_dates(spec: DateSpec, path: str, num_frames: int = 1) -> tuple[str, ...] | None:
    """Return the ISO date of every frame of an image; None where a table does not name it.

    Args:
        spec: The date of all images, a regular expression with a group on the file's stem
            (`2018-03-14` or `20180314` inside), or a mapping of stem to date. Of several frames a
            list of dates, an expression with a group for each, or a mapping to lists; a text may
            hold dates with spaces or commas between them.
        path: The image's file.
        num_frames: How many there are.

    Raises:
        DataError: What stands for a date is none, the expression does not fit the name, or there
            are not as many dates as frames.
    """
    given = _said(spec, path, num_frames)
    if given is None:
        return None
    if isinstance(given, str) and num_frames > 1:
        given = [day for day in re.split(r"[\s,;]+", given) if day]
    days = [given] if isinstance(given, str) or not hasattr(given, "__len__") else list(given)
    if len(days) != num_frames:
        raise DataError(
            f"{path} has {num_frames} frame{'s' if num_frames > 1 else ''}, and its date is given "
            f"as {given!r}; give one for each frame, in their order: date=['2018-03-14', …]."
        )
    return tuple(_iso(day, path) for day in days)


def write_dates(chips: geopandas.GeoDataFrame, found: Sequence[tuple[str, ...] | None]) -> None:
    """Note when chips were taken: `date`, and of several frames all of them in `dates`.

    Args:
        chips: The index, changed in place. `date` is that of the first frame.
        found: For each chip what `find_dates` returns.
    """
    chips["date"] = [None if days is None else days[0] for days in found]
    if any(days is not None and len(days) > 1 for days in found):
        chips["dates"] = [None if days is None else " ".join(days) for days in found]


def _said(spec: DateSpec, path: str, num_frames: int) -> Any:
    stem = Path(path).stem
    if isinstance(spec, Mapping):
        return spec.get(stem, spec.get(Path(path).name))
    if isinstance(spec, str) and "(" in spec:
        try:
            match = re.search(spec, stem)
        except re.error as error:
            raise DataError(f"date={spec!r} is not a regular expression: {error}.") from error
        if match is None or not match.groups():
            raise DataError(
                f"date={spec!r} finds no date in the name {stem}. Put the date's part of the file "
                r"name in parentheses, as in r'_(\d{8})_'."
            )
        return match[1] if num_frames == 1 or len(match.groups()) == 1 else match.groups()
    return spec


def dates_to_json(spec: DateSpec) -> Any:
    """Return plain data that `find_dates` takes again."""
    if isinstance(spec, Mapping):
        return {stem: dates_to_json(day) for stem, day in spec.items()}
    if spec is None:
        return None
    if isinstance(spec, str | datetime.date) or not hasattr(spec, "__len__"):
        return str(spec)
    return [str(day) for day in spec]


def _iso(given: object, path: str) -> str:
    text = str(given)[:10]
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise DataError(
            f"The date of {path} is given as {given!r}; expected an ISO date such as '2018-03-14'."
        ) from None
