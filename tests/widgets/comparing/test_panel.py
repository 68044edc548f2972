from __future__ import annotations

import base64
import html
import io
import re
import shutil

import ipyleaflet
import numpy as np
import pytest
from PIL import Image

import workbench as wb
from tests.evaluation.conftest import two_seeds
from workbench.errors import DataError, RunError, UnknownNameError
from workbench.evaluation import compare
from workbench.widgets.comparing import View, compare_map
from workbench.widgets.comparing.painting import corners
from workbench.widgets.overlays import NOTHING


@pytest.fixture
def panel(runs):
    panel = compare_map(compare(runs))
    assert panel.wait(30)
    yield panel
    panel.close()
    panel.wait(30)


def picture(layer):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(layer.url.partition(",")[2])))
                      .convert("RGBA"))


def shown(panel):
    """What the four pictures of the two maps are called."""
    return {layer.name: layer.url for layer in (*panel._pair._images, *panel._pair._classes)}


def test_it_begins_with_the_worst_chip_and_the_errors_of_two_runs(panel, atlas):
    assert panel.value == View(("ndwi",), None, atlas.worst("ndwi").index[0], "errors of ndwi",
                               "errors of never")
    urls = shown(panel)
    assert urls["left image"] == urls["right image"]
    assert urls["left image"].startswith("data:image/webp")
    assert urls["left layer"] != urls["right layer"]
    assert urls["left layer"].startswith("data:image/png")


def test_clicking_a_region_shows_its_chips_and_its_worst_one(panel, atlas):
    panel._chose_region("bolivia")
    assert panel.wait(30)
    assert panel.value.region == "bolivia"
    assert panel.value.chip == atlas.worst("ndwi", region="bolivia").index[0]
    chips = panel._overview._chips.layer.data["features"]
    assert {chip["properties"]["chip"] for chip in chips} == {
        name for name in atlas.chips.index if name.startswith("bolivia")}
    looks = {region["properties"]["region"]: region["properties"]["look"]
             for region in panel._overview._regions.layer.data["features"]}
    assert [name for name, look in looks.items() if look.get("fill") is False] == ["bolivia"]


def test_regions_are_coloured_by_the_score_or_by_the_difference(panel):
    looks = {region["properties"]["region"]: region["properties"]["look"]["fillColor"]
             for region in panel._overview._regions.layer.data["features"]}
    assert set(looks) == {"bolivia", "ghana", "spain"}
    panel._change(runs=("ndwi", "never"))
    differences = {region["properties"]["region"]: region["properties"]["look"]["fillColor"]
                   for region in panel._overview._regions.layer.data["features"]}
    assert differences != looks
    assert "points" in panel._overview._regions.layer.data["features"][0]["properties"]["text"]


def test_setting_the_value_moves_everything(panel, atlas):
    chip = str(atlas.worst("never").index[0])
    panel.value = View(("ndwi", "never"), None, chip, "label", "disagreement", swipe=True)
    assert panel.wait(30)
    ground = atlas.ground(chip)
    painted = picture(panel._pair._classes[0])
    assert {tuple(color) for color in painted[painted[..., 3] == 255][:, :3]} == {
        (0xD9, 0xC9, 0xA3), (0x1F, 0x78, 0xB4)}
    differ = (ground["class"].values[0] != ground["class"].values[1]).mean()
    opaque = (picture(panel._pair._classes[1])[..., 3] > 0).mean()
    assert opaque == pytest.approx(differ, abs=0.08)  # pixels at the rim, and the turn of the grid
    assert panel._pair.swiping
    assert panel._controls._sides.left.value == "label"


def test_an_image_is_shown_without_a_layer_over_it(panel):
    panel._change(left="image", right="image in false colour")
    assert panel.wait(30)
    urls = shown(panel)
    assert urls["left layer"] == urls["right layer"] == NOTHING.url
    assert urls["left image"] != urls["right image"]


def test_a_swipe_puts_both_sides_into_one_map_and_back(panel):
    def controls():
        return [one for one in panel._pair.maps[0].controls
                if isinstance(one, ipyleaflet.SplitMapControl)]

    count = len(panel._pair.maps[0].layers)
    panel._change(swipe=True)
    assert len(controls()) == 1
    assert len(panel._pair.maps[0].layers) == count - 2, "the control shows them itself"
    panes = [layer.pane for side in (controls()[0].left_layer, controls()[0].right_layer)
             for layer in side]
    assert len(set(panes)) == 4, "each picture has a pane of its own, or the swipe clips all alike"
    panel._change(swipe=False)
    assert controls() == []
    assert len(panel._pair.maps[0].layers) == count


def resized(panel, width, height=400):
    """Let the browser say how large the map is now."""
    panel._pair.maps[0].set_trait("pixel_bounds", ((7.0, 3.0), (7.0 + width, 3.0 + height)))


def test_a_swipe_fits_what_is_shown_to_all_of_the_width(panel):
    chart = panel._pair.maps[0]
    resized(panel, 200)
    narrow, centre = chart.zoom, chart.center
    panel._change(swipe=True)
    resized(panel, 408)
    assert chart.zoom >= narrow + 0.75
    assert chart.center == pytest.approx(centre)
    panel._change(swipe=False)
    resized(panel, 200)
    assert chart.zoom == narrow


def test_what_somebody_has_moved_stays_where_it_is_when_the_map_grows(panel):
    chart = panel._pair.maps[0]
    resized(panel, 200)
    fitted = chart.center, chart.zoom
    chart.zoom = moved = fitted[1] + 2
    resized(panel, 408)
    assert (chart.center, chart.zoom) == (fitted[0], moved)
    chart.zoom = fitted[1]
    chart.center = pulled = (fitted[0][0] + 0.01, fitted[0][1])
    resized(panel, 200)
    assert (tuple(chart.center), chart.zoom) == (pulled, fitted[1])


def test_a_click_on_a_pixel_says_what_is_known_of_it(panel):
    ground = panel._ground
    lat, lon = np.mean(corners(ground, (5, 6), (7, 8)), axis=0)
    panel._chose_pixel(lat, lon)
    assert "row 5, column 7" in panel._pixel.value
    assert panel._pair._pixel[1].location == pytest.approx([lat, lon])
    panel._chose_pixel(lat + 3, lon)
    assert "Click a pixel" in panel._pixel.value
    assert panel._pair._pixel[0] not in panel._pair.maps[0].layers


def test_strips_say_what_their_order_means_and_have_pictures(panel, atlas):
    strip = panel._strips.worst
    assert strip.title == "Worst chips of ndwi"
    assert [card["id"] for card in strip.cards] == list(atlas.worst("ndwi").index)[:14]
    assert set(strip.pictures) == {card["id"] for card in strip.cards}
    panel._change(runs=("ndwi", "never"))
    assert strip.title == "Where ndwi loses most to never"


def test_the_code_shows_the_same_view(panel, runs):
    panel._change(region="ghana", left="label", right="disagreement", runs=("ndwi", "never"))
    assert panel.wait(30)
    lines = html.unescape(re.sub("<[^>]*>", "", panel._code.value))
    names: dict = {"wb": wb}
    exec(lines.replace("wb.compare_map", "again = wb.compare_map")
         .replace("wb.plot(", "figure = wb.plot("), names)
    assert names["again"].value == panel.value
    names["again"].wait(30)
    names["again"].close()
    assert [axes.get_title() for axes in names["figure"].axes] == ["label", "disagreement"]


def test_a_key_keeps_the_view_for_the_cell_run_again(runs):
    first = compare_map(runs, key="kept")
    first._change(left="label")
    second = compare_map(runs, key="kept")
    assert second.value == first.value
    given = compare_map(runs, key="kept", left="image")
    assert given.value.left == "image"
    alone = compare_map([runs[1]], key="kept")
    assert alone.value.runs == ("never",), "of other runs nothing is kept"
    for one in (first, second, given, alone):
        one.close()
        assert one.wait(30)


def test_what_is_asked_for_is_shown_first(runs, atlas):
    panel = compare_map(runs, region="BOLIVIA", runs=["never"])
    assert panel.value.region == "bolivia"
    assert panel.value.chip == atlas.worst("never", region="bolivia").index[0]
    panel.wait(30)
    panel.close()


@pytest.mark.parametrize(("asked", "near"), [
    ({"chip": "bolivia_33"}, "No chip named 'bolivia_33'. Did you mean 'bolivia_3_S2'"),
    ({"region": "boliva"}, "Did you mean 'bolivia'"),
    ({"left": "errors of nwdi"}, "Did you mean 'errors of ndwi'"),
    ({"runs": "nevre"}, "Did you mean 'never'"),
])
def test_what_is_not_there_is_answered_with_the_nearest(runs, asked, near):
    with pytest.raises(UnknownNameError, match=near):
        compare_map(runs, **asked)


def test_no_runs_are_refused():
    with pytest.raises(RunError, match="nothing to compare"):
        compare_map([])


def test_one_run_shows_its_image_beside_its_errors(runs):
    panel = compare_map([runs[0]])
    assert (panel.value.left, panel.value.right) == ("image", "errors of ndwi")
    assert panel.wait(30)
    panel.close()


def test_a_stored_notebook_keeps_a_picture_and_a_line(panel, displayed):
    panel.show()
    assert panel.wait(30)
    bundle = displayed[-1]["data"]
    assert bundle["text/plain"].startswith("ndwi in all regions · ")
    assert "left: errors of ndwi" in bundle["text/plain"]
    png = bundle["image/png"]
    assert (png if isinstance(png, bytes) else base64.b64decode(png)).startswith(b"\x89PNG")


def test_a_chip_that_is_gone_is_told_and_nothing_breaks(panel, monkeypatch, atlas):
    chip = str(atlas.worst("never").index[3])
    path = panel._atlas.data.chips.loc[chip, "image"]
    monkeypatch.setattr(type(panel._atlas.data), "read", _gone)
    panel._atlas._grounds.clear()
    panel._chose_chip(chip)
    assert panel.wait(30)
    assert f"{path} has gone" in panel._controls.status.box.value
    assert set(shown(panel).values()) == {NOTHING.url}


def _gone(self, chip):
    raise DataError(f"{self.chips.loc[chip, 'image']} has gone.")


def test_the_seed_that_is_shown_is_chosen_and_said(runs):
    comparison = two_seeds(runs)
    panel = compare_map(comparison, left="label", right="errors of water ×2 seeds")
    assert panel.wait(30)
    assert panel.value.seed == 3
    assert "seed 3" in panel._legends[1].value
    assert "seed" not in panel._legends[0].value
    before = shown(panel)
    panel._controls._seed.value = 4
    assert panel.wait(30)
    assert panel.value.seed == 4
    assert "seed 4" in panel._legends[1].value
    assert shown(panel)["right layer"] != before["right layer"]
    assert shown(panel)["left layer"] == before["left layer"]
    assert "seed=4" in panel.code
    panel.close()
    with pytest.raises(UnknownNameError, match="No seed named '9'"):
        compare_map(comparison, seed=9)
    with pytest.raises(UnknownNameError, match="has one seed; leave out seed="):
        compare_map(runs, seed=0)


def test_a_study_over_several_splits_is_shown_and_its_code_opens_it_again(tiny_floods, tmp_path):
    study = wb.study({"NDWI": wb.SpectralIndex(threshold=0.0),
                      "never": wb.SpectralIndex(threshold=1.0)},
                     tiny_floods.split(hold_out=["bolivia"]).leave_one_region_out(),
                     name="water", root=tmp_path, device="cpu", show=False)
    panel = compare_map(compare(study), region="ghana", left="image", right="errors of never")
    assert panel.wait(60)
    assert panel._ground.attrs["region"] == "ghana"
    assert f"wb.compare(wb.open_study({str(study.folder)!r}))" in panel.code
    assert "(held out)" in dict(map(reversed, panel._controls._region.options))["ghana"]
    panel.close()


def test_all_regions_is_a_choice_that_the_menu_shows(panel):
    menu = panel._controls._region
    assert menu.label == "all regions"
    menu.value = "bolivia"
    assert panel.value.region == "bolivia"
    menu.label = "all regions"
    assert panel.value.region is None
    assert menu.label == "all regions"


def test_what_nobody_expected_is_said_in_the_panel_which_goes_on(panel, monkeypatch, atlas):
    reported = []
    monkeypatch.setattr("threading.excepthook", reported.append)
    chip = str(atlas.worst("never").index[3])
    with monkeypatch.context() as broken:
        broken.setattr(type(panel._atlas), "ground", lambda *_: {}["lost"])
        panel._chose_chip(chip)
        assert panel.wait(30)
    assert "Unexpected KeyError: &#x27;lost&#x27;" in panel._controls.status.box.value
    assert "predicting" not in panel._controls.status.box.value
    assert set(shown(panel).values()) == {NOTHING.url}
    assert {report.exc_type for report in reported} == {KeyError}
    panel._chose_chip(str(atlas.worst("never").index[2]))
    assert panel.wait(30)
    assert NOTHING.url not in shown(panel).values()
    assert "Unexpected" not in panel._controls.status.box.value


def test_nothing_is_painted_after_the_end(panel, atlas):
    panel.close()
    before = shown(panel)
    panel._chose_chip(str(atlas.worst("never").index[3]))
    assert panel.wait(30)
    assert shown(panel) == before


def test_a_seed_whose_checkpoint_is_gone_is_told_and_the_other_one_is_shown(runs, tmp_path):
    folder = shutil.copytree(runs[1].folder, tmp_path / "gone")
    comparison = two_seeds([runs[0], wb.open_run(folder)])
    panel = compare_map(comparison)
    assert panel.wait(30)
    shutil.rmtree(folder / "checkpoints")
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    panel._controls._seed.value = 4
    assert panel.wait(30)
    assert "wb-problem" in panel._controls.status.box.value
    assert set(shown(panel).values()) == {NOTHING.url}
    panel._controls._seed.value = 3
    assert panel.wait(30)
    assert "wb-problem" not in panel._controls.status.box.value
    assert NOTHING.url not in (shown(panel)["left image"], shown(panel)["right layer"])
    panel.close()
    assert panel.wait(30)
