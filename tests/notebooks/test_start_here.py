"""The notebook that leads into the Workbench: as it is stored, and run without a mouse."""

from __future__ import annotations

import json

import pytest

from tests.notebooks.reading import code_cells, read, run


@pytest.fixture
def stored():
    return read("00_start_here")


def said(notebook, source: str) -> str:
    """Return the text of what the cell with this source shows."""
    cell = next(cell for cell in code_cells(notebook) if source in cell.source)
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "")
                     for output in cell.outputs)


def test_without_a_kernel_a_summary_stands_where_the_panel_was(stored):
    shown = next(cell for cell in code_cells(stored) if "wb.Workbench(" in cell.source)
    page = shown.outputs[-1].data["text/html"]
    assert "simulated-floods (simulated)" in page
    assert "Bolivia held out" in page
    assert "the script so far" in page


def test_it_is_the_notebook_that_workbench_lab_opens_and_names_the_others(stored):
    text = "\n".join(cell.source for cell in stored.cells)
    assert "01_quickstart.ipynb" in text
    assert "06_compare_regions.ipynb" in text


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_headless_and_the_panel_keeps_its_state(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    run(stored, tmp_path, timeout=600)
    assert said(stored, "app.wait()").startswith("train 240 · val 60 · test 100 · held out 40")
    assert "split = dataset.split(hold_out=['bolivia'])" in said(stored, "print(app.code)")
    root = tmp_path / "runs" / "start-here"
    assert len(list(root.glob("*/evaluation/scores.json"))) == 2
    kept = json.loads((root / ".workbench.json").read_text())
    assert kept["data"]["plan"]["given"] == {"bolivia": "held_out"}
