"""Blend the windows of a raster row by row: memory holds one strip of windows, never the raster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from workbench.prediction.windows import taper, window_starts

Pixels = npt.NDArray[np.float32]
# (first row, number of rows) to pixels (band, y, x), NaN where a band has none
ReadRows = Callable[[int, int], Pixels]
# First row and column of a window.
Corner = tuple[int, int]
# windows (window, band, y, x) and where they begin to probabilities (window, class, y, x)
Forward = Callable[[Pixels, Sequence[Corner]], Pixels]


@dataclass(frozen=True)
class Tiling:
    """How a raster is cut: windows of `window` pixels, `overlap` shared, `batch_size` at once."""

    height: int
    width: int
    window: int
    overlap: int
    batch_size: int

    @property
    def tops(self) -> list[int]:
        """First rows of the strips of windows."""
        return window_starts(self.height, self.window, self.overlap)

    @property
    def lefts(self) -> list[int]:
        """First columns of the windows of a strip."""
        return window_starts(self.width, self.window, self.overlap)


@dataclass(frozen=True)
class Rows:
    """Finished rows: probabilities ``(class, y, x)`` float32, NaN where a band has no value."""

    top: int
    probabilities: Pixels
    valid: npt.NDArray[np.bool_]


def blended_rows(read_rows: ReadRows, forward: Forward, num_classes: int,
                 tiling: Tiling, first: int = 0) -> Iterator[Rows]:
    """Yield the rows of a raster from top to bottom, each once, as soon as nothing can change them.

    Every row is read once. Windows without a single valid pixel are not given to the model. Begun
    at a later strip, it starts with the strips that share rows with it, so that what it yields is
    bit for bit what it would have been.

    Args:
        read_rows: Reads rows in full width.
        forward: The model; it sees NaN where there is no value.
        num_classes: Classes that `forward` returns.
        tiling: The windows.
        first: The strip of windows whose rows are yielded first.
    """
    side, tops = min(tiling.height, tiling.window), tiling.tops
    begin = next(number for number, top in enumerate(tops) if top + side > tops[first])
    strip = read_rows(tops[begin], side)
    sums = np.zeros((num_classes, side, tiling.width), np.float32)
    weights = np.zeros((side, tiling.width), np.float32)
    for number, (top, following) in enumerate(pairwise([*tops, tiling.height])):
        if number < begin:
            continue
        rows = taper(side, tiling.overlap, before=number > 0, after=number < len(tops) - 1)
        valid = np.logical_and.reduce(np.isfinite(strip))
        _add_strip(sums, weights, strip, valid, rows, forward, tiling, top)
        done = following - top
        with np.errstate(invalid="ignore"):  # 0 / 0 where no window was needed
            finished = sums[:, :done] / weights[:done]
        finished[:, ~valid[:done]] = np.nan
        if number >= first:
            yield Rows(top, finished, valid[:done])
        if following < tiling.height:
            strip = np.concatenate([strip[:, done:], read_rows(top + side, done)], axis=1)
            for total in (sums, weights):
                total[..., : side - done, :] = total[..., done:, :]
                total[..., side - done :, :] = 0


def _add_strip(sums: Pixels, weights: Pixels, strip: Pixels, valid: npt.NDArray[np.bool_],
               rows: Pixels, forward: Forward, tiling: Tiling, top: int) -> None:
    """Add the weighted answers to one strip of windows, from row `top` on."""
    lefts = tiling.lefts
    width = min(tiling.width, tiling.window)
    needed = [left for left in lefts if valid[:, left : left + width].any()]
    for start in range(0, len(needed), tiling.batch_size):
        chosen = needed[start : start + tiling.batch_size]
        windows = np.stack([strip[:, :, left : left + width] for left in chosen])
        answers = forward(windows, [(top, left) for left in chosen])
        for left, answer in zip(chosen, answers, strict=True):
            columns = taper(width, tiling.overlap, before=left > 0, after=left < lefts[-1])
            weight = rows[:, None] * columns
            sums[:, :, left : left + width] += answer * weight
            weights[:, left : left + width] += weight
