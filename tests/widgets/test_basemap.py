"""The map that every widget stands on: views, bounds, and no request of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import workbench
from workbench.errors import DataError
from workbench.widgets.basemap import OUTLINES, enclosing, fit, new_map


@pytest.fixture(scope="module")
def chart():
    return new_map(bounds=(-1, 40, 1, 42), height="400px", panes={"left": 450})


def test_nothing_in_it_names_a_host(chart):
    for layer in chart.layers:
        assert "http" not in json.dumps(layer.get_state(), default=str), layer
    assert not chart.attribution_control


def test_tiles_come_only_where_they_are_asked_for():
    online = new_map(tiles=True)
    assert "openstreetmap" in online.layers[0].url
    assert online.attribution_control, "their licence asks for it"
    assert online.layers[1].name == "countries", "where no tile loads"


def test_panes_are_there_from_the_start(chart):
    assert chart.panes["left"] == {"zIndex": 450}
    assert chart.panes[OUTLINES]["zIndex"] < 200, "below everything else"


def test_it_shows_what_lies_within_the_bounds(chart):
    latitude, longitude = chart.center
    assert longitude == 0
    assert 40.9 < latitude < 41.1
    # 2° of longitude in 592 pixels and 2° of latitude, stretched by 1 / cos 41°, in 352.
    assert chart.zoom == 7.5
    fit(chart, (-10, 30, 10, 50))
    assert chart.zoom == 4


def test_bounds_across_the_antimeridian_are_shown_as_one(chart):
    fit(chart, (178, -20, -178, -15))
    assert chart.center[1] == 180
    assert chart.zoom > 5
    rings = chart.layers[1].data["features"][0]["geometry"]["coordinates"]
    longitudes = [lon for (ring,) in rings for lon, _ in ring]
    assert max(longitudes) > 200, "the coasts beyond ±180° are there"
    assert min(longitudes) < -200


def test_a_point_or_a_pole_has_a_view_too(chart):
    fit(chart, (5, 5, 5, 5))
    assert chart.center == [5, 5]
    assert chart.zoom == 17
    fit(chart, (-180, -90, 180, 90))
    assert 0 <= chart.zoom < 2


@pytest.mark.parametrize("bounds", [(0, 50, 1, 40), (0, float("nan"), 1, 2), (0, -95, 1, 2)])
def test_what_is_no_box_is_refused(chart, bounds):
    with pytest.raises(DataError, match="is no box on the globe"):
        fit(chart, bounds)


@pytest.mark.parametrize(("boxes", "box"), [
    ([(1, 2, 3, 4)], (1, 2, 3, 4)),
    ([(1, 2, 3, 4), (-5, 0, 2, 3)], (-5, 0, 3, 4)),
    ([(170, 0, 175, 1), (-175, 0, -170, 1)], (170, 0, -170, 1)),
    ([(179, 0, -179, 1)], (179, 0, -179, 1)),
    ([(-180, -60, 180, 60), (10, 0, 20, 1)], (-180, -60, 180, 60)),
    ([(-120, 0, -110, 1), (10, 0, 20, 1), (100, 0, 110, 1)], (-120, 0, 110, 1)),
])  # fmt: skip
def test_the_box_round_boxes_is_the_smallest(boxes, box):
    assert enclosing(boxes) == box


def test_no_box_at_all_is_said():
    with pytest.raises(DataError, match="no footprint is known"):
        enclosing([])


def test_one_file_alone_imports_leafmap():
    package = Path(workbench.__file__).parent
    knowing = [file.name for file in package.rglob("*.py")
               if "import leafmap" in file.read_text("utf-8")]
    assert knowing == ["basemap.py"]


def browser_says(chart, width, height):
    """What the browser does at the first drawing: the map is this wide and this high."""
    chart.set_state({"left": 0, "top": 0, "right": width, "bottom": height})


def test_it_is_fitted_again_when_its_width_is_known():
    chart = new_map(bounds=(-60, -10, 60, 10))
    guessed = chart.zoom
    browser_says(chart, 1300, 480)
    assert chart.zoom == guessed + 1
    browser_says(chart, 400, 480)
    assert chart.zoom == guessed + 1, "once: later on it is where its user wants it"


def test_a_map_that_was_moved_before_stays_there():
    chart = new_map(bounds=(-60, -10, 60, 10))
    chart.center = [5, 5]
    browser_says(chart, 1300, 480)
    assert chart.center == [5, 5]
