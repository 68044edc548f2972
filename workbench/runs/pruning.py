"""What a run that is done no longer needs: the checkpoint to resume from, leftovers of kills."""

from __future__ import annotations

import shutil

from workbench.runs.checkpoints import CHECKPOINTS, find
from workbench.runs.lock import is_live
from workbench.runs.run import Run


def prune(run: Run, *, best: bool = False) -> int:
    """Delete what a finished run no longer needs and return how many bytes that frees.

    The best checkpoint stays, and with it everything that evaluation and prediction need; what
    goes is the state of the optimiser, from which only a run that is not finished would go on.
    Runs that have not finished, or that a process is writing, are left alone.

    Args:
        run: Which.
        best: Delete the best checkpoint too; scores and history stay.
    """
    if run.state != "finished" or run.imported or is_live(run.folder):
        return 0
    place, freed = run.folder / CHECKPOINTS, 0
    keep = None if best else find(place / "best")
    for folder in place.iterdir() if place.exists() else ():
        # Without a best one, the last is all there is.
        if folder != keep and (best or keep is not None):
            freed += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            shutil.rmtree(folder, ignore_errors=True)
    return freed
