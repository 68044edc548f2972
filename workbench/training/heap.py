"""Memory of one training step serves the next, without a way over the operating system."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import threading
from collections.abc import Iterator
from functools import cache

import torch

# Of glibc's malloc.h; sizes in bytes are C's int.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_ALL = 2**31 - 1
# Where glibc's own adjustment stops on a 64-bit system.
_USUAL = 32 * 2**20

_lock = threading.Lock()
# How many blocks are under way, in all threads: the heap is that of the whole process.
_inside = 0


@contextlib.contextmanager
def kept_heap() -> Iterator[None]:
    """Keep what tensors on a processor leave free until the block ends, then give it back.

    By default glibc returns large tensors to the system one by one, which hands the pages out
    again, zeroed, a moment later: time in every step, for little memory; compare
    `tests/benchmarks/step_time.py` with and without `--system-heap`. Elsewhere nothing is changed.
    Of blocks that overlap in several threads the last one to end gives the memory back.
    Where glibc serves a thread from another heap than the main one, as it does in threads beside
    the first and after an allocation has failed, tensors over 64 MiB go the usual way.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _enter(libc)
    try:
        yield
    finally:
        _leave(libc)


def give_back(device: torch.device) -> None:
    """Return what tensors left free to the system, on the processor and on a GPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    if libc := _glibc():
        libc.malloc_trim(0)


def _enter(libc: ctypes.CDLL) -> None:
    global _inside
    with _lock:
        if not _inside:
            _allow(libc, _ALL, _ALL)
        _inside += 1


def _leave(libc: ctypes.CDLL) -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside:
            _allow(libc, _USUAL, 2 * _USUAL)
            libc.malloc_trim(0)


def _allow(libc: ctypes.CDLL, on_the_heap: int, left_free: int) -> None:
    # Older releases refuse more than the usual.
    if not libc.mallopt(_MMAP_THRESHOLD, on_the_heap):
        libc.mallopt(_MMAP_THRESHOLD, _USUAL)
    libc.mallopt(_TRIM_THRESHOLD, left_free)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
