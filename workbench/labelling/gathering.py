"""The labelled pixels of a scene, as the head sees them in each window of a prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workbench.data.labels import Labels
from workbench.labelling.kept import KeptFeatures
from workbench.prediction.windows import taper, window_starts

# Of one label: more pixels of one field say hardly anything new.
MOST_PIXELS = 2000
# Every so many rows and columns of the windows with labels are looked at for their spread.
_AROUND_STEP = 8
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Gathered:
    """Labelled pixels with their vectors; a pixel in several windows is there several times.

    Attributes:
        vectors: ``(pixel, N)`` float64.
        kinds: Class of each.
        labels: Which label each belongs to, by its place in the table.
        counts: What each counts: a label as the square root of its pixels, since neighbours repeat
            each other, and a pixel in each window as much as that window counts in the map.
        around: ``(pixel, N)`` float64, pixels of the same windows with or without a label.
    """

    vectors: Tensor
    kinds: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float64]
    around: Tensor


@dataclass(frozen=True)
class Windows:
    """How a scene is cut: the windows of a prediction of the whole scene."""

    height: int
    width: int
    side: int
    overlap: int

    def holding(self, rows: npt.NDArray, cols: npt.NDArray) -> list[tuple[int, int]]:
        """Return the upper left corners of the windows that hold any of these pixels."""
        return [(top, left) for top in window_starts(self.height, self.side, self.overlap)
                for left in window_starts(self.width, self.side, self.overlap)
                if self.inside(top, left, rows, cols).any()]

    def inside(self, top: int, left: int, rows: npt.NDArray, cols: npt.NDArray) -> npt.NDArray:
        """Return which pixels lie in a window."""
        return ((rows >= top) & (rows < top + self.side)
                & (cols >= left) & (cols < left + self.side))  # fmt: skip

    def taper(self, top: int, left: int) -> npt.NDArray[np.float32]:
        """Return what each pixel of a window counts in the map, ``(y, x)``."""
        down, along = min(self.side, self.height), min(self.side, self.width)
        rows = taper(down, self.overlap, before=top > 0, after=top + down < self.height)
        cols = taper(along, self.overlap, before=left > 0, after=left + along < self.width)
        return rows[:, None] * cols


def gather(labels: Labels, model: KeptFeatures, windows: Windows, device: torch.device,
           progress: Progress) -> Gathered:
    """Return the vectors of all labelled pixels with a value; reads no other windows."""
    found = labels.pixels()
    chosen = _thinned(found.label)
    rows, cols = np.divmod(found.place[chosen], labels.imagery.raster.width)
    kinds, names = found.kind[chosen], found.label[chosen]
    corners = windows.holding(rows, cols)
    parts, around = [], []
    for done, (top, left) in enumerate(corners):
        progress(done, len(corners))
        inside = np.flatnonzero(windows.inside(top, left, rows, cols))
        weight = windows.taper(top, left)
        image = labels.imagery.read(top, left, *weight.shape)
        y, x = rows[inside] - top, cols[inside] - left
        useful = np.isfinite(image[0, y, x]) & (weight[y, x] > 0)
        inside, y, x = inside[useful], y[useful], x[useful]
        if len(inside):
            with torch.inference_mode():
                vectors = model.vectors(torch.from_numpy(image)[None].to(device))[0]
                parts.append((vectors[:, y, x].T.double().cpu(), inside, weight[y, x]))
                some = vectors[:, ::_AROUND_STEP, ::_AROUND_STEP]
                around.append(some.flatten(1).T.double().cpu())
    progress(len(corners), len(corners))
    if not parts:
        none = torch.empty(0, sum(model.decoder.groups), dtype=torch.float64)
        return Gathered(none, np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), none)
    place = np.concatenate([part[1] for part in parts])
    counts = np.concatenate([part[2] for part in parts]).astype(np.float64)
    _, label = np.unique(names[place], return_inverse=True)
    total = np.bincount(label, counts)
    return Gathered(torch.cat([part[0] for part in parts]).clone(), kinds[place], names[place],
                    counts / np.sqrt(total)[label], torch.cat(around).clone())


def _thinned(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return positions of pixels, at most `MOST_PIXELS` of each label, drawn the same every time.

    They are spread over the label by drawing, so that a raster's rows leave no pattern.
    """
    return np.sort(np.concatenate([np.empty(0, np.int64), *_drawn(labels)]))


def _drawn(labels: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        if len(places) > MOST_PIXELS:
            places = np.random.default_rng(len(places)).choice(places, MOST_PIXELS, replace=False)
        yield places
