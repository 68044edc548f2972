from __future__ import annotations

import base64
import html
import re
import threading

import numpy as np
import pytest

import workbench as wb
from tests.prediction.conftest import stored_scene, write_scene
from tests.prediction.test_cog import prediction
from workbench.errors import DataError, UnknownNameError
from workbench.prediction.cog import to_cog
from workbench.prediction.viewing import scene_view
from workbench.widgets.comparing.painting import corners
from workbench.widgets.overlays import NOTHING
from workbench.widgets.scene_map import SceneLook, scene_map


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two predictions and their scene on disk."""
    folder = tmp_path_factory.mktemp("scene")
    other = prediction(600, 700)
    other["class"].values[100:300] = 0
    return ({"a": to_cog(prediction(600, 700), folder / "a.tif"),
             "b": to_cog(other, folder / "b.tif")},
            write_scene(folder / "scene.tif", stored_scene(600, 700),
                        bands=("GREEN", "BLUE", "RED")))


@pytest.fixture
def panel(files):
    panel = scene_map(*files)
    assert panel.wait(30)
    yield panel
    panel.close()
    panel.wait(30)


def shown(panel):
    return {layer.name: (layer.url, layer.bounds) for layer in
            (*panel._pair._images, *panel._pair._classes)}


def drag(panel, west, south, east, north):
    """Do what the browser does when the map was dragged or zoomed."""
    panel._pair.maps[0].set_trait("bounds", ((south, west), (north, east)))


def test_it_begins_with_all_of_the_scene_and_two_predictions(panel):
    assert (panel.value.left, panel.value.right) == ("prediction of a", "prediction of b")
    assert panel.value.bounds == panel._layers.scene.bounds
    pictures = shown(panel)
    assert pictures["left image"] == pictures["right image"]
    assert pictures["left layer"] != pictures["right layer"]
    assert pictures["left image"][0].startswith("data:image/webp")
    assert pictures["left layer"][0].startswith("data:image/png")
    assert "water" in panel._legends[0].value


def test_where_the_map_is_dragged_to_is_painted_anew(panel):
    before = shown(panel)
    west, south, east, north = panel.value.bounds
    near = (west, (south + north) / 2, west + (east - west) / 8, north)
    drag(panel, *near)
    assert panel.wait(30)
    assert panel.value.bounds == pytest.approx(near, abs=1e-6)
    after = shown(panel)
    assert all(after[name] != before[name] for name in before)
    (least_lat, least_lon), (_, most_lon) = after["left layer"][1]
    assert most_lon - least_lon < 0.3 * (east - west)
    assert least_lat < near[1]
    assert most_lon > near[2], "a little more than what is in sight"


def test_only_the_last_of_many_moves_is_painted(panel, monkeypatch):
    painted = []
    paint = panel._layers.paint
    monkeypatch.setattr(panel._layers, "paint",
                        lambda part, names: painted.append(part) or paint(part, names))
    west, south, east, north = panel.value.bounds
    gate = threading.Event()
    panel._worker.ask("gate", gate.wait)
    for step in range(2, 12):
        drag(panel, west, south, west + (east - west) / step, north)
    gate.set()
    assert panel.wait(30)
    (part,) = painted
    assert part.columns * part.step < 700 / 8


def test_outside_of_the_scene_nothing_is_shown_and_it_is_said(panel):
    drag(panel, 10, 50, 11, 51)
    assert panel.wait(30)
    assert {url for url, _ in shown(panel).values()} == {NOTHING.url}
    assert "The scene lies elsewhere" in panel._status.box.value


def test_setting_the_value_moves_the_map(panel):
    west, south, east, north = panel.value.bounds
    middle = ((west + east) / 2, (south + north) / 2)
    panel.value = SceneLook("image", "disagreement", (west, south, *middle), swipe=True)
    assert panel.wait(30)
    assert panel._pair.swiping
    lat, lon = panel._pair.maps[0].center
    assert (lat, lon) == pytest.approx(((south + middle[1]) / 2, (west + middle[0]) / 2), abs=1e-3)
    assert shown(panel)["left layer"][0] == NOTHING.url
    assert "the runs differ" in panel._legends[1].value


def test_the_code_shows_the_same_with_and_without_a_map(panel):
    west, south, east, north = panel.value.bounds
    drag(panel, west, south, (west + east) / 2, north)
    panel._change(left="image")
    assert panel.wait(30)
    lines = html.unescape(re.sub("<[^>]*>", "", panel._code.value))
    names: dict = {"wb": wb}
    exec(lines.replace("wb.scene_map", "again = wb.scene_map")
         .replace("wb.plot(", "figure = wb.plot("), names)
    assert names["again"].value == panel.value
    assert names["again"].wait(30)
    names["again"].close()
    assert names["view"].sizes["x"] < 400
    assert [axes.get_title() for axes in names["figure"].axes] == ["image", "prediction of b"]


def test_a_prediction_in_memory_needs_no_files_and_no_scene():
    panel = scene_map(prediction())
    assert panel.wait(30)
    assert (panel.value.left, panel.value.right) == ("prediction of lora", "confidence of lora")
    assert panel.code.startswith("wb.scene_map(predictions, left='prediction of lora'")
    panel.close()


def test_a_stored_notebook_keeps_a_picture_and_a_line(panel, displayed):
    panel.show()
    assert panel.wait(30)
    bundle = displayed[-1]["data"]
    assert "600 × 700 pixels · left: prediction of a" in bundle["text/plain"]
    png = bundle["image/png"]
    assert (png if isinstance(png, bytes) else base64.b64decode(png)).startswith(b"\x89PNG")


def test_a_file_that_is_gone_is_told_and_nothing_breaks(panel, monkeypatch):
    def gone(part, names):
        raise DataError("scene.tif has gone.")

    with monkeypatch.context() as broken:
        broken.setattr(panel._layers, "paint", gone)
        panel._change(left="disagreement")
        assert panel.wait(30)
        assert "scene.tif has gone" in panel._status.box.value
        assert {url for url, _ in shown(panel).values()} == {NOTHING.url}
    panel._change(left="image")
    assert panel.wait(30)
    assert panel._status.box.value == ""
    assert shown(panel)["left image"][0] != NOTHING.url


def test_a_key_keeps_the_view_and_another_layer_is_refused(files):
    first = scene_map(*files, key="scene")
    first._change(left="disagreement")
    second = scene_map(*files, key="scene")
    assert second.value == first.value
    for panel in (first, second):
        panel.close()
        assert panel.wait(30)
    alone = scene_map(prediction(), key="scene")
    assert alone.value.left == "prediction of lora", "of another scene nothing is kept"
    alone.close()
    assert alone.wait(30)
    with pytest.raises(UnknownNameError, match="Did you mean 'prediction of a'"):
        scene_map(*files, left="predicton of a")


def test_nothing_is_painted_after_the_end(files):
    panel = scene_map(*files)
    assert panel.wait(30)
    panel.close()
    before = shown(panel)
    drag(panel, *np.add(panel.value.bounds, (0.01, 0, 0.01, 0)))
    assert panel.wait(30)
    assert shown(panel) == before


def test_a_click_on_a_pixel_says_its_bands_and_what_each_prediction_has_there(panel, files):
    place = 250, 300
    lat, lon = np.mean(corners(scene_view(*files), (250, 251), (300, 301)), axis=0)
    panel._chose_pixel(lat, lon)
    assert panel.wait(30)
    said = panel._pixel.value
    assert f"row {place[0]}, column {place[1]}" in said
    assert "EPSG:32720" in said
    for value in stored_scene(600, 700)[:, *place]:
        assert f"<td>{value}</td>" in said
    names = ("land", "water", "ice")
    found = names[int(prediction(600, 700)["class"].values[place])]
    assert re.sub("<[^>]*>", "", said).endswith(f"a{found}bland")
    assert panel._pair._pixel[1].location == pytest.approx([lat, lon])
    panel._chose_pixel(lat + 3, lon)
    assert panel.wait(30)
    assert "Click a pixel" in panel._pixel.value
