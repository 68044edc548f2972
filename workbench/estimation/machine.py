"""What a device has: room for a training, and how fast it computes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

# Where a container's limit and use of memory stand: control groups 2 and 1.
_GROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


class Room(NamedTuple):
    """Memory that trainings share and what of it is free, in bytes."""

    capacity: int
    free: int


class Rates(NamedTuple):
    """What a device reaches: operations in a matrix product and bytes moved, a second each."""

    flops: float
    bandwidth: float


def device_room(device: torch.device) -> Room:
    """Return the memory of a GPU, or the machine's, or what a container may use of it."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Room(total, free)
    memory = psutil.virtual_memory()
    capacity, free = int(memory.total), int(memory.available)
    for limit, used in _GROUPS:
        allowed, taken = (_number(Path("/sys/fs/cgroup") / name) for name in (limit, used))
        if allowed is not None and taken is not None and allowed < capacity:
            capacity, free = allowed, min(free, allowed - taken)
    return Room(capacity, max(free, 0))


def machine_rates(device: torch.device, precision: str) -> Rates:
    """Return what a device reaches now, measured in a fraction of a second."""
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    side = 4096 if device.type == "cuda" else 1024
    matrix = torch.ones(side, side, dtype=kind, device=device)
    vector = torch.ones(16 * 2**20, device=device)
    flops = 2 * side**3 / _fastest(lambda: matrix @ matrix, device)
    return Rates(flops, 2 * vector.nbytes / _fastest(lambda: vector.add_(1), device))


def _fastest(call: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(4):
        begun = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begun)
    return min(times)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None
