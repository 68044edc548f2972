"""The notebook on comparisons: as it is stored, and run at a reduced size."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "06_compare_regions.ipynb"
MOST_MEGABYTES = 1.5


@pytest.fixture
def stored() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    return [output.get("data", {}).get("text/plain", "") for output in outputs(notebook)]


def test_it_is_valid_and_was_run_in_order(stored):
    nbformat.validate(stored)
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for output in outputs(stored))


def test_without_a_kernel_everything_is_a_table_or_a_picture(stored):
    assert "widgets" not in stored.metadata
    assert not [kind for output in outputs(stored) for kind in output.get("data", {})
                if "widget" in kind]
    (shown,) = [cell for cell in code_cells(stored) if "wb.compare_map(" in cell.source]
    assert any("image/png" in output.data for output in shown.outputs)


def test_every_training_was_done_and_every_figure_is_there(stored):
    (study,) = [text for text in texts(stored) if text.startswith("Study") and " 0 of " not in text]
    assert "failed" not in study
    done, size = re.search(r"(\d+) of (\d+) trainings done", study).groups()
    assert done == size
    for kind in ("regions", "gap", "heatmap", "reliability", "pareto"):
        (cell,) = [cell for cell in code_cells(stored)
                   if cell.source == f'wb.plot(comparison, "{kind}")']
        assert "image/png" in cell.outputs[0].data


def test_it_says_what_is_simulated_and_shows_intervals_and_the_paper(stored):
    assert "**simulated**" in stored.cells[0].source
    everything = "\n".join(texts(stored))
    assert re.search(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", everything)
    assert "Prithvi 2.0 300M" in everything


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
    (cell,) = [cell for cell in stored.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = re.sub(r"EPOCHS = \d+", "EPOCHS = 1", cell.source)
    NotebookClient(stored, timeout=900, store_widget_state=False,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    assert list(tmp_path.glob("studies/*/floods/study.json"))
    assert sum("image/png" in output.get("data", {}) for output in outputs(stored)) >= 6
