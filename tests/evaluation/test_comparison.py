from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.conftest import synthetic
from workbench.data import Split
from workbench.errors import RunError, SplitError, UnknownNameError
from workbench.evaluation import Scores, compare, evaluate
from workbench.events import RunFailed
from workbench.prediction import predict, seams
from workbench.recipe import SpectralIndex
from workbench.runs import Run, create
from workbench.runs.journal import JournalWriter

LORA = synthetic("lora", skill=2.5, noise=1)
FULL = synthetic("full", skill=2.5, noise=2)
NDWI = synthetic("ndwi", skill=0.5, noise=3, baseline=True)
COMPARISON = compare([LORA, FULL, NDWI])


def test_the_table_has_a_row_for_every_place_and_run() -> None:
    table = COMPARISON.table()
    assert table["run"].tolist()[:3] == ["lora", "full", "ndwi"]
    assert table["region"].tolist()[:4] == ["in region"] * 3 + ["held out"]
    assert len(table) == 3 * 9
    assert {"run", "baseline", "method", "seeds", "trainable_parameters", "region", "part",
            "miou", "low", "high", "iou_water", "f1", "accuracy", "why"} <= set(table.columns)
    assert table.set_index(["run", "region"])["miou"]["lora", "r3"] == pytest.approx(
        LORA.table().set_index("region")["miou"]["r3"])


def test_tables_by_part_and_by_class() -> None:
    assert len(COMPARISON.table(by="part")) == 3 * 2
    by_class = COMPARISON.table(by="class")
    assert by_class[["class", "run"]].to_numpy().tolist()[:4] == [
        ["land", "lora"], ["land", "full"], ["land", "ndwi"], ["water", "lora"]]
    assert compare([LORA, NDWI], by="class").table().equals(compare([LORA, NDWI]).table("class"))


def test_the_gap_of_every_run_stands_with_its_interval() -> None:
    gap = COMPARISON.gap().set_index("run")
    assert gap["gap"]["lora"] == pytest.approx(LORA.gap.value)
    assert gap["gap_low"]["lora"] == pytest.approx(LORA.gap.low)
    assert gap["in_region"]["ndwi"] == pytest.approx(NDWI.in_region.value)
    assert gap["baseline"].tolist() == [False, False, True]


def test_a_clear_difference_is_said_and_an_unclear_one_is_not() -> None:
    differences = COMPARISON.differences("part")
    assert differences["verdict"].tolist() == ["no difference shown"] * 2 + ["better"] * 4
    said = COMPARISON.verdicts("part")
    assert len(said) == 3
    assert said[0] == "No difference shown between lora and full in region and held out."
    assert said[1].startswith("lora is better than ndwi in region by ")
    assert "] and held out by " in said[1]
    assert said[1].endswith("].")


def test_the_worse_run_first_reads_the_same() -> None:
    turned = compare([NDWI, LORA]).verdicts("part")
    assert turned[0].startswith("lora is better than ndwi in region by ")
    straight = compare([LORA, NDWI]).verdicts("part")
    assert turned == straight


def test_nothing_is_better_when_its_interval_includes_zero_or_holm_objects() -> None:
    for skill in np.linspace(2.4, 2.9, 6):
        table = compare([LORA, synthetic("other", skill=skill, noise=5)]).differences()
        better = table[table["verdict"].isin(["better", "worse"])]
        assert ((better["low"] > 0) | (better["high"] < 0)).all()
        assert (better["p_holm"] < 0.05).all()
        assert (table["p_holm"] >= table["p"]).all()


def test_regions_with_few_places_get_no_verdict_and_the_reason() -> None:
    few = [synthetic("lora", skill=2.5, clusters=3, test=2),
           synthetic("ndwi", skill=0.5, clusters=3, test=2)]
    said = compare(few).verdicts()
    assert said == ["No verdict on lora and ndwi in R0, R1 and H0 (3 clusters: fewer than five "
                    "independent places)."]
    assert (compare(few).differences()["verdict"] == "no verdict").all()


def test_a_verdict_names_every_kind_of_place_once() -> None:
    mixed = compare([LORA, dataclasses.replace(FULL, counts=np.where(
        (FULL.chips["region"] == "r2").to_numpy()[:, None, None],
        NDWI.counts, np.where((FULL.chips["region"].isin(["r3", "h0"])).to_numpy()[:, None, None],
                              NDWI.counts, LORA.counts)))])
    said = mixed.verdicts()[0]
    assert said.startswith("lora is better than full in R2 by ")
    assert ", R3 by " in said
    assert " and H0 by " in said
    assert said.endswith("; no difference shown elsewhere.")


def test_differences_by_region_leave_the_totals_out() -> None:
    regions = COMPARISON.differences()["region"].unique().tolist()
    assert regions == ["r0", "r1", "r2", "r3", "r4", "r5", "h0"]


def test_runs_that_differ_by_their_seed_alone_are_one_line() -> None:
    seeds = [synthetic(f"lora-{seed}", seed=seed, skill=2.5, key="lora", noise=1)
             for seed in range(3)]
    comparison = compare([*seeds, NDWI])
    assert comparison.runs == ["lora-0 ×3 seeds", "ndwi"]
    table = comparison.table("part")
    mean = np.mean([scores.in_region.value for scores in seeds])
    assert table["miou"][0] == pytest.approx(mean)
    assert table["seeds"].tolist() == [3, 1, 3, 1]


def test_a_repetition_with_the_same_seed_is_a_line_of_its_own() -> None:
    comparison = compare([LORA, LORA])
    assert comparison.runs == ["lora", "lora (2)"]
    assert comparison.verdicts("part") == [
        "No difference shown between lora and lora (2) in region and held out."]


def test_the_order_of_the_chips_does_not_matter() -> None:
    turned = dataclasses.replace(NDWI, chips=NDWI.chips[::-1], counts=NDWI.counts[::-1])
    assert compare([LORA, turned]).differences().equals(compare([LORA, NDWI]).differences())


@pytest.mark.parametrize(("other", "said"), [
    (dataclasses.replace(FULL, classes=("land", "flood")),
     "'full' has the classes land, flood, 'lora' has land, water"),
    (synthetic("full", test=5), "'full' was scored on 72 chips .* 'lora' on 84 .* 72 are"),
    (dataclasses.replace(FULL, counts=FULL.counts * 2), "labels of 84 chips were others"),
])
def test_runs_on_other_classes_chips_or_labels_are_refused(other: Scores, said: str) -> None:
    with pytest.raises(SplitError, match=said):
        compare([LORA, other])


def test_nothing_and_an_unknown_grouping_are_refused() -> None:
    with pytest.raises(RunError, match="nothing to compare"):
        compare([])
    with pytest.raises(UnknownNameError, match="'regoin'"):
        compare([LORA], by="regoin")


def test_text_marks_baselines_and_shows_intervals_verdicts_and_reasons() -> None:
    shown = repr(COMPARISON)
    assert "3 runs on made up (simulated data)" in shown
    assert "ndwi (baseline)" in shown
    assert f"{LORA.in_region}" in shown
    assert "lora is better than ndwi" in shown
    assert "No baseline" not in shown
    assert "not the luck of training" in shown
    alone = repr(compare([synthetic(test=2)]))
    assert "No baseline is among these runs" in alone
    assert "in region: 2 clusters: fewer than five independent places" in alone


def test_a_run_whose_held_out_regions_were_watched_is_flagged() -> None:
    watched = dataclasses.replace(synthetic("peeked"), watched=True)
    said = "Held-out regions were watched while peeked trained"
    assert said in repr(compare([LORA, watched]))
    assert said not in repr(compare([LORA]))


def test_places_where_the_runs_do_worst_come_first() -> None:
    table = COMPARISON.table()
    places = table[~table["region"].isin(["in region", "held out"])]
    means = places.groupby("region", sort=False)["miou"].mean()
    assert means.is_monotonic_increasing
    assert len(means) == 7


def test_a_run_that_failed_is_left_out_and_its_error_told(
        runs: Sequence[Run], split: Split, tmp_path: Path) -> None:
    scored = [Run(shutil.copytree(run.folder, tmp_path / run.name)) for run in runs]
    for run in scored:
        evaluate(run, device="cpu")
    create(tmp_path / "broken", SpectralIndex(), split, {"bands": [], "device": "cpu"})
    with JournalWriter(tmp_path / "broken" / "events.jsonl") as journal:
        journal.append(RunFailed(error="The loss is not finite.", traceback=""))
    broken = Run(tmp_path / "broken")
    comparison = compare([broken, *scored])
    assert comparison.runs == ["ndwi", "never"]
    assert "The loss is not finite" in comparison.left_out["broken"]
    assert "Left out: broken (Training of 'broken' failed" in repr(comparison)
    with pytest.raises(RunError, match=r"None of the runs has scores\. broken: .*not finite"):
        compare([broken])
    for ask in (lambda: predict(broken, "scene.tif"), lambda: predict([broken], "scene.tif"),
                lambda: evaluate(broken), lambda: seams(broken, "scene.tif")):
        with pytest.raises(RunError, match=r"'broken' has no checkpoint 'best'\..*not finite"):
            ask()


def test_what_is_no_run_is_refused_with_the_remedy() -> None:
    for ask in (lambda: predict("runs/lora", "scene.tif"), lambda: predict(Path("a"), "scene.tif"),
                lambda: predict(["runs/lora"], "scene.tif"), lambda: seams(None, "scene.tif"),
                lambda: evaluate("runs/lora"), lambda: compare("runs/lora"),
                lambda: compare([LORA, Path("runs/full")]), lambda: compare(None)):
        with pytest.raises(RunError, match=r"wb\.open_run\('runs/<name>'\)"):
            ask()  # type: ignore[no-untyped-call]


def test_one_run_is_a_comparison_of_one() -> None:
    assert compare(LORA).runs == ["lora"]


@pytest.mark.parametrize("by", ["region", "part", "class", "cluster", "date"])
def test_every_grouping_shows_itself(by: str) -> None:
    comparison = compare([LORA, NDWI], by=by)
    assert "lora" in repr(comparison)
    assert "lora" in comparison._repr_html_()


def test_html_is_escaped() -> None:
    evil = synthetic("<script>alert(1)</script>")
    assert "<script>" not in compare([evil, NDWI])._repr_html_()


def test_many_pairs_are_cut_short() -> None:
    shown = repr(compare([synthetic(f"run{n}", noise=n) for n in range(7)]))
    assert "… and 6 more pairs: comparison.verdicts()" in shown
