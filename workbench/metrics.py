"""Confusion counts and the scores derived from them (numpy only).

A confusion matrix counts pixels: rows are the true classes, columns the predicted ones, int64.
Pixels without a label are never counted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


def confusion(target: npt.NDArray, predicted: npt.NDArray, num_classes: int,
              ignore_index: int = -1) -> Counts:
    """Count pixels by true and predicted class.

    Args:
        target: True classes, any shape, integer; `ignore_index` where there is no label.
        predicted: Predicted classes, same shape, 0 to `num_classes` - 1.
        num_classes: Number of classes K.
        ignore_index: Value of `target` that is left out.

    Returns:
        ``(K, K)`` int64.
    """
    labelled = target != ignore_index
    true, seen = target[labelled].astype(np.int64), predicted[labelled].astype(np.int64)
    # A value outside would be counted under another pair of classes.
    assert all(((classes >= 0) & (classes < num_classes)).all() for classes in (true, seen))
    counts = np.bincount(true * num_classes + seen, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou(counts: Counts) -> Scores:
    """Return intersection over union per class ``(..., K)``, NaN for a class nowhere seen.

    A class is seen when it is in the label or in the prediction.
    """
    hit = np.diagonal(counts, axis1=-2, axis2=-1).astype(float)
    union = counts.sum(-1) + counts.sum(-2) - hit
    return _ratio(hit, union)


def miou(counts: Counts) -> Scores:
    """Return the mean IoU over the classes seen, 0 to 1; NaN without any labelled pixel."""
    return _mean_seen(iou(counts))


def f1(counts: Counts) -> Scores:
    """Return F1 (Dice) per class ``(..., K)``, NaN for a class nowhere seen."""
    hit = np.diagonal(counts, axis1=-2, axis2=-1).astype(float)
    return _ratio(2 * hit, counts.sum(-1) + counts.sum(-2))


def mean_f1(counts: Counts) -> Scores:
    """Return the mean F1 over the classes seen, 0 to 1; NaN without any labelled pixel."""
    return _mean_seen(f1(counts))


def precision(counts: Counts) -> Scores:
    """Return precision per class ``(..., K)``, NaN for a class never predicted."""
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1).astype(float), counts.sum(-2))


def recall(counts: Counts) -> Scores:
    """Return recall per class ``(..., K)``, NaN for a class without labels."""
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1).astype(float), counts.sum(-1))


def accuracy(counts: Counts) -> Scores:
    """Return the share of labelled pixels predicted rightly, NaN without any."""
    hit = np.trace(counts, axis1=-2, axis2=-1).astype(float)
    return _ratio(hit, counts.sum((-2, -1)))


def _ratio(part: Scores, whole: npt.NDArray) -> Scores:
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mean_seen(values: Scores) -> Scores:
    seen = ~np.isnan(values)
    return _ratio(np.where(seen, values, 0).sum(-1), seen.sum(-1))
