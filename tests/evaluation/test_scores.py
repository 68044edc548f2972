from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.conftest import placed, synthetic
from workbench import metrics
from workbench.errors import RunError, UnknownNameError
from workbench.evaluation import Scores

SCORES = synthetic()


def test_scores_come_back_from_their_file_equal(tmp_path: Path) -> None:
    SCORES.write(tmp_path / "scores.json")
    back = Scores.read(tmp_path / "scores.json")
    pd.testing.assert_frame_equal(back.chips, SCORES.chips)
    np.testing.assert_array_equal(back.counts, SCORES.counts)
    pd.testing.assert_frame_equal(back.table(), SCORES.table())
    assert (back.run, back.classes, back.recipe_key) == ("lora", ("land", "water"), "lora")


def test_footprints_other_columns_and_histograms_come_back_too(tmp_path: Path) -> None:
    kept = dataclasses.replace(placed(SCORES), reliability=np.full((84, 15, 3), 2.5))
    kept.write(tmp_path / "scores.json")
    back = Scores.read(tmp_path / "scores.json")
    assert back.chips.geometry.geom_equals(kept.chips.geometry).all()
    assert back.chips.crs == "EPSG:4326"
    assert back.chips["sensor"].tolist() == kept.chips["sensor"].tolist()
    np.testing.assert_array_equal(back.reliability, kept.reliability)
    pd.testing.assert_frame_equal(back.table("month"), kept.table("month"))


def test_scores_from_before_reliability_was_kept_say_so() -> None:
    assert SCORES.table()["ece"].isna().all()
    assert "stored before reliability was kept; wb.evaluate(run) again" in repr(SCORES)


def test_calibration_is_that_of_the_pixels_of_each_place() -> None:
    histograms = np.zeros((84, 15, 3))
    histograms[:, 14] = 100, 97, 90  # 7 points too sure
    histograms[(SCORES.chips["region"] == "h0").to_numpy(), 14, 2] = 57
    table = dataclasses.replace(SCORES, reliability=histograms).table().set_index("region")
    assert table["ece"]["in region"] == pytest.approx(0.07)
    assert table["ece"]["h0"] == pytest.approx(0.40)
    assert "stored before" not in repr(dataclasses.replace(SCORES, reliability=histograms))


def test_means_over_classes_stand_with_their_intervals() -> None:
    row = SCORES.table().iloc[0]
    test = SCORES.counts[(SCORES.chips["part"] == "test").to_numpy()].sum(0)
    for name in ("precision", "recall"):
        assert row[name] == pytest.approx(getattr(metrics, name)(test).mean())
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


@pytest.mark.parametrize("text", ['{"format": 99}', "{}", "[]", '{"format": 1, "run": "a"}'])
def test_a_file_of_another_version_is_refused_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(RunError, match=r"scores\.json.*wb\.evaluate\(run\)"):
        Scores.read(tmp_path / "scores.json")


def test_the_table_has_the_totals_first_then_every_region() -> None:
    table = SCORES.table()
    assert table["region"].tolist() == [
        "in region", "held out", "r0", "r1", "r2", "r3", "r4", "r5", "h0"]
    assert set(table["part"]) == {"in region", "held out"}
    test = SCORES.counts[(SCORES.chips["part"] == "test").to_numpy()].sum(0)
    assert table["miou"][0] == pytest.approx(metrics.miou(test))
    assert table["iou_water"][0] == pytest.approx(metrics.iou(test)[1])
    assert table["f1"][0] == pytest.approx(metrics.f1(test).mean())
    assert table["accuracy"][0] == pytest.approx(metrics.accuracy(test))
    for score, low, high in (("miou", "low", "high"), ("f1", "f1_low", "f1_high"),
                             ("iou_land", "iou_land_low", "iou_land_high")):
        assert (table[low] < table[score]).all()
        assert (table[score] < table[high]).all()


def test_a_region_is_a_cluster_only_where_regions_are_pooled() -> None:
    table = SCORES.table().set_index("region")
    assert table["clusters"]["in region"] == 6  # regions
    assert table["clusters"]["r0"] == 6  # clusters of the region
    two = synthetic(test=2, clusters=9).table().set_index("region")
    assert two["clusters"]["in region"] == 2
    assert two["why"]["in region"] == "2 clusters: fewer than five independent places"
    assert np.isnan(two["low"]["in region"])
    assert two["clusters"]["r0"] == 9


def test_classes_have_rows_of_their_own_when_asked() -> None:
    table = SCORES.table(by="class").set_index(["part", "class"])
    row = table.loc["in region", "water"]
    test = SCORES.counts[(SCORES.chips["part"] == "test").to_numpy()].sum(0)
    for name in ("iou", "precision", "recall", "f1"):
        assert row[name] == pytest.approx(getattr(metrics, name)(test)[1])
    assert row["low"] < row["iou"] < row["high"]


def test_any_column_of_the_chips_groups_them_and_another_name_is_refused() -> None:
    assert len(SCORES.table(by="part")) == 2
    clusters = SCORES.table(by="cluster")
    assert clusters["cluster"].tolist()[2] == "r0/0"
    assert clusters["why"][2].startswith("1 cluster:")
    assert SCORES.table(by="date")["date"].tolist() == [
        "in region", "held out", "unknown", "unknown"]
    with pytest.raises(UnknownNameError, match=r"No grouping named 'regions'. Did you mean 'reg"):
        SCORES.table(by="regions")


def test_the_gap_is_what_is_lost_where_it_was_never_trained() -> None:
    assert SCORES.gap.value == pytest.approx(SCORES.in_region.value - SCORES.held_out.value)
    assert SCORES.gap.low < SCORES.gap.value < SCORES.gap.high


def test_without_a_held_out_region_there_is_no_gap() -> None:
    scores = synthetic(held_out=0)
    assert np.isnan(scores.gap.value)
    assert scores.gap.why == "no labelled pixel"
    assert set(scores.summary()) == {"test"}
    assert "held out" not in scores.table()["region"].tolist()


def test_a_region_without_labels_has_no_score() -> None:
    counts = SCORES.counts.copy()
    counts[(SCORES.chips["region"] == "r0").to_numpy()] = 0
    scores = dataclasses.replace(synthetic(), counts=counts)
    table = scores.table().set_index("region")
    assert np.isnan(table["miou"]["r0"])
    assert table["clusters"]["in region"] == 5
    assert scores.summary()["test"]["regions"]["r0"] is None


def test_the_summary_is_what_a_run_shows() -> None:
    summary = SCORES.summary()
    assert summary["test"]["miou"] == pytest.approx(SCORES.in_region.value)
    assert summary["held_out"]["regions"] == {"h0": pytest.approx(SCORES.held_out.value)}
    assert summary["gap"]["low"] == pytest.approx(SCORES.gap.low)
    assert summary["test"]["chips"] == 72


def test_text_and_html_show_intervals_and_say_that_data_are_simulated() -> None:
    for shown in (repr(SCORES), SCORES._repr_html_()):
        assert "Scores of lora on made up (simulated data)" in shown
        assert f"{SCORES.in_region}" in shown
        assert "fewer than five" in shown
    evil = dataclasses.replace(synthetic(), run="<script>")
    assert "<script>" not in evil._repr_html_()
