"""The page of a comparison: what stands on it, that it needs nothing, that nothing in it runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import shapely

import workbench as wb
from tests.evaluation.conftest import synthetic, trained, two_seeds
from workbench.errors import DataError, UnknownNameError
from workbench.evaluation import compare, evaluate
from workbench.evaluation.atlas import Atlas
from workbench.recipe import SpectralIndex


@pytest.fixture(scope="module")
def comparison(tiny_floods, tmp_path_factory):
    folder, split = tmp_path_factory.mktemp("runs"), tiny_floods.split(hold_out=["bolivia"])
    runs = [trained(folder / name, SpectralIndex(threshold=threshold), split)
            for name, threshold in (("ndwi", 0.0), ("never", 1.0))]
    for run in runs:
        evaluate(run)
    return compare(runs)


@pytest.fixture(scope="module")
def page(comparison, tmp_path_factory) -> str:
    path = comparison.report(tmp_path_factory.mktemp("report") / "out.html")
    return path.read_text("utf-8")


class Seen(HTMLParser):
    """Every tag with its attributes, and the text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self._silent = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._silent = False

    def handle_data(self, data):
        if not self._silent:
            self.text += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_asks_nobody_for_anything(page):
    seen = Seen(page)
    for _, attributes in seen.tags:
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "#").startswith(("data:", "#")), attributes
    assert "url(" not in page.replace("url(data:", "")
    assert "@import" not in page
    assert len(page) < 2_000_000


def test_scores_and_verdicts_are_those_of_the_comparison(page, comparison):
    text = " ".join(Seen(page).text.split())
    for entry in comparison.entries:
        assert str(entry.pooled("test")) in text
        assert str(entry.pooled("held_out")) in text
    for verdict in comparison.verdicts("part"):
        assert verdict in text
    for note in comparison.notes():
        assert note in text


def test_every_region_has_a_point_that_leads_to_its_chip(page):
    seen = Seen(page)
    assert len(seen.all("circle")) == 3
    anchors = {link["href"].removeprefix("#") for link in seen.all("a")}
    assert anchors == {"region-bolivia", "region-ghana", "region-spain"}
    assert anchors == {figure["id"] for figure in seen.all("figure") if "id" in figure}
    held_out = [circle for circle in seen.all("circle") if circle["class"] == "region out"]
    assert len(held_out) == 1
    measures = [option for option in seen.all("option") if "value" in option]
    assert len(measures) == 3, "each run and their difference"
    for circle in seen.all("circle"):
        assert len(circle["data-colours"].split()) == 3


def test_each_chip_has_every_layer_and_begins_with_errors(page):
    seen = Seen(page)
    layers = [image for image in seen.all("img") if "data-layer" in image]
    names = {image["data-layer"] for image in layers}
    assert names == {"image", "image in false colour", "label", "prediction of ndwi",
                     "prediction of never", "errors of ndwi", "errors of never", "disagreement"}
    assert len(layers) == 3 * len(names)
    assert {image["data-layer"] for image in layers if image["class"] == "on-right"} == {
        "errors of ndwi"}
    for image in layers:
        kind = "webp" if image["data-layer"].startswith("image") else "png"
        assert image["src"].startswith(f"data:image/{kind};base64,")


def test_chips_of_the_page_are_those_that_runs_differ_on_most(page, comparison):
    atlas = Atlas(comparison)
    for region in atlas.regions:
        assert atlas.disputed(region=region).index[0] in Seen(page).text


def test_chips_can_be_chosen(comparison, tmp_path):
    chip = str(Atlas(comparison).chips.index[2])
    text = comparison.report(tmp_path / "own.html", chips=[chip]).read_text("utf-8")
    assert len([image for image in Seen(text).all("figure") if "id" in image]) == 1
    assert chip in Seen(text).text
    with pytest.raises(UnknownNameError, match="No chip named 'nowhere'"):
        comparison.report(tmp_path / "none.html", chips=["nowhere"])
    assert not (tmp_path / "none.html").exists()


def test_text_of_the_data_is_escaped(tmp_path):
    nasty = '<script>alert("x")</script>'
    scores = [synthetic(nasty), synthetic("full", skill=1.0, noise=1)]
    page = compare(scores).report(tmp_path / "out.html").read_text("utf-8")
    assert nasty not in page
    assert nasty in Seen(page).text


def test_scores_without_runs_make_a_page_without_chips(tmp_path):
    comparison = compare([synthetic("lora"), synthetic("full", skill=1.0, noise=1)])
    text = comparison.report(tmp_path / "out.html").read_text("utf-8")
    assert "What it looks like" not in text
    assert re.search(r"lora is better than full", text)
    with pytest.raises(DataError, match="came without their runs"):
        comparison.report(tmp_path / "out.html", chips=["r0_0_0"])


def test_what_is_no_page_is_refused(comparison, tmp_path):
    with pytest.raises(DataError, match=r"out.pdf does not end in .html"):
        comparison.report(tmp_path / "out.pdf")


def test_a_region_that_is_larger_than_a_point_is_an_outline(comparison, monkeypatch, tmp_path):
    found = Atlas(comparison).outlines
    wide = {**found, "bolivia": shapely.box(170, -20, 190, 0)}
    monkeypatch.setattr(Atlas, "outlines", wide)
    seen = Seen(comparison.report(tmp_path / "out.html").read_text("utf-8"))
    assert len(seen.all("circle")) == 2
    (outline,) = [path for path in seen.all("path") if path["class"] == "region out"]
    # 170° east to 170° west: on both edges of a map that is 1440 wide, four to a degree.
    assert outline["d"].count("M") == 2
    assert "1400 320" in outline["d"]
    assert "-40 320" in outline["d"]


def test_seeds_and_splits_are_said_beside_the_chips(tiny_floods, tmp_path):
    splits = tiny_floods.split(hold_out=["bolivia"]).leave_one_region_out()
    study = wb.study(SpectralIndex(threshold=0.0), splits, root=tmp_path, name="water",
                     device="cpu", show=False)
    text = Seen(compare(study).report(tmp_path / "study.html").read_text("utf-8")).text
    assert "the run is shown that held the chip out" in text
    runs = [study.runs[0], study.runs[0]]
    text = Seen(two_seeds(runs).report(tmp_path / "seeds.html").read_text("utf-8")).text
    assert "Of several seeds the first is shown" in text
