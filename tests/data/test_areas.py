"""Areas as people write them, and regions made of them."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest
import shapely

from workbench.data import Dataset, Split
from workbench.data.areas import parse_area, within
from workbench.errors import DataError

BOX = (-2.0, 1.0, 3.0, 4.0)


def west_half(floods: Dataset, region: str) -> tuple[float, float, float, float]:
    west, south, east, north = floods.select(region=region).chips.total_bounds
    return west, south, (west + east) / 2, north


@pytest.mark.parametrize("area", [
    BOX, list(BOX), np.array(BOX), shapely.box(*BOX), shapely.box(*BOX).__geo_interface__,
    {"type": "Feature", "properties": {}, "geometry": shapely.box(*BOX).__geo_interface__},
    [(-2, 1), (3, 1), (3, 4), (-2, 4)],
])  # fmt: skip
def test_an_area_is_written_in_any_of_these_ways(area):
    assert parse_area(area).equals(shapely.box(*BOX))


def test_a_corner_that_crosses_its_own_outline_is_made_valid():
    assert parse_area([(0, 0), (2, 2), (2, 0), (0, 2)]).is_valid


@pytest.mark.parametrize(("area", "said"), [
    ("bolivia", "an area is a box"), ((1, 2, 3), "an area is a box"),
    ([(1, 2), (3, 4)], "an area is a box"), ({"type": "Nonsense"}, "an area is a box"),
    ((0, 0, 0, 1), "encloses nothing"), ((0, 80, 1, 100), "encloses nothing on the globe"),
    (shapely.Point(1, 2), "encloses nothing"), ((0, 0, float("nan"), 1), "a number is not finite"),
    (None, "an area is a box"),
])  # fmt: skip
def test_what_is_no_area_is_said(area, said):
    with pytest.raises(DataError, match=said):
        parse_area(area)


def test_a_box_across_the_antimeridian_holds_chips_on_both_sides_and_across():
    fiji = shapely.MultiPolygon([shapely.box(179.9, -17, 180, -16.9),
                                 shapely.box(-180, -17, -179.9, -16.9)])
    chips = geopandas.GeoDataFrame(geometry=[
        shapely.box(178, -17, 178.1, -16.9), fiji, shapely.box(-179, -17, -178.9, -16.9),
        shapely.box(0, -17, 0.1, -16.9), None], crs="EPSG:4326")  # fmt: skip
    assert within(chips, (177, -20, -178, -10)).tolist() == [True, True, True, False, False]
    assert within(chips, (177, -20, 182, -10)).tolist() == [True, True, True, False, False]
    assert within(chips, (-183, -20, -178, -10)).tolist() == [True, True, True, False, False]


def test_what_is_drawn_becomes_a_region_that_can_be_held_out(tiny_floods):
    drawn = tiny_floods.with_region("the west", within=west_half(tiny_floods, "spain"))
    assert drawn.regions == ["bolivia", "ghana", "spain", "the west"]
    assert list(drawn) == list(tiny_floods)
    split = drawn.split(hold_out=["the west"], by="region", fractions=(1, 0, 0))
    assert set(split.parts["held_out"]) == set(drawn.select(region="the west"))
    assert split.hold_out == ("the west",)
    assert 0 < len(split.held_out) < len(tiny_floods.select(region="spain"))


def test_no_cluster_is_in_two_regions(tiny_floods):
    drawn = tiny_floods.with_region("the west", within=west_half(tiny_floods, "spain"))
    assert drawn.chips.groupby("cluster")["region"].nunique().max() == 1


def test_an_area_may_widen_a_region_that_there_is(tiny_floods):
    widened = tiny_floods.with_region("Ghana", within=west_half(tiny_floods, "spain"))
    assert widened.regions == tiny_floods.regions
    assert len(widened.select(region="ghana")) > len(tiny_floods.select(region="ghana"))


def test_a_split_of_drawn_regions_opens_again(tiny_floods):
    drawn = tiny_floods.with_region("the west", within=west_half(tiny_floods, "spain"))
    split = drawn.split(hold_out=["the west"], by="region", fractions=(1, 0, 0))
    saved = json.loads(json.dumps(split.to_json()))
    for dataset in (None, tiny_floods, drawn):
        again = Split.from_json(saved, dataset)
        assert again.parts == split.parts
        assert again.dataset.regions == drawn.regions


def test_an_area_without_chips_is_refused(tiny_floods):
    with pytest.raises(DataError, match="No chip of tiny-floods has its middle within the"):
        tiny_floods.with_region("nowhere", within=(0, -60, 1, -59))
