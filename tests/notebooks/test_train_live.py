"""The notebook on launched trainings: as it is stored, and run from its first cell to its last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "03_train_live.ipynb"
MOST_MEGABYTES = 2.0


@pytest.fixture
def stored() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def num_pictures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def test_it_is_valid_and_was_run_in_order(stored):
    nbformat.validate(stored)
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for output in outputs(stored))


def test_without_a_kernel_pictures_stand_where_the_widgets_were(stored):
    assert "widgets" not in stored.metadata
    assert not [kind for output in outputs(stored) for kind in output.get("data", {})
                if "widget" in kind]
    shown = [cell for cell in code_cells(stored) if "wb.dashboard(" in cell.source]
    assert len(shown) == 2
    for cell in shown:
        assert "image/png" in cell.outputs[-1].data
        assert "preparing" not in cell.outputs[-1].data["text/plain"]


def test_it_says_what_is_simulated(stored):
    assert "**simulated**" in stored.cells[0].source


def test_nothing_of_the_machine_it_ran_on_is_stored(stored):
    text = nbformat.writes(stored)
    assert not re.search(r"/(home|root|tmp|Users|work)/", text)
    assert not any(output.get("name") == "stderr" for output in outputs(stored))


def test_it_is_small_enough_for_a_repository():
    assert PATH.stat().st_size < MOST_MEGABYTES * 1e6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    pictures = num_pictures(stored)
    NotebookClient(stored, timeout=600, store_widget_state=False,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    assert num_pictures(stored) >= pictures - 1  # of the first dashboard where it drew none yet
    assert len(list(tmp_path.glob("runs/*/*/evaluation/scores.json"))) == 2
