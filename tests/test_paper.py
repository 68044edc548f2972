"""The PEFT paper's grid: recipes of what was published, and the scores as they were."""

from __future__ import annotations

import csv
from typing import Any

import pytest

import workbench as wb
from tests.plugin import SHARED, NeedlessSkips
from workbench.errors import RecipeError, UnknownNameError
from workbench.losses import CrossEntropy
from workbench.models.backbones import BACKBONES
from workbench.paper import MODELS, OURS
from workbench.peft import VPT, LoRA
from workbench.schedules import Plateau

TABLES = SHARED / "paper"


def test_a_cell_is_the_papers_recipe() -> None:
    recipe = wb.paper_recipe("prithvi_eo_v2_300", "lora", "sen1floods11", decoder="linear")
    assert recipe.peft == LoRA(rank=16, alpha=16, dropout=0.0, targets=("q", "v", "fc1", "fc2"))
    assert (recipe.backbone, recipe.decoder) == ("prithvi_eo_v2_300", "linear")
    assert (recipe.batch_size, recipe.epochs, recipe.patience) == (8, 100, 15)
    assert (recipe.schedule, recipe.loss, recipe.augment) == (Plateau(), CrossEntropy(), True)
    # configs/peft/prithvi_eo_v2_300/sen1floods11/lora.yaml
    assert recipe.lr == 0.0005677459993935431
    assert recipe.bands == ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")


def test_vpt_has_the_papers_prompts() -> None:
    assert wb.paper_recipe("prithvi_eo_v1_100", "vpt", "burn_scars").peft == VPT(
        tokens=100, dropout=0.1
    )


def test_reben_has_batches_of_32() -> None:
    assert wb.paper_recipe("clay_v1", "full", "reBEN_7k").batch_size == 32


def test_datasets_go_by_their_names_in_the_catalogue_too() -> None:
    for ours, papers in OURS.items():
        assert ours in wb.open_catalog()
        cells = [wb.paper_recipe("clay_v1", "lora", name) for name in (ours, papers)]
        assert cells[0] == cells[1]


def test_a_learning_rate_that_is_not_known_stays_open() -> None:
    recipe = wb.paper_recipe("prithvi_eo_v2_100_tl", "lora", "sen1floods11")
    assert recipe.learning_rate is None
    assert recipe.lr == LoRA.default_lr


def test_learning_rates_lie_where_the_authors_search_found_them() -> None:
    known = wb.paper_scores().dropna(subset="learning_rate")
    found = known.groupby("method")["learning_rate"].agg(["min", "max"])
    for method, (low, high) in {
        "full": (2.1e-5, 1e-3),
        "lora": (3.8e-4, 9.9e-4),
        "vpt": (9.5e-5, 9.9e-4),
        "linear_probe": (2.8e-4, 1e-3),
    }.items():
        assert low < found["min"][method] < found["max"][method] < high, method


def test_every_cell_but_those_of_prithvi_2_100_m_has_its_learning_rate() -> None:
    scores = wb.paper_scores()
    ours = scores[scores["model"].isin(MODELS.values())]
    assert set(ours[ours["learning_rate"].isna()]["model"]) == {"Prithvi 2.0 100M"}


def test_six_bands_are_a_row_of_their_own() -> None:
    recipe = wb.paper_recipe("clay_v1", "lora", "reBEN_7k", six_bands=True)
    assert len(recipe.bands or ()) == 6
    assert len(wb.paper_recipe("clay_v1", "lora", "reBEN_7k").bands or ()) == 10
    assert len(wb.paper_recipe("decur_resnet50", "full", "reBEN_7k").bands or ()) == 12
    assert len(wb.paper_recipe("decur_resnet50", "full", "sen1floods11").bands or ()) == 13
    with pytest.raises(RecipeError, match=r"rows of clay_v1 and decur_resnet50 only"):
        wb.paper_recipe("prithvi_eo_v1_100", "lora", "reBEN_7k", six_bands=True)


def test_every_published_cell_of_our_backbones_is_a_recipe() -> None:
    scores = wb.paper_scores()
    for row in scores[scores["model"].isin(MODELS.values())].itertuples():
        recipe = wb.paper_recipe(row.backbone, row.method, row.dataset)
        assert recipe.backbone in BACKBONES
        assert 2e-5 < recipe.lr <= 1e-3


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            ("clay_v1", "vit_adapter", "reBEN_7k"),
            r"no cell of 'clay_v1' with 'vit_adapter'.*'lora'",
        ),
        (("decur_resnet50", "lora", "reBEN_7k"), r"published 'linear_probe', 'full', each on"),
        (("clay_v1", "lora", "reBEN_7k", "unet"), r"decoder='linear' only; got 'unet'"),
        (("unet_encoder", "full", "reBEN_7k"), r"'UNet \(Rand.\)' has scores .* wb.baselines"),
    ],
)
def test_a_cell_that_was_not_published_is_refused(cell: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        wb.paper_recipe(*cell)


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        (("prithvi_eo_v2_30", "lora", "reBEN_7k"), "prithvi_eo_v2_300"),
        (("clay_v1", "lra", "reBEN_7k"), "lora"),
        (("clay_v1", "lora", "sen1flood11"), "sen1floods11"),
    ],
)
def test_a_name_the_paper_has_not_is_answered_with_the_nearest(cell: Any, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=f"in the PEFT paper .* Did you mean '{hint}'"):
        wb.paper_recipe(*cell)


def test_scores_carry_the_region_held_out_and_their_source() -> None:
    scores = wb.paper_scores().set_index(["backbone", "method", "dataset"])
    cell = scores.loc[("prithvi_eo_v2_300", "lora", "sen1floods11")]
    assert (cell.miou, cell["std"]) == (90.04, 0.17)
    assert (cell.held_out_miou, cell.held_out_std) == (87.57, 0.77)
    assert "IBM/peft-geofm" in scores.attrs["source"]["scores"]


@pytest.mark.skipif(not TABLES.is_dir(), reason=NeedlessSkips.NO_SHARED)
def test_scores_are_the_authors_files() -> None:
    with open(TABLES / "peft_table.csv") as opened:
        rows = list(csv.reader(opened))
    published = [round(float(value), 2) for row in rows[4:] for value in row[2:]]
    scores = wb.paper_scores()
    assert sorted([*scores["miou"], *scores["std"]]) == sorted(published)
