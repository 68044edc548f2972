"""What is freed stays with the process while it trains, and goes back to the system after."""

from __future__ import annotations

import gc
import platform

import psutil
import pytest
import torch

from workbench.training import heap
from workbench.training.heap import give_back, kept_heap

SIZE = 256 * 2**20

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heap is not glibc's")


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings that other tests left half done keep nothing here."""
    gc.collect()
    monkeypatch.setattr(heap, "_inside", 0)
    with kept_heap():
        pass


def resident() -> int:
    return psutil.Process().memory_info().rss


def held_after_freeing() -> int:
    give_back(torch.device("cpu"))  # what other tests left free would serve
    before = resident()
    tensor = torch.ones(SIZE // 4)
    del tensor
    return resident() - before


def test_freed_tensors_stay_until_the_block_ends() -> None:
    before = resident()
    with kept_heap():
        assert held_after_freeing() > SIZE / 2
    assert resident() - before < SIZE / 2
    assert held_after_freeing() < SIZE / 2


def test_of_blocks_that_overlap_the_last_one_gives_back() -> None:
    before = resident()
    one, other = kept_heap(), kept_heap()  # as of two threads
    with one:
        other.__enter__()
    assert held_after_freeing() > SIZE / 2, "the other one is still under way"
    other.__exit__(None, None, None)
    assert resident() - before < SIZE / 2


def test_free_memory_is_given_back_on_request() -> None:
    before = resident()
    with kept_heap():
        held_after_freeing()
        give_back(torch.device("cpu"))
        assert resident() - before < SIZE / 2


def test_where_there_is_no_glibc_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.training.heap._glibc", lambda: None)
    with kept_heap():
        assert held_after_freeing() < SIZE / 2
