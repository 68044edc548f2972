"""A few real steps on a device, timed, and the memory they take."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

from workbench.estimation.problem import Problem
from workbench.training.precision import Precision, autocast
from workbench.training.step import Step

# The first step at a size also makes plans and grows the heap; the second is as all that follow.
_STEPS = 2
# The fewest chips for which every layer of every decoder does what it does for many.
_SMALL = 2
# Predictions are not exact; a probe shall stay within what it was given.
_PRUDENCE = 0.8


class Reading(NamedTuple):
    """What steps with batches of `batch_size` chips were seen to take.

    `rise_bytes` is the peak above the loaded model; `step_s` is of a whole step, `forward_s` of
    the forward pass over one batch, `features_s` the part of it that a cache of features saves.
    """

    batch_size: int
    step_s: float
    forward_s: float
    features_s: float
    rise_bytes: int


class PeakMeter:
    """The most memory that was occupied above what was when the meter was made, in bytes.

    On CUDA that of tensors; else the resident memory of this process. Linux lets a process start
    its high-water mark anew; elsewhere a mark from before hides what stays below it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        gc.collect()
        if self._device is not None:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            _forget_high_water()
            self._before = psutil.Process().memory_info().rss

    def rise(self) -> int:
        """Return the peak's height above the beginning."""
        if self._device is not None:
            return torch.cuda.max_memory_allocated(self._device) - self._before
        return _high_water() - self._before


def probe(problem: Problem, device: torch.device, precision: Precision, *,
          seconds: float, free_bytes: int, direct: bool) -> Iterator[Reading]:
    """Yield a reading for a small batch, then one as near to the whole batch as can be had.

    On a CPU the small batch leaves its traces in the heap, which then peaks some 10 % higher.

    Args:
        problem: What to train; the weights are noise.
        device: Where.
        precision: What the recipe's precision is there.
        seconds: How long all may take.
        free_bytes: How much memory it may take.
        direct: Take the whole batch at once, without a look at a small one before.
    """
    ends = time.monotonic() + seconds
    model = problem.model(device).train()
    step = Step(problem.recipe, model, device, precision)
    meter = PeakMeter(device)
    whole = problem.recipe.chips_at_once
    first = _read(problem, step, meter, whole if direct else min(_SMALL, whole))
    yield first
    per_chip_s = (_STEPS * first.step_s + first.forward_s + first.features_s) / first.batch_size
    affordable = min(
        whole, int(_PRUDENCE * (ends - time.monotonic()) / per_chip_s),
        int(_PRUDENCE * free_bytes * first.batch_size / max(first.rise_bytes, 1)),
    )  # fmt: skip
    if affordable > first.batch_size:
        yield _read(problem, step, meter, affordable)


def _read(problem: Problem, step: Step, meter: PeakMeter, size: int) -> Reading:
    model, device = step.model, step.device
    batch = problem.batch(model, size, device)
    batches = [batch] * problem.recipe.accumulate
    for _ in range(_STEPS):
        begun = time.perf_counter()
        step.take(batches, seed=0).wait()
        step_s = time.perf_counter() - begun
    begun = time.perf_counter()
    with torch.inference_mode(), autocast(step.precision, device):
        batch.logits(model.eval(), lambda tensor: tensor.to(device)).sum().item()
    forward_s = time.perf_counter() - begun
    begun = time.perf_counter()
    if batch.features:
        batch.features()
    features_s = time.perf_counter() - begun
    model.train()
    return Reading(size, step_s, forward_s, features_s, meter.rise())


def _forget_high_water() -> None:
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5")


def _high_water() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
