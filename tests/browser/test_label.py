"""Labels drawn with the mouse, a map of them in seconds, and all of it still there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import nbformat
import numpy as np
import pytest
import rasterio

from tests.conftest import HLS, write_chip

pytestmark = pytest.mark.browser
SIDE = 160
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    image, _ = write_chip(tmp_path, "scene", 4, epsg=32630, east=600_000, north=900_000, side=SIDE)
    with rasterio.open(image, "r+") as file:
        file.descriptions, file.scales = HLS, (1e-4,) * len(HLS)
    return image


def spots(scene: Path, kind: int, number: int) -> list[tuple[float, float]]:
    """Return places of a class as shares of the picture's width and height."""
    with rasterio.open(str(scene).replace("_S2", "_label")) as file:
        mask = file.read(1)
    inner = np.zeros_like(mask, bool)
    inner[20:-20, 20:-20] = True
    found = np.argwhere((mask == kind) & inner)
    chosen = found[np.linspace(0, len(found) - 1, number).astype(int)]
    return [((col + 0.5) / SIDE, (row + 0.5) / SIDE) for row, col in chosen]


def test_two_classes_are_drawn_trained_corrected_and_kept(
    run_notebook: Callable[..., Any], scene: Path, tmp_path: Path
) -> None:
    notebook = tmp_path / "label.ipynb"
    source = f'import workbench as wb\npanel = wb.label({str(scene)!r}, ["land", "water"])\npanel'
    cells = [nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), notebook)
    lab = run_notebook(notebook)
    page = lab.page
    panel = lab.outputs.locator(".wb-label")
    picture = panel.locator(".leaflet-wb-imagery-pane img")
    picture.wait_for()
    page.wait_for_timeout(1000)  # the map fits itself once the browser has said how wide it is

    def click(x: float, y: float) -> None:
        box = picture.bounding_box()
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(300)

    def take(tool: str, hint: str) -> None:
        panel.get_by_role("button", name=tool, exact=True).click()
        panel.get_by_text(hint).wait_for(timeout=10_000)
        page.wait_for_timeout(300)

    def counted(text: str) -> None:
        panel.get_by_text(text).first.wait_for(timeout=10_000)

    undo = panel.get_by_role("button", name="Undo")
    assert undo.is_disabled()
    still = lab.outputs.locator(".jp-RenderedImage img")
    still.wait_for(state="attached")
    assert still.is_hidden(), "it hides beside the living map"
    for x, y in spots(scene, 0, 4):
        click(x, y)
    assert undo.is_enabled()
    counted("4 · 4 px")
    panel.get_by_role("button", name="Train and map").click()
    panel.get_by_text("Only land is labelled").wait_for(timeout=60_000)

    panel.get_by_role("button", name="water", exact=True).click()
    take("polygon", "Click corner after corner")
    (x, y), *_ = spots(scene, 1, 3)[1:]
    for dx, dy in ((-0.03, -0.03), (0.03, -0.03), (0.03, 0.03), (-0.03, -0.03)):
        click(x + dx, y + dy)
    panel.get_by_text("1 · ").first.wait_for(timeout=10_000)
    panel.get_by_role("button", name="Train and map").click()
    panel.get_by_text("map of 5 labels in").wait_for(timeout=60_000)
    mapped = panel.locator(".leaflet-wb-predicted-pane img")
    first = mapped.get_attribute("src")
    assert first.startswith("data:image/png")

    take("point", "Click on the map")
    for x, y in spots(scene, 1, 5)[:2]:
        click(x, y)
    counted("3 · ")
    panel.get_by_role("button", name="Train and map").click()
    panel.get_by_text("map of 7 labels in").wait_for(timeout=60_000)
    assert mapped.get_attribute("src") != first

    take("select", "Click a label")
    click(*spots(scene, 1, 5)[0])
    for button, left in (("Delete", "2 · "), ("Undo", "3 · "), ("Undo", "2 · ")):
        panel.get_by_role("button", name=button).click()
        counted(left)
    kept = geopandas.read_file(scene.with_suffix(".labels.gpkg"), layer="labels")
    assert kept["class"].tolist() == ["land"] * 4 + ["water"] * 2
    assert kept.geom_type.tolist() == ["Point"] * 4 + ["Polygon", "Point"]
    outputs = lab.notebook()["cells"][0]["outputs"]
    assert "image/png" in outputs[-1]["data"]
    lab.run_all()  # the same cell again goes on from what was drawn
    panel.get_by_text("4 · 4 px").first.wait_for(timeout=20_000)
