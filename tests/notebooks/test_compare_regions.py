"""The notebook on comparisons: as it is stored, and run at a reduced size."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.notebooks.reading import code_cells, outputs, read, run


@pytest.fixture
def stored():
    return read("06_compare_regions")


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    return [output.get("data", {}).get("text/plain", "") for output in outputs(notebook)]


def test_without_a_kernel_everything_is_a_table_or_a_picture(stored):
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    (cell,) = [cell for cell in stored.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = re.sub(r"EPOCHS = \d+", "EPOCHS = 1", cell.source)
    run(stored, tmp_path, timeout=900)
    assert list(tmp_path.glob("studies/*/floods/study.json"))
    assert sum("image/png" in output.get("data", {}) for output in outputs(stored)) >= 6
