"""When images were taken: one date, a table, or a part of the file's name."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import DataError

DateSpec = str | datetime.date | Mapping[str, str | datetime.date] | None


def find_date(spec: DateSpec, path: str) -> str | None:
    """Return the ISO date of an image; None where a table does not name it.

    Args:
        spec: A date of all images, a regular expression with a group on the file's stem
            (`2018-03-14` or `20180314` inside), or a mapping of stem to date.
        path: The image's file.

    Raises:
        DataError: What stands for a date is none, or the expression does not fit the name.
    """
    stem = Path(path).stem
    if isinstance(spec, Mapping):
        found: Any = spec.get(stem, spec.get(Path(path).name))
        return None if found is None else _iso(found, path)
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
        return _iso(match[1], path)
    return None if spec is None else _iso(spec, path)


def dates_to_json(spec: DateSpec) -> Any:
    """Return plain data that `find_date` takes again."""
    if isinstance(spec, Mapping):
        return {stem: str(day) for stem, day in spec.items()}
    return None if spec is None else str(spec)


def _iso(given: object, path: str) -> str:
    text = str(given)[:10]
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise DataError(
            f"The date of {path} is given as {given!r}; expected an ISO date such as '2018-03-14'."
        ) from None
