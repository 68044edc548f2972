"""The notebook on PEFT methods: as it is stored, and run at a reduced size."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from workbench.peft import METHODS

PATH = Path(__file__).parents[2] / "notebooks" / "02_choose_a_peft_method.ipynb"
MOST_MEGABYTES = 3.0


@pytest.fixture
def stored() -> nbformat.NotebookNode:
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def parameters(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return cell


def test_it_is_valid_and_was_run_in_order(stored):
    nbformat.validate(stored)
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for output in outputs(stored))
    assert "widgets" not in stored.metadata


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
    cell = parameters(stored)
    cell.source = 'EPOCHS = 1\nREGIONS = ["bolivia", "ghana", "spain"]\nSCENES = 5'
    NotebookClient(stored, timeout=900, store_widget_state=False,
                   resources={"metadata": {"path": str(tmp_path)}}).execute()  # fmt: skip
    assert any("image/png" in output.get("data", {}) for output in outputs(stored))
    assert len(list(tmp_path.glob("runs/*/*/recipe.json"))) == len(METHODS)
