"""From the seconds of a step to those of a training: validation, reading, a cache of features."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from workbench.data import Split
from workbench.estimation.costs import Basis, Pace
from workbench.recipe import Recipe
from workbench.training.loader import fits_in_memory

# Chips read to see how long it takes; the first one also opens files and starts threads.
_READ = 4
# Flips and quarter turns of a square.
_SYMMETRIES = 8


@dataclass(frozen=True)
class Cache:
    """What keeping a frozen backbone's features comes to.

    Attributes:
        disk_bytes: Once every chip was met in every symmetry.
        budget_bytes: What may be kept; the rest is computed every time.
        epoch_s: Seconds of an epoch that finds all features there.
    """

    disk_bytes: int
    budget_bytes: int
    epoch_s: float


@dataclass(frozen=True)
class Times:
    """Seconds of a training.

    Attributes:
        step_s: Of one optimiser step.
        steps: Optimiser steps of an epoch.
        first_epoch_s: Of the first epoch, in which chips are read.
        epoch_s: Of the others, on average.
        total_s: Of all epochs that the recipe allows.
        earliest_s: Until early stopping can end it at the earliest.
        basis: Where the seconds of a step come from.
        cache: What a cache of features comes to; None where there is none.
    """

    step_s: float
    steps: int
    first_epoch_s: float
    epoch_s: float
    total_s: float
    earliest_s: float
    basis: Basis
    cache: Cache | None = None


def times(recipe: Recipe, split: Split, pace: Pace, *, overlapped: bool,
          feature_bytes: int | None, budget_bytes: int) -> Times:
    """Return how long a training takes.

    Args:
        recipe: How often and on what.
        split: On which chips.
        pace: Of its steps.
        overlapped: Whether chips are read while the device computes, without slowing it.
        feature_bytes: Size of a chip's features that are kept; None where none are.
        budget_bytes: How much of them may be kept.
    """
    train, val, batch_size = len(split.train), len(split.val), recipe.chips_at_once
    steps = math.ceil(math.ceil(train / batch_size) / recipe.accumulate)
    validation = val / batch_size * pace.forward_s
    computing = train / batch_size / recipe.accumulate * pace.step_s + validation
    reading = (train + val) * _read_s(split, recipe)
    again = 0.0 if fits_in_memory(split.train, split.val) else reading

    def lasts(compute_s: float, read_s: float) -> float:
        return max(compute_s, read_s) if overlapped else compute_s + read_s

    first, cache = lasts(computing, reading), None
    later = [lasts(computing, again)] * (recipe.epochs - 1)
    if feature_bytes is not None:
        symmetries = _SYMMETRIES if recipe.augment else 1
        needed = feature_bytes * (train * symmetries + val)
        kept = min(1.0, budget_bytes / needed)
        saved_train, saved_val = (chips / batch_size * pace.features_s for chips in (train, val))
        cache = Cache(needed, budget_bytes, computing - saved_train - saved_val)
        # A chip's symmetry is drawn anew each epoch: it was met before ever more often.
        later = [
            computing - kept * (saved_val + saved_train * (1 - (1 - 1 / symmetries) ** epoch))
            for epoch in range(1, recipe.epochs)
        ]
    return Times(
        step_s=pace.step_s, steps=steps, first_epoch_s=first,
        epoch_s=sum(later) / len(later) if later else first, total_s=first + sum(later),
        earliest_s=first + sum(later[: recipe.patience]), basis=pace.basis, cache=cache,
    )  # fmt: skip


def _read_s(split: Split, recipe: Recipe) -> float:
    """Return the seconds that reading a chip takes, of a few that are read."""
    part = split.train if recipe.bands is None else split.train.with_bands(recipe.bands)
    seconds = []
    for chip_id in list(part)[:_READ]:
        begun = time.perf_counter()
        part.read(chip_id)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)
