"""The comparison map in a real JupyterLab: what a mouse does to it, and what is then painted."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from PIL import Image

from tests.evaluation.conftest import trained
from workbench.evaluation import evaluate
from workbench.recipe import SpectralIndex
from workbench.runs import Run

pytestmark = pytest.mark.browser

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
SHOW = """\
import workbench as wb
runs = [wb.open_run(folder) for folder in {folders!r}]
panel = wb.compare_map(runs, left="label", right="errors of never", key="map")
panel"""
WATER, LAND, MISSED = (0x1F, 0x78, 0xB4), (0xD9, 0xC9, 0xA3), (0xE6, 0x9F, 0x00)


@pytest.fixture(scope="module")
def runs(tiny_floods, tmp_path_factory) -> Sequence[Run]:
    folder, split = tmp_path_factory.mktemp("runs"), tiny_floods.split(hold_out=["bolivia"])
    found = [trained(folder / name, SpectralIndex(threshold=threshold), split)
             for name, threshold in (("ndwi", 0.0), ("never", 1.0))]
    for run in found:
        evaluate(run)
    return found


@pytest.fixture
def notebook(runs, tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in (
        SHOW.format(folders=[str(run.folder) for run in runs]),
        "print('value:', panel.value.region, panel.value.chip, panel.value.runs)")]
    path = tmp_path / "map.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
    return path


def share(locator: Any, color: tuple[int, int, int]) -> float:
    """Return how much of what is seen has a colour, give or take what blending does."""
    pixels = np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)
    return float((np.abs(pixels - color).max(axis=-1) < 40).mean())


def wait_for_share(page: Any, locator: Any, color: tuple[int, int, int], least: float) -> None:
    for _ in range(60):
        if share(locator, color) > least:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"{share(locator, color):.3f} of the map is {color}, expected {least}")


def views(page: Any) -> list[tuple[float, ...]]:
    """Return where the picture lies in each of the two maps, in pixels of the screen."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.wb-pair .leaflet-container')].map(map => {
            const frame = map.getBoundingClientRect();
            const image = map.querySelector('img[src^="data:image/webp"]').getBoundingClientRect();
            return [image.x - frame.x, image.y - frame.y, image.width, image.height];
        })""")


def views_at_rest(page: Any) -> list[tuple[float, ...]]:
    """Return `views` when nothing has moved for a second."""
    seen, still = views(page), 0
    for _ in range(120):
        page.wait_for_timeout(250)
        before, seen = seen, views(page)
        still = still + 1 if seen == before else 0
        if still == 4:
            return seen
    raise AssertionError("the maps never come to rest")


@pytest.mark.timeout(280)
def test_regions_chips_and_pixels_are_reached_by_mouse(run_notebook, notebook, runs):
    lab = run_notebook(notebook, timeout_s=120)
    page, panel = lab.page, lab.outputs.locator(".wb-compare")
    maps = panel.locator(".wb-pair .leaflet-container")
    maps.first.scroll_into_view_if_needed()
    panel.locator(".wb-pixel, .wb-said").first.wait_for()

    # Left the label with both classes, right what a run that calls nothing water has missed.
    wait_for_share(page, maps.nth(0), WATER, 0.05)
    wait_for_share(page, maps.nth(1), MISSED, 0.05)
    assert share(maps.nth(0), LAND) > 0.05
    still = lab.outputs.locator(".jp-RenderedImage img")
    still.wait_for(state="attached")
    assert still.is_hidden(), "the still picture hides beside the living panel"
    assert share(maps.nth(0), MISSED) < 0.01
    assert share(maps.nth(1), WATER) < 0.01

    # The maps move together, without the kernel.
    frame = maps.nth(0).bounding_box()
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    before = views(page)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 40, steps=8)
    page.mouse.up()
    left, right = views_at_rest(page)  # a push has an after-run
    assert left[0] - before[0][0] > 40
    assert np.abs(np.subtract(left, right)).max() <= 1

    # A pixel says what is known of it.
    image = views(page)[0]
    page.mouse.click(frame["x"] + image[0] + image[2] / 2, frame["y"] + image[1] + image[3] / 2)
    facts = panel.locator(".wb-pixel")
    facts.wait_for()
    assert facts.locator("svg circle").count() == 6
    assert {"ndwi", "never"} <= set(facts.inner_text().replace("\n", "\t").split("\t"))

    # A region on the map: its worst chip comes, and the chips instead of the region.
    head = panel.locator(".wb-chip-name b")
    said = head.inner_text()
    overview = panel.locator(".wb-overview .leaflet-container")
    west, south = place_on(page, lat=-14.4, lon=-64.4)
    page.mouse.click(west, south)
    panel.get_by_text("Worst chips of ndwi in Bolivia").wait_for(timeout=15_000)
    assert head.inner_text() != said or said.startswith("bolivia")
    overview.screenshot()
    panel.locator(".wb-strip-card").nth(15).wait_for()
    assert panel.locator(".wb-strip-card").count() == 16

    # A small picture brings its chip.
    card = panel.locator(".wb-strip").first.locator(".wb-strip-card").nth(3)
    card.click()
    head.get_by_text(card.get_attribute("data-chip"), exact=True).wait_for()
    panel.locator(f".wb-strip-card[aria-selected='true'][data-chip='{head.inner_text()}']"
                  ).first.wait_for()


def place_on(page: Any, lat: float, lon: float) -> tuple[float, float]:
    """Return where a place lies on the screen, by the centre and zoom of the map of regions."""
    return tuple(page.evaluate(
        """async ([lat, lon]) => {
            const node = document.querySelector('.wb-overview .leaflet-container');
            const frame = node.getBoundingClientRect();
            const kernel = window.panel.sessionContext.session.kernel;
            const future = kernel.requestExecute({code: '', user_expressions:
                {view: '[*panel._overview.chart.center, panel._overview.chart.zoom]'}});
            const reply = await future.done;
            const [clat, clon, zoom] = JSON.parse(
                reply.content.user_expressions.view.data['text/plain']);
            const size = 256 * 2 ** zoom;
            const y = value => Math.asinh(Math.tan(value * Math.PI / 180)) / (2 * Math.PI);
            return [frame.x + frame.width / 2 + (lon - clon) / 360 * size,
                    frame.y + frame.height / 2 - (y(lat) - y(clat)) * size];
        }""", [lat, lon]))


@pytest.mark.timeout(280)
def test_a_swipe_shows_one_layer_on_each_side_of_its_handle(run_notebook, notebook):
    lab = run_notebook(notebook, timeout_s=120)
    page, panel = lab.page, lab.outputs.locator(".wb-compare")
    maps = panel.locator(".wb-pair .leaflet-container")
    wait_for_share(page, maps.nth(0), WATER, 0.05)
    narrow, small = maps.nth(0).bounding_box()["width"], views(page)[0][2]
    panel.get_by_role("button", name="swipe").click()
    panel.locator(".leaflet-sbs-range").wait_for(state="attached")
    page.wait_for_function("width => document.querySelector('.wb-pair .leaflet-container')"
                           ".getBoundingClientRect().width > 1.8 * width", arg=narrow)
    page.wait_for_function(  # the chip is fitted to the whole map
        "width => document.querySelector('.wb-pair img[src^=\"data:image/webp\"]')"
        ".getBoundingClientRect().width > 1.2 * width", arg=small)
    views_at_rest(page)
    chart = maps.nth(0)
    both = share(chart, WATER), share(chart, MISSED)
    assert min(both) > 0.01, "label on the left, errors on the right"

    frame = chart.bounding_box()
    grip = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    shares = []
    for end in (0.95, 0.05):
        page.mouse.move(*grip)
        page.mouse.down()
        grip = frame["x"] + end * frame["width"], grip[1]
        page.mouse.move(*grip, steps=10)
        page.mouse.up()
        page.wait_for_timeout(400)
        shares.append((share(chart, WATER), share(chart, MISSED)))
    assert shares[0][0] > both[0]
    assert shares[0][1] < 0.002
    assert shares[1][0] < 0.002
    assert shares[1][1] > both[1]

    panel.get_by_role("button", name="two maps").click()
    page.wait_for_function("document.querySelectorAll('.leaflet-sbs').length === 0")
    page.wait_for_function(  # the kernel hears the size, and fits the chip again
        "width => Math.abs(document.querySelector('.wb-pair img[src^=\"data:image/webp\"]')"
        ".getBoundingClientRect().width - width) <= 2", arg=small)
    wait_for_share(page, maps.nth(1), MISSED, 0.05)
    assert share(maps.nth(0), MISSED) < 0.01

    # The cell runs again: one panel, the view as it was, and the next cell reads it.
    panel.locator("select").nth(1).select_option("Ghana")
    panel.get_by_text("Worst chips of ndwi in Ghana").wait_for(timeout=15_000)
    lab.run_all(120)
    lab.outputs.get_by_text("value: ghana ghana_").wait_for()
    lab.outputs.locator(".wb-compare").nth(1).wait_for(state="detached")
    assert lab.outputs.locator(".wb-compare").count() == 1
