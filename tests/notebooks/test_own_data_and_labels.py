"""The notebook on one's own data and labels: as it is stored, and run from first to last cell."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "05_your_own_data_and_labels.ipynb"
MOST_MEGABYTES = 1.5


@pytest.fixture
def stored() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_it_is_valid_and_was_run_in_order(stored):
    nbformat.validate(stored)
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for output in outputs(stored))


def test_without_a_kernel_a_picture_stands_where_the_map_was(stored):
    assert "widgets" not in stored.metadata
    assert not [kind for output in outputs(stored) for kind in output.get("data", {})
                if "widget" in kind]
    (shown,) = [cell for cell in code_cells(stored) if "wb.label(" in cell.source]
    assert "image/png" in shown.outputs[-1].data


def test_correcting_makes_the_map_better(stored):
    text = "".join(output.text for output in outputs(stored) if output.get("name") == "stdout")
    scores = [float(score) for score in re.findall(r"IoU of water (\d\.\d+)", text)]
    assert len(scores) == 5
    assert scores[-1] > scores[0]


def test_it_says_what_is_simulated(stored):
    assert "**simulated**" in stored.cells[0].source


def test_nothing_of_the_machine_it_ran_on_is_stored(stored):
    text = nbformat.writes(stored)
    assert not re.search(r"/(home|root|tmp|Users|work)/", text)
    assert not any(output.get("name") == "stderr" for output in outputs(stored))


def test_it_is_small_enough_for_a_repository():
    assert PATH.stat().st_size < MOST_MEGABYTES * 1e6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    for cell in code_cells(stored):
        cell.source = cell.source.replace("epochs=12", "epochs=1")
    NotebookClient(stored, timeout=900, store_widget_state=False,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    assert (tmp_path / "scene" / "scene.labels.gpkg").is_file()
    assert len(list(tmp_path.glob("runs/*/recipe.json"))) == 1
