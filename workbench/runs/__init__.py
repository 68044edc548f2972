"""Run folders: written by training alone, read by everyone."""

from __future__ import annotations

from workbench.runs.card import write_card
from workbench.runs.folder import (
    OUTPUT,
    complete,
    create,
    create_imported,
    create_locked,
    refuse_existing,
)
from workbench.runs.history import History
from workbench.runs.listing import RunList, list_runs
from workbench.runs.run import Run, open_run

__all__ = [
    "History", "OUTPUT", "Run", "RunList", "complete", "create", "create_imported",
    "create_locked", "list_runs", "open_run", "refuse_existing", "write_card",
]  # fmt: skip
