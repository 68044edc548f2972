"""The one rule for uncertainty: bootstrap over independent places, jointly over seeds.

Chips of one place resemble each other, so places (clusters) are drawn, not chips. The same
draws serve every run, which makes differences between runs paired. Where a method was trained
with several seeds, its seeds are drawn too. Fewer than five places give no interval and no
verdict: there is nothing to draw from.

Source: Efron, Tibshirani (1993), An Introduction to the Bootstrap, 13.3 (percentile interval);
Field, Welsh (2007), Bootstrapping clustered data, JRSS B 69(3) (draw whole clusters); Hesterberg
(2015), What Teachers Should Know About the Bootstrap, The American Statistician 69(4), 3.3
(expanded percentiles: few clusters otherwise make the interval too narrow).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from workbench.metrics import Counts, Scores

LEVEL = 0.95
MIN_CLUSTERS = 5
# With five clusters the percentile asked for is 0.1 %: 10 of 10 000 draws lie beyond it. With
# many clusters it is nearly 2.5 %: 50 of 2000 do, and the draws stay small in memory.
RESAMPLES, RESAMPLES_OF_MANY, MANY = 10_000, 2_000, 1_000

# From counts or histograms, with axes before theirs.
Metric = Callable[[npt.NDArray], Scores]


@dataclass(frozen=True)
class Estimate:
    """A score or a difference with its interval.

    Both ends are said, never ±: draws of a score lie further to the side where there is more
    room, below it near 100 %, so that one number for both sides would be wrong for each.
    `low` and `high` are None where there is no interval; `why` then says the reason.
    `p` is the two-sided probability of a difference this far from 0, for differences only.
    """

    value: float
    low: float | None = None
    high: float | None = None
    clusters: int = 0
    why: str = ""
    p: float | None = None

    def __format__(self, spec: str) -> str:
        """Format as percent: `84.2 [80.1, 87.9]`, `84.2` without an interval, `–` without both."""
        if np.isnan(self.value):
            return "–"
        spec = spec or ".1f"
        if self.low is None or self.high is None:
            return f"{100 * self.value:{spec}}"
        return f"{100 * self.value:{spec}} [{100 * self.low:{spec}}, {100 * self.high:{spec}}]"

    def __str__(self) -> str:
        return f"{self}"


@dataclass(frozen=True, eq=False)
class Sums:
    """Counts by seed and cluster, ``(seed, cluster, …)``; no cluster is empty.

    They are confusion counts ``(…, K, K)`` or reliability histograms ``(…, bin, 3)``.

    `names` are the clusters' names: runs may be compared only over the same ones.
    """

    counts: Counts
    names: tuple[str, ...]

    @property
    def clusters(self) -> int:
        """How many clusters have labelled pixels."""
        return len(self.names)

    @property
    def why(self) -> str:
        """Why there can be no interval; empty where there can."""
        if self.clusters >= MIN_CLUSTERS:
            return ""
        if self.clusters == 0:
            return "no labelled pixel"
        places = "1 cluster" if self.clusters == 1 else f"{self.clusters} clusters"
        return f"{places}: fewer than five independent places"


def sum_by_cluster(counts: Counts, clusters: npt.ArrayLike) -> Sums:
    """Add up ``(seed, chip, …)`` counts by cluster; clusters without labels are left out."""
    names, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), len(counts), *counts.shape[2:]), counts.dtype)
    np.add.at(sums, index, counts.swapaxes(0, 1))
    labelled = sums[:, 0].sum((-2, -1)) > 0
    return Sums(sums[labelled].swapaxes(0, 1), tuple(names[labelled].tolist()))


def estimate(sums: Sums, metric: Metric) -> Estimate:
    """Return a score, averaged over seeds, with its interval.

    Args:
        sums: Counts of a run, or of all seeds of one recipe.
        metric: ``(..., K, K)`` counts to ``(...)`` scores.
    """
    value, why = point(sums, metric), sums.why
    if why:
        return Estimate(value, clusters=sums.clusters, why=why)
    low, high = _interval(_draw(sums, metric, stream=0, seed_stream=0), sums.clusters)
    return Estimate(value, low, high, sums.clusters)


def difference(first: Sums, second: Sums, metric: Metric, *,
               same: Literal["places", "models"]) -> Estimate:
    """Return first - second with its interval and probability.

    Args:
        first: Counts of a run, or of all seeds of one recipe.
        second: What it is compared with.
        metric: ``(..., K, K)`` counts to ``(...)`` scores.
        same: "places": two runs at the same places, which are drawn for both alike (paired), the
            seeds apart. "models": one run at two sets of places, drawn apart, the seeds alike.
    """
    if same == "places":
        assert first.names == second.names, "paired runs are scored at the same places"
    value = point(first, metric) - point(second, metric)
    clusters, why = min((first.clusters, first.why), (second.clusters, second.why))
    if why:
        return Estimate(value, clusters=clusters, why=why)
    streams = (0, 0, 0, 1) if same == "places" else (0, 1, 0, 0)
    one = _draw(first, metric, stream=streams[0], seed_stream=streams[2])
    two = _draw(second, metric, stream=streams[1], seed_stream=streams[3])
    count = min(len(one), len(two))
    draws = one[:count] - two[:count]
    low, high = _interval(draws, clusters)
    return Estimate(value, low, high, clusters, p=_probability(value, draws, clusters))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities corrected for looking at several places at once, in the same order.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
    Journal of Statistics 6(2).
    """
    order = np.argsort(probabilities, kind="stable")
    steps = np.asarray(probabilities, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def point(sums: Sums, metric: Metric) -> float:
    """Return a score, averaged over seeds; NaN without a labelled pixel."""
    return float(metric(sums.counts.sum(1)).mean()) if sums.clusters else math.nan


def _draw(sums: Sums, metric: Metric, *, stream: int, seed_stream: int) -> Scores:
    """Return the metric of each bootstrap draw, averaged over the drawn seeds: ``(draw,)``."""
    seeds, clusters, classes, _ = sums.counts.shape
    flat = sums.counts.astype(np.float64).reshape(seeds, clusters, -1)
    chosen = _times_drawn(clusters, _resamples(clusters), stream)
    totals = np.einsum("dc,sck->dsk", chosen, flat, optimize=True)
    scores = metric(totals.reshape(len(chosen), seeds, classes, classes))
    # Streams of seeds are numbered apart from those of places.
    return (scores * _times_drawn(seeds, len(chosen), 100 + seed_stream)).sum(1) / seeds


def _resamples(clusters: int) -> int:
    return RESAMPLES if clusters < MANY else RESAMPLES_OF_MANY


@functools.lru_cache(maxsize=8)
def _times_drawn(size: int, draws: int, stream: int) -> npt.NDArray[np.float64]:
    """Return how often each of `size` items is in each draw with replacement: ``(draw, item)``."""
    picked = np.random.default_rng([size, stream]).integers(size, size=(draws, size))
    picked += size * np.arange(draws)[:, None]
    return np.bincount(picked.ravel(), minlength=draws * size).reshape(draws, size).astype(float)


def _interval(draws: Scores, clusters: int) -> tuple[float, float]:
    tail = stats.norm.cdf(stats.t.ppf((1 - LEVEL) / 2, clusters - 1) * _expansion(clusters))
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def _probability(value: float, draws: Scores, clusters: int) -> float:
    """Return the two-sided p of a difference: its size against the spread of the draws.

    Counting draws beyond 0 cannot tell p below 1 / draws, which the correction for many places
    then makes too large; Student's t with the draws' standard deviation can.
    Source: Efron, Tibshirani (1993), 12.3.
    """
    spread = float(np.nanstd(draws)) * _expansion(clusters)
    if not spread:
        return 0.0 if value else 1.0
    return float(2 * stats.t.sf(abs(value) / spread, clusters - 1))


def _expansion(clusters: int) -> float:
    """Return by how much draws of few clusters vary too little. Source: Hesterberg, 3.3."""
    return math.sqrt(clusters / (clusters - 1))
