"""The quickstart notebook: as it is stored, and run from its first cell to its last."""

from __future__ import annotations

import pytest

from tests.notebooks.reading import code_cells, outputs, read, run
from tests.plugin import SHARED


@pytest.fixture
def stored():
    return read("01_quickstart")


def test_every_cell_shows_something(stored):
    assert all(cell.outputs for cell in code_cells(stored))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    """The section on the real chip runs too where the chip is (`../shared`)."""
    sample = SHARED / "real" / "sen1floods11_sample"
    if sample.is_dir():
        monkeypatch.setenv("WORKBENCH_SEN1FLOODS11_SAMPLE", str(sample))
    else:
        monkeypatch.delenv("WORKBENCH_SEN1FLOODS11_SAMPLE", raising=False)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    run(stored, tmp_path, timeout=600)
    pictures = [output for output in outputs(stored) if "image/png" in output.get("data", {})]
    assert len(pictures) >= 5
    assert list(tmp_path.glob("runs/*/water.tif"))
