from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.evaluation.conftest import synthetic, two_seeds
from workbench.errors import RunError, SplitError, UnknownNameError
from workbench.evaluation import compare, evaluate
from workbench.evaluation.atlas import Atlas, least_difference
from workbench.evaluation.chipmap import chip_map


@pytest.fixture(scope="module")
def atlas(runs) -> Atlas:
    for run in runs:
        evaluate(run)
    return Atlas(runs)


def test_every_scored_chip_has_its_place_and_what_each_run_gets_wrong(atlas, tiny_floods):
    split = atlas.answers["ndwi"].run.split
    assert sorted(atlas.chips.index) == sorted([*split.test, *split.held_out])
    for chip, row in atlas.chips.iterrows():
        assert (row["lon"], row["lat"]) == tiny_floods.lonlat(chip)
    assert atlas.regions[0] == "bolivia"
    assert atlas.chips["wrong never"].mean() > atlas.chips["wrong ndwi"].mean()


def test_the_worst_chips_are_those_with_most_wrong_pixels(atlas):
    worst = atlas.worst("never")
    assert worst.is_monotonic_decreasing
    ground = atlas.ground(worst.index[0])
    label, found = ground["label"].values, ground["class"].sel(run="never").values
    labelled = label != 255
    assert (label != found)[labelled].mean() == pytest.approx(worst.iloc[0])


def test_where_one_run_loses_most_to_another_comes_first(atlas):
    lost = atlas.worst("never", "ndwi", region="bolivia")
    assert set(lost.index) == {name for name in atlas.chips.index if name.startswith("bolivia")}
    wrong = atlas.chips.loc[lost.index]
    assert lost.to_list() == (wrong["wrong never"] - wrong["wrong ndwi"]).to_list()


def test_runs_differ_at_least_as_much_as_is_said(atlas):
    for chip, least in atlas.disputed().items():
        ground = atlas.ground(chip)
        first, second = ground["class"].values
        known = ground["label"].values != 255
        assert least <= (first != second)[known].mean() + 1e-9
    assert atlas.disputed().iloc[0] > 0.1


def test_the_bound_is_reached_where_errors_lie_on_one_side():
    one, other = np.array([[[8, 2], [0, 10]]]), np.array([[[10, 0], [5, 5]]])
    assert least_difference(one, other).tolist() == [7 / 20]
    assert np.isnan(least_difference(*[np.zeros((1, 2, 2), int)] * 2)).all()


def test_the_ground_is_that_of_chip_map(atlas, runs):
    chip = atlas.chips.index[0]
    assert atlas.ground(chip).equals(chip_map(runs, chip))
    assert atlas.ground(chip) is atlas.ground(chip)
    assert atlas.knows(chip)


def test_one_run_is_an_atlas_without_disputes(runs):
    evaluate(runs[0])
    alone = Atlas([runs[0]])
    assert alone.runs == ["ndwi"]
    assert alone.disputed().empty


def test_scores_without_their_runs_have_no_pixels():
    with pytest.raises(RunError, match=r"no pixels to show.*wb.compare\(\[wb.open_run"):
        Atlas([synthetic("lora"), synthetic("full")])


def test_a_run_among_scores_is_shown(runs):
    scores = evaluate(runs[1])
    evaluate(runs[0])
    both = Atlas(compare([runs[0], scores]))
    assert both.runs == ["ndwi"]
    assert "wrong never" in both.chips


def test_scores_on_other_chips_than_the_runs_data_are_refused(runs):
    comparison = compare([evaluate(runs[0]), runs[0]])
    table = comparison.entries[0].first.chips
    entry = comparison.entries[0]
    object.__setattr__(entry.first, "chips", table.rename(index={table.index[0]: "elsewhere"}))
    with pytest.raises(SplitError, match="1 of the scored chips, such as elsewhere"):
        Atlas(comparison)


def test_each_seed_of_a_line_can_be_looked_at(runs):
    comparison = two_seeds(runs)
    atlas = Atlas(comparison)
    assert atlas.seeds == [3, 4]
    chip = str(atlas.worst("water ×2 seeds").index[0])
    each = [chip_map(run, chip)["class"].values for run in runs]
    assert (each[0] != each[1]).any()
    for seed, expected in zip((None, 3, 4), (each[0], *each), strict=True):
        ground = atlas.ground(chip, seed)
        np.testing.assert_array_equal(ground["class"].values[0], expected)
        assert ground.attrs.get("seed") == seed
        assert ground.identical(chip_map(comparison, chip, seed=seed))
    with pytest.raises(UnknownNameError, match=r"No seed named '5'.*3, 4"):
        chip_map(comparison, chip, seed=5)


@pytest.fixture(scope="module")
def left_out(tiny_floods, tmp_path_factory) -> wb.Comparison:
    """Two water indices, each region held out once."""
    splits = tiny_floods.split(hold_out=["bolivia"]).leave_one_region_out()
    study = wb.study({"NDWI": wb.SpectralIndex(threshold=0.0),
                      "never": wb.SpectralIndex(threshold=1.0)}, splits, name="water",
                     root=tmp_path_factory.mktemp("studies"), device="cpu", show=False)
    return compare(study)


def test_over_several_splits_the_run_answers_that_held_the_chip_out(left_out):
    atlas = Atlas(left_out)
    assert atlas.chips.index.is_unique
    assert set(atlas.chips["part"]) == {"held_out"}
    assert atlas.runs == ["NDWI", "never"]
    for region in atlas.regions:
        chip = str(atlas.worst("never", region=region).index[0])
        asked = atlas.answers["never"]._of(chip).run
        assert chip in asked.split.held_out
        ground = atlas.ground(chip)
        alone = chip_map(asked, chip)["class"].values
        np.testing.assert_array_equal(ground["class"].sel(run="never").values, alone)
    assert atlas.disputed().iloc[0] > 0.1


def test_over_several_splits_what_is_wrong_is_that_of_the_held_out_score(left_out):
    atlas = Atlas(left_out)
    table = left_out.chips("accuracy")
    own = table[table["part"] == "held out"]
    for chip, row in atlas.chips.iterrows():
        assert row["wrong never"] == pytest.approx(1 - own.loc[chip, "never"])
