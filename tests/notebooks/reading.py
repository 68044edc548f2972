"""Notebooks as they are stored, and run without a screen."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def run(notebook: nbformat.NotebookNode, folder: Path, *, timeout: int) -> None:
    """Run every cell in a folder; what the kernel draws is up to Jupyter, not to the tests."""
    NotebookClient(notebook, timeout=timeout, store_widget_state=False, coalesce_streams=True,
                   resources={"metadata": {"path": str(folder)}}).execute()  # fmt: skip
