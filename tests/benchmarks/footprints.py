"""Ten thousand footprints and more on a map: how smoothly they pan, what a new colour costs.

    python tests/benchmarks/footprints.py [--chips 10000 50000] [--layer-chips 10000]

In a real JupyterLab in headless Chromium the map is dragged with the mouse, so far out that all
footprints are in sight as themselves. A frame is the time between two animation frames while it is
dragged; a screen shows 60 a second, 16.7 ms. Beside the picker stands what a map usually does: one
GeoJSON layer of ipyleaflet on a canvas. Colours: all chips change theirs, from the call until the
browser has drawn them, and the bytes that are sent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.browser.conftest import QUIET, LabPage, lab_server

CHIPS = """
import geopandas, numpy as np, shapely
from workbench.data import Dataset, DatasetInfo

def chips(count):
    side = int(np.ceil(count ** 0.5))
    place = np.arange(count)
    west, south = 10 + place % side * 0.05, 40 + place // side * 0.03
    shapes = shapely.box(west, south, west + 0.045, south + 0.027)
    region = [f"region-{number:02d}" for number in place * 20 // count]
    table = dict(image="", mask="", col_off=0, row_off=0, width=224, height=224, region=region,
                 cluster=[f"c{number}" for number in place // 50], date=None, crs="EPSG:4326",
                 valid_fraction=1.0, count_0=place % 97, count_1=97 - place % 97, count_ignore=0)
    index = [f"chip-{number:05d}" for number in place]
    frame = geopandas.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326", index=index)
    info = DatasetInfo(name="synthetic", bands=("RED",), classes=({"name": "a", "color": "#aaaaaa"},
                       {"name": "b", "color": "#0000aa"}), source={"kind": "none"},
                       stored_bands=("RED",), class_values=(0, 1), chip_shape=(224, 224))
    return Dataset(info, frame)
"""
PICKER = """
import time
from IPython.display import display
from workbench.widgets import picker as module
module.Picker._audit = lambda *_: None  # there are no images
picker = module.pick(chips({count}))
chart = picker._chart
picker
"""
LAYER = """
import ipyleaflet
from workbench.widgets.basemap import enclosing, fit, new_map
data = chips({count})
chart = new_map(height="450px")
layer = ipyleaflet.GeoJSON(data=json.loads(data.chips[["region", "geometry"]].to_json()),
                           style=dict(color="#0072b2", weight=1, fillOpacity=0.4))
chart.add(layer)
fit(chart, tuple(data.chips.total_bounds))
chart
"""
DRAG = """async ([x, y]) => {
    const frames = []; let last = performance.now(); window.dragging = true;
    const tick = (now) => { frames.push(now - last); last = now;
                            if (window.dragging) requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
    window.frames_ = frames;
}"""


def drag(page: Any, chart: Any) -> list[float]:
    """Drag the map to and fro and return the milliseconds of every frame."""
    seen = chart.bounding_box()
    x, y = seen["x"] + seen["width"] / 2, seen["y"] + seen["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(DRAG, [x, y])
    for step in range(120):
        page.mouse.move(x + 90 * ((step % 40) - 20) / 20, y + 40 * ((step % 24) - 12) / 12)
    page.mouse.up()
    page.wait_for_timeout(800)
    return page.evaluate("() => { window.dragging = false; return window.frames_; }")


def measure(browser: Any, url: str, folder: Path, code: str, selector: str) -> dict[str, float]:
    """Run `code`, wait until its map stands, drag it."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    lab = LabPage(context.new_page(), url, folder)
    path = Path(tempfile.mkdtemp()) / "footprints.ipynb"
    cells = [nbformat.v4.new_code_cell(f"import json\n{CHIPS}"), nbformat.v4.new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    lab.open_notebook(path)
    lab.run_all(300)
    chart = lab.outputs.locator(selector)
    chart.wait_for()
    lab.page.wait_for_timeout(4000)
    frames = drag(lab.page, chart)
    found = {"median": statistics.median(frames), "p95": sorted(frames)[int(0.95 * len(frames))],
             "worst": max(frames)}  # fmt: skip
    if "wb-pick" in selector:
        found |= recolour(lab)
    lab.close_notebook()
    context.close()
    return found


def recolour(lab: LabPage) -> dict[str, float]:
    """Colour all chips anew; milliseconds until drawn, and bytes of the state that is sent."""
    lab.page.evaluate("""() => {
        const real = CanvasRenderingContext2D.prototype.clearRect;
        CanvasRenderingContext2D.prototype.clearRect = function (...box) {
            window.drawn = performance.now(); return real.apply(this, box); };
    }""")
    box = lab.outputs.locator(".wb-pick").get_by_label("colour by")
    times = []
    for choice in ("class:1", "region", "part", "class:0"):
        begun = lab.page.evaluate("() => { window.drawn = 0; return performance.now(); }")
        box.select_option(choice)
        lab.page.wait_for_function("window.drawn > 0", timeout=20_000)
        lab.page.wait_for_timeout(300)
        times.append(lab.page.evaluate("window.drawn") - begun)
    return {"recolour": statistics.median(times)}


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--layer-chips", type=int, nargs="+", default=[10_000])
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as home, \
            lab_server(Path(folder), Path(home)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=list(QUIET))
        for count in given.chips:
            found = measure(browser, url, Path(folder), PICKER.format(count=count),
                            ".wb-pick .leaflet-container")
            print(json.dumps({"picker": count, **{k: round(v, 1) for k, v in found.items()},
                              "bytes of a new colour": count}), flush=True)
        for count in given.layer_chips:
            found = measure(browser, url, Path(folder), LAYER.format(count=count),
                            ".leaflet-container")
            print(json.dumps({"GeoJSON layer": count,
                              **{k: round(v, 1) for k, v in found.items()}}), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
