from __future__ import annotations

import dataclasses

import geopandas
import numpy as np
import pytest
import shapely

from tests.conftest import HLS
from workbench.data import Dataset
from workbench.data.outlining import region_outlines, unwrapped


def moved(dataset: Dataset, region: str, lons) -> Dataset:
    """The dataset with the chips of a region at other longitudes, cut at the antimeridian."""
    chips = dataset.chips.copy()
    there = chips.index[chips["region"] == region]
    for name, lon in zip(there, lons, strict=False):
        box = shapely.box(lon - 0.1, -18, lon + 0.1, -17.8)
        parts = [shapely.transform(box & shapely.box(turn - 180, -90, turn + 180, 90),
                                   lambda xy, turn=turn: xy - [turn, 0]) for turn in (-360, 0, 360)]
        chips.loc[name, "geometry"] = shapely.union_all([part for part in parts if part.area])
    return dataclasses.replace(dataset, chips=chips)


def test_a_region_reaches_round_all_of_its_chips(tiny_floods):
    outlines = region_outlines(tiny_floods)
    assert set(outlines) == {"bolivia", "ghana", "spain"}
    for region, chips in tiny_floods.chips.groupby("region"):
        assert outlines[region].buffer(1e-9).covers(chips.geometry.union_all())
        assert outlines[region].bounds == pytest.approx(chips.total_bounds)


def test_a_region_that_was_drawn_keeps_its_polygon(tiny_floods):
    drawn = shapely.Polygon([(-66, -15), (-64, -15), (-64, -14), (-65, -13.5), (-66, -14)])
    with_area = tiny_floods.with_region("Delta", drawn)
    assert region_outlines(with_area)["Delta"].equals_exact(drawn, 0.01)


def test_region_polygons_are_the_outlines(tiny_folder, tiny_floods):
    boxes = {region: shapely.box(*chips.total_bounds).buffer(0.5)
             for region, chips in tiny_floods.chips.groupby("region")}
    polygons = geopandas.GeoDataFrame({"region": list(boxes)}, geometry=list(boxes.values()),
                                      crs="EPSG:4326")
    dataset = Dataset.from_folder(
        str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"), bands=HLS,
        classes=["land", "water"], region=polygons, scale=1e-4)
    found = region_outlines(dataset)
    for region, box in boxes.items():
        assert found[region].symmetric_difference(box).area < 0.01 * box.area


@pytest.mark.parametrize("lons", [
    (179.2, 179.95, 180.4, -179.3), (-179.9, 179.9), (178.0, 180.0, -178.0)])
def test_an_outline_on_the_antimeridian_is_whole(tiny_floods, lons):
    west, _, east, _ = region_outlines(moved(tiny_floods, "bolivia", np.resize(lons, 8)))[
        "bolivia"].bounds
    whole = [lon % 360 for lon in lons]
    assert (west, east) == pytest.approx((min(whole) - 0.1, max(whole) + 0.1))


def test_a_polygon_that_crosses_itself_is_made_whole():
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    whole = unwrapped([bow])
    assert whole.is_valid
    assert whole.area == pytest.approx(2)


def test_halves_are_joined_without_a_seam():
    halves = shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)])
    whole = unwrapped([halves])
    assert whole.geom_type == "Polygon"
    assert whole.bounds == (179, 0, 181, 1)


def test_regions_without_a_place_have_no_outline(tiny_floods):
    chips = tiny_floods.chips.copy()
    chips.loc[chips["region"] == "ghana", "geometry"] = None
    assert set(region_outlines(dataclasses.replace(tiny_floods, chips=chips))) == {
        "bolivia", "spain"}
