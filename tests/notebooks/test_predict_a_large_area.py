"""The notebook on large areas: as it is stored, and run at a reduced size."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.notebooks.reading import code_cells, outputs, read, run


@pytest.fixture
def stored():
    return read("07_predict_a_large_area")


def text(notebook: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "")
                   for output in outputs(notebook))


def test_it_says_what_is_simulated_and_what_interruption_memory_and_windows_came_to(stored):
    assert "**simulated**" in stored.cells[0].source
    said = text(stored)
    assert re.search(r"interrupted after \d+ s\n[1-9]\d* finished blocks are kept", said)
    assert int(re.search(r"went on at (\d+)%", said)[1]) > 20
    assert int(re.search(r"memory at most ([+-]\d+) MB", said)[1]) < 403 / 2
    assert float(re.search(r"across their borders ([\d.]+) times", said)[1]) <= 1.1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "0")
    for cell in code_cells(stored):
        cell.source = cell.source.replace("SIDE = 4096", "SIDE = 1024").replace("epochs=4",
                                                                                "epochs=1")
    run(stored, tmp_path, timeout=600)
    assert list(tmp_path.glob("runs/*/water.gpkg"))
