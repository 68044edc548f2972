"""launch: training in a worker process that outlives this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import torch

from workbench.data import Split
from workbench.fitting.naming import in_new_folder
from workbench.recipe import AnyRecipe
from workbench.runs import OUTPUT, Run
from workbench.runs.lock import Lock
from workbench.storage import out_of_space_explained
from workbench.training import prepare


def launch(recipe: AnyRecipe, split: Split, *, name: str | None = None,
           root: str | Path = "runs", device: str = "auto", watch_held_out: bool = False) -> Run:
    """Train a recipe on a split in a process of its own, and return the run at once.

    The process does what `wb.fit` does, scoring included, and goes on when the notebook's kernel
    or the terminal ends. Watch it with `wb.dashboard(run)` or `run.wait()`; `run.pause()`,
    `run.unpause()` and `run.stop()` steer it; `wb.load_model(run)` brings its best weights here.

    Args:
        recipe: What to train.
        split: What to train on; the process opens its dataset again from the files.
        name: Name of the run's folder; one that is free is made from the recipe.
        root: Folder of the runs.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        watch_held_out: As for `wb.fit`.

    Returns:
        The run, `starting`. What the process finds wrong is told by the run: its state is
        `failed`, and `run.wait()` raises it.

    Raises:
        RunError: No folder of that name can be made there.
        RunExistsError: A run of that name is there already.
        SplitError: A part of the split is empty or without labels, or its dataset cannot be
            opened by another process.
        DataError: The recipe has metadata that a chip lacks.
        RecipeError: There is no such device.
    """
    folder, lock = in_new_folder(root, name, recipe, lambda folder: prepare(
        recipe, split, folder, device=device, watch_held_out=watch_held_out))
    start_worker(lock, device)
    return Run(folder, split)


def start_worker(lock: Lock, device: str) -> None:
    """Start the process that trains the folder of a lock, and hand the lock to it."""
    folder = lock.folder
    command = [
        sys.executable, "-m", "workbench.fitting.worker", str(folder),
        "--device", device, "--lock", str(lock.file), "--threads", str(torch.get_num_threads()),
    ]  # fmt: skip
    # What this process can import the worker can, however it came to be importable.
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    try:
        with out_of_space_explained(folder), open(folder / OUTPUT, "ab") as output:
            worker = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                # Its own session: Ctrl-C and the end of kernel or terminal do not reach it.
                start_new_session=True, pass_fds=(lock.file,),
                env={**os.environ, "PYTHONPATH": paths},
            )  # fmt: skip
    except BaseException:
        lock.release()
        raise
    lock.hand_over()
    # Somebody has to take note of its end, or it stays in the table of processes.
    threading.Thread(target=worker.wait, daemon=True).start()
