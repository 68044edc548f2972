"""The quickstart in a real JupyterLab: every cell runs, and every picture is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@pytest.mark.timeout(900)
def test_the_quickstart_runs_in_lab(run_notebook, monkeypatch):
    monkeypatch.delenv("WORKBENCH_SEN1FLOODS11_SAMPLE", raising=False)
    lab = run_notebook(NOTEBOOK, timeout_s=800)
    images = lab.outputs.locator("img")
    assert images.count() >= 5
    widths = images.evaluate_all("images => images.map(image => image.naturalWidth)")
    assert min(widths) > 300
    assert lab.outputs.get_by_text("held out 40 (Bolivia)").first.is_visible()
