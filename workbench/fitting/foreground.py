"""fit and resume: training in this process, drained into a view, then scored once."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from workbench.assembly import select_device
from workbench.data import Split
from workbench.estimation import advise, auto_batch
from workbench.events import Event, RunResumed
from workbench.fitting.background import start_worker
from workbench.fitting.interrupts import first_interrupt, gentle_end
from workbench.fitting.naming import in_new_folder
from workbench.fitting.scoring import scored
from workbench.fitting.views import View, shown
from workbench.recipe import AnyRecipe
from workbench.runs import Run, open_run
from workbench.runs.lock import Lock, writing
from workbench.training import Control, train


def fit(recipe: AnyRecipe, split: Split, *, name: str | None = None,
        root: str | Path = "runs", device: str = "auto", watch_held_out: bool = False,
        show: bool | None = None) -> Run:
    """Train a recipe on a split, score it, and return the run.

    The best checkpoint, chosen by the validation loss on training regions, is scored once on
    the test chips and on the held-out regions. Interrupting (Ctrl-C, ■ in a notebook) stops
    after the step under way with a checkpoint written; a second time stops at once. A process that
    is asked to end (SIGTERM, a terminal that closes) does the same before it ends.

    Args:
        recipe: What to train.
        split: What to train on.
        name: Name of the run's folder; one that is free is made from the recipe.
        root: Folder of the runs.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        watch_held_out: Score held-out regions after every epoch too. Nothing is chosen by them,
            but you see them; the run keeps that, and `wb.compare` says it.
        show: True shows progress, False nothing, None shows it where a person looks on (a
            notebook or a terminal).

    Returns:
        The run: finished, or stopped when it was interrupted.

    Raises:
        RunError: No folder of that name can be made there.
        RunExistsError: A run of that name is there already.
        SplitError: A part of the split is empty or without labels.
        BandError: The backbone does not know a band.
        DataError: The recipe has metadata that a chip lacks.
        TrainingError: Training broke off; the folder tells where and why.
        OutOfSpaceError: The disk is full; the last checkpoint is whole.
    """
    control = Control()
    folder, events = in_new_folder(root, name, recipe, lambda folder: train(
        recipe, split, folder, device=device, control=control, watch_held_out=watch_held_out,
        advise=advise, auto_batch=auto_batch,
    ))  # fmt: skip
    run = Run(folder, split)
    with _gentle_end(control):
        _drain(run, events, control, show)
    return scored(run, device)


def resume(run: Run | str | Path, *, device: str = "auto", show: bool | None = None,
           wait: bool = True) -> Run:
    """Go on with a run that was stopped, failed or killed, from its last checkpoint.

    On CPU it ends bit for bit where it would have ended without the interruption. A run that
    has finished is scored if it was not yet, and returned.

    Args:
        run: The run or its folder, whether it was fitted or launched.
        device: As for `fit`.
        show: As for `fit`.
        wait: False goes on in a process of its own and returns at once, as `wb.launch` does; that
            process opens the data where they were when the run was made.

    Raises:
        RunError: The run is being trained by another process.
        RecipeError: There is no such device.
        SplitError: The run's data cannot be opened, or are not those it was trained on.
        TrainingError: Training broke off; the folder tells where and why.
        OutOfSpaceError: The disk is full; the last checkpoint is whole.
    """
    run = run if isinstance(run, Run) else open_run(run)
    if run.state == "finished":
        return scored(run, device)
    if not wait:
        select_device(device)  # refused here, and not by the run's end
        start_worker(Lock.take(run.folder), device)
        return run
    control = Control()
    # The lock before anything is built: another process may train the run.
    with _gentle_end(control), writing(run.folder) as lock:
        events = train(run.recipe, run.split, run.folder, device=device, resume=True, lock=lock,
                       control=control, advise=advise, auto_batch=auto_batch)
        _drain(run, events, control, show)
    return scored(run, device)


def _drain(run: Run, events: Generator[Event, None, None], control: Control,
           show: bool | None) -> None:
    with (
        # An error's frames live on in a notebook, and the folder's lock would with them.
        contextlib.closing(events),
        shown(run, show) as view, first_interrupt(lambda: control.stop("interrupted")),
    ):
        for event in events:
            try:
                # A resumed run brings its past with it, less what it superseded.
                for entry in run.events() if isinstance(event, RunResumed) else [event]:
                    _show(view, entry)
            except BaseException as error:
                events.throw(error)  # the folder tells why it ended
                raise


def _gentle_end(control: Control) -> contextlib.AbstractContextManager[None]:
    return gentle_end(lambda: control.stop("its process was asked to end"))


def _show(view: View, event: Event) -> None:
    with contextlib.suppress(OSError):  # its terminal is gone: no reason to lose the training
        view.update(event)
