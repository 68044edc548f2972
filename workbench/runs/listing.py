"""All runs of a folder, as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from workbench.errors import WorkbenchError, unknown_name
from workbench.reprs import html_table, text_table
from workbench.runs.folder import RECIPE
from workbench.runs.pruning import prune
from workbench.runs.run import Run

_COLUMNS = (
    "state", "epochs", "validation mIoU", "mIoU in region", "mIoU held out",
    "trainable parameters", "peak memory", "time",
)  # fmt: skip

# Why a run failed may be long; its own repr says all of it.
_STATE_WIDTH = 60


class RunList(Sequence[Run]):
    """Runs in order of their names; `runs[0]`, `runs["name"]`, `runs[:2]`."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)

    @overload
    def __getitem__(self, key: int | str) -> Run: ...

    @overload
    def __getitem__(self, key: slice) -> RunList: ...

    def __getitem__(self, key: int | str | slice) -> Run | RunList:
        if isinstance(key, slice):
            return RunList(self._runs[key])
        if isinstance(key, int):
            return self._runs[key]
        for run in self._runs:
            if run.name == key:
                return run
        raise unknown_name("run", key, [run.name for run in self._runs], "wb.list_runs()")

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def prune(self) -> int:
        """Delete what finished runs need no more and return the bytes freed; see `prune`."""
        return sum(prune(run) for run in self._runs)

    def _rows(self) -> list[list[str]]:
        return [[run.name, *_cells(run)] for run in self._runs]

    def __repr__(self) -> str:
        return text_table(("run", *_COLUMNS), self._rows()) if self._runs else "no runs"

    def _repr_html_(self) -> str:
        return html_table(("run", *_COLUMNS), self._rows())


def list_runs(root: str | Path = "runs") -> RunList:
    """Return the runs in the folder `root`; none when it is not there."""
    folders = [path.parent for path in sorted(Path(root).glob(f"*/{RECIPE}"))]
    # A hidden one is what a kill left of a folder in the making.
    return RunList([Run(folder) for folder in folders if not folder.name.startswith(".")])


def _cells(run: Run) -> list[str]:
    try:
        facts = run.facts()
    except WorkbenchError as error:  # one damaged folder must not hide the others
        return [str(error), *["–"] * (len(_COLUMNS) - 1)]
    facts["state"] = textwrap.shorten(facts["state"], _STATE_WIDTH, placeholder=" …")
    return [facts.get(column, "–") for column in _COLUMNS]
