from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.conftest import synthetic
from workbench.errors import RunError, SplitError
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
