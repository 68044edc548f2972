"""The page of a comparison, opened from the disk by a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evaluation.conftest import trained
from workbench.evaluation import compare, evaluate
from workbench.recipe import SpectralIndex

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any, tiny_floods, tmp_path):
    split = tiny_floods.split(hold_out=["bolivia"])
    runs = [trained(tmp_path / name, SpectralIndex(threshold=threshold), split)
            for name, threshold in (("ndwi", 0.0), ("never", 1.0))]
    for run in runs:
        evaluate(run)
    path = compare(runs).report(tmp_path / "out.html")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: said.append(request.url)
              if not request.url.startswith(("data:", "file:")) else None)
    opened.goto(path.as_uri())
    yield opened
    context.close()
    assert not said, said


def clip(page: Any, layer: str) -> str:
    return page.locator(f".ground img[data-layer='{layer}']").first.evaluate(
        "node => getComputedStyle(node).display === 'none' ? 'none'"
        " : getComputedStyle(node).clipPath")


def test_layers_are_chosen_and_swiped_without_a_network(page):
    assert clip(page, "errors of ndwi") == "inset(0px 0px 0px 50%)"
    assert clip(page, "label") == "none"
    menus = page.locator("#looking select")
    menus.nth(0).select_option("label")
    menus.nth(1).select_option("errors of never")
    assert clip(page, "errors of ndwi") == "none"
    stack = page.locator(".ground .stack").first
    stack.scroll_into_view_if_needed()
    box = stack.bounding_box()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    edge = float(clip(page, "errors of never").split()[-1].rstrip("%)"))
    assert edge == pytest.approx(80, abs=1)
    assert "calc(20" in clip(page, "label") or "20" in clip(page, "label")

    circle = page.locator(".world circle").first
    before = circle.get_attribute("fill")
    page.locator("#measure").select_option(index=2)
    assert circle.get_attribute("fill") != before
    assert page.locator(".scale-of:visible").count() == 1
    page.locator(".world a").first.click()
    assert page.url.split("#")[1].startswith("region-")
