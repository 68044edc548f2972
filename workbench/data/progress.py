"""A bar for the chips that are read while an index is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = Callable[[int, int], None]


class Bar:
    """Chips read, of how many, and the time left; only where some are to be read.

    Args:
        delay_s: Seconds of reading before the bar appears.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self._show

    def _show(self, done: int, total: int) -> None:
        if self._bar is None and total:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, unit=" chips", desc="index", delay=self._delay_s)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
