"""The browser fixtures themselves: a notebook runs, and what goes wrong is seen."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser


def written(folder: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    path = folder / "probe.ipynb"
    nbformat.write(notebook, path)
    return path


def test_cells_run_and_widgets_are_drawn_without_the_internet(run_notebook, tmp_path):
    lab = run_notebook(
        written(tmp_path, "import ipywidgets", "ipywidgets.Button(description='press me')")
    )
    lab.outputs.get_by_text("press me").wait_for()
    assert [cell["execution_count"] for cell in lab.notebook()["cells"]] == [1, 2]


def test_an_error_in_a_cell_fails_the_run(lab_page, tmp_path):
    lab_page.open_notebook(written(tmp_path, "1 / 0"))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab_page.run_all()


def test_a_request_to_the_internet_is_noticed(lab_page, tmp_path):
    lab_page.open_notebook(
        written(tmp_path, "from IPython.display import HTML; HTML('<img src=http://192.0.2.1/x>')")
    )
    lab_page.page.route("http://192.0.2.1/**", lambda route: route.abort())
    lab_page.run_all()
    lab_page.outputs.locator("img").wait_for(state="attached")
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        lab_page.assert_quiet()
    lab_page.complaints.clear()
