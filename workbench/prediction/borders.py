"""seams: what is left of the windows in a prediction, in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from workbench.assembly import Model
from workbench.errors import DataError
from workbench.prediction.blending import Pixels, Tiling, blended
from workbench.prediction.grid import raster_grid
from workbench.prediction.job import Options, prepare
from workbench.prediction.needs import Source
from workbench.prediction.sources import AnySource, open_source
from workbench.prediction.trained import Trained, open_trained
from workbench.prediction.windows import margin
from workbench.runs import Run


@dataclass(frozen=True)
class Seams:
    """How much a prediction depends on where its windows lie.

    A vision transformer answers for a pixel by all of its window, so another window gives another
    answer. Blending turns that into a gradual change; it cannot take it away.

    Its patches show too, wherever windows lie: answers change more from one patch to the next than
    within one. Borders of windows are borders of patches, so they are compared with such steps.

    Attributes:
        border_ratio: Mean change of probability from pixel to pixel where a window begins or
            ceases to count, over that at the same place of a patch elsewhere: 1 where no border
            of a window shows.
        patch_ratio: The same change over that of all other steps: what windows and the model's
            own patches leave together. Equal to `border_ratio` for a model without patches.
        class_disagreement: Share of pixels whose class another origin of the windows changes.
        mean_difference: Mean difference of probability between the two origins.
        pixels: How many were looked at.
        window: Side of a window.
        overlap: Pixels that neighbours share.
    """

    border_ratio: float
    patch_ratio: float
    class_disagreement: float
    mean_difference: float
    pixels: int
    window: int
    overlap: int

    def __repr__(self) -> str:
        return (f"Seams of windows of {self.window} pixels sharing {self.overlap}: change across "
                f"their borders {self.border_ratio:.2f} times that at other borders of patches, "
                f"{self.patch_ratio:.2f} times that of all other steps; another origin "
                f"changes the class of {self.class_disagreement:.2%} of {self.pixels} pixels, "
                f"probabilities by {self.mean_difference:.4f} on average")


def seams(run: Run | Model | Iterable[Run | Model], source: AnySource, *, side: int = 1024,
          bands: Iterable[str] | None = None, scale: float | None = None,
          date: str | Sequence[str] | None = None, window: int | None = None,
          overlap: int | None = None, device: str = "auto") -> Seams:
    """Measure what is left of the windows: predict the middle of a scene from two origins.

    Args:
        run: As for `wb.predict`; of several, their mean.
        source: As for `wb.predict`: a path, an address or an xarray object.
        side: Rows and columns of the middle that is looked at.
        bands: As for `wb.predict`.
        scale: As for `wb.predict`.
        date: As for `wb.predict`.
        window: As for `wb.predict`.
        overlap: As for `wb.predict`.
        device: As for `wb.predict`.

    Returns:
        The figures; windows of the second origin begin half a stride earlier in both directions.

    Raises:
        DataError: The scene has not room for two windows, or no pixel with a value.
    """
    names = None if bands is None else list(bands)
    options = Options(names, scale, date, "source", window, overlap)
    trained = open_trained(run, device)
    needs = trained.needs if scale is None else replace(trained.needs, scale=scale, offset=0.0)
    whole = _middle(open_source(source, needs, names, "source"), side)
    first, tiling = _probabilities(trained, whole, options)
    if min(whole.grid.height, whole.grid.width) < 2 * tiling.window - tiling.overlap:
        raise DataError(f"{whole.name} has not room for two windows of {tiling.window} pixels each "
                        "way, so there is no border to look at. Take a smaller window=.")
    shift = max(1, (tiling.window - tiling.overlap) // 2)
    second, _ = _probabilities(trained, _cut(whole, shift), options)
    # Up to here the cut itself is an edge of the second one's windows.
    edge = tiling.overlap
    one, other = first[:, :, shift + edge :, shift + edge :], second[:, :, edge:, edge:]
    known = np.isfinite(one[0, 0]) & np.isfinite(other[0, 0])
    if not known.any():
        raise DataError(f"{whole.name} has no pixel with a value in its middle.")
    changed = (one.argmax(axis=1) != other.argmax(axis=1))[:, known]
    steps = _steps(first, tiling)
    return Seams(_ratio(steps, _patch(trained)), _ratio(steps, 1), float(changed.mean()),
                 float(np.abs(one - other)[:, :, known].mean()), int(known.sum()), tiling.window,
                 tiling.overlap)


def _patch(trained: Trained) -> int:
    """Return the pixels after which the answers' grain repeats, 1 for models without patches."""
    backbones = (getattr(model, "backbone", None) for model in trained.models)
    return math.lcm(*(int(getattr(backbone, "patch_size", 1)) for backbone in backbones))


def _probabilities(trained: Trained, source: Source, options: Options) -> tuple[Pixels, Tiling]:
    """Return ``(run, class, y, x)``."""
    job = prepare(trained, source, options)
    tiling = replace(job.tiling, panel=source.grid.width + job.tiling.window)
    (panel,) = tiling.panels
    parts = blended(source.read, job.forward, job.num_classes(), tiling, panel, None)
    found = np.concatenate([part.probabilities for part in parts], axis=1)
    return found.reshape(len(trained.models), -1, *found.shape[1:]), tiling


@dataclass(frozen=True)
class _Steps:
    """Changes from pixel to pixel along one axis, by where the first of the two pixels lies.

    `total` is their sum and `count` their number, ``(position,)``; `border` says where a window
    begins or ceases to count.
    """

    total: npt.NDArray[np.float64]
    count: npt.NDArray[np.int64]
    border: npt.NDArray[np.bool_]


def _steps(probabilities: Pixels, tiling: Tiling) -> list[_Steps]:
    found = []
    for axis, starts in ((2, tiling.tops), (3, tiling.lefts)):
        steps = np.abs(np.diff(probabilities, axis=axis))
        others = tuple(place for place in range(4) if place != axis)
        border = np.isin(np.arange(steps.shape[axis]), _edges(starts, tiling))
        found.append(_Steps(np.nansum(steps, axis=others, dtype=np.float64),
                            np.isfinite(steps).sum(axis=others), border))
    return found


def _ratio(steps: list[_Steps], patch: int) -> float:
    """Return the mean change across borders over that elsewhere at the same places of a patch."""
    across = expected = 0.0
    for one in steps:
        phase = np.arange(len(one.border)) % patch
        for place in np.unique(phase[one.border]):
            on, off = (one.border == border for border in (True, False))
            on, off = on & (phase == place), off & (phase == place)
            if not one.count[off].sum():
                continue
            across += one.total[on].sum()
            expected += one.count[on].sum() * one.total[off].sum() / one.count[off].sum()
    if not expected:
        return 1.0 if not across else float("inf")
    return float(across / expected)


def _edges(starts: list[int], tiling: Tiling) -> list[int]:
    """Return the pixels before the steps where a window begins or ceases to count."""
    edge, last = margin(tiling.overlap), starts[-1]
    begins = [start + edge - 1 for start in starts if start > 0]
    ends = [start + tiling.window - edge - 1 for start in starts if start < last]
    return sorted({*begins, *ends})


def _middle(source: Source, side: int) -> Source:
    grid = source.grid
    top, left = max(0, (grid.height - side) // 2), max(0, (grid.width - side) // 2)
    return _cut(source, top, left, min(side, grid.height), min(side, grid.width))


def _cut(source: Source, top: int, left: int | None = None, rows: int | None = None,
         columns: int | None = None) -> Source:
    grid, left = source.grid, top if left is None else left
    transform = grid.transform @ grid.transform.translation(left, top)
    part = raster_grid(rows or grid.height - top, columns or grid.width - left, grid.crs, transform)
    return replace(source, grid=part, read=lambda down, right, *size: source.read(
        top + down, left + right, *size))
