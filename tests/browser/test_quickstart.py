"""The quickstart in a real JupyterLab: every cell runs, and every picture is there to see."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
LOAD = 'floods = wb.load("simulated-floods")'
# Six chips of each training region and one epoch: what is seen does not depend on how much was
# trained, and tests/notebooks runs all of it.
SMALLER = {
    LOAD: f"""{LOAD}
few = floods.chips.groupby("region").cumcount() < 6
floods = floods.select(few.index[few | (floods.chips["region"] == "bolivia")])""",
    "epochs=3": "epochs=1",
}


@pytest.fixture
def smaller(tmp_path: Path) -> Path:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for whole, part in SMALLER.items():
        cells = [cell for cell in notebook.cells if whole in cell.source]
        assert cells
        for cell in cells:
            cell.source = cell.source.replace(whole, part)
    nbformat.write(notebook, tmp_path / NOTEBOOK.name)
    return tmp_path / NOTEBOOK.name


@pytest.mark.timeout(600)
def test_the_quickstart_runs_in_lab(run_notebook, smaller, monkeypatch):
    monkeypatch.delenv("WORKBENCH_SEN1FLOODS11_SAMPLE", raising=False)
    lab = run_notebook(smaller, timeout_s=500)
    images = lab.outputs.locator("img")
    assert images.count() >= 5
    widths = images.evaluate_all("images => images.map(image => image.naturalWidth)")
    assert min(widths) > 300
    assert lab.outputs.get_by_text("held out 40 (Bolivia)").first.is_visible()
