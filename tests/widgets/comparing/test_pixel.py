from __future__ import annotations

import numpy as np
import pytest

from workbench.widgets.comparing.painting import corners
from workbench.widgets.comparing.pixel import find_pixel, pixel_html, pixel_table


@pytest.fixture(scope="module")
def ground(atlas):
    return atlas.ground("bolivia_3_S2")


def middle(ground, row, column):
    places = np.array(corners(ground, (row, row + 1), (column, column + 1)))
    return places.mean(axis=0)


def test_a_place_is_answered_with_the_pixel_that_lies_there(ground):
    for place in ((0, 0), (5, 20), (31, 31)):
        assert find_pixel(ground, *middle(ground, *place)) == place
    lat, lon = middle(ground, 5, 20)
    assert find_pixel(ground, lat + 1, lon) is None


def test_every_run_says_its_class_and_all_probabilities(ground):
    row, column = np.argwhere(ground["label"].values == 1)[0]
    found = pixel_table(ground, row, column)
    assert found["class"].to_dict() == {"ndwi": "water", "never": "land"}
    np.testing.assert_allclose(found[["land", "water"]].sum(axis=1), 1, atol=2e-3)


def test_what_is_shown_says_place_bands_label_and_runs(ground):
    row, column = (int(place) for place in np.argwhere(ground["label"].values == 1)[0])
    html = pixel_html(ground, row, column, *middle(ground, row, column))
    green = float(ground["image"].sel(band="GREEN")[row, column])
    assert f"{green:.4g}" in html
    assert "° S" in html
    assert "° W" in html
    assert "EPSG:32720" in html
    assert "bolivia_3_S2" in html
    assert html.count("✓") == 1
    assert html.count("✗") == 1
    assert 'aria-label="spectrum"' in html
    assert html.count("<circle") == 6


def test_nodata_is_said_and_not_drawn(ground):
    html = pixel_html(ground, 0, 0, *middle(ground, 0, 0))
    assert "nodata" in html
    assert "svg" not in html
    assert "no label" in html


def test_text_of_the_data_is_escaped(ground):
    renamed = ground.assign_attrs(chips=["<script>alert(1)</script>"]).assign_coords(
        run=["<img src=x>", "never"])
    html = pixel_html(renamed, 5, 5, *middle(ground, 5, 5))
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
