from __future__ import annotations

import math

import pytest

import workbench as wb
from tests.evaluation.conftest import synthetic
from workbench.evaluation import compare
from workbench.plots.measures import UNKNOWN, Measure, measures, places, scale


@pytest.fixture(scope="module")
def comparison():
    return compare([synthetic("lora", skill=2.0), synthetic("full", skill=1.0, noise=1),
                    synthetic("<b>", skill=1.0, noise=2)])


def test_every_run_and_every_pair_can_be_looked_at():
    assert [str(measure) for measure in measures(["a", "b", "c"])] == [
        "a", "b", "c", "a − b", "a − c", "b − c"]


def test_scores_of_regions_are_those_of_the_table(comparison):
    found = places(comparison, Measure("lora"))
    assert set(found) == {"r0", "r1", "r2", "r3", "r4", "r5", "h0"}
    table = comparison.table().set_index(["run", "region"])
    assert found["h0"].value == table.loc[("lora", "h0"), "miou"]
    assert found["h0"].certain
    assert found["h0"].text.startswith(f"mIoU {100 * found['h0'].value:.1f} % [")


def test_differences_are_certain_only_where_there_is_a_verdict(comparison):
    clear = places(comparison, Measure("lora", "full"))
    assert all(place.certain and place.value > 0 for place in clear.values())
    assert clear["r0"].text.endswith("· better")
    alike = places(comparison, Measure("full", "<b>"))
    assert not any(place.certain for place in alike.values())
    assert alike["r0"].text.endswith("· no difference shown")


def test_the_scale_of_differences_has_zero_in_its_middle():
    found = scale([0.031, -0.012, math.nan], Measure("lora", "full"))
    assert (found.low, found.high) == (-0.04, 0.04)
    assert found.color(0.0).lower() in ("#f6f6f7", "#f7f7f6", "#f7f6f7", "#f6f7f7")
    assert found.color(math.nan) == UNKNOWN
    assert found.color(9.0) == found.color(0.04)


def test_the_scale_of_scores_ends_in_round_numbers():
    found = scale([0.612, 0.788], Measure("lora"))
    assert (found.low, found.high) == (pytest.approx(0.6), pytest.approx(0.8))
    assert scale([], Measure("lora")).high == 1.0


def test_names_of_runs_are_escaped():
    assert "<b>&lt;b&gt;</b>" in scale([0.5], Measure("<b>")).html(Measure("<b>"), "mIoU %")


def test_a_region_that_some_held_out_has_the_score_of_those(tmp_path, tiny_floods):
    splits = tiny_floods.split(hold_out=["bolivia"]).leave_one_region_out()
    study = wb.study(wb.SpectralIndex(threshold=1.0), splits, root=tmp_path, name="water",
                     device="cpu", show=False)
    comparison = compare(study)
    table = comparison.table("region").set_index(["region", "part"])
    found = places(comparison, Measure(comparison.runs[0]))
    assert set(found) == {"bolivia", "ghana", "spain"}
    for region, place in found.items():
        assert place.value == table.loc[(region, "held out"), "miou"]
