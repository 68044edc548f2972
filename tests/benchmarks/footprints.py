"""Ten thousand footprints and more on a map: how smoothly they pan, what a new colour costs.

    python tests/benchmarks/footprints.py [--chips 10000 50000] [--layer-chips 10000]

In a real JupyterLab in headless Chromium the map is dragged with the mouse, so far out that all
footprints are in sight as themselves. Beside the picker stands what a map usually does: one GeoJSON
layer of ipyleaflet on a canvas. `median` and `p95` are milliseconds between two animation frames (a
screen shows one every 16.7), `cpu` is the time of the page's main thread a frame, which other load
on the machine disturbs less. `recolour_*`: Python gives all chips other colours; main thread in ms,
and kilobytes that the browser gets.
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
FRAMES = """() => {
    const frames = []; let last = performance.now(); window.dragging = true;
    const tick = (now) => { frames.push(now - last); last = now;
                            if (window.dragging) requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
    window.frames_ = frames;
}"""


def drag(page: Any, chart: Any) -> dict[str, float]:
    """Drag the map to and fro and return milliseconds a frame."""
    seen = chart.bounding_box()
    x, y = seen["x"] + seen["width"] / 2, seen["y"] + seen["height"] / 2
    clock = page.context.new_cdp_session(page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.mouse.move(x, y)
    page.mouse.down()
    before = busy_s(clock)
    page.evaluate(FRAMES)
    for step in range(120):
        page.mouse.move(x + 90 * ((step % 40) - 20) / 20, y + 40 * ((step % 24) - 12) / 12)
    frames = page.evaluate("() => { window.dragging = false; return window.frames_; }")
    cpu = (busy_s(clock) - before) * 1000 / len(frames)
    page.mouse.up()
    return {"cpu": cpu, "median": statistics.median(frames),
            "p95": sorted(frames)[int(0.95 * len(frames))], "frames": len(frames)}


def busy_s(clock: Any) -> float:
    """Return processor time of the page's main thread so far."""
    metrics = {entry["name"]: entry["value"] for entry in
               clock.send("Performance.getMetrics")["metrics"]}
    return metrics["TaskDuration"]


def measure(browser: Any, url: str, folder: Path, code: str, selector: str, colour: str
            ) -> dict[str, float]:
    """Run `code`, wait until its map stands, drag it, run `colour`."""
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
    found = drag(lab.page, chart)
    found |= recolour(lab, colour)
    lab.close_notebook()
    context.close()
    return found


def recolour(lab: LabPage, code: str) -> dict[str, float]:
    """Give all chips another colour, three times: work of the page, and bytes sent to it."""
    clock = lab.page.context.new_cdp_session(lab.page)
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})
    received: list[int] = []
    clock.send("Network.enable")
    clock.on("Network.webSocketFrameReceived",
             lambda event: received.append(len(event["response"]["payloadData"])))
    before = busy_s(clock)
    for turn in range(3):
        lab.page.evaluate("""code => window.panel.sessionContext.session.kernel
            .requestExecute({code}).done.then(() => null)""", f"turn = {turn}\n{code}")
        lab.page.wait_for_timeout(4000)
    return {"recolour_cpu": (busy_s(clock) - before) * 1000 / 3,
            "recolour_kB": sum(received) / 3 / 1000}


def rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in found.items()}


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
                            ".wb-pick .leaflet-container",
                            "picker._deal.colour(['class:1', 'region', 'part'][turn])")
            print(json.dumps({"picker": count, **rounded(found)}), flush=True)
        for count in given.layer_chips:
            found = measure(browser, url, Path(folder), LAYER.format(count=count),
                            ".leaflet-container",
                            "layer.style = dict(color=['red', 'green', 'blue'][turn], weight=1)")
            print(json.dumps({"GeoJSON layer": count, **rounded(found)}), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
