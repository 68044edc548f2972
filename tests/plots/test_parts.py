"""A split as pies on a map."""

from __future__ import annotations

import dataclasses

import geopandas
import pytest

from workbench.data import PARTS, Dataset
from workbench.errors import DataError
from workbench.plots import PLOTS, plot


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_chip_is_counted_in_the_part_it_is_in(tiny_floods):
    made = tiny_floods.split("bolivia", test="ghana")
    first, *rest = made.parts["train"]
    split = dataclasses.replace(made, parts={**made.parts, "train": tuple(rest)},
                                left_out=(first,))
    table = PLOTS["parts"].data(split).set_index("region")
    assert table.loc["Bolivia", "in_held_out"] == len(split.held_out)
    assert table.loc["Ghana", "in_test"] == sum(chip.startswith("ghana")
                                                for chip in split.parts["test"])
    for part in PARTS:
        assert table[f"in_{part}"].sum() == len(split.parts[part])
    assert table["in_left_out"].sum() == 1


def test_the_legend_names_only_parts_that_there_are(tiny_floods):
    assert legend(plot(tiny_floods.split("bolivia"), "parts")) == [
        "train · 10", "validation · 2", "test · 4", "held out · 8"]
    assert legend(plot(tiny_floods.split(fractions=(1, 0, 0)), "parts")) == ["train · 24"]


def test_chips_without_a_place_are_not_drawn(tiny_floods):
    shapes = tiny_floods.chips.geometry.copy()
    shapes[tiny_floods.chips["region"] == "ghana"] = None
    partly = Dataset(tiny_floods.info, tiny_floods.chips.set_geometry(shapes))
    assert list(PLOTS["parts"].data(partly.split())["region"]) == ["Bolivia", "Spain"]
    none = geopandas.GeoSeries([None] * 24, tiny_floods.chips.index, crs="EPSG:4326")
    nowhere = Dataset(tiny_floods.info, tiny_floods.chips.set_geometry(none))
    with pytest.raises(DataError, match="No region has a place on the map"):
        plot(nowhere.split(), "parts")
