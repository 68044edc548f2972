"""Execute notebooks and store what they show.

    python -m tests.notebooks.store [06_compare_regions …]

Each runs in an empty folder; without names all of them do. Stored is what outlives the kernel:
pictures, tables and texts, no widgets and no progress bars. The quickstart shows a real chip where
`WORKBENCH_SEN1FLOODS11_SAMPLE` names its folder: store it with that set.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import nbformat
from tqdm import tqdm

from tests.notebooks.reading import FOLDER, code_cells, read, run

# Panels draw their static pictures in threads: the kernel ends when the last one is there.
# Dashboards look on for ever; of a run that a cell waited for, theirs is long there.
_LAST = """
import threading
for thread in threading.enumerate():
    if thread.name.startswith("workbench") and thread.name != "workbench-dashboard":
        thread.join(60)
"""


def store(name: str) -> None:
    """Execute a notebook of the folder and write it there with its outputs."""
    notebook = read(name)
    last = nbformat.v4.new_code_cell(_LAST)
    notebook.cells.append(last)
    with tempfile.TemporaryDirectory() as folder:
        run(notebook, Path(folder), timeout=1800)
    notebook.cells.remove(last)
    for cell in code_cells(notebook):
        cell.metadata.pop("execution", None)
        cell.outputs = [output for output in cell.outputs
                        if output.get("name") != "stderr"
                        and not any("widget" in kind for kind in output.get("data", {}))]
    nbformat.write(notebook, FOLDER / f"{name}.ipynb")


def main() -> None:
    """Store those that are named."""
    asked = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("names", nargs="*", metavar="NAME",
                       default=sorted(path.stem for path in FOLDER.glob("*.ipynb")))
    os.environ.pop("MPLBACKEND", None)
    for name in tqdm(asked.parse_args().names):
        store(name)


if __name__ == "__main__":
    main()
