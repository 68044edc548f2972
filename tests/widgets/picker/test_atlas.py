"""Footprints and colours as the browser gets them."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import shapely

from workbench.catalog import open_catalog
from workbench.data import Dataset
from workbench.widgets.picker.atlas import chip_atlas, corners, place_atlas
from workbench.widgets.picker.tints import choices, class_shares, tint


def test_every_chip_has_its_corners_its_region_and_its_name(tiny_floods):
    atlas = chip_atlas(tiny_floods)
    assert atlas.placed.all()
    assert atlas.names == tuple(tiny_floods)
    assert [atlas.labels[group] for group in atlas.groups[[0, 8, 16]]] == [
        "Bolivia", "Ghana", "Spain"]
    ring = shapely.get_coordinates(tiny_floods.chips.geometry.iloc[0])[:4]
    np.testing.assert_allclose(atlas.corners[0], ring, atol=1e-5)


def test_what_crosses_the_antimeridian_goes_on_beyond_it_and_what_has_no_place_is_nowhere():
    halves = shapely.MultiPolygon([shapely.box(179.5, -17, 180, -16),
                                   shapely.box(-180, -17, -179.5, -16)])
    hexagon = shapely.Point(10, 50).buffer(1, quad_segs=2)
    found = corners(geopandas.GeoSeries([halves, hexagon, None, shapely.Polygon()]))
    assert found[0, :, 0].min() == 179.5
    assert found[0, :, 0].max() == 180.5
    np.testing.assert_allclose(found[1, [0, 2]], [(9, 49), (11, 51)], atol=1e-4)
    assert np.isnan(found[2:]).all()


def test_the_places_of_all_collections_are_grouped_by_region():
    entries = list(open_catalog().values())
    atlas, owners = place_atlas(entries)
    bolivia = atlas.groups == atlas.labels.index("Bolivia")
    assert {entries[owner].id for owner in owners[bolivia]} == {"simulated-floods",
                                                               "sen1floods11"}
    assert len(owners) == sum(place.bbox is not None for entry in entries
                              for place in entry.places)
    assert "m-cashew-plant" not in {entries[owner].id for owner in owners}


def test_chips_take_the_colour_of_their_part(tiny_floods):
    split = tiny_floods.split("bolivia", buffer_km=30)
    found = tint(split, "part")
    for chip, code in zip(tiny_floods, found.codes, strict=True):
        part = found.palette[code].removeprefix("--wb-")
        assert chip in (split.left_out if part == "left_out" else split.parts[part])
    assert [name for name, _ in found.legend] == ["train", "validation", "test", "held out",
                                                  "left out"]


def test_a_statistic_is_a_ramp_with_its_values_in_the_legend(tiny_floods):
    split = tiny_floods.split("bolivia")
    assert dict(choices(tiny_floods))["class:1"] == "water share"
    found = tint(split, "class:1")
    shares = class_shares(tiny_floods)[:, 1]
    assert found.codes[shares.argmax()] == 5
    assert found.codes[shares.argmin()] == 0
    assert (np.diff(found.codes[np.argsort(shares)].astype(int)) >= 0).all()
    assert found.legend[0][0].startswith(f"{100 * shares.min():.0f} % – ")


def test_dates_are_offered_where_there_are_any_and_unknown_ones_are_grey(tiny_floods):
    assert "date" not in dict(choices(tiny_floods))
    days = [None, *(f"2018-0{1 + number % 8}-11" for number in range(23))]
    dated = Dataset(tiny_floods.info, tiny_floods.chips.assign(date=days))
    assert "date" in dict(choices(dated))
    found = tint(dated.split("bolivia"), "date")
    assert found.palette[found.codes[0]] == "--wb-left_out"
    assert found.legend[0][0].startswith("2018-01-11 – ")
    assert found.legend[-1] == ("unknown", "--wb-left_out")


def test_regions_are_named_where_they_are_few(tiny_floods):
    found = tint(tiny_floods.split("bolivia"), "region")
    assert [name for name, _ in found.legend] == ["Bolivia", "Ghana", "Spain"]
    many = tiny_floods.chips.assign(region=[f"r{number:02d}" for number in range(24)])
    dataset = Dataset(tiny_floods.info, many)
    assert tint(dataset.split(by="region"), "region").legend == []


@pytest.mark.parametrize("by", ["part", "region", "class:0", "valid"])
def test_every_chip_has_a_colour(tiny_floods, by):
    found = tint(tiny_floods.split("bolivia"), by)
    assert len(found.codes) == len(tiny_floods)
    assert found.codes.max() < len(found.palette)
