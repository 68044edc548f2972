"""The list of runs: which there are, how they stand, which are chosen, which wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.runs import Run
from workbench.widgets.app.queue import Training, is_scoring
from workbench.widgets.following import UNREADABLE

_FILES = Path(__file__).parents[1] / "browser"


class Rows(anywidget.AnyWidget):
    """A table of runs with a box to tick in each row.

    Args:
        ticked: Called with the names of all that are ticked.
        dropped: Called with the key of a training that waits and shall not be trained.
    """

    _esm = (_FILES / "rows.js").read_text("utf-8")
    _css = (_FILES / "workbench.css").read_text("utf-8")

    rows: Any = traitlets.List().tag(sync=True)
    waiting: Any = traitlets.List().tag(sync=True)
    chosen: Any = traitlets.List().tag(sync=True)

    def __init__(self, ticked: Callable[[tuple[str, ...]], None],
                 dropped: Callable[[str], None]) -> None:
        super().__init__()
        self._ticked, self._dropped = ticked, dropped
        self.on_msg(self._hear)

    def _hear(self, _: Any, message: dict[str, Any], __: Any) -> None:
        if "drop" in message:
            self._dropped(message["drop"])
        else:
            self._ticked(tuple(message["chosen"]))


def row(run: Run) -> dict[str, str]:
    """Return what a row says of a run."""
    try:
        facts, state = run.facts(), "scoring" if is_scoring(run) else run.state
    except WorkbenchError as error:  # one damaged folder must not hide the others
        return {"name": run.name, "state": UNREADABLE, "said": str(error)}
    return {
        "name": run.name, "state": state,
        "said": "its regions are being scored" if state == "scoring" else facts["state"],
        "epochs": facts.get("epochs", "–"),
        "test": facts.get("mIoU in region", "–"), "held_out": facts.get("mIoU held out", "–"),
    }  # fmt: skip


def waiting_row(training: Training) -> dict[str, str]:
    """Return what a row says of a training that has not begun, or could not begin."""
    return {"name": training.recipe.name, "state": "failed" if training.error else "waiting",
            "said": training.error or "waits for the run before it", "key": training.key}
