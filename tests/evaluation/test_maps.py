from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from workbench.data import ClassInfo
from workbench.errors import DataError, GridError, UnknownNameError
from workbench.evaluation.maps import confidence_map, disagreement_map, error_map
from workbench.plots import plot
from workbench.prediction.cog import to_cog
from workbench.prediction.grid import raster_grid
from workbench.prediction.result import dataset

LAND_WATER = [ClassInfo(name="land", color="#d9c9a3"), ClassInfo(name="water", color="#1f78b4")]
CROPS = [*LAND_WATER, ClassInfo(name="winter wheat", color="#33a02c")]
TRANSFORM = Affine(30, 0, 300_000, 0, -30, 8_700_000)


def prediction(*classes, legend=LAND_WATER, probability=None, runs=None):
    """A prediction of one row a run."""
    values = np.array(classes, np.uint8)[:, None]
    shares = np.full(values.shape, 0.9, np.float32) if probability is None \
        else np.array(probability, np.float32)[None, None]
    grid = raster_grid(1, values.shape[2], CRS.from_epsg(32720), TRANSFORM)
    return dataset({"class": values, "probability": shares}, grid, legend, runs, {})


def said(found):
    """What a map says of its pixels, in words."""
    words = found["class"].attrs["flag_meanings"].split()
    return [words[value] if value != 255 else None for value in found["class"].values[0]]


def test_errors_of_two_classes_are_told_in_four_ways():
    found = error_map(prediction([0, 1, 0, 1, 255, 1]), np.array([[0, 1, 1, 0, 1, 255]]))
    assert said(found) == ["land", "water", "missed_water", "false_water", None, None]


def test_with_more_classes_a_pixel_is_right_in_its_class_or_wrong():
    found = error_map(prediction([0, 1, 2, 0], legend=CROPS), np.array([[0, 2, 2, -1]]))
    assert said(found) == ["land", "wrong", "winter_wheat", None]


def test_one_of_many_classes_can_be_judged_alone():
    found = error_map(prediction([0, 1, 2, 2, 0], legend=CROPS), np.array([[1, 0, 2, 0, 2]]),
                      of="winter wheat")
    assert said(found) == ["not_winter_wheat", "not_winter_wheat", "winter_wheat",
                           "false_winter_wheat", "missed_winter_wheat"]


def test_land_may_be_what_is_looked_for():
    found = error_map(prediction([0, 1, 0, 1]), np.array([[0, 1, 1, 0]]), of="land")
    assert said(found) == ["land", "not_land", "false_land", "missed_land"]


def test_a_misspelt_class_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'water'"):
        error_map(prediction([0]), np.array([[0]]), of="watr")


def test_a_label_that_is_half_a_pixel_off_is_refused():
    predicted = prediction([0, 1])
    label = predicted["class"].copy()
    assert said(error_map(predicted, label)) == ["land", "water"]
    shifted = label.assign_coords(x=label["x"] + 15).drop_vars("spatial_ref").rio.write_crs(32720)
    shifted = shifted.rio.write_transform(TRANSFORM @ Affine.translation(0.5, 0))
    with pytest.raises(GridError, match=r"300015.*reproject_match"):
        error_map(predicted, shifted)


def test_a_label_of_another_shape_is_refused():
    with pytest.raises(GridError, match=r"shape \(2, 1\), the prediction \(1, 2\)"):
        error_map(prediction([0, 1]), np.zeros((2, 1)))


def test_several_runs_are_judged_one_by_one():
    both = prediction([0, 1], [1, 1], runs=["lora", "full"], probability=None)
    with pytest.raises(DataError, match=r"prediction.sel\(run='lora'\)"):
        error_map(both, np.zeros((1, 2)))
    assert said(error_map(both.sel(run="lora"), np.zeros((1, 2)))) == ["land", "false_water"]


def test_disagreement_counts_the_runs_that_differ_from_most():
    found = disagreement_map(prediction([0, 0, 0, 1], [0, 0, 1, 255], [0, 1, 2, 1],
                                        legend=CROPS, runs=["a", "b", "c"]))
    assert found["class"].values.tolist() == [[0, 1, 2, 255]]
    assert found["class"].attrs["flag_meanings"] == "all_agree 1_of_3_differ 2_of_3_differ"


def test_two_runs_agree_or_differ():
    found = disagreement_map(prediction([0, 1], [1, 1], runs=["lora", "full"]))
    assert said(found) == ["the_runs_differ", "all_agree"]


def test_one_run_cannot_disagree():
    with pytest.raises(DataError, match="two of them"):
        disagreement_map(prediction([0, 1]))


def test_confidence_goes_from_the_surest_to_a_guess():
    found = confidence_map(prediction([0, 1, 1, 0], probability=[1.0, 0.9, 0.5, np.nan]))
    assert said(found) == ["90–100_%", "90–100_%", "50–60_%", None]


def test_a_guess_among_ten_classes_starts_at_a_tenth():
    legend = [ClassInfo(name=f"class {n}", color="#000000") for n in range(10)]
    found = confidence_map(prediction([0, 1], legend=legend, probability=[0.1, 0.99]))
    assert said(found) == ["10–20_%", "90–100_%"]


def test_what_says_no_classes_is_refused():
    with pytest.raises(DataError, match="does not say its classes"):
        error_map(xr.Dataset({"class": (("y", "x"), np.zeros((1, 1), np.uint8))}), [[0]])


def test_a_map_of_errors_is_drawn_and_written_like_a_prediction(tmp_path):
    found = error_map(prediction([0, 1, 0, 1]), np.array([[0, 1, 1, 0]]))
    figure = plot(found)
    shown = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert shown == ["land", "water", "missed water", "false water"]
    assert to_cog(found, tmp_path / "errors.tif").stat().st_size > 0
