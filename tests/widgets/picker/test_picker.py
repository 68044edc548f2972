"""The picker without a browser: messages in, a split out."""

from __future__ import annotations

import geopandas
import pytest
import shapely

import workbench as wb
from workbench.data import Dataset, Split
from workbench.errors import DataError, UnknownNameError
from workbench.widgets.latest import Latest
from workbench.widgets.picker import Picker, pick


@pytest.fixture(autouse=True)
def audits(monkeypatch) -> list[Split]:
    """Audits take longer than all the rest: they are counted, not made."""
    asked: list[Split] = []
    monkeypatch.setattr(Picker, "_audit", lambda _, split: asked.append(split))
    return asked


@pytest.fixture
def picker(tiny_floods) -> Picker:
    opened = pick(tiny_floods.split("bolivia"))
    yield opened
    opened.wait()


def hear(picker: Picker, do: str, **fields: object) -> None:
    """What the browser sends."""
    picker._hear({"do": do, **fields})


def rows(picker: Picker) -> dict[str, str]:
    return {row["name"]: row["part"] for row in picker._view.regions}


def test_its_value_is_a_split_from_the_start(picker, tiny_floods):
    assert picker.value.parts == tiny_floods.split("bolivia").parts
    assert rows(picker) == {"bolivia": "held_out", "ghana": "", "spain": ""}
    assert [(row["part"], row["chips"]) for row in picker._view.parts] == [
        ("train", 10), ("val", 2), ("test", 4), ("held_out", 8)]
    assert picker.code == "split = dataset.split(hold_out=['bolivia'])"


def test_regions_go_where_they_are_sent_and_the_colours_follow_in_a_byte_each(picker):
    shapes, before = picker._view.corners, picker._view.tints
    hear(picker, "give", region="ghana", part="test")
    assert picker.value.test.regions == ["ghana", "spain"]
    assert picker._view.tints != before
    assert len(picker._view.tints) == 24
    assert picker._view.corners is shapes, "not sent again"
    assert picker._view.page["code"] == picker.code


def test_a_click_on_a_region_shows_it_and_a_button_moves_it(picker):
    hear(picker, "group", at=1)
    assert picker._view.selection["title"] == "Ghana"
    assert len(picker.selected) == 8
    hear(picker, "move", part="held_out")
    assert picker.value.hold_out == ("bolivia", "ghana")
    assert picker._view.selection["part"] == "held_out"
    hear(picker, "nothing")
    assert picker.selected is None


def test_a_click_on_a_chip_opens_it(picker, tiny_floods):
    place = list(tiny_floods).index("ghana_3_S2")
    hear(picker, "shape", at=place)
    chosen = picker._view.selection
    assert [picture["name"] for picture in chosen["pictures"]] == [
        "colours", "SWIR 1 · NIR · RED", "label"]
    assert all(picture["url"].startswith("data:image/webp;base64,")
               for picture in chosen["pictures"])
    assert list(picker.selected) == ["ghana_3_S2"]
    assert chosen["mover"] == "all of Ghana:"


def test_a_chip_whose_file_has_gone_says_so(tiny_floods):
    gone = tiny_floods.chips.assign(image=tiny_floods.chips["image"] + ".gone")
    picker = pick(Dataset(tiny_floods.info, gone))
    hear(picker, "shape", at=0)
    assert picker._view.selection["pictures"] == []
    assert "gone" in picker._view.selection["lines"][1]
    picker.wait()


def test_what_is_drawn_is_counted_and_held_out(picker):
    hear(picker, "area", area=[-10.0, 30.0, 3.0, 50.0])
    assert picker._view.selection["title"] == "8 chips"
    assert picker._view.selection["lines"][0] == "Spain (8)"
    assert picker.selected.regions == ["spain"]
    hear(picker, "move", part="held_out")
    assert picker.value.hold_out == ("bolivia", "drawn-1")
    assert "with_region('drawn-1', within=(-10.0, 30.0, 3.0, 50.0))" in picker.code
    hear(picker, "undo")
    assert picker.value.hold_out == ("bolivia",)
    assert picker.value.dataset.regions == ["bolivia", "ghana", "spain"]


def test_all_but_what_is_drawn_is_left_out_and_comes_back(picker):
    hear(picker, "area", area=[-10.0, 0.0, 10.0, 50.0])
    hear(picker, "move", part="only")
    assert picker.value.dataset.regions == ["ghana", "spain"]
    assert len(picker._view.tints) == 16
    assert ".select(within=" in picker.code
    hear(picker, "undo")
    assert picker.value.dataset.regions == ["bolivia", "ghana", "spain"]
    assert len(picker._view.tints) == 24


def test_a_drawing_round_a_turned_world_means_the_same_ground(picker):
    hear(picker, "area", area=[350.0, 30.0, 363.0, 50.0])
    assert picker._view.selection["title"] == "8 chips"
    hear(picker, "area", area=[[-10, 30], [3, 30], [3, 50]])
    assert picker._view.selection["kind"] == "area"
    hear(picker, "area", area=[100.0, 0.0, 101.0, 1.0])
    assert picker._view.selection["title"] == "0 chips"
    hear(picker, "move", part="test")
    assert picker.code == "split = dataset.split(hold_out=['bolivia'])", "there is nothing to move"


def test_one_region_after_the_other_is_left_out(picker):
    hear(picker, "fold", step=0)
    assert picker._view.page["fold"] == "1 of 3"
    hear(picker, "fold", step=1)
    assert picker.value.hold_out == ("ghana",)
    hear(picker, "fold", step=-1)
    hear(picker, "fold", step=-1)
    assert picker.value.hold_out == ("spain",)


def test_the_rest_is_shared_out_as_the_options_say(picker):
    hear(picker, "options", by="region", fractions=[0.5, 0, 0.5], buffer_km=5, seed=2)
    assert picker.value.rule.by == "region"
    assert picker.value.rule.buffer_km == 5.0
    assert not picker.value.parts["val"]


def test_what_cannot_be_is_said_and_changes_nothing(picker):
    before = picker.value
    hear(picker, "options", by="cluster", fractions=[0.6, 0.15, 0.25], buffer_km=-1, seed=0)
    assert "buffer_km=-1" in picker._view.message
    for region in ("ghana", "spain"):
        hear(picker, "give", region=region, part="held_out")
    assert "leaves no region to train on" in picker._view.message
    assert picker.value.hold_out == ("bolivia", "ghana")
    hear(picker, "give", region="ghana", part="")
    assert picker._view.message == ""
    assert picker.value.parts == before.parts
    hear(picker, "close")
    hear(picker, "no such thing")
    assert picker.value.parts == before.parts


def test_the_newest_split_is_audited(picker, audits):
    picker.wait()
    hear(picker, "give", region="ghana", part="test")
    hear(picker, "give", region="spain", part="train")
    picker.wait()
    assert audits[-1] is picker.value


@pytest.mark.parametrize(("error", "said"), [
    (DataError("The chip is damaged."), "No audit: The chip is damaged."),
    (OSError("The disk is gone."), "No audit: The disk is gone."),
    (KeyError("x"), "No audit: Unexpected KeyError"),
])  # fmt: skip
def test_an_audit_that_fails_says_why(picker, monkeypatch, error, said):
    def broken(split):
        raise error

    picker.wait()
    monkeypatch.undo()
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    monkeypatch.setattr(Split, "audit", broken)
    picker._audit(picker.value)
    assert picker._view.audit["state"] == "failed"
    assert picker._view.audit["title"].startswith(said)


def test_the_audit_s_verdict_stands_beside_the_map(picker, monkeypatch):
    monkeypatch.undo()
    picker._auditor = Latest(picker._audit, pause_s=0)
    picker._auditor.ask(picker.value)
    picker.wait()
    assert picker._view.audit["state"] == "done"
    assert picker._view.audit["worst"] == picker.value.audit().worst
    assert picker._view.audit["findings"][0]["what"]


def test_the_same_cell_run_again_goes_on(tiny_floods):
    first = pick(tiny_floods, key="again")
    hear(first, "give", region="spain", part="held_out")
    first.wait()
    same = Dataset(tiny_floods.info, tiny_floods.chips)  # loaded again by the cell
    second = pick(same, key="again")
    assert second.value.hold_out == ("spain",)
    assert second.value.dataset is same
    third = pick(tiny_floods.select(region=["ghana", "spain"]), key="again")
    assert third.value.hold_out == (), "other chips, other plan"
    given = pick(tiny_floods.split("ghana"), key="again")
    assert given.value.hold_out == ("ghana",), "a split that is given is what is shown"
    for opened in (second, third, given):
        opened.wait()


def test_chips_without_a_place_are_listed(tiny_floods):
    nowhere = tiny_floods.chips.set_geometry(
        geopandas.GeoSeries([None] * 24, tiny_floods.chips.index, crs="EPSG:4326"))
    picker = pick(Dataset(tiny_floods.info, nowhere))
    assert picker._view.page["placed"] is False
    assert "24 not on the map" in picker._view.page["note"]
    assert set(picker._bundle()) == {"text/plain"}, "there is no map to draw"
    hear(picker, "shape", at=0)
    assert picker._view.selection["title"] == "bolivia_0_S2"
    hear(picker, "area", area=[-10.0, 30.0, 3.0, 50.0])
    assert picker._view.selection["title"] == "0 chips"
    picker.wait()


def test_names_of_chips_and_regions_cannot_break_out_of_the_page(tiny_floods):
    chips = tiny_floods.chips.rename(index={"ghana_0_S2": "a\nb<script>"})
    picker = pick(Dataset(tiny_floods.info, chips))
    assert picker._view.names.count("\n") == len(chips) - 1
    picker.wait()


def test_the_stored_notebook_keeps_a_picture_and_the_line(picker):
    bundle = picker._bundle()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert len(bundle["image/png"]) < 200_000
    assert bundle["text/plain"] == repr(picker)
    assert repr(picker).splitlines()[1] == picker.code


def test_the_catalogue_is_searched_and_its_cards_say_what_to_mind():
    picker = pick()
    assert picker.value is None
    assert picker.code == "wb.open_catalog()"
    hear(picker, "search", text="burn", sensor="hls", task=None, label=None, start=None, end=None)
    (card,) = picker._view.catalogue["entries"]
    assert card["id"] == "hls-burn-scars"
    assert card["flags"] == ["its published splits leak"]
    assert card["fetch"] == 'wb.download("hls-burn-scars")  # 2.6 GB'
    hear(picker, "choose", id="hls-burn-scars")
    assert picker.collection.id == "hls-burn-scars"
    hear(picker, "search", text="crop", sensor=None, task=None, label=None, start=None,
         end=None)
    assert picker.collection is None
    assert len(picker._bundle()["image/png"]) < 200_000


def test_a_click_where_two_collections_lie_chooses_them_in_turn():
    picker = pick()
    bolivia = picker._view.labels.index("Bolivia")
    chosen = []
    for _ in range(3):
        hear(picker, "group", at=bolivia)
        chosen.append(picker.collection.id)
    picker.wait()
    assert chosen == ["simulated-floods", "sen1floods11", "simulated-floods"]


def test_a_collection_that_is_here_is_opened_and_closed(tmp_path, tiny_floods, monkeypatch):
    monkeypatch.setattr("workbench.widgets.picker.load", lambda *_, **__: tiny_floods)
    monkeypatch.setattr("workbench.widgets.picker.is_here", lambda _: True)
    picker = pick(wb.open_catalog(), key="open")
    hear(picker, "choose", id="simulated-floods")
    picker.wait()
    assert picker._view.catalogue["entries"][0]["preview"][0]["name"] == "colours"
    hear(picker, "open", id="simulated-floods")
    picker.wait()
    assert isinstance(picker.value, Split)
    assert picker._view.page["title"] == "Simulated floods (SIMULATED)"
    again = pick(wb.open_catalog(), key="open")
    assert again.value.parts == picker.value.parts, "as it was left"
    hear(again, "close")
    assert again.value is None
    again.wait()
    assert pick(wb.open_catalog(), key="open").value is None


def test_what_cannot_be_opened_is_said(monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise DataError("the disk is not there")

    monkeypatch.setattr("workbench.widgets.picker.load", fails)
    picker = pick()
    picker.open(wb.open_catalog()["sen1floods11"])
    picker.wait()
    assert picker._view.page["busy"] == "the disk is not there"
    assert picker.value is None


def test_what_is_no_data_is_refused():
    with pytest.raises(DataError, match="not a int"):
        pick(3)
    with pytest.raises(UnknownNameError, match="Did you mean 'sen1floods11'"):
        pick("sen1flods11")


def test_a_chip_over_a_pole_or_the_antimeridian_is_shown(tiny_floods):
    shapes = list(tiny_floods.chips.geometry)
    shapes[0] = shapely.MultiPolygon([shapely.box(179.9, -17, 180, -16.9),
                                      shapely.box(-180, -17, -179.9, -16.9)])
    shapes[1] = shapely.box(-180, 88, 180, 90)
    chips = tiny_floods.chips.set_geometry(geopandas.GeoSeries(shapes, tiny_floods.chips.index,
                                                               crs="EPSG:4326"))
    picker = pick(Dataset(tiny_floods.info, chips))
    hear(picker, "area", area=[179.0, -20.0, 181.0, -10.0])
    assert picker._view.selection["title"] == "1 chip"
    picker.wait()
