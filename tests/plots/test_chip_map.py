from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from workbench.data import ClassInfo
from workbench.errors import UnknownNameError
from workbench.plots import plot
from workbench.plots.chip_map import FALSE_COLOUR, IMAGE, layer, layer_names
from workbench.prediction.grid import raster_grid
from workbench.prediction.result import dataset

WATER = [ClassInfo(name="land", color="#d9c9a3"), ClassInfo(name="water", color="#1f78b4")]
CROPS = [*WATER, ClassInfo(name="wheat", color="#33a02c")]
BANDS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_2"]


def ground(runs=("lora", "full"), classes=WATER, bands=BANDS) -> xr.Dataset:
    """Four by four pixels: labels in columns, the first run right, the others always class 0."""
    label = np.tile(np.arange(4, dtype=np.uint8) % len(classes), (4, 1))
    label[3] = 255
    values = np.stack([np.tile(np.arange(4, dtype=np.uint8) % len(classes), (4, 1)) if not n
                       else np.zeros((4, 4), np.uint8) for n in range(len(runs))])
    grid = raster_grid(4, 4, CRS.from_epsg(32720), Affine(30, 0, 300_000, 0, -30, 8_700_000))
    facts = {"chips": ["bolivia_1"], "source": "floods", "simulated": 1}
    found = dataset({"class": values, "probability": np.full(values.shape, 0.85, np.float32)},
                    grid, classes, list(runs), facts)
    image = np.random.default_rng(0).uniform(0, 0.3, (len(bands), 4, 4)).astype(np.float32)
    image[:, 0, 0] = np.nan
    return found.assign(image=(("band", "y", "x"), image),
                        label=(("y", "x"), label, found["class"].attrs)).assign_coords(band=bands)


def test_every_layer_that_is_named_can_be_shown():
    for classes in (WATER, CROPS):
        found = ground(classes=classes)
        names = layer_names(BANDS, ["lora", "full"], [entry.name for entry in classes])
        assert len(set(names)) == len(names) == (10 if classes is WATER else 16)
        for name in names:
            shown = layer(found, name)
            assert shown.name == name
            assert shown.painted().shape == (4, 4, 4)
            assert shown.overlay(found).url.startswith(
                "data:image/webp" if shown.imagery else "data:image/png")


def test_a_misspelt_layer_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'errors of lora'"):
        layer(ground(), "errors of loar")


def test_right_land_lets_the_image_show_through_where_water_is_looked_for():
    found = ground()
    assert layer(found, "errors of lora").quiet == 0
    assert layer(found, "prediction of lora").quiet == 255
    crops = ground(classes=CROPS)
    assert layer(crops, "errors of lora").quiet == 255
    assert layer(crops, "errors of lora in wheat").quiet == 0
    assert layer(crops, "errors of lora in wheat").entries[2][0] == "missed wheat"


def test_runs_whose_names_look_like_layers_are_told_apart():
    found = ground(runs=("a", "a in water", "b of c"), classes=CROPS)
    for name, run in (("prediction of a in water", "a in water"), ("confidence of a", "a"),
                      ("prediction of b of c", "b of c")):
        expected = found["class"].sel(run=run).values
        if name.startswith("prediction"):
            assert (layer(found, name).pixels == expected).all()
    assert layer(found, "errors of a in water in wheat").entries[1][0] == "wheat"


def test_false_colour_is_offered_where_the_bands_are_there():
    assert FALSE_COLOUR not in layer_names(["RED", "GREEN", "BLUE"], [], ["land", "water"])
    false, true = layer(ground(), FALSE_COLOUR).pixels, layer(ground(), IMAGE).pixels
    assert (false != true).any()
    assert false[0, 0, 3] == true[0, 0, 3] == 0


def test_a_single_run_has_its_layers_too():
    found = ground(runs=("lora",)).isel(run=0)
    assert layer(found, "errors of lora").pixels[0].tolist() == [0, 1, 0, 1]


def test_the_plot_shows_the_layers_asked_for_with_their_names():
    figure = plot(ground(), show=["image", "errors of full"])
    assert [axes.get_title() for axes in figure.axes] == ["image", "errors of full"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "land", "water", "missed water", "false water"]
    assert figure.axes[-1].get_xlabel() == "bolivia_1 · floods (simulated)"


def test_by_default_the_plot_shows_image_label_and_errors():
    titles = [axes.get_title() for axes in plot(ground()).axes]
    assert titles == ["image", "label", "errors of lora", "errors of full"]
