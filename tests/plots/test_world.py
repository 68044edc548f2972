from __future__ import annotations

import pytest

from workbench.catalog import open_catalog
from workbench.errors import DataError
from workbench.plots import PLOTS, plot, render, world


def texts(figure):
    return [text for axes in figure.axes for text in axes.texts if text.get_visible()]


def test_a_split_shows_its_regions_and_which_are_held_out(tiny_floods):
    table = world.data(tiny_floods.split(hold_out=["bolivia"])).set_index("region")
    assert table["held_out"].to_dict() == {"Bolivia": True, "Ghana": False, "Spain": False}
    assert table["chips"].sum() == len(tiny_floods)
    assert table.loc["Spain", "south"] == pytest.approx(38.4, abs=0.5)


def test_a_collection_is_shown_without_any_pixels():
    table = world.data(open_catalog()["simulated-floods"])
    assert len(table) == 11


@pytest.mark.parametrize("width", [4.0, 8.6])
def test_names_cover_neither_each_other_nor_a_dot(width):
    table = world.data(open_catalog()["simulated-floods"])
    figure = render(PLOTS["world"], table, width=width, height=width * 0.43)
    boxes = [text.get_window_extent() for text in texts(figure)]
    assert len(boxes) == 11
    overlaps = [(a, b) for place, a in enumerate(boxes) for b in boxes[:place] if a.overlaps(b)]
    assert not overlaps


def test_one_place_is_shown_with_its_surroundings(tiny_floods):
    figure = plot(tiny_floods.select(region="spain"))
    low, high = figure.axes[0].get_xlim()
    assert high - low < 40


def test_chips_without_a_georeference_are_an_error(tiny_floods):
    chips = tiny_floods.chips.copy()
    chips["geometry"] = None
    unplaced = type(tiny_floods)(tiny_floods.info, chips.set_geometry("geometry", crs=4326))
    with pytest.raises(DataError, match="no georeference"):
        plot(unplaced, "world")
