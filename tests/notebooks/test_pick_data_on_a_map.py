"""The notebook on picking data: as it is stored, and run from its first cell to its last."""

from __future__ import annotations

import pytest

from tests.notebooks.reading import code_cells, outputs, read, run


@pytest.fixture
def stored():
    return read("04_pick_data_on_a_map")


def test_without_a_kernel_pictures_stand_where_the_maps_were(stored):
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    before = [cell.outputs[-1].data["text/plain"] for cell in code_cells(stored)
              if "wb.pick(" in cell.source]
    run(stored, tmp_path, timeout=300)
    after = [cell.outputs[-1].data["text/plain"] for cell in code_cells(stored)
             if "wb.pick(" in cell.source]
    assert after == before
