"""Labels are drawn where they lie, and the map beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr

import workbench as wb
from tests.conftest import HLS, write_chip
from workbench.plots.labels import data, pictures


@pytest.fixture
def labels(tmp_path: Path) -> wb.Labels:
    path, _ = write_chip(tmp_path, "a", 1, epsg=32630, east=600_000, north=900_000, side=40)
    labels = wb.Labels(path, [("land", "#112233"), ("water", "#445566")], bands=HLS, scale=1e-4)
    labels.add("water", shapely.box(600_300, 899_400, 600_600, 899_700), crs="EPSG:32630")
    labels.add("land", shapely.Point(600_015, 899_985), crs="EPSG:32630")
    return labels


def test_shapes_lie_on_their_pixels_in_their_colours(labels: wb.Labels) -> None:
    (box, blue), (point, dark) = data(labels).shapes
    assert box.bounds == pytest.approx((9.5, 9.5, 19.5, 19.5), abs=1e-6)
    assert point.coords[0] == pytest.approx((0, 0), abs=1e-6)
    assert (blue, dark) == ("#445566", "#112233")


def test_true_and_false_colour_are_offered_where_bands_allow(labels: wb.Labels) -> None:
    assert list(pictures(labels.imagery, 100)) == ["true colour", "false colour"]
    assert pictures(labels.imagery, 20)["true colour"].shape == (20, 20, 4)


def test_the_map_stands_beside_the_labels(labels: wb.Labels) -> None:
    prediction = xr.Dataset({"class": (("y", "x"), np.ones((40, 40), np.uint8))})
    table = data(labels, prediction=prediction)
    assert table.predicted is not None
    assert table.predicted[3, 3].tolist() == [0x44, 0x55, 0x66, 255]
    one, two = wb.plot(labels), wb.plot(labels, prediction=prediction)
    assert [len(figure.axes) for figure in (one, two)] == [1, 2]
    assert two.axes[1].get_title(loc="left") == "Map from these labels"
