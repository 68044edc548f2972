"""Which library multiplies float32 matrices on a processor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

import torch


@contextlib.contextmanager
def quick_float32() -> Iterator[None]:
    """Let oneDNN multiply float32 matrices where it is the faster one and as exact.

    By default torch asks MKL, which on AMD's processors leaves the AVX-512 units unused: half the
    speed of oneDNN. oneDNN is asked where torch permits it bfloat16, which it takes up only with
    Intel's AMX; there nothing is changed, so float32 stays float32 everywhere.
    """
    if not _onednn_stays_exact():
        yield
        return
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


@cache
def _onednn_stays_exact() -> bool:
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_f")) and not has.get("amx_tile", True)
