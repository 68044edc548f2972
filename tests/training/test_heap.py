"""What is freed stays with the process while it trains, and goes back to the system after.

Each test measures a process of its own: in one where an allocation once failed, as other tests
make them fail, glibc has moved the thread to a heap that no large tensor fits.
"""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import psutil
import pytest
import torch

from workbench.training import heap
from workbench.training.heap import give_back, kept_heap

SIZE = 256 * 2**20
CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heap is not glibc's")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[[Callable[[], list[int]]], list[int]]]:
    """Call a function of this module in a process that has done nothing else."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawned, max_tasks_per_child=1) as pool:
        yield lambda function: pool.submit(function).result()


def resident() -> int:
    return psutil.Process().memory_info().rss


def held_after_freeing(size: int = SIZE) -> int:
    before = resident()
    tensor = torch.ones(size // 4)
    del tensor
    return resident() - before


def in_a_block() -> list[int]:
    before = resident()
    with kept_heap():
        inside = held_after_freeing()
    left = resident() - before
    return [inside, left, held_after_freeing(2 * SIZE)]  # too large for what is free already


def in_blocks_that_overlap() -> list[int]:
    before = resident()
    one, other = kept_heap(), kept_heap()  # as of two threads
    with one:
        other.__enter__()
    inside = held_after_freeing()
    other.__exit__(None, None, None)
    return [inside, resident() - before]


def on_request() -> list[int]:
    before = resident()
    with kept_heap():
        inside = held_after_freeing()
        give_back(CPU)
        return [inside, resident() - before]


def without_glibc() -> list[int]:
    found, heap._glibc = heap._glibc, lambda: None
    try:
        with kept_heap():
            return [held_after_freeing()]
    finally:
        heap._glibc = found


def test_freed_tensors_stay_until_the_block_ends(elsewhere) -> None:
    inside, left, outside = elsewhere(in_a_block)
    assert inside > SIZE / 2
    assert left < SIZE / 2
    assert outside < SIZE / 2


def test_of_blocks_that_overlap_the_last_one_gives_back(elsewhere) -> None:
    inside, left = elsewhere(in_blocks_that_overlap)
    assert inside > SIZE / 2, "the other one is still under way"
    assert left < SIZE / 2


def test_free_memory_is_given_back_on_request(elsewhere) -> None:
    inside, left = elsewhere(on_request)
    assert inside > SIZE / 2
    assert left < SIZE / 2


def test_where_there_is_no_glibc_nothing_is_changed(elsewhere) -> None:
    (inside,) = elsewhere(without_glibc)
    assert inside < SIZE / 2
