"""The notebook on picking data: as it is stored, and run from its first cell to its last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "04_pick_data_on_a_map.ipynb"
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


def test_without_a_kernel_pictures_stand_where_the_maps_were(stored):
    assert "widgets" not in stored.metadata
    assert not [kind for output in outputs(stored) for kind in output.get("data", {})
                if "widget" in kind]
    shown = [cell for cell in code_cells(stored) if "wb.pick(" in cell.source]
    assert len(shown) == 2
    assert all("image/png" in cell.outputs[-1].data for cell in shown)
    assert shown[1].outputs[-1].data["text/plain"].endswith(
        "split = floods.split(hold_out=['bolivia'])")


def test_it_says_what_is_simulated_and_what_leaks(stored):
    assert "**simulated**" in stored.cells[0].source
    audits = [output.data["text/plain"] for output in outputs(stored)
              if "Audit:" in output.get("data", {}).get("text/plain", "")]
    sound, leaking = audits
    assert "error" not in sound
    assert "in more than one part" in leaking


def test_nothing_of_the_machine_it_ran_on_is_stored(stored):
    text = nbformat.writes(stored)
    assert not re.search(r"/(home|root|tmp|Users|work)/", text)
    assert not any(output.get("name") == "stderr" for output in outputs(stored))


def test_it_is_small_enough_for_a_repository():
    assert PATH.stat().st_size < MOST_MEGABYTES * 1e6


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    before = [cell.outputs[-1].data["text/plain"] for cell in code_cells(stored)
              if "wb.pick(" in cell.source]
    NotebookClient(stored, timeout=300, store_widget_state=False,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    after = [cell.outputs[-1].data["text/plain"] for cell in code_cells(stored)
             if "wb.pick(" in cell.source]
    assert after == before
