from __future__ import annotations

import pytest

from workbench.errors import UnknownNameError
from workbench.plots import PLOTS, chips, plot, render
from workbench.plots.chips import ChipTable, Strip


@pytest.fixture
def strips(tiny_floods) -> ChipTable:
    table = chips.data(tiny_floods.split(hold_out=["bolivia"]), count=2)
    predicted = [
        Strip(**{**vars(strip), "predictions": {"lora": 1 - strip.label.clip(0)}})
        for strip in table.strips
    ]
    return ChipTable(table.classes, table.colours, predicted)


def test_half_of_the_chips_come_from_where_nothing_was_trained(tiny_floods):
    table = chips.data(tiny_floods.split(hold_out=["bolivia"]), count=4)
    assert [strip.held_out for strip in table.strips] == [True, True, False, False]
    assert {strip.region for strip in table.strips} == {"Bolivia", "Ghana", "Spain"}


def test_the_choice_depends_on_labels_alone_and_is_the_same_every_time(tiny_floods):
    split = tiny_floods.split(hold_out=["bolivia"])
    chosen = chips.choose(split, 3)
    assert chosen == chips.choose(split, 3)
    shares = tiny_floods.chips.loc[chosen, ["count_0", "count_1"]]
    assert (shares.min(axis=1) > 0).all()


def test_no_training_chip_is_shown(tiny_floods):
    split = tiny_floods.split(hold_out=["bolivia"])
    assert not set(chips.choose(split, 6)) & set(split.parts["train"])


def test_a_region_can_be_asked_for_in_any_case(tiny_floods):
    split = tiny_floods.split(hold_out=["bolivia"])
    assert all(chip.startswith("bolivia") for chip in chips.choose(split, 2, region="BOLIVIA"))
    with pytest.raises(UnknownNameError, match="Did you mean 'spain'"):
        chips.choose(tiny_floods, 2, region="spane")


def test_one_run_shows_its_prediction_and_its_errors_apart(strips):
    assert len(chips.pictures(strips.strips[0], strips.colours)) == 4
    figure = render(PLOTS["chips"], strips)
    titles = [axes.get_title(loc="center") for axes in figure.axes[:4]]
    assert titles == ["image", "label", "lora", "errors"]


def test_the_legend_names_every_colour(strips):
    labels = [entry.get_label() for entry in chips.legend(strips)]
    assert labels == ["land", "water", "missed water", "false water", "no label"]


def test_a_dataset_needs_no_run(tiny_floods):
    figure = plot(tiny_floods, "chips", chips=list(tiny_floods)[:2])
    assert len(figure.axes) == 4
