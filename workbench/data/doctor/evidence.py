"""What the doctor looks at: the index, and the pixels of a bounded number of chips, read once."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench.data.bands import BANDS
from workbench.errors import DataError

if TYPE_CHECKING:
    from workbench.data.dataset import Dataset
    from workbench.data.split import Split
    from workbench.data.statistics import NamedStatistics

Floats = npt.NDArray[np.floating]

# Values read at most, about a second's worth for each of two processors; 500 chips of 128 pixels
# and 6 bands are 49 million.
_MOST_VALUES = 100_000_000
_MOST_CHIPS = 600
# Chips kept for a closer look, in runs of neighbours in the index, and their side in pixels.
_MOST_LOOKS, _RUN, _SIDE = 64, 4, 128
# Valid pixels of each that statistics are taken from.
_PIXELS = 1000
# Values of a picture by which copies are known: cells along a side.
CELLS = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """The middle of a chip: mask and valid ``(y, x)`` as in `Sample`.

    `frames` is its image, ``(band, time, y, x)`` also where there is one date.
    """

    chip: str
    region: str
    part: str
    place: int
    frames: Floats
    mask: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]

    @property
    def layers(self) -> Floats:
        """The bands of all dates, ``(band · time, y, x)``."""
        return self.frames.reshape(-1, *self.frames.shape[-2:])

    @cached_property
    def pixels(self) -> Floats:
        """Some of the valid pixels of all dates, spread evenly, ``(band, pixel)``."""
        whole = self.frames[..., self.valid].reshape(len(self.frames), -1)
        # An odd step does not stay in one column.
        return whole[:, :: whole.shape[1] // _PIXELS | 1]


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """By what copies are known: a digest, and a small picture ``(band, cell, cell)``."""

    chip: str
    digest: bytes
    picture: Floats


class Evidence:
    """What is known of a split without reading every pixel; `looks` and `signatures` are lazy.

    The choice of chips is spread evenly over the index and is the same every time.
    """

    def __init__(self, split: Split, statistics: NamedStatistics | None = None) -> None:
        self.split = split
        self.statistics = statistics
        self.part_of = {chip: part for part, chips in split.parts.items() for chip in chips}

    @property
    def dataset(self) -> Dataset:
        """The whole dataset."""
        return self.split.dataset

    @property
    def looks(self) -> list[Look]:
        """Chips for a closer look; none where the images are not there."""
        return self._read[0]

    @property
    def signatures(self) -> list[Signature]:
        """Of as many chips as there was time for."""
        return self._read[1]

    @cached_property
    def optical(self) -> list[int]:
        """Positions of the bands that hold reflectance."""
        return [
            place for place, band in enumerate(self.dataset.bands)
            if band in BANDS and BANDS[band].wavelength_nm and "THERMAL" not in band
        ]

    def pixels(self, part: str | None = None, region: str | None = None) -> Floats:
        """Return pixels of the looks, of a part or a region, ``(band, pixel)``."""
        chosen = [
            look.pixels for look in self.looks
            if part in (None, look.part) and region in (None, look.region)
        ]
        return np.concatenate([np.empty((len(self.dataset.bands), 0), np.float32), *chosen], 1)

    @cached_property
    def _read(self) -> tuple[list[Look], list[Signature]]:
        info, ids = self.dataset.info, [chip for chip in self.dataset if chip in self.part_of]
        size = max(1, math.prod(info.image_shape))
        most = int(np.clip(_MOST_VALUES // size, _RUN, _MOST_CHIPS))
        close = set(_runs(len(ids), min(most, _MOST_LOOKS)))
        places = sorted(close | set(_runs(len(ids), most)))

        def read(place: int) -> tuple[Look, Signature] | None:
            try:
                return self._look(place, ids[place])
            except (DataError, OSError):
                return None

        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            found = [entry for entry in pool.map(read, places) if entry is not None]
        looks = [look for look, _ in found if look.place in close]
        return looks, [signature for _, signature in found]

    def _look(self, place: int, chip: str) -> tuple[Look, Signature]:
        sample = self.dataset.read(chip)
        image = sample.image.reshape(len(sample.image), -1, *sample.mask.shape)
        height, width = sample.mask.shape
        rows = slice(max(0, (height - _SIDE) // 2), max(0, (height - _SIDE) // 2) + _SIDE)
        cols = slice(max(0, (width - _SIDE) // 2), max(0, (width - _SIDE) // 2) + _SIDE)
        look = Look(
            chip, sample.region, self.part_of[chip], place, image[..., rows, cols].copy(),
            sample.mask[rows, cols].copy(), sample.valid[rows, cols].copy(),
        )
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        layers = image.reshape(-1, *sample.mask.shape)
        return look, Signature(chip, digest, _picture(layers, sample.valid))


def _runs(count: int, most: int) -> list[int]:
    """Return up to `most` of `count` places, in runs of neighbours spread evenly."""
    if count <= most:
        return list(range(count))
    starts = np.linspace(0, count - _RUN, max(1, most // _RUN)).astype(int)
    return sorted({int(start) + step for start in starts for step in range(_RUN)})


def _picture(image: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
    """Return means of cells of the first, the middle and the last layer, ``(3, cell, cell)``."""
    bands = image[[0, len(image) // 2, len(image) - 1]]
    height, width = (side // CELLS * CELLS for side in bands.shape[1:])
    if not height or not width:
        return np.zeros((3, CELLS, CELLS), np.float32)
    filled = np.where(valid, bands, 0)[:, :height, :width]
    cells = filled.reshape(3, CELLS, height // CELLS, CELLS, width // CELLS).mean((2, 4))
    return cells.astype(np.float32)
