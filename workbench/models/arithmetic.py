"""Which library multiplies float32 matrices on a processor."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache

import torch

_lock = threading.Lock()
# How many blocks are under way, in all threads: torch has one setting for the whole process.
_inside = 0
_before = ""


@contextlib.contextmanager
def quick_float32() -> Iterator[None]:
    """Let oneDNN multiply float32 matrices where it is the faster one and as exact.

    By default torch asks MKL, which on AMD's processors leaves the AVX-512 units unused: half the
    speed of oneDNN. oneDNN is asked where torch permits it bfloat16, which it takes up only with
    Intel's AMX; there nothing is changed, so float32 stays float32 everywhere. Of blocks that
    overlap in several threads the last one to end gives the setting back.
    """
    if not _onednn_stays_exact():
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _before
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    with _lock:
        if not _inside:
            _before = settings.fp32_precision
            settings.fp32_precision = "bf16"
        _inside += 1


def _leave() -> None:
    global _inside
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    with _lock:
        _inside -= 1
        if not _inside:
            settings.fp32_precision = _before


@cache
def _onednn_stays_exact() -> bool:
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_f")) and not has.get("amx_tile", True)
