from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from rasterio.crs import CRS

from tests.prediction.conftest import NORTH_UP, stored_scene, write_scene
from tests.prediction.test_cog import prediction
from workbench.plots.scene_layers import MOST_BYTES, SceneLayers
from workbench.prediction.grid import raster_grid
from workbench.prediction.thinning import Part
from workbench.prediction.viewing import Scene


def pixels(overlay):
    data = base64.b64decode(overlay.url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.fixture(scope="module")
def layers(tmp_path_factory) -> SceneLayers:
    path = write_scene(tmp_path_factory.mktemp("scene") / "scene.tif", stored_scene(1600, 1800),
                       bands=("GREEN", "NIR_NARROW", "RED"))
    return SceneLayers(Scene({"a": prediction(1600, 1800), "b": prediction(1600, 1800)}, path))


def test_the_layers_are_those_that_scene_and_predictions_have(layers):
    assert layers.names == ["image", "image in false colour", "prediction of a", "prediction of b",
                            "confidence of a", "confidence of b", "disagreement"]
    alone = prediction().drop_vars("probability")
    assert SceneLayers(Scene(alone)).names == ["prediction of lora"]


def test_a_view_of_noise_has_few_bytes(layers):
    # Nothing is larger than what cannot be compressed.
    found = layers.paint(layers.scene.part(None, 1280), ["prediction of a", "confidence of b"])
    assert sum(len(one.image.url) + len(one.classes.url) for one in found) < 300_000
    for one in found:
        assert len(one.image.url) <= MOST_BYTES["imagery"]
        assert len(one.classes.url) <= MOST_BYTES["classes"]


def test_a_view_shows_exactly_its_classes(layers):
    part = Part(800, 900, 30, 40, 1)
    picture, = layers.paint(part, ["prediction of a"])
    expected = prediction(1600, 1800)["class"].values[800:830, 900:940]
    painted = pixels(picture.classes)
    colours = {tuple(colour) for colour in painted[painted[..., 3] == 255][:, :3].tolist()}
    assert colours == {(0xD9, 0xC9, 0xA3), (0x1F, 0x78, 0xB4), (0xFF, 0xFF, 0xFF)}
    water = (painted[..., :3] == (0x1F, 0x78, 0xB4)).all(-1)[painted[..., 3] == 255].mean()
    assert water == pytest.approx((expected == 1).mean(), abs=0.02)
    assert picture.layer.entries[1] == ("water", "#1f78b4")


def test_imagery_keeps_its_range_from_view_to_view():
    rows = np.repeat(np.linspace(100, 4000, 2000, dtype=np.float32)[:, None], 2000, axis=1)
    array = xr.DataArray(np.stack([rows] * 3), dims=("band", "y", "x"), name="scene",
                         coords={"band": ["RED", "GREEN", "BLUE"]})
    grid = raster_grid(2000, 2000, CRS.from_epsg(32720), NORTH_UP)
    scene = grid.georeferenced(array.to_dataset())["scene"]
    layers = SceneLayers(Scene(prediction(2000, 2000), scene))
    above, below = (pixels(layers.paint(Part(top, 500, 200, 200, 1), ["image"])[0].image)
                    for top in (200, 700))
    assert above[..., 0].max() < below[..., 0][below[..., 3] == 255].min()
