from __future__ import annotations

import pytest

from tests.widgets.conftest import step
from workbench.widgets.thinning import HIGH, LOSS, LOW, LR, PEAK, Thinned, X


def filled(count: int, most: int = 50, **changes: object) -> Thinned:
    thinned = Thinned(most)
    for number in range(1, count + 1):
        thinned.add(step(number, **changes), number / 100)
    return thinned


def test_a_short_history_is_kept_step_by_step():
    thinned = filled(60)
    assert [row[LOSS] for row in thinned.rows] == [1 / number for number in range(1, 61)]
    assert thinned.generation == 0


@pytest.mark.parametrize("count", [101, 4_321, 100_000])
def test_any_length_has_between_most_and_twice_as_many_rows(count):
    thinned = filled(count)
    assert 50 <= len(thinned.rows) <= 100
    assert thinned.rows[-1][X] == count / 100


def test_no_spike_is_thinned_away():
    thinned = Thinned(50)
    for number in range(1, 5_001):
        loss = {777: 99.0, 778: -1.0}.get(number, 1.0)
        thinned.add(step(number, loss=loss, device_peak_bytes=number), float(number))
    assert max(row[HIGH] for row in thinned.rows) == 99
    assert min(row[LOW] for row in thinned.rows) == -1
    assert thinned.rows[-1][PEAK] == 5_000


def test_a_row_says_the_mean_loss_of_its_steps_and_their_last_rate():
    thinned = Thinned(1)
    for number, rate in ((1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)):
        thinned.add(step(number, loss=float(number), lr=rate), float(number))
    assert [(row[X], row[LOSS], row[LR]) for row in thinned.rows] == [(2, 1.5, 0.2), (4, 3.5, 0.4)]


def test_rows_that_are_settled_change_only_with_the_generation():
    thinned = filled(100)
    before, generation = thinned.rows[: thinned.settled], thinned.generation
    thinned.add(step(101), 1.01)
    assert thinned.generation == generation + 1
    assert thinned.rows[: len(before)] != before
    kept = [list(row) for row in thinned.rows[: thinned.settled]]
    thinned.add(step(102), 1.02)
    assert thinned.rows[: len(kept)] == kept


def test_a_loss_that_is_not_finite_is_a_gap():
    thinned = Thinned(1)
    for number in range(1, 5):
        thinned.add(step(number, loss=None if number < 3 else 1.0), float(number))
    assert [row[LOSS] for row in thinned.rows] == [None, 1.0]
