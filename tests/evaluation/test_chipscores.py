from __future__ import annotations

import dataclasses

import geopandas
import numpy as np
import pytest

from tests.evaluation.conftest import placed, synthetic
from workbench import metrics
from workbench.errors import UnknownNameError
from workbench.evaluation import compare

LORA = placed(synthetic("lora", skill=2.5, noise=1))
FULL = placed(synthetic("full", skill=1.5, noise=2))
NDWI = placed(synthetic("ndwi", skill=-2.0, noise=3, baseline=True))
COMPARISON = compare([LORA, FULL, NDWI])


def test_every_chip_has_its_score_by_every_run_and_the_worst_come_first() -> None:
    table = COMPARISON.chips()
    assert set(table.index) == set(LORA.chips.index)
    for scores in (LORA, FULL, NDWI):
        expected = metrics.miou(scores.counts)
        np.testing.assert_allclose(table.loc[scores.chips.index, scores.run], expected)
    assert table["mean"].is_monotonic_increasing
    assert set(table["part"]) == {"in region", "held out"}
    assert (table["pixels"] == 1000).all()


def test_mean_and_spread_leave_baselines_out() -> None:
    table = COMPARISON.chips("iou_water")
    np.testing.assert_allclose(table["mean"], table[["lora", "full"]].mean(axis=1))
    np.testing.assert_allclose(table["spread"], (table["lora"] - table["full"]).abs())
    alone = compare([NDWI]).chips()
    np.testing.assert_allclose(alone["mean"], alone["ndwi"])


def test_chips_lie_where_they_are() -> None:
    table = COMPARISON.chips()
    assert isinstance(table, geopandas.GeoDataFrame)
    assert table.crs == "EPSG:4326"
    assert table.geometry.loc["r3_2_1"].equals(LORA.chips.geometry.loc["r3_2_1"])
    assert "geometry" not in compare([synthetic()]).chips()


def test_seeds_are_averaged_and_a_chip_without_labels_has_no_score() -> None:
    seeds = [synthetic(f"lora-{n}", seed=n, key="lora") for n in range(2)]
    empty = [dataclasses.replace(one, counts=np.where(np.arange(84)[:, None, None] == 3, 0,
                                                      one.counts)) for one in seeds]
    comparison = compare(empty)
    (name,) = comparison.runs
    table = comparison.chips()
    lost = empty[0].chips.index[3]
    assert np.isnan(table.loc[lost, name])
    assert table.index[-1] == lost
    other = empty[0].chips.index[4]
    expected = np.mean([metrics.miou(one.counts[4]) for one in empty])
    assert table.loc[other, name] == pytest.approx(expected)


def test_a_run_named_like_a_column_keeps_its_own_column() -> None:
    comparison = compare([dataclasses.replace(LORA, run="region"), FULL])
    assert comparison.runs == ["region (2)", "full"]
    assert comparison.chips()["region"].str.match("[rh]").all()


def test_a_score_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'iou_water'"):
        COMPARISON.chips("iou_watr")
