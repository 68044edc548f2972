"""The panel of labels: a thin view on `wb.Labels` and `wb.fit_labels`."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

import workbench as wb
from tests.conftest import HLS, write_chip
from workbench.widgets import label_rounds
from workbench.widgets.labeller import Labeller


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    path, _ = write_chip(tmp_path, "scene", 3, epsg=32630, east=600_000, north=900_000, side=48)
    with rasterio.open(path, "r+") as file:
        file.descriptions, file.scales = HLS, (1e-4,) * len(HLS)
    return path


@pytest.fixture
def panel(scene: Path) -> Labeller:
    return wb.label(scene, ["<i>land</i>", "water"])


def spot(panel: Labeller, across: float, down: float) -> dict[str, object]:
    west, south, east, north = panel.value.imagery.bounds
    return {"type": "Point",
            "coordinates": [west + across * (east - west), north - down * (north - south)]}


def draw(panel: Labeller, *spots: tuple[float, float]) -> None:
    """Do what the pencil in the browser does."""
    features = [{"type": "Feature", "geometry": spot(panel, *place)} for place in spots]
    panel._map._pencil._draw_callbacks(panel._map._pencil, action="create", geo_json=features)


def test_what_is_drawn_is_a_label_of_the_chosen_class(panel: Labeller) -> None:
    draw(panel, (0.5, 0.2))
    panel._classes["water"][0].click()
    draw(panel, (0.5, 0.8), (0.6, 0.8))
    assert panel.value.table["class"].tolist() == ["<i>land</i>", "water", "water"]
    assert len(panel._map._shapes.data["features"]) == 3
    assert panel._classes["water"][1].value == '<span class="wb-hint">2 · 2 px</span>'


def test_a_label_is_selected_changed_deleted_and_brought_back(panel: Labeller) -> None:
    draw(panel, (0.5, 0.2))
    panel._map._on_click(feature=panel._map._shapes.data["features"][0])
    assert panel._delete.disabled  # with the point tool a click draws, it does not select
    panel._tool.value = "select"
    panel._map._on_click(feature=panel._map._shapes.data["features"][0])
    assert not panel._delete.disabled
    panel._classes["water"][0].click()
    assert panel.value.table["class"].tolist() == ["water"]
    panel._map._on_click(feature=panel._map._shapes.data["features"][0])
    panel._delete.click()
    assert len(panel.value) == 0
    panel.value.undo()
    assert len(panel.value) == 1


def test_undo_and_redo_can_be_pressed_while_they_do_something(panel: Labeller) -> None:
    def pressable() -> tuple[bool, bool]:
        return not panel._undo.disabled, not panel._redo.disabled

    assert pressable() == (False, False)
    draw(panel, (0.5, 0.2))
    assert pressable() == (True, False)
    panel._undo.click()
    assert (len(panel.value), pressable()) == (0, (False, True))
    panel._redo.click()
    assert (len(panel.value), pressable()) == (1, (True, False))
    panel._undo.click()
    draw(panel, (0.5, 0.8))
    assert pressable() == (True, False), "what is drawn anew cannot be made again"
    draw(panel, (5.0, 5.0))
    assert pressable() == (True, False), "what was refused is no change"


def test_training_tells_what_is_missing_then_shows_a_map(panel: Labeller) -> None:
    draw(panel, (0.5, 0.2))
    panel.train()
    panel.wait()
    assert "Only &lt;i&gt;land&lt;/i&gt; is labelled" in panel._message.value
    panel._classes["water"][0].click()
    draw(panel, (0.5, 0.8))
    panel.train()
    panel.wait()
    assert "map of 2 labels in" in panel._message.value
    assert panel._map._map.url.startswith("data:image/png")
    assert panel.prediction is not None
    assert panel.prediction["class"].shape == (48, 48)
    again = wb.predict(panel.model, panel.value.imagery.path, window=128)
    assert (again["class"] == panel.prediction["class"]).all()
    first = panel._map._map.url
    panel._live.value = True
    draw(panel, (0.2, 0.2))  # trains by itself
    panel.wait()
    assert "map of 3 labels in" in panel._message.value
    assert panel._map._map.url != first


def test_a_large_raster_is_mapped_in_the_middle_of_what_is_in_sight(
    panel: Labeller, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Probe:
        @staticmethod
        def snapped(area: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
            return area

    assert panel._rounds._area(Probe(), (4, 6, 30, 40)) is None  # small: all of it
    monkeypatch.setattr(label_rounds, "LARGEST_WHOLE", 400)
    assert panel._rounds._area(Probe(), (4, 6, 30, 40)) == (9, 16, 20, 20)
    assert panel._rounds._area(Probe(), (4, 6, 10, 12)) == (4, 6, 10, 12)


def test_what_lies_outside_is_told_and_not_drawn(panel: Labeller) -> None:
    draw(panel, (5.0, 5.0))
    assert "lies outside scene_S2.tif" in panel._message.value
    assert len(panel.value) == 0
    draw(panel, (0.5, 0.5))
    assert panel._message.value == ""


def test_the_code_does_what_the_panel_does(panel: Labeller) -> None:
    draw(panel, (0.5, 0.2))
    panel._classes["water"][0].click()
    draw(panel, (0.5, 0.8))
    panel.train()
    panel.wait()
    names: dict[str, object] = {"wb": wb}
    *lines, last = panel._code().rsplit("\n", 1)
    exec("\n".join(lines), names)
    found = eval(last, names)
    assert (found["class"] == panel.prediction["class"]).all()


def test_names_are_escaped_and_the_picture_is_kept(panel: Labeller) -> None:
    draw(panel, (0.5, 0.2))
    bundle = panel._bundle()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == repr(panel.value)
    assert "<i>land" not in panel._layout().children[1].children[1].children[-1].value


def test_the_same_call_again_goes_on_from_what_was_drawn(panel: Labeller, scene: Path) -> None:
    draw(panel, (0.5, 0.2))
    again = wb.label(scene)
    assert len(again.value) == 1
    assert len(again._map._shapes.data["features"]) == 1
