"""The picker turned by mouse and keyboard in a real JupyterLab; a split read in the next cell."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import workbench as wb
from workbench.widgets.basemap import enclosing

pytestmark = pytest.mark.browser

CELLS = (
    "import workbench as wb\npicker = wb.pick(key='map')\npicker",
    "picker.wait()\nprint('value:', picker.value)",
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    path = tmp_path / "picker.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
    return path


def mercator(lon: float, lat: float) -> np.ndarray:
    """Return a place in pixels of Web Mercator at zoom 0."""
    return np.array([(lon + 180) / 360,
                     0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)]) * 256


def point_at(pick: Any, region: str) -> tuple[float, float]:
    """Move the mouse onto a region on the map of the whole dataset; return where that is."""
    chips = wb.load("simulated-floods").chips
    boxes = chips.geometry.bounds
    west, south, east, north = enclosing(map(tuple, boxes.to_numpy()))
    own = boxes[chips["region"] == region]
    place = mercator(float((own["minx"].min() + own["maxx"].max()) / 2),
                     float((own["miny"].min() + own["maxy"].max()) / 2))
    away = place - (mercator(west, south) + mercator(east, north)) / 2
    chart, tip = pick.locator(".leaflet-container"), pick.locator(".wb-tip")
    # As near as the chips fit in, which depends on the size of the page; the map may still fly.
    for zoom in np.tile(np.arange(0, 5, 0.25), 20):
        seen = chart.bounding_box()
        middle = np.array([seen["x"] + seen["width"] / 2, seen["y"] + seen["height"] / 2])
        x, y = (middle + away * 2**zoom).tolist()
        pick.page.mouse.move(x, y)
        if tip.is_visible() and tip.inner_text().lower().startswith(region):
            return x, y
        if zoom == 0:
            pick.page.wait_for_timeout(250)
    raise AssertionError(f"{region} is nowhere on the map")


@pytest.mark.usefixtures("floods_at_hand")
@pytest.mark.timeout(600)
def test_regions_and_a_drawn_box_are_held_out(run_notebook, notebook):
    lab = run_notebook(notebook, timeout_s=240)
    page, pick = lab.page, lab.outputs.locator(".wb-pick")
    chart = pick.locator(".leaflet-container")

    # What exists: search, a card, its chips.
    pick.get_by_label("search", exact=True).fill("simulated")
    pick.get_by_text("1 of 6 collections").wait_for()
    pick.get_by_role("button", name="Simulated floods (SIMULATED)").click()
    pick.locator(".wb-card").get_by_text("no pixel was measured").wait_for()
    pick.get_by_role("button", name="Open 440 chips").click()
    pick.locator(".wb-part").filter(has_text="held out").filter(has_text="40").wait_for(
        timeout=120_000)

    # On the map: a region is clicked and held out.
    chart.scroll_into_view_if_needed()
    page.mouse.click(*point_at(pick, "india"))
    strip = pick.locator(".wb-strip")
    strip.get_by_role("heading", name="India").wait_for()
    strip.get_by_role("button", name="Hold out").click()
    pick.locator(".wb-part").filter(has_text="held out").filter(has_text="80").wait_for()
    strip.get_by_role("button", name="Hold out", pressed=True).wait_for()

    # By keyboard: a region is held out in the list.
    listed = pick.get_by_label("part of Ghana", exact=True)
    listed.focus()
    page.keyboard.press("End")
    pick.locator(".wb-part").filter(has_text="held out").filter(has_text="120").wait_for()

    # By mouse: a region is shown, even while the map flies to another; a box in it is held out.
    strip.get_by_role("button", name="Zoom to it").click()
    pick.get_by_role("button", name="Spain", exact=True).click()
    pick.locator(".wb-strip").get_by_text("40 chips in 20 clusters").wait_for()
    chart.locator(".leaflet-control-scale-line").get_by_text(re.compile("^[2-5]0 km")).wait_for()
    pick.get_by_role("button", name="Box").click()
    chart.scroll_into_view_if_needed()
    seen = chart.bounding_box()
    middle, top = seen["x"] + seen["width"] / 2, round(seen["y"]) + 40
    page.mouse.move(middle - 150, top)
    page.mouse.down()
    page.mouse.move(middle, top + seen["height"] / 4)
    page.mouse.move(middle + 150, top + seen["height"] / 2)
    page.mouse.up()
    pick.locator(".wb-strip").get_by_text("make it a region and").wait_for()
    pick.locator(".wb-strip").get_by_role("button", name="Hold out").click()
    pick.get_by_label("part of Drawn-1", exact=True).wait_for()
    pick.get_by_role("button", name="Code").click()
    code = pick.locator(".wb-head + .wb-code")
    code.filter(has_text="'drawn-1']").wait_for()  # it comes after the list of regions
    line = code.inner_text()
    assert line.startswith("split = wb.load('simulated-floods').with_region('drawn-1', within=(")
    assert line.endswith(".split(hold_out=['bolivia', 'india', 'ghana', 'drawn-1'])")

    # A chip under the mouse is named, and opens at a click.
    tip = pick.locator(".wb-tip")
    for down in range(top, top + 400, 3):
        page.mouse.move(middle - 12, down)
        if tip.is_visible():
            break
    assert tip.inner_text().startswith("spain-")
    tip.locator("img[src^=data]").wait_for()
    page.mouse.click(middle - 12, down)
    assert pick.locator(".wb-strip img").nth(2).get_attribute("alt").startswith("label of spain-")

    # The cells run again: the picker goes on, and the next cell reads the same split.
    lab.run_all(240)
    said = lab.outputs.get_by_text("value: train")
    said.wait_for()
    assert "held out" in said.inner_text()
    assert "(Bolivia, India, Ghana, Drawn-1)" in said.inner_text()
    pick.locator(".wb-audit").get_by_text("Audit:").wait_for(timeout=120_000)
    cells = lab.notebook()["cells"]
    kept = [output["data"] for output in cells[0]["outputs"] if "image/png" in output["data"]]
    assert "drawn-1" in kept[0]["text/plain"], "what a stored notebook shows"
