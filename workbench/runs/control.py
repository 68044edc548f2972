"""Wishes to a training from whoever watches it: one empty file each in `<run>/control/`.

A file is there or it is not, so a wish is never half written; whichever process, kernel or tab
made it, the training sees it after its next step.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from workbench.runs.access import refusal_explained
from workbench.storage import out_of_space_explained

CONTROL = "control"
PAUSE, UNPAUSE, STOP, STOP_AFTER_EPOCH = "pause", "unpause", "stop", "stop_after_epoch"


def request(folder: Path, wish: str) -> None:
    """Ask the training in a run folder to `pause`, `unpause`, `stop` or `stop_after_epoch`.

    It stops after the step under way, with its checkpoint written.

    Raises:
        RunError: The folder is read-only.
    """
    assert wish in (PAUSE, UNPAUSE, STOP, STOP_AFTER_EPOCH), wish
    place = folder / CONTROL
    with refusal_explained(folder), out_of_space_explained(place):
        if wish == UNPAUSE:
            (place / PAUSE).unlink(missing_ok=True)
            return
        place.mkdir(exist_ok=True)
        (place / wish).touch()


def wishes(folder: Path) -> frozenset[str]:
    """Return what is asked for now; a look costs microseconds."""
    try:
        return frozenset(os.listdir(folder / CONTROL))
    except FileNotFoundError:
        return frozenset()


def clear(folder: Path) -> None:
    """Forget the wishes to a training that has ended."""
    shutil.rmtree(folder / CONTROL, ignore_errors=True)
