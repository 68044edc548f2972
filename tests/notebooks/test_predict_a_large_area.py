"""The notebook on large areas: as it is stored, and run at a reduced size."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "07_predict_a_large_area.ipynb"
MOST_MEGABYTES = 1.5


@pytest.fixture
def stored() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "")
                   for output in outputs)


def test_it_was_run_in_order_and_nothing_of_the_machine_is_stored(stored):
    nbformat.validate(stored)
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert not re.search(r"/(home|root|tmp|Users|work)/", nbformat.writes(stored))
    assert PATH.stat().st_size < MOST_MEGABYTES * 1e6


def test_it_says_what_is_simulated_and_what_interruption_memory_and_windows_came_to(stored):
    assert "**simulated**" in stored.cells[0].source
    said = text(stored)
    assert re.search(r"interrupted after \d+ s\n[1-9]\d* finished blocks are kept", said)
    assert int(re.search(r"went on at (\d+)%", said)[1]) > 20
    assert int(re.search(r"memory at most ([+-]\d+) MB", said)[1]) < 403 / 2
    assert float(re.search(r"across their borders ([\d.]+) times", said)[1]) < 1.25


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "0")
    for cell in code_cells(stored):
        cell.source = cell.source.replace("SIDE = 4096", "SIDE = 1024").replace("epochs=4",
                                                                                "epochs=1")
    NotebookClient(stored, timeout=600, store_widget_state=False,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    assert list(tmp_path.glob("runs/*/water.gpkg"))
