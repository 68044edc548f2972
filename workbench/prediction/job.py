"""Job: one source, ready to be predicted from its first row to its last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from workbench.errors import RecipeError, RunError
from workbench.prediction.answering import answers
from workbench.prediction.blending import Forward, Pixels, Rows, Tiling, blended_rows
from workbench.prediction.metadata import window_metadata
from workbench.prediction.result import NODATA, dataset, empty
from workbench.prediction.sources import AnySource, Needs, Source, open_source
from workbench.prediction.trained import Trained
from workbench.prediction.units import checked

# Pixels of all windows that go through the model at once: 16 windows of 128 × 128.
_PIXELS_AT_ONCE = 2**18

Progress = Callable[[int, int], object]
# First row, and what is known of the finished rows from there on: (run, y, x) by name.
Finished = tuple[int, dict[str, npt.NDArray]]


@dataclass(frozen=True)
class Options:
    """What `predict` was asked for beside runs and source; its arguments."""

    bands: Sequence[str] | None = None
    scale: float | None = None
    date: str | None = None
    window: int | None = None
    overlap: int | None = None
    batch_size: int | None = None
    entropy: bool = False


@dataclass(frozen=True, eq=False)
class Job:
    """One source with the models that answer for it."""

    trained: Trained
    source: Source
    tiling: Tiling
    forward: Forward
    entropy: bool

    def finished(self, first: int = 0) -> Iterator[Finished]:
        """Yield what is known of the rows from top to bottom, each as soon as it is final.

        Args:
            first: The strip of windows whose rows are wanted first.

        Raises:
            BandError: Values are in other units.
            DataError: The source cannot be read.
            RunError: The model's answers are not finite.
        """
        needs = self.trained.needs
        read = checked(self.source, needs.bands, self.trained.description.mean)
        count = len(self.trained.models)
        classes = _num_classes(self.forward, needs, self.tiling) // count
        if classes >= NODATA:
            raise RunError(f"The model has {classes} classes; a class map holds up to 254.")
        for rows in blended_rows(read, self.forward, count * classes, self.tiling, first):
            yield rows.top, _decided(rows, count, entropy=self.entropy)

    def in_memory(self, progress: Progress | None) -> xr.Dataset:
        """Return the whole prediction."""
        height, width = self.tiling.height, self.tiling.width
        names = ("class", "probability", *(("entropy",) if self.entropy else ()))
        whole = {name: empty(name, (len(self.trained.models), height, width)) for name in names}
        for top, found in self.finished():
            done = top + found["class"].shape[1]
            for name, values in found.items():
                whole[name][:, top:done] = values
            if progress is not None:
                progress(done, height)
        return self.dataset(whole)

    def dataset(self, arrays: dict[str, Any]) -> xr.Dataset:
        """Return arrays ``(run, y, x)`` by name on the grid of the source."""
        facts = {**self.trained.facts, "source": self.source.name, "window": self.tiling.window,
                 "overlap": self.tiling.overlap}
        return dataset(arrays, self.source.grid, self.trained.description.classes,
                       self.trained.names, facts)


def prepare(trained: Trained, source: AnySource | Source, options: Options) -> Job:
    """Open a source for models; nothing is predicted yet.

    Raises:
        BandError: A band is missing or not named.
        GridError: The source does not say where its pixels are.
        DataError: The file cannot be read.
        RecipeError: An option is out of range, or the model needs `date`.
    """
    needs = trained.needs
    if options.scale is not None:
        needs = Needs(needs.bands, needs.stored_bands, options.scale, nodata=needs.nodata,
                      gsd_m=needs.gsd_m)
    opened = source if isinstance(source, Source) else open_source(source, needs, options.bands)
    window, overlap, batch_size = settings(trained, options)
    tiling = Tiling(opened.grid.height, opened.grid.width, window, overlap, batch_size)
    date = options.date or opened.date
    metadata = [window_metadata(model, opened.grid, tiling, date) for model in trained.models]
    forward = answers(trained.models, metadata)
    return Job(replace(trained, needs=needs), opened, tiling, forward, options.entropy)


def settings(trained: Trained, options: Options) -> tuple[int, int, int]:
    """Return window, overlap and batch size.

    Raises:
        RecipeError: One is out of range, or the runs were trained on windows of several sizes.
    """
    window, overlap, batch_size = options.window, options.overlap, options.batch_size
    if window is None:
        if len(set(trained.windows)) > 1:
            sides = ", ".join(f"{name} {side}" for name, side in
                              zip(trained.names or (), trained.windows, strict=False))
            raise RecipeError(
                f"The runs were trained on chips of other sizes ({sides} pixels), and their "
                f"windows are the same here: pass window={max(trained.windows)}, or predict each "
                "run on its own."
            )
        window = trained.windows[0]
    if window < 1:
        raise RecipeError(f"window={window} is below 1 pixel.")
    overlap = window // 4 if overlap is None else overlap
    if not 0 <= overlap < window:
        raise RecipeError(f"overlap={overlap} is not from 0 to {window - 1}, below the window.")
    if batch_size is None:
        batch_size = max(1, min(16, _PIXELS_AT_ONCE // window**2))
    if batch_size < 1:
        raise RecipeError(f"batch_size={batch_size} is below 1 window.")
    return window, overlap, batch_size


def _decided(rows: Rows, count: int, *, entropy: bool) -> dict[str, npt.NDArray]:
    """Return class, probability and entropy ``(run, y, x)`` of finished rows."""
    by_run = rows.probabilities.reshape(count, -1, *rows.valid.shape)
    best = by_run.max(axis=1)
    if not np.isfinite(best[:, rows.valid]).all():
        raise RunError(
            "The model answers with values that are not finite; its weights are damaged or "
            "its training diverged. Train it again, or load another checkpoint."
        )
    classes = np.where(rows.valid, by_run.argmax(axis=1), NODATA).astype(np.uint8)
    found: dict[str, npt.NDArray] = {"class": classes, "probability": best}
    if entropy:
        found["entropy"] = _entropy(by_run)
    return found


def _entropy(probabilities: Pixels) -> Pixels:
    """Return Shannon's entropy in nats over axis 1; NaN where the probabilities are."""
    least = np.finfo(np.float32).tiny  # 0 log 0 is 0
    logs = np.log(np.maximum(probabilities, least))
    return np.maximum(-(probabilities * logs).sum(axis=1), np.float32(0))


def _num_classes(forward: Forward, needs: Needs, tiling: Tiling) -> int:
    """Return how many classes come back, by asking about one empty window."""
    sides = min(tiling.window, tiling.height), min(tiling.window, tiling.width)
    answer = forward(np.full((1, len(needs.bands), *sides), np.nan, np.float32), [(0, 0)])
    assert answer.shape[2:] == sides, "a model answers for every pixel of its window"
    return answer.shape[1]
