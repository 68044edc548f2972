"""A large prediction on a map in a real JupyterLab: nearer views show what no far one could."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest
import xarray as xr
from rasterio.crs import CRS

from tests.browser.test_compare_map import KERNEL, share, wait_for_share
from tests.prediction.conftest import NORTH_UP
from workbench.prediction import to_cog
from workbench.prediction.grid import raster_grid

pytestmark = pytest.mark.browser

WATER, RARE = (0x1F, 0x78, 0xB4), (0xD6, 0x00, 0x93)
SIDE, SPOT = 3000, 24


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Shows a prediction of water, with a spot in the middle that is smaller than a far pixel."""
    classes = np.zeros((SIDE, SIDE), np.uint8)
    spot = slice((SIDE - SPOT) // 2, (SIDE + SPOT) // 2)
    classes[spot, spot] = 1
    legend = {"flag_values": np.arange(2, dtype=np.uint8), "flag_meanings": "water rare",
              "flag_colors": "#1f78b4 #d60093"}
    grid = raster_grid(SIDE, SIDE, CRS.from_epsg(32720), NORTH_UP)
    prediction = grid.georeferenced(xr.Dataset({"class": (("y", "x"), classes, legend)}))
    path = to_cog(prediction, tmp_path / "water.tif")
    cells = [nbformat.v4.new_code_cell(source) for source in (
        f"import workbench as wb\npanel = wb.scene_map({str(path)!r}, key='map')\npanel",
        "print('bounds:', *panel.value.bounds)")]
    made = tmp_path / "scene.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), made)
    return made


@pytest.mark.timeout(200)
def test_zooming_in_reads_what_was_too_small_to_be_seen(run_notebook, notebook):
    lab = run_notebook(notebook, timeout_s=120)
    page, panel = lab.page, lab.outputs.locator(".wb-compare")
    panel.get_by_role("button", name="two maps").wait_for()
    maps = panel.locator(".leaflet-container")
    maps.first.scroll_into_view_if_needed()
    wait_for_share(page, maps.nth(0), WATER, 0.3)
    assert share(maps.nth(0), RARE) < 0.01
    box = maps.nth(0).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(3):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(300)
        # Leaflet drops a turn of the wheel while it zooms.
        page.wait_for_function("!document.querySelector('.leaflet-zoom-anim')")
    for place in (0, 1):
        wait_for_share(page, maps.nth(place), RARE, 0.03)
    # Its edge is that of pixels, not of a picture that was made larger: few colours lie between.
    assert share(maps.nth(0), RARE) + share(maps.nth(0), WATER) > 0.9

    # The view is a value for the next cell, and the cell that runs again goes on from it.
    lab.run_all(60)
    said = lab.outputs.get_by_text("bounds: ").last.inner_text().split()[1:]
    assert float(said[2]) - float(said[0]) < 0.2
    wait_for_share(page, panel.locator(".leaflet-container").nth(0), RARE, 0.03)
