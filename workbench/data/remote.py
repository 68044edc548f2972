"""Rasters behind http(s): opened and read by range requests, tried again where one breaks off."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from workbench.errors import DownloadError

T = TypeVar("T")

# GDAL retries what servers answer when they are busy (429, 5xx); `retried` also what breaks off.
# A connection counts as dead below 1 kB/s for 20 s. A file's header is usually within 32 kB.
REMOTE = {
    "GDAL_HTTP_MAX_RETRY": 3, "GDAL_HTTP_RETRY_DELAY": 0.5, "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1000, "GDAL_HTTP_LOW_SPEED_TIME": 20,
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,
}  # fmt: skip
_WAITS_S = (0.5, 1.0, 2.0)


def is_remote(path: str | Path) -> bool:
    """Return whether a path is an http or https address."""
    return str(path).lower().startswith(("http://", "https://"))


def remote_error(url: str | Path, what: str, error: BaseException) -> DownloadError:
    """Make the error for an address that cannot be `opened` or `read`."""
    cause: BaseException | None = error.__cause__ or error
    first = (str(cause).splitlines() or ["no details"])[0][:200]
    return DownloadError(
        f"{url} cannot be {what}: the server does not answer, refuses, has no range requests, or "
        f"the file there is damaged ({first}). Check the address and the network and run the same "
        "call again; or download the file and pass its path."
    )


def retried(action: Callable[[], T], again: Callable[[], None]) -> T:
    """Return `action()`, tried up to four times within seconds while connections break off.

    Args:
        action: What asks the server.
        again: Called after each failure; it forgets what the broken connection left.

    Raises:
        DownloadError: The last try failed as well.
    """
    for wait in _WAITS_S:
        try:
            return action()
        except DownloadError:
            again()
            time.sleep(wait)
    try:
        return action()
    except DownloadError:
        again()
        raise
