"""What a model needs of a source, and what a source is: pixels on a grid, read window by window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.data.sample import ChipDate
from workbench.prediction.grid import Grid

Pixels = npt.NDArray[np.float32]
# top, left, rows, columns to pixels (band, [time,] y, x) as the model takes them, NaN without a
# value
Read = Callable[[int, int, int, int], Pixels]


class PredictionWarning(UserWarning):
    """A prediction that goes on, on an assumption worth knowing."""


@dataclass(frozen=True)
class Needs:
    """What a model takes, as its training data had it.

    Attributes:
        bands: Bands in the order of the model.
        stored_bands: Bands of the training files in file order, for sources without band names.
        scale: With `offset`, stored value * scale + offset is what the model takes.
        offset: See `scale`.
        nodata: Stored value of missing pixels, beside what the source itself says.
        gsd_m: Ground sampling distance in metres, where it is known.
        num_frames: Dates of an image.
    """

    bands: tuple[str, ...]
    stored_bands: tuple[str | None, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    gsd_m: float | None = None
    num_frames: int = 1

    def stacked(self, layers: npt.NDArray) -> npt.NDArray:
        """Return layers ``(band · time, y, x)`` as the model takes them: ``(band, [time,] y, x)``.

        Each band's dates follow each other.
        """
        frames = () if self.num_frames == 1 else (self.num_frames,)
        return layers.reshape(len(self.bands), *frames, *layers.shape[-2:])


@dataclass(frozen=True, eq=False)
class Source:
    """Pixels on a grid.

    Attributes:
        name: What messages call it.
        grid: Where its pixels are.
        read: Top, left, rows and columns to pixels as the model takes them, NaN where a band has
            no value.
        date: ISO date, or one for each frame, where the source knows it.
        whole_rows: Whether its pixels lie in full rows, so that a part of a row costs all of it.
        lasting: Whether its name finds it again, as that of a file or an address does.
        stamp: What changes when its pixels do; None where only its pixels can tell.
        facts: What is worth knowing of how it was read, for the attributes of a prediction.
    """

    name: str
    grid: Grid
    read: Read
    date: ChipDate | None = None
    whole_rows: bool = False
    lasting: bool = False
    stamp: tuple[Any, ...] | None = None
    facts: dict[str, Any] | None = None


def physical(stored: npt.NDArray, nodata: set[float], needs: Needs) -> Pixels:
    """Return layers ``(band · time, y, x)`` as float32 in the units of the model.

    Where a band's value on any date is missing or infinite, all are NaN: so the model saw it in
    training.
    """
    missing = ~np.isfinite(stored) if stored.dtype.kind == "f" else np.zeros(stored.shape, bool)
    for value in nodata:
        missing |= stored == value
    pixels = stored.astype(np.float32)
    if (needs.scale, needs.offset) != (1.0, 0.0):
        pixels *= np.float32(needs.scale)
        pixels += np.float32(needs.offset)
    pixels[:, missing.any(axis=0)] = np.nan
    return needs.stacked(pixels)
