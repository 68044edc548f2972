"""Which cluster goes to which part: by share, evenly in size and classes, fixed by a seed."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

PARTS = ("train", "val", "test", "held_out")
Fractions = tuple[float, float, float]

# Random assignments tried; the one that spreads sizes and classes most evenly wins.
_TRIALS = 64


def assign_clusters(chips: pd.DataFrame, clusters: pd.Series, fractions: Fractions,
                    key: str) -> pd.Series:
    """Return the part of every chip of a region: `train`, `val` or `test`.

    Args:
        chips: Rows of a dataset's index.
        clusters: The cluster of each; all chips of one go to one part.
        fractions: Shares of train, val and test; with three clusters or more, each part whose
            share is above 0 gets one.
        key: Fixes the random choice, for example seed and region.
    """
    counts = chips.filter(regex=r"^count_\d+$").groupby(clusters).sum()
    sizes = clusters.value_counts().reindex(counts.index).to_numpy()
    digest = hashlib.sha256(key.encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    orders = np.stack([random.permutation(len(sizes)) for _ in range(_TRIALS)])
    trials = _filled(sizes, fractions, orders)
    best = min(trials, key=lambda trial: _unevenness(counts.to_numpy(), sizes, fractions, trial))
    return clusters.map({name: PARTS[part] for name, part in zip(counts.index, best, strict=True)})


def _filled(sizes: npt.NDArray, fractions: Fractions, orders: npt.NDArray) -> npt.NDArray[np.intp]:
    """Give each cluster, in random order, to the part that lacks the largest share of its due.

    Args:
        sizes: Chips of each cluster.
        fractions: Shares of train, val and test.
        orders: ``(trial, cluster)``; all trials take a step at once.

    Returns:
        The part of every cluster in every trial, ``(trial, cluster)``.
    """
    due = np.array(fractions) / sum(fractions) * sizes.sum()
    got = np.zeros((len(orders), 3))
    parts = np.zeros(orders.shape, np.intp)
    trial = np.arange(len(orders))
    with np.errstate(invalid="ignore", divide="ignore"):
        for clusters in orders.T:
            part = np.where(due > 0, 1 - got / due, -np.inf).argmax(axis=1)
            got[trial, part] += sizes[clusters]
            parts[trial, clusters] = part
    return parts


def _unevenness(counts: npt.NDArray, sizes: npt.NDArray, fractions: Fractions,
                parts: npt.NDArray[np.intp]) -> float:
    """Return how far sizes and class shares of the parts lie from what they should be."""
    due = np.array(fractions) / sum(fractions)
    whole = counts.sum(0) / max(counts.sum(), 1)
    total = 0.0
    for part, share in enumerate(due):
        here = parts == part
        own = counts[here].sum(0)
        total += abs(sizes[here].sum() / sizes.sum() - share)
        if here.any():
            total += np.abs(own / max(own.sum(), 1) - whole).sum()
    return float(total)
