"""The notebook on one's own data and labels: as it is stored, and run from first to last cell."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.reading import code_cells, outputs, read, run


@pytest.fixture
def stored():
    return read("05_your_own_data_and_labels")


def test_without_a_kernel_a_picture_stands_where_the_map_was(stored):
    (shown,) = [cell for cell in code_cells(stored) if "wb.label(" in cell.source]
    assert "image/png" in shown.outputs[-1].data


def test_correcting_makes_the_map_better(stored):
    text = "".join(output.text for output in outputs(stored) if output.get("name") == "stdout")
    scores = [float(score) for score in re.findall(r"IoU of water (\d\.\d+)", text)]
    assert len(scores) == 5
    assert scores[-1] > scores[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    for cell in code_cells(stored):
        cell.source = cell.source.replace("epochs=12", "epochs=1")
    run(stored, tmp_path, timeout=900)
    assert (tmp_path / "scene" / "scene.labels.gpkg").is_file()
    assert len(list(tmp_path.glob("runs/*/recipe.json"))) == 1
