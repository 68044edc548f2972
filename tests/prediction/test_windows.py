from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.prediction.windows import margin, taper, window_starts

SETTINGS = st.tuples(st.integers(1, 200), st.integers(1, 40)).flatmap(
    lambda sizes: st.tuples(*map(st.just, sizes), st.integers(0, sizes[1] - 1)))


@given(SETTINGS)
def test_windows_cover_every_pixel_and_share_at_least_the_overlap(
        setting: tuple[int, int, int]) -> None:
    length, window, overlap = setting
    starts = window_starts(length, window, overlap)
    side = min(window, length)
    assert starts[0] == 0
    assert starts[-1] + side == length
    for first, second in itertools.pairwise(starts):
        assert 0 < second - first <= window - overlap


@given(SETTINGS)
def test_every_pixel_keeps_a_positive_weight(setting: tuple[int, int, int]) -> None:
    length, window, overlap = setting
    starts = window_starts(length, window, overlap)
    side = min(window, length)
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += taper(side, overlap, before=start > 0,
                                             after=start < starts[-1])
    assert (total > 1e-4).all()


@given(SETTINGS)
def test_no_window_speaks_within_the_margin_of_its_inner_edges(
        setting: tuple[int, int, int]) -> None:
    length, window, overlap = setting
    starts = window_starts(length, window, overlap)
    if len(starts) == 1:
        return
    edge = margin(overlap)
    weights = taper(window, overlap, before=True, after=True)
    assert (weights[:edge] == 0).all()
    assert (weights[len(weights) - edge :] == 0).all()


def test_the_edge_of_the_raster_keeps_its_full_weight() -> None:
    assert taper(16, 8, before=False, after=False).tolist() == [1] * 16
    assert taper(16, 8, before=False, after=True)[0] == 1


def test_regular_neighbours_add_up_to_one() -> None:
    left = taper(16, 8, before=False, after=True)
    right = taper(16, 8, before=True, after=False)
    assert left[8:] + right[:8] == pytest.approx(np.ones(8))


def test_windows_step_evenly_until_the_last_is_moved_back() -> None:
    assert window_starts(100, 32, 8) == [0, 24, 48, 68]
    assert window_starts(80, 32, 8) == [0, 24, 48]
    assert window_starts(20, 32, 8) == [0]
