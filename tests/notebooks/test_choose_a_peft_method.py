"""The notebook on PEFT methods: as it is stored, and run at a reduced size."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.notebooks.reading import outputs, read, run
from workbench.peft import METHODS


@pytest.fixture
def stored():
    return read("02_choose_a_peft_method")


def parameters(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return cell


def test_every_method_is_explained_and_compared(stored):
    source = "\n".join(cell.source for cell in stored.cells)
    names = {"lora": "LoRA(", "vpt": "VPT(", "last_blocks": "LastBlocks("}
    for kind in METHODS:
        named = names.get(kind, f'peft="{kind}"')
        assert source.count(named) >= 2, kind


def test_it_says_what_is_simulated_and_what_one_seed_means(stored):
    text = "\n".join(cell.source for cell in stored.cells if cell.cell_type == "markdown")
    assert "**simulated**" in text
    assert "**one seed**" in text
    assert "arXiv:2504.17397" in text


def test_scores_in_region_and_held_out_have_intervals(stored):
    tables = [output.data["text/html"] for output in outputs(stored)
              if "mIoU held out" in output.get("data", {}).get("text/html", "")]
    assert len(re.findall(r"\d \[\d+[.]\d, \d+[.]\d\]", tables[0])) == 2 * len(METHODS)
    assert not any("no verdict" in str(output) for output in outputs(stored))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_headless(stored, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    cell = parameters(stored)
    cell.source = 'EPOCHS = 1\nREGIONS = ["bolivia", "ghana", "spain"]\nSCENES = 5'
    run(stored, tmp_path, timeout=900)
    assert any("image/png" in output.get("data", {}) for output in outputs(stored))
    assert len(list(tmp_path.glob("runs/*/*/recipe.json"))) == len(METHODS)
