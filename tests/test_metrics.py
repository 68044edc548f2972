from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench import metrics

# Worked by hand: 10 pixels, 2 classes.
COUNTS = np.array([[5, 1], [2, 2]])


def test_confusion_counts_true_classes_in_rows_and_leaves_out_what_has_no_label() -> None:
    target = np.array([[0, 0, 1, -1], [1, 0, 1, -1]])
    predicted = np.array([[0, 1, 1, 1], [0, 0, 1, 255]], np.uint8)
    assert metrics.confusion(target, predicted, 2).tolist() == [[2, 1], [1, 2]]


def test_scores_are_those_worked_by_hand() -> None:
    assert metrics.iou(COUNTS) == pytest.approx([5 / 8, 2 / 5])
    assert metrics.miou(COUNTS) == pytest.approx((5 / 8 + 2 / 5) / 2)
    assert metrics.f1(COUNTS) == pytest.approx([10 / 13, 4 / 7])
    assert metrics.precision(COUNTS) == pytest.approx([5 / 7, 2 / 3])
    assert metrics.recall(COUNTS) == pytest.approx([5 / 6, 1 / 2])
    assert metrics.accuracy(COUNTS) == pytest.approx(7 / 10)


def test_a_class_nowhere_seen_is_no_score_and_not_part_of_the_mean() -> None:
    counts = np.array([[5, 1, 0], [2, 2, 0], [0, 0, 0]])
    assert np.isnan(metrics.iou(counts)[2])
    assert metrics.miou(counts) == pytest.approx(metrics.miou(COUNTS))
    assert metrics.mean_f1(counts) == pytest.approx((10 / 13 + 4 / 7) / 2)


def test_a_class_only_predicted_counts_as_zero() -> None:
    counts = np.array([[3, 1], [0, 0]])
    assert metrics.iou(counts)[1] == 0
    assert np.isnan(metrics.recall(counts)[1])


def test_without_a_labelled_pixel_there_is_no_score() -> None:
    nothing = np.zeros((2, 2), int)
    assert np.isnan(metrics.miou(nothing))
    assert np.isnan(metrics.accuracy(nothing))


def test_every_score_takes_leading_axes() -> None:
    stack = np.stack([COUNTS, COUNTS.T, 3 * COUNTS])
    for score in (metrics.iou, metrics.miou, metrics.f1, metrics.mean_f1, metrics.precision,
                  metrics.recall, metrics.accuracy):
        assert score(stack) == pytest.approx(np.stack([score(each) for each in stack]))


def test_a_class_outside_the_range_is_our_own_mistake() -> None:
    for target, predicted in (([0], [2]), ([2], [0]), ([0], [255]), ([-2], [0])):
        with pytest.raises(AssertionError):
            metrics.confusion(np.array(target), np.array(predicted), 2)


@given(data=st.data(), classes=st.integers(1, 5))
def test_confusion_equals_counting_one_by_one(data: st.DataObject, classes: int) -> None:
    target = data.draw(hnp.arrays(np.int64, (3, 4), elements=st.integers(-1, classes - 1)))
    predicted = data.draw(hnp.arrays(np.uint8, (3, 4), elements=st.integers(0, classes - 1)))
    counts = metrics.confusion(target, predicted, classes)
    assert counts.dtype == np.int64
    for true in range(classes):
        for seen in range(classes):
            assert counts[true, seen] == np.sum((target == true) & (predicted == seen))


def test_reliability_sorts_labelled_pixels_by_how_sure_the_model_is() -> None:
    target = np.array([0, 1, 1, -1, 0])
    predicted = np.array([0, 1, 0, 1, 0])
    confidence = np.array([1.0, 0.95, 0.55, 0.9, 0.56], np.float32)
    found = metrics.reliability(target, predicted, confidence)
    assert found.shape == (15, 3)
    assert found[14] == pytest.approx([2, 1.95, 2])  # 1.0 belongs to the last bin
    assert found[8] == pytest.approx([2, 1.11, 1])
    assert found.sum(0) == pytest.approx([4, 3.06, 3])


def test_calibration_error_is_the_gap_of_each_bin_weighted_by_its_pixels() -> None:
    histogram = np.zeros((15, 3))
    histogram[14] = 80, 78, 72
    histogram[8] = 20, 11, 12
    assert metrics.ece(histogram) == pytest.approx((6 + 1) / 100)
    assert metrics.ece(np.stack([histogram, 2 * histogram])) == pytest.approx([0.07, 0.07])
    assert np.isnan(metrics.ece(np.zeros((15, 3))))


def test_a_model_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 400_000)
    right = random.uniform(size=400_000) < confidence
    found = metrics.reliability(np.ones(400_000, int), right.astype(int), confidence)
    assert metrics.ece(found) < 0.005


def test_means_leave_out_classes_that_are_nowhere() -> None:
    never = np.array([[6, 0], [4, 0]])
    assert metrics.mean_precision(never) == pytest.approx(0.6)
    assert metrics.mean_recall(never) == pytest.approx(0.5)
