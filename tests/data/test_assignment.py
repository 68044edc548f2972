import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data.assignment import assign_clusters

FRACTIONS = (0.6, 0.15, 0.25)


def region(sizes, water):
    clusters = pd.Series(np.repeat([f"c{number}" for number in range(len(sizes))], sizes))
    counts = np.repeat(water, sizes)
    return pd.DataFrame({"count_0": 100 - counts, "count_1": counts}), clusters


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=3, max_size=12), st.integers(0, 99))
def test_three_clusters_or_more_fill_all_parts_and_stay_whole(sizes, seed):
    chips, clusters = region(sizes, [50] * len(sizes))
    parts = assign_clusters(chips, clusters, FRACTIONS, str(seed))
    assert set(parts) == {"train", "val", "test"}
    assert (parts.groupby(clusters).nunique() == 1).all()


def test_twenty_clusters_leave_five_for_the_test():
    chips, clusters = region([2] * 20, [30] * 20)
    parts = assign_clusters(chips, clusters, FRACTIONS, "0")
    assert parts.groupby(parts).size().to_dict() == {"train": 24, "val": 6, "test": 10}


def test_classes_are_spread_evenly():
    chips, clusters = region([4] * 16, [90] * 8 + [10] * 8)
    parts = assign_clusters(chips, clusters, (0.5, 0.25, 0.25), "0")
    assert chips["count_1"].groupby(parts).mean().round().unique().tolist() == [50]
