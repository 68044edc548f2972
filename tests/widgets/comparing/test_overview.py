from __future__ import annotations

import pytest
import shapely

from workbench.plots.measures import Measure
from workbench.widgets.comparing.overview import Mark, Marks, Overview


@pytest.fixture
def overview(atlas):
    clicked = []
    shown = Overview(atlas, clicked.append, clicked.append)
    shown.clicked = clicked
    return shown


def forms(marks: Marks, kind: str) -> dict[str, str]:
    return {feature["properties"][kind]: feature["geometry"]["type"]
            for feature in marks.layer.data["features"]}


def test_regions_are_points_from_far_away_and_outlines_from_near(overview):
    overview.show(Measure("ndwi"), None, None)
    overview.chart.zoom = 1.0
    assert set(forms(overview._regions, "region").values()) == {"Point"}
    colours = {feature["properties"]["region"]: feature["properties"]["look"]
               for feature in overview._regions.layer.data["features"]}
    overview.chart.zoom = 9.0
    assert set(forms(overview._regions, "region").values()) == {"Polygon"}
    for feature in overview._regions.layer.data["features"]:
        name = feature["properties"]["region"]
        assert feature["properties"]["look"] == colours[name]
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.equals_exact(overview._atlas.outlines[name], 1e-4)


def test_an_outline_is_clicked_like_its_point(overview):
    overview.show(Measure("ndwi"), None, None)
    for zoom in (1.0, 9.0):
        overview.chart.zoom = zoom
        feature = overview._regions.layer.data["features"][0]
        overview._regions.layer._handle_mouse_events(
            None, {"event": "click", "properties": feature["properties"]}, [])
    assert len(overview.clicked) == 2
    assert len(set(overview.clicked)) == 1


def test_chips_are_footprints_once_they_can_be_seen(overview, atlas):
    overview.show(Measure("ndwi"), "bolivia", "bolivia_3_S2", fly=True)
    overview.chart.zoom = 5.0
    assert set(forms(overview._chips, "chip").values()) == {"Point"}
    overview.chart.zoom = 14.0
    assert set(forms(overview._chips, "chip").values()) == {"Polygon"}
    for feature in overview._chips.layer.data["features"]:
        footprint = atlas.data.chips.geometry[feature["properties"]["chip"]]
        assert shapely.geometry.shape(feature["geometry"]).equals_exact(footprint, 1e-4)


def test_nothing_is_sent_again_while_all_forms_stay(overview):
    overview.show(Measure("ndwi"), None, None)
    overview.chart.zoom = 1.0
    before = overview._regions.layer.data
    overview.chart.zoom = 1.25
    assert overview._regions.layer.data is before


def test_what_is_small_lies_above_what_is_large():
    marks = Marks(9)
    marks.show([Mark(shapely.box(0, 0, 1, 1), {}, {"region": "small"}),
                Mark(shapely.box(-5, -5, 5, 5), {}, {"region": "large"})], 8.0)
    assert list(forms(marks, "region")) == ["large", "small"]
