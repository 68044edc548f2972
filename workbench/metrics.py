"""Confusion counts, reliability histograms and the scores derived from them (numpy only).

A confusion matrix counts pixels: rows are the true classes, columns the predicted ones, int64.
A reliability histogram says how often a model is right when it is how sure. Pixels without a label
are in neither.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Histogram = npt.NDArray[np.float64]

# Source: Guo et al. (2017), On Calibration of Modern Neural Networks, ICML, section 5.
RELIABILITY_BINS = 15


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


def mean_precision(counts: Counts) -> Scores:
    """Return the mean precision over the classes predicted, 0 to 1; NaN without any pixel."""
    return _mean_seen(precision(counts))


def mean_recall(counts: Counts) -> Scores:
    """Return the mean recall over the classes labelled, 0 to 1; NaN without any pixel."""
    return _mean_seen(recall(counts))


def reliability(target: npt.NDArray, predicted: npt.NDArray, confidence: npt.NDArray,
                ignore_index: int = -1) -> Histogram:
    """Sort pixels by the probability of the class that is predicted, in 15 bins of equal width.

    Args:
        target: True classes, any shape, integer; `ignore_index` where there is no label.
        predicted: Predicted classes, same shape.
        confidence: Probability of the predicted class, same shape, 0 to 1.
        ignore_index: Value of `target` that is left out.

    Returns:
        ``(15, 3)`` float64: of each bin the pixels, the sum of their confidences, and how many are
        predicted rightly. Histograms of chips add up like counts.
    """
    labelled = target != ignore_index
    sure = confidence[labelled].astype(np.float64)
    right = (target == predicted)[labelled]
    bins = np.clip((sure * RELIABILITY_BINS).astype(np.int64), 0, RELIABILITY_BINS - 1)
    weights = (None, sure, right.astype(np.float64))
    return np.stack([np.bincount(bins, weight, RELIABILITY_BINS) for weight in weights], axis=1)


def ece(histograms: Histogram) -> Scores:
    """Return the expected calibration error of ``(..., bin, 3)``, 0 to 1; NaN without a pixel.

    It is the distance of confidence and accuracy, averaged over pixels bin by bin.
    Source: Naeini et al. (2015), AAAI; Guo et al. (2017), equation 3.
    """
    apart = np.abs(histograms[..., 2] - histograms[..., 1]).sum(-1)
    return _ratio(apart, histograms[..., 0].sum(-1))


def _ratio(part: Scores, whole: npt.NDArray) -> Scores:
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mean_seen(values: Scores) -> Scores:
    seen = ~np.isnan(values)
    return _ratio(np.where(seen, values, 0).sum(-1), seen.sum(-1))
