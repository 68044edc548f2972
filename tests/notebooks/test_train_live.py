"""The notebook on launched trainings: as it is stored, and run from its first cell to its last."""

from __future__ import annotations

import nbformat
import pytest

from tests.notebooks.reading import code_cells, outputs, read, run


@pytest.fixture
def stored():
    return read("03_train_live")


def num_pictures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def test_without_a_kernel_pictures_stand_where_the_widgets_were(stored):
    shown = [cell for cell in code_cells(stored) if "wb.dashboard(" in cell.source]
    assert len(shown) == 2
    for cell in shown:
        assert "image/png" in cell.outputs[-1].data
        assert "preparing" not in cell.outputs[-1].data["text/plain"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    pictures = num_pictures(stored)
    run(stored, tmp_path, timeout=600)
    assert num_pictures(stored) >= pictures - 1  # of the first dashboard where it drew none yet
    assert len(list(tmp_path.glob("runs/*/*/evaluation/scores.json"))) == 2
