"""The quickstart notebook: as it is stored, and run from its first cell to its last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
MOST_MEGABYTES = 3.0


@pytest.fixture(scope="module")
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


def test_every_cell_shows_something(stored):
    assert all(cell.outputs for cell in code_cells(stored))


def test_outputs_are_ordinary_ones_that_outlive_the_kernel(stored):
    assert "widgets" not in stored.metadata
    for output in outputs(stored):
        assert output.output_type != "error"
        assert not [kind for kind in output.get("data", {}) if "widget" in kind]


def test_nothing_of_the_machine_it_ran_on_is_stored(stored):
    text = nbformat.writes(stored)
    assert not re.search(r"/(home|root|tmp|Users|work)/", text)
    assert not any(output.get("name") == "stderr" for output in outputs(stored))


def test_it_is_small_enough_for_a_repository():
    assert PATH.stat().st_size < MOST_MEGABYTES * 1e6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_headless(tmp_path, monkeypatch):
    """The section on the real chip runs too where the chip is (`../shared`)."""
    notebook = nbformat.read(PATH, as_version=4)
    sample = PATH.parents[1].parent / "shared" / "real" / "sen1floods11_sample"
    if sample.is_dir():
        monkeypatch.setenv("WORKBENCH_SEN1FLOODS11_SAMPLE", str(sample))
    else:
        monkeypatch.delenv("WORKBENCH_SEN1FLOODS11_SAMPLE", raising=False)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    client = NotebookClient(notebook, timeout=600, store_widget_state=False,
                            resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert len(pictures) >= 5
    assert list(tmp_path.glob("runs/*/water.tif"))
