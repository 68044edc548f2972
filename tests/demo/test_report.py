"""The report of a demo on tiny data: self-contained, escaped, and true to its numbers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import rasterio

from workbench.demo import run_demo
from workbench.evaluation import compare
from workbench.runs import list_runs


@pytest.fixture(scope="module")
def page(demo_folder) -> str:
    return (demo_folder / "report.html").read_text()


class Elements(HTMLParser):
    """Tags with their attributes, and whether every element was closed."""

    VOID = ("meta", "link", "img", "input", "source", "br", "!doctype")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_asks_the_network_for_nothing(page):
    sources = [attrs[name] for _, attrs in Elements(page).tags
               for name in ("src", "href", "srcset") if name in attrs]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "@import" not in page
    assert "url(" not in page


def test_it_is_well_formed_and_every_picture_has_words(page):
    elements = Elements(page)
    assert not elements.open
    assert all(attrs.get("alt") for tag, attrs in elements.tags if tag == "img")


def test_it_is_small_enough_to_send_around(page):
    assert len(page) < 5_000_000


def test_it_says_that_the_data_are_simulated_and_the_epochs_few(page):
    assert "simulated data" in page
    assert "one epoch only" in page
    assert "What is simulated, what is real" in page


def test_its_table_holds_the_scores_of_the_run_folders(page, demo_folder):
    comparison = compare(list_runs(demo_folder / "runs"))
    for entry in comparison.entries:
        number, _, interval = f"{entry.pooled('held_out')}".partition(" ")
        assert f"<b>{number}</b> <small>{interval}</small>" in page


def test_nothing_of_this_machine_is_in_it(page, demo_folder):
    assert str(demo_folder.parent) not in page
    assert not re.search(r"/(home|root|tmp|Users)/", page)


def test_the_prediction_lies_on_the_grid_of_its_scene(demo_folder):
    with rasterio.open(demo_folder / "scene.tif") as scene, \
            rasterio.open(demo_folder / "water.tif") as water:
        assert (water.crs, water.transform, water.shape) == (
            scene.crs, scene.transform, scene.shape)
        assert water.nodata == 255
        assert water.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_second_call_trains_nothing_again(demo_folder, tiny_floods, capsys):
    events = {path: path.read_bytes() for path in demo_folder.glob("runs/*/events.jsonl")}
    report = run_demo(demo_folder, dataset=tiny_floods, epochs=1, device="cpu")
    assert report == demo_folder / "report.html"
    assert {path: path.read_bytes() for path in events} == events
    said = capsys.readouterr().out
    assert "LoRA" in said
    assert "workbench lab" in said
    assert "[low, high]" in said
