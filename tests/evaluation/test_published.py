from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from tests.evaluation.conftest import synthetic
from workbench.errors import UnknownNameError
from workbench.evaluation import compare
from workbench.evaluation.published import beside_paper
from workbench.paper import paper_scores
from workbench.recipe import Recipe

LORA = dataclasses.replace(synthetic("lora", skill=2.5), dataset="simulated-floods")


def entries_of(backbone: str, *methods: str) -> Sequence:
    """Lines of a comparison whose runs say their recipes."""
    (entry,) = compare([LORA]).entries
    return [dataclasses.replace(entry, name=method, trained=(
        SimpleNamespace(recipe=Recipe(backbone=backbone, peft=method, decoder="linear")),))
        for method in methods]


def test_a_backbone_of_the_paper_stands_beside_its_published_scores_method_by_method():
    table = beside_paper(entries_of("prithvi_eo_v2_300", "lora", "full"), "sen1floods11")
    assert table["method"].tolist()[:2] == ["lora", "lora"]
    assert table["source"].tolist()[:2] == ["here", "paper"]
    assert set(table["backbone"]) == {"prithvi_eo_v2_300", "unet_encoder"}
    known = paper_scores().set_index(["backbone", "method", "dataset"])
    row = table[(table["source"] == "paper") & (table["method"] == "lora")].iloc[0]
    cell = known.loc[("prithvi_eo_v2_300", "lora", "sen1floods11")]
    assert row["in_region"] == pytest.approx(cell["miou"] / 100)
    assert row["held_out"] == pytest.approx(cell["held_out_miou"] / 100)
    own = table.iloc[0]
    assert own["in_region"] == pytest.approx(LORA.in_region.value)
    assert own["in_region_low"] == pytest.approx(LORA.in_region.low)


def test_another_backbone_stands_beside_all_models_of_the_paper():
    table = beside_paper(entries_of("workbench_tiny", "lora"), "sen1floods11")
    published = paper_scores()
    assert (table["source"] == "paper").sum() == (published["dataset"] == "sen1floods11").sum()


def test_the_comparison_shows_it_and_says_what_is_simulated():
    comparison = compare([LORA], beside="paper")
    assert comparison.published is not None
    for shown in (repr(comparison), comparison._repr_html_()):
        assert "Prithvi 2.0 300M" in shown
        assert "of real images, those on simulated-floods of simulated ones" in shown
        assert "IBM/peft-geofm" in shown
    assert compare([LORA]).published is None


def test_a_dataset_that_the_paper_has_not_is_refused_and_another_can_be_named():
    other = dataclasses.replace(LORA, dataset="mine")
    with pytest.raises(UnknownNameError, match="dataset in the PEFT paper named 'mine'"):
        compare([other], beside="paper")
    burned = compare([other], beside="paper:burn_scars").published
    (unet,) = burned.loc[burned["backbone"] == "unet_encoder", "in_region"]
    assert unet == pytest.approx(0.8934)
    with pytest.raises(UnknownNameError, match="No table to lay beside named 'papr'"):
        compare([LORA], beside="papr")
