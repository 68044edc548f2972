"""Blend the windows of a raster strip by strip: memory holds a part of one strip, never the raster.

A raster is cut into panels of columns and a panel into strips of rows. Where two panels meet, the
sums of the left one are carried into the right one, so that every window is answered once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.prediction.windows import taper, window_starts

Pixels = npt.NDArray[np.float32]
# top, left, rows, columns to pixels (band, [time,] y, x), NaN where a band has none
ReadWindow = Callable[[int, int, int, int], Pixels]
# First row and column of a window.
Corner = tuple[int, int]
# windows (window, band, [time,] y, x) and where they begin to probabilities (window, class, y, x)
Forward = Callable[[Pixels, Sequence[Corner]], Pixels]
# First row and number of rows to sums and weights (class + 1, y, x) of the panel to the left.
Carried = Callable[[int, int], Pixels]


class Panel(NamedTuple):
    """Columns from `left` to `right`, which it reads; those up to `stop` it finishes."""

    lefts: tuple[int, ...]
    left: int
    stop: int
    right: int


@dataclass(frozen=True)
class Tiling:
    """How a raster is cut: windows of `window` pixels, `overlap` shared, `batch_size` at once.

    `panel` is how many columns are read together at most, or one window; panels hold as many
    windows as each other, to one.
    """

    height: int
    width: int
    window: int
    overlap: int
    batch_size: int
    panel: int = 2048

    @property
    def tops(self) -> list[int]:
        """First rows of the strips of windows."""
        return window_starts(self.height, self.window, self.overlap)

    @property
    def lefts(self) -> list[int]:
        """First columns of the windows of a strip."""
        return window_starts(self.width, self.window, self.overlap)

    @property
    def panels(self) -> list[Panel]:
        """The panels from left to right."""
        lefts, side = self.lefts, min(self.width, self.window)
        most = max(1, (self.panel - side) // (self.window - self.overlap) + 1)
        # The last window is moved back to end with the raster.
        whole = self.width <= self.panel
        parts = [tuple(part) for part in _evenly(lefts, len(lefts) if whole else most)]
        stops = [*(part[0] for part in parts[1:]), self.width]
        return [Panel(part, part[0], stop, part[-1] + side)
                for part, stop in zip(parts, stops, strict=True)]


@dataclass(frozen=True)
class Part:
    """Finished rows of a panel.

    Attributes:
        top: First row.
        probabilities: ``(class, y, x)`` float32, NaN where a band has no value.
        valid: ``(y, x)``.
        carry: Sums and weights ``(class + 1, y, x)`` of the columns that the next panel finishes.
    """

    top: int
    probabilities: Pixels
    valid: npt.NDArray[np.bool_]
    carry: Pixels


def blended(read: ReadWindow, forward: Forward, num_classes: int, tiling: Tiling, panel: Panel,
            carried: Carried | None, first: int = 0, ahead: Executor | None = None
            ) -> Iterator[Part]:
    """Yield the rows of a panel from top to bottom, each once, as soon as nothing can change them.

    Every row of a panel is read once. Windows without a single valid pixel are not given to the
    model. Begun at a later strip, it starts with the strips that share rows with it, so that what
    it yields is bit for bit what it would have been.

    Args:
        read: Reads windows.
        forward: The model; it sees NaN where there is no value.
        num_classes: Classes that `forward` returns.
        tiling: The windows.
        panel: Which of them.
        carried: What the panel to the left left, None for the first panel.
        first: The strip of windows whose rows are yielded first.
        ahead: Reads the rows of the next strip while the model is at work.
    """
    side, tops = min(tiling.height, tiling.window), tiling.tops
    begin = next(number for number, top in enumerate(tops) if top + side > tops[first])
    total = np.zeros((num_classes + 1, side, panel.right - panel.left), np.float32)
    rest: Pixels | None = None
    rows_of_strips = _new_rows(read, tiling, panel, begin, ahead)
    for number, (top, following) in enumerate(pairwise([*tops, tiling.height])):
        if number < begin:
            continue
        new = next(rows_of_strips)
        strip = new if rest is None else np.concatenate([rest, new], axis=-2)
        weights = taper(side, tiling.overlap, before=number > 0, after=number < len(tops) - 1)
        valid = np.isfinite(strip).reshape(-1, *strip.shape[-2:]).all(axis=0)
        _add_strip(total, strip, valid, weights, forward, tiling, panel, top)
        done = following - top
        if number >= first:
            yield _part(total[:, :done], valid[:done], panel, top, carried)
        rest = strip[..., done:, :]
        total[:, : side - done] = total[:, done:].copy()
        total[:, side - done :] = 0


def _new_rows(read: ReadWindow, tiling: Tiling, panel: Panel, begin: int, ahead: Executor | None
              ) -> Iterator[Pixels]:
    """Yield the rows that each strip has and the strip before it has not."""
    side, columns = min(tiling.height, tiling.window), panel.right - panel.left
    ends = [top + side for top in tiling.tops[begin:]]
    places = [(last, end - last) for last, end in pairwise([tiling.tops[begin], *ends])]
    if ahead is None:
        yield from (read(top, panel.left, rows, columns) for top, rows in places)
        return
    waiting = ahead.submit(read, places[0][0], panel.left, places[0][1], columns)
    for top, rows in places[1:]:
        found = waiting.result()
        waiting = ahead.submit(read, top, panel.left, rows, columns)
        yield found
    yield waiting.result()


def _add_strip(total: Pixels, strip: Pixels, valid: npt.NDArray[np.bool_], rows: Pixels,
               forward: Forward, tiling: Tiling, panel: Panel, top: int) -> None:
    """Add the weighted answers to one strip of windows, from row `top` on, and their weights."""
    side, last = min(tiling.width, tiling.window), tiling.lefts[-1]
    here = {left: slice(left - panel.left, left - panel.left + side) for left in panel.lefts}
    needed = [left for left in panel.lefts if valid[:, here[left]].any()]
    for chosen in _evenly(needed, tiling.batch_size):
        windows = np.stack([strip[..., here[left]] for left in chosen])
        answers = forward(windows, [(top, left) for left in chosen])
        for left, answer in zip(chosen, answers, strict=True):
            columns = taper(side, tiling.overlap, before=left > 0, after=left < last)
            weight = rows[:, None] * columns
            total[:-1, :, here[left]] += answer * weight
            total[-1, :, here[left]] += weight


def _evenly(numbers: list[int], most: int) -> list[list[int]]:
    """Return numbers in as few parts as hold `most` at most, each as long as the others, to one."""
    count = math.ceil(len(numbers) / most)
    return [part.tolist() for part in np.array_split(numbers, count)] if count else []


def _part(total: Pixels, valid: npt.NDArray[np.bool_], panel: Panel, top: int,
          carried: Carried | None) -> Part:
    if carried is not None:
        before = carried(top, total.shape[1])
        total[:, :, : before.shape[2]] += before
    done = panel.stop - panel.left
    valid = valid[:, :done]
    with np.errstate(invalid="ignore"):  # 0 / 0 where no window was needed
        found = total[:-1, :, :done] / total[-1, :, :done]
    found[:, ~valid] = np.nan
    return Part(top, found, valid, total[:, :, done:].copy())
