"""What a training costs: memory of the host and the device, speed, time left."""

from __future__ import annotations

import resource
import sys
import time

import psutil
import torch


class Memory:
    """Memory of this process since the meter was made, in bytes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        self._process = psutil.Process()
        self._highest_before = _highest_rss()
        self._highest = 0
        if self._device is not None:
            torch.cuda.reset_peak_memory_stats(self._device)

    def host_now(self) -> int:
        """Return the resident set size."""
        now = int(self._process.memory_info().rss)
        self._highest = max(self._highest, now)
        return now

    def host_peak(self) -> int:
        """Return the largest resident set size."""
        sampled, system = max(self._highest, self.host_now()), _highest_rss()
        # The system's mark counts from the start of the process: it is ours only if it has risen.
        return max(sampled, system) if system > self._highest_before else sampled

    def device_now(self) -> int | None:
        """Return what tensors occupy on the CUDA device, None without one."""
        return None if self._device is None else torch.cuda.memory_allocated(self._device)

    def device_peak(self) -> int | None:
        """Return the most that tensors occupied on the CUDA device, None without one."""
        return None if self._device is None else torch.cuda.max_memory_allocated(self._device)

    def device_capacity(self) -> int | None:
        """Return what the CUDA device has in all, None without one."""
        if self._device is None:
            return None
        return torch.cuda.get_device_properties(self._device).total_memory


def _highest_rss() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Clock:
    """Speed and time left, from the recent past.

    Args:
        epochs: The most epochs there may be.
        steps: Steps of an epoch.
    """

    # Weight of the newest step: about the last 20 count, so that a pause of the machine fades.
    _FRESH = 0.1

    def __init__(self, epochs: int, steps: int) -> None:
        self._total = epochs * steps
        self._epochs = epochs
        self._last = time.perf_counter()
        self._step_s: float | None = None
        self._validation_s: float | None = None

    def restart(self) -> None:
        """Let the time until now (validation, checkpoints) count for no step."""
        self._last = time.perf_counter()

    def step(self) -> float:
        """Note the end of a step and return how many seconds it took."""
        now = time.perf_counter()
        took, self._last = now - self._last, now
        previous = took if self._step_s is None else self._step_s
        self._step_s = previous + self._FRESH * (took - previous)
        return took

    def validated(self, seconds: float) -> None:
        """Note how long the end of an epoch took."""
        self._validation_s = seconds

    def eta_s(self, step: int, epoch: int) -> float | None:
        """Return the seconds left if no early stopping comes, None before the first step."""
        if self._step_s is None:
            return None
        ends = (self._epochs - epoch) * (self._validation_s or 0.0)
        return (self._total - step) * self._step_s + ends
