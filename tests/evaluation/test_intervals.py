from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import metrics
from workbench.evaluation import intervals
from workbench.evaluation.intervals import Estimate, Sums, difference, estimate, holm


def made(random: np.random.Generator, clusters: int, *, gain: float = 0.0, seeds: int = 1,
         spread: float = 0.0) -> list[Sums]:
    """Return counts of two models at the same places; the second is better by `gain`."""
    water, hard = random.beta(1.5, 4, clusters), random.normal(0, 0.8, clusters)
    found = []
    for skill in (0.0, gain):
        luck = random.normal(0, spread, (seeds, 1)) if spread else 0.0
        recall = 1 / (1 + np.exp(-(1.5 + hard + skill + luck
                                   + random.normal(0, 0.3, (seeds, clusters)))))
        false = 1 / (1 + np.exp(3 - 0.5 * hard + skill + random.normal(0, 0.3, (seeds, clusters))))
        hit, alarm = recall * water, false * (1 - water)
        counts = np.stack([np.stack([1 - water - alarm, alarm], -1),
                           np.stack([water - hit, hit], -1)], -2)
        found.append(sums(np.rint(2000 * counts).astype(np.int64)))
    return found


def sums(counts: np.ndarray) -> Sums:
    return Sums(counts, tuple(f"{number:05d}" for number in range(counts.shape[1])))


def accuracies(*right: int) -> Sums:
    """Clusters of 100 pixels, of which so many are right."""
    return sums(np.array([[[[hits, 100 - hits], [0, 0]] for hits in right]]))


def test_the_draws_are_the_exact_bootstrap_of_an_example_worked_by_hand() -> None:
    # Five clusters of equal size: a draw's accuracy is the mean of five of them with
    # replacement, so all 5^5 draws can be listed.
    right = (50, 60, 70, 80, 90)
    exact = [sum(draw) / 500 for draw in itertools.product(right, repeat=5)]
    found = estimate(accuracies(*right), metrics.accuracy)
    assert found.value == pytest.approx(0.7)
    # Hesterberg's expanded tail for n = 5: Phi(sqrt(5 / 4) * t(0.025, 4)) = Phi(-3.104).
    tail = 0.000954
    assert found.low == pytest.approx(np.quantile(exact, tail), abs=0.011)
    assert found.high == pytest.approx(np.quantile(exact, 1 - tail), abs=0.011)
    draws = intervals._draw(accuracies(*right), metrics.accuracy, stream=0, seed_stream=0)
    assert np.quantile(draws, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(exact, [0.1, 0.5, 0.9]), abs=0.005)


def test_the_same_counts_give_the_same_interval_every_time() -> None:
    one, other = (estimate(accuracies(50, 60, 70, 80, 90), metrics.miou) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(("clusters", "least"), [(5, 0.9), (8, 0.91), (20, 0.91)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(clusters: int, least: float) -> None:
    random = np.random.default_rng(1)
    model, better = made(np.random.default_rng(0), 100_000, gain=0.3)
    truth = float(metrics.miou(model.counts.sum(1))[0])
    gain = float(metrics.miou(better.counts.sum(1))[0]) - truth
    inside, inside_difference = [], []
    for _ in range(200):
        model, better = made(random, clusters, gain=0.3)
        one = estimate(model, metrics.miou)
        two = difference(better, model, metrics.miou, same="places")
        inside.append(one.low <= truth <= one.high)
        inside_difference.append(two.low <= gain <= two.high)
    assert least <= np.mean(inside) <= 0.99
    assert least <= np.mean(inside_difference) <= 0.99


def test_equal_models_are_rarely_told_apart() -> None:
    random = np.random.default_rng(2)
    found = [difference(*made(random, 8), metrics.miou, same="places") for _ in range(300)]
    told_apart = [one.p < 0.05 and not one.low <= 0 <= one.high for one in found]
    assert 0 < np.mean(told_apart) < 0.07


def test_a_large_difference_stays_clear_after_the_correction_for_ten_places() -> None:
    better, worse = accuracies(90, 91, 92, 93, 94), accuracies(50, 52, 51, 55, 53)
    found = difference(better, worse, metrics.accuracy, same="places")
    assert holm([found.p] * 10)[0] < 0.001


def test_pairing_sees_a_small_difference_between_places_that_differ_much() -> None:
    model, better = made(np.random.default_rng(3), 12, gain=0.6)
    alone = [estimate(one, metrics.miou) for one in (model, better)]
    assert alone[0].high > alone[1].low
    paired = difference(better, model, metrics.miou, same="places")
    assert paired.low > 0
    assert paired.p < 0.05


def test_several_seeds_are_averaged_and_widen_the_interval() -> None:
    seeds = made(np.random.default_rng(4), 30, seeds=3, spread=1.0)[0]
    found = estimate(seeds, metrics.miou)
    single = [float(metrics.miou(seeds.counts[seed].sum(0))) for seed in range(3)]
    assert found.value == pytest.approx(np.mean(single))
    fixed = estimate(sums(np.repeat(seeds.counts[:1], 3, axis=0)), metrics.miou)
    assert found.high - found.low > fixed.high - fixed.low


def test_repeating_one_seed_changes_nothing() -> None:
    once = accuracies(50, 60, 70, 80, 90)
    thrice = sums(np.repeat(once.counts, 3, axis=0))
    assert estimate(once, metrics.miou).low == pytest.approx(estimate(thrice, metrics.miou).low)


def test_the_gap_of_a_model_draws_its_places_apart() -> None:
    here, there = accuracies(90, 91, 92, 93, 94, 95), accuracies(50, 60, 70, 80, 90)
    gap = difference(here, there, metrics.accuracy, same="models")
    assert gap.value == pytest.approx(0.925 - 0.7)
    assert gap.low < 0.925 - 0.7 < gap.high
    assert gap.clusters == 5


@pytest.mark.parametrize(("right", "said"), [
    ((), "no labelled pixel"), ((50,), "1 cluster: fewer than five independent places"),
    ((50, 60, 70, 80), "4 clusters: fewer than five independent places"),
])
def test_fewer_than_five_places_give_no_interval_and_say_why(
        right: tuple[int, ...], said: str) -> None:
    few = accuracies(*right) if right else sums(np.zeros((1, 0, 2, 2), np.int64))
    enough = accuracies(50, 60, 70, 80, 90)
    for found in (estimate(few, metrics.accuracy),
                  difference(few, enough, metrics.accuracy, same="models"),
                  difference(enough, few, metrics.accuracy, same="models"),
                  difference(few, few, metrics.accuracy, same="places")):
        assert (found.low, found.high, found.p, found.why) == (None, None, None, said)
    assert estimate(few, metrics.accuracy).clusters == len(right)


def test_chips_are_added_up_by_cluster_and_clusters_without_labels_do_not_count() -> None:
    counts = np.array([[[[1, 0], [0, 0]], [[2, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 3], [0, 0]]]])
    found = intervals.sum_by_cluster(counts, ["b", "a", "nothing", "b"])
    assert found.names == ("a", "b")
    assert found.counts[0].tolist() == [[[2, 0], [0, 0]], [[1, 3], [0, 0]]]


def test_identical_runs_differ_by_nothing() -> None:
    same = accuracies(50, 60, 70, 80, 90)
    found = difference(same, same, metrics.accuracy, same="places")
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_holm_is_the_example_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_probability_and_keeps_their_order(given_p: list[float]) -> None:
    corrected = holm(given_p)
    assert all(before <= after <= 1 for before, after in zip(given_p, corrected, strict=True))
    order = np.argsort(given_p, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_an_estimate_reads_as_people_say_it() -> None:
    assert f"{Estimate(0.8421, 0.8, 0.8849)}" == "84.2 [80.0, 88.5]"
    assert f"{Estimate(0.8421)}" == "84.2"
    assert str(Estimate(math.nan)) == "–"
    assert f"{Estimate(0.5, 0.25, 0.75):.0f}" == "50 [25, 75]"


def test_ten_runs_on_five_hundred_chips_take_less_than_half_a_second() -> None:
    counts = np.random.default_rng(0).integers(1, 1000, (1, 500, 2, 2))
    begun = time.process_time()
    for number in range(10):
        estimate(sums(counts + number), metrics.miou)
    assert time.process_time() - begun < 0.5


def test_very_many_clusters_stay_small_in_memory() -> None:
    counts = np.random.default_rng(0).integers(1, 1000, (1, 1000, 2, 2))
    many, few = sums(counts), accuracies(50, 60, 70, 80, 90)
    assert len(intervals._draw(many, metrics.miou, stream=0, seed_stream=0)) == 2000
    gap = difference(many, few, metrics.miou, same="models")
    assert gap.low < gap.value < gap.high
