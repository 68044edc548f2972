from __future__ import annotations

import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
from affine import Affine
from matplotlib.figure import Figure

from workbench.errors import GridError
from workbench.plots import map as map_plot
from workbench.plots import plot
from workbench.plots.map import round_length


def on_grid(array: xr.DataArray | xr.Dataset, epsg: int, pixel: float, north: float):
    height, width = array.sizes["y"], array.sizes["x"]
    placed = array.assign_coords(x=500_000 + pixel * (np.arange(width) + 0.5),
                                 y=north - pixel * (np.arange(height) + 0.5))
    return placed.rio.write_crs(epsg).rio.write_transform(
        Affine(pixel, 0, 500_000, 0, -pixel, north))


@pytest.fixture
def prediction() -> xr.Dataset:
    classes = np.zeros((40, 60), np.uint8)
    classes[10:20] = 1
    classes[:, :4] = 255
    said = {"flag_meanings": "land open_water", "flag_colors": "#d9c9a3 #1f78b4"}
    return on_grid(xr.Dataset({"class": (("y", "x"), classes, said)}), 32720, 30, 8_000_000)


@pytest.fixture
def scene() -> xr.DataArray:
    pixels = np.random.default_rng(0).integers(100, 3000, (3, 40, 60)).astype(np.int16)
    array = xr.DataArray(pixels, dims=("band", "y", "x"),
                         coords={"band": ["BLUE", "GREEN", "RED"]})
    return on_grid(array, 32720, 30, 8_000_000)


def test_the_scene_stands_beside_the_classes_with_one_legend(prediction, scene):
    figure = plot(prediction, scene=scene)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Scene", "Predicted open water"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["land", "open water", "nodata"]


def test_the_scale_bar_is_as_long_as_it_says(prediction):
    table = map_plot.data(prediction)
    assert table.metres == pytest.approx(60 * 30)
    figure = plot(prediction)
    bar = figure.axes[0].lines[0]
    assert bar.get_xdata()[1] * table.metres == pytest.approx(200)
    assert "200 m" in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("size", [(6, 1.5), (2, 6)])
def test_the_scale_bar_is_clear_of_the_picture_whatever_its_shape(size):
    figure = Figure(figsize=size)
    axes = figure.subplots()
    map_plot.draw_scale_bar(axes, 1000)
    figure.draw_without_rendering()
    below = axes.get_window_extent().y0
    for mark in (*axes.lines, *axes.texts):
        assert below - 16 * figure.dpi / 72 < mark.get_window_extent().y0
        assert mark.get_window_extent().y1 < below


def test_degrees_are_turned_into_metres_at_their_latitude(prediction):
    classes = prediction["class"].drop_vars(["x", "y", "spatial_ref"])
    there = classes.to_dataset().assign_coords(x=0.5 + np.arange(60), y=79.5 - np.arange(40))
    table = map_plot.data(there.rio.write_crs(4326))
    assert table.metres == pytest.approx(60 * 111_320 * 0.5, rel=0.01)


@pytest.mark.parametrize(("metres", "length"), [(999, 500), (1000, 1000), (2300, 2000), (7, 5)])
def test_lengths_are_round(metres, length):
    assert round_length(metres) == length


def test_a_scene_on_another_grid_is_refused(prediction, scene):
    shifted = on_grid(scene.drop_vars(["x", "y", "spatial_ref"]), 32720, 30, 8_000_015)
    with pytest.raises(GridError, match="not on the grid of the prediction"):
        plot(prediction, scene=shifted)


def test_a_prediction_without_class_names_numbers_them(prediction):
    prediction["class"].attrs.clear()
    assert [name for name, _ in map_plot.data(prediction).entries][:2] == ["class 0", "class 1"]
