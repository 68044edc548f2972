"""Plans of splits: what is edited, and the line that makes the same split."""

from __future__ import annotations

import pytest

import workbench as wb
from workbench.data import Dataset, Split
from workbench.data.splitting import SplitRule
from workbench.errors import DataError, SplitError
from workbench.widgets.picker.plan import Plan, named


def west_of_spain(floods: Dataset) -> tuple[float, float, float, float]:
    west, south, east, north = floods.select(region="spain").chips.total_bounds.tolist()
    return (round(west, 4) - 0.1, round(south, 4) - 0.1, round((west + east) / 2, 4),
            round(north, 4) + 0.1)


def made_by(line: str, floods: Dataset) -> Split:
    """Run a line of code as a user would in the next cell."""
    space = {"floods": floods, "wb": wb}
    exec(line, space)
    return space["split"]


def test_a_plan_is_the_line_that_it_shows(tiny_floods):
    plan = Plan.of(tiny_floods).moved("bolivia", "held_out").moved("ghana", "test")
    plan = plan.drawn(west_of_spain(tiny_floods), "held_out")
    line = plan.code("floods")
    assert "hold_out=['bolivia', 'drawn-1'], test=['ghana']" in line
    again = made_by(line, tiny_floods)
    assert again.parts == plan.split.parts
    assert again.hold_out == plan.split.hold_out == ("bolivia", "drawn-1")


def test_only_what_differs_from_the_defaults_is_in_the_line(tiny_floods):
    assert Plan(tiny_floods).code("floods") == "split = floods.split()"
    rule = SplitRule(by="region", fractions=(0.5, 0.0, 0.5), buffer_km=5.0, seed=3)
    line = Plan(tiny_floods, rule=rule).code("floods")
    assert line == ("split = floods.split(by='region', fractions=(0.5, 0.0, 0.5), buffer_km=5.0, "
                    "seed=3)")
    assert made_by(line, tiny_floods).rule == rule


def test_a_region_that_is_shared_out_again_is_named_nowhere(tiny_floods):
    plan = Plan(tiny_floods).moved("ghana", "val").moved("ghana", "")
    assert plan.given == {}


def test_a_fold_holds_out_one_region_alone_and_leaves_the_others_where_they_are(tiny_floods):
    plan = Plan(tiny_floods).moved("bolivia", "held_out").moved("ghana", "test").fold("spain")
    assert plan.given == {"ghana": "test", "spain": "held_out"}


def test_a_drawn_region_takes_the_place_of_one_that_it_covers(tiny_floods):
    plan = Plan(tiny_floods).moved("spain", "test").drawn((-10, 30, 10, 50), "held_out")
    assert plan.given == {"drawn-1": "held_out"}
    assert plan.dataset.regions == ["bolivia", "drawn-1", "ghana"]


def test_only_what_lies_within_a_drawing_may_be_kept(tiny_floods):
    plan = Plan(tiny_floods).moved("bolivia", "held_out").moved("ghana", "test")
    kept = plan.drawn(west_of_spain(tiny_floods), "held_out").only((-10, 0, 10, 50))
    assert kept.dataset.regions == ["drawn-1", "ghana", "spain"]
    assert kept.given == {"ghana": "test", "drawn-1": "held_out"}
    line = kept.code("floods")
    assert ".select(within=(-10, 0, 10, 50)).split(" in line
    assert made_by(line, tiny_floods).parts == kept.split.parts


def test_it_begins_with_a_split_and_makes_it_again(tiny_floods):
    split = tiny_floods.split("bolivia", test="ghana", seed=4)
    plan = Plan.of(split)
    assert plan.split.parts == split.parts
    by_hand = Split(tiny_floods, split.parts)
    with pytest.raises(DataError, match=r"wb\.pick\(split\.dataset\)"):
        Plan.of(by_hand)


def test_what_the_collection_holds_out_is_held_out_from_the_start(tiny_floods):
    info = tiny_floods.info.model_copy(update={"collection": "simulated-floods"})
    plan = Plan.of(Dataset(info, tiny_floods.chips))
    assert plan.given == {"bolivia": "held_out"}


def test_one_chip_alone_is_trained_on_and_none_is_refused(tiny_floods):
    alone = tiny_floods.select(["spain_0_S2"])
    plan = Plan.of(alone)
    assert plan.split.parts["train"] == ("spain_0_S2",)
    assert made_by(plan.code("floods"), alone).parts == plan.split.parts
    with pytest.raises(SplitError, match="has no chips to split"):
        Plan.of(tiny_floods.select([]))


def test_the_code_calls_a_dataset_as_the_notebook_does(tiny_floods):
    variables = {"_": tiny_floods, "other": 1, "mine": tiny_floods}
    assert named(tiny_floods, variables, whole=False) == "mine"
    assert named(tiny_floods, {}, whole=True) == "dataset"
    loaded = {"kind": "collection", "collection": "sen1floods11", "root": "/data/s1f11",
              "images": "s1"}
    info = tiny_floods.info.model_copy(update={"source": loaded})
    other = Dataset(info, tiny_floods.chips)
    assert named(other, {}, whole=True) == (
        "wb.load('sen1floods11', root='/data/s1f11', images='s1')")
    assert named(other, {}, whole=False) == "dataset", "it may be a part of it"
