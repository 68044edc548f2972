"""A spectral index "trains" by choosing its threshold on the training part."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from workbench import metrics
from workbench.assembly import save_model
from workbench.data import Split
from workbench.events import EpochDone, Event, RunFinished, RunStarted
from workbench.models.spectral_index import IndexModel
from workbench.recipe import SpectralIndex
from workbench.runs import checkpoints
from workbench.training.control import Control
from workbench.training.loader import Loader, fits_in_memory
from workbench.training.meters import Memory
from workbench.training.validation import validate

# Thresholds tried: every thousandth from -1 to 1, finer than any difference in the scores.
_STEPS = 2000
# Chips read at once; the result does not depend on it.
_BATCH = 16


class Tuning:
    """The threshold of one index being chosen, in the events of a training with one epoch."""

    def __init__(self, recipe: SpectralIndex, split: Split, model: IndexModel, folder: Path,
                 device: torch.device) -> None:
        self.recipe = recipe
        self.model = model
        self.device = device
        self._folder = folder / checkpoints.CHECKPOINTS
        train, val = (part.with_bands(model.bands) for part in (split.train, split.val))
        cache = fits_in_memory(train, val)
        self._train = Loader(train, _BATCH, cache=cache)
        self._val = Loader(val, _BATCH, cache=cache)

    def restore(self, folder: Path) -> None:
        """Begin again: choosing takes seconds."""

    def events(self, control: Control) -> Iterator[Event]:
        """Choose the threshold, validate and save; there is nothing to stop halfway."""
        begun, memory = time.perf_counter(), Memory(self.device)
        tuned = self.recipe.threshold == "tuned"
        steps = len(self._train)
        yield RunStarted(
            epochs=1, steps_per_epoch=steps, device=str(self.device),
            trainable_parameters=int(tuned), total_parameters=1,
        )
        if tuned:
            self.model.threshold.fill_(self._best_threshold())
        train = validate(self.model, self._train, self.device)
        val = validate(self.model, self._val, self.device)
        duration = time.perf_counter() - begun
        yield EpochDone(
            step=steps, epoch=0, train_loss=train.loss, val_loss=val.loss, val_miou=val.miou,
            val_miou_by_region=val.miou_by_region, val_iou_by_class=val.iou_by_class, lr=0.0,
            best=True, duration_s=duration, eta_s=0.0,
        )
        for name in ("best", "last"):
            with checkpoints.replacing(self._folder / name) as folder:
                save_model(self.model, folder)
        threshold = float(self.model.threshold)
        yield RunFinished(
            step=steps, epoch=1, best_epoch=0, duration_s=duration,
            reason=f"the threshold is {threshold:.3f}" + (", chosen on the training part" * tuned),
            peak_host_rss_bytes=memory.host_peak(), peak_device_bytes=memory.device_peak(),
        )

    def _best_threshold(self) -> float:
        """Return the threshold with the highest mIoU over all training pixels together."""
        water = self.model.water
        counts = np.zeros((2, _STEPS + 1), np.int64)
        for batch in self._train.in_order():
            index = self.model.index(batch.image).numpy()
            mask = batch.mask.numpy()
            for label in (0, 1):
                counts[label] += np.bincount(_bins(index[mask == label]), minlength=_STEPS + 1)
        scores = metrics.miou(_confusions(counts, water))
        best = np.flatnonzero(scores == np.nanmax(scores))
        # Of equally good thresholds the middle one is furthest from either mistake.
        return -1 + 2 * int(best[len(best) // 2]) / _STEPS


def _bins(index: npt.NDArray) -> npt.NDArray[np.int64]:
    """Return b where threshold b - 1 is below and threshold b is not; NaN is above none."""
    place = np.ceil((np.nan_to_num(index.astype(float), nan=-1.0) + 1) / 2 * _STEPS)
    return np.clip(place, 0, _STEPS).astype(np.int64)


def _confusions(counts: npt.NDArray[np.int64], water: int) -> npt.NDArray[np.int64]:
    """Return the confusion matrix ``(T, 2, 2)`` of every threshold."""
    below = counts.cumsum(1)
    above = counts.sum(1, keepdims=True) - below
    predicted = (below, above) if water == 1 else (above, below)
    return np.stack(predicted, -1).transpose(1, 0, 2)
