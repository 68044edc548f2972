"""fit and resume: training drained into a view, then scored once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

from workbench.console import TerminalView
from workbench.data import Split
from workbench.errors import RunError
from workbench.evaluation import evaluate
from workbench.events import Event, RunResumed
from workbench.recipe import AnyRecipe
from workbench.runs import Run, open_run, refuse_existing, write_card
from workbench.training import Control, train


class View(Protocol):
    """Where events are shown while a training goes on."""

    def update(self, event: Event) -> None:
        """Take in an event."""

    def close(self) -> None:
        """Leave the last state standing."""


def fit(recipe: AnyRecipe, split: Split, *, name: str | None = None,
        root: str | Path = "runs", device: str = "auto", show: bool | None = None) -> Run:
    """Train a recipe on a split, score it, and return the run.

    The best checkpoint, chosen by the validation loss on training regions, is scored once on
    the test chips and on the held-out regions. Interrupting (Ctrl-C, ■ in a notebook) stops
    after the step under way with a checkpoint written; a second time stops at once.

    Args:
        recipe: What to train.
        split: What to train on.
        name: Name of the run's folder; one that is free is made from the recipe.
        root: Folder of the runs.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        show: True shows progress, False nothing, None shows it where a person looks on (a
            notebook or a terminal).

    Returns:
        The run: finished, or stopped when it was interrupted.

    Raises:
        RunExistsError: A run of that name is there already.
        SplitError: A part of the split is empty or without labels.
        BandError: The backbone does not know a band.
        DataError: The recipe has metadata that a chip lacks.
        TrainingError: Training broke off; the folder tells where and why.
        OutOfSpaceError: The disk is full; the last checkpoint is whole.
    """
    folder = _folder(Path(root), name, recipe.name)
    control = Control()
    events = train(recipe, split, folder, device=device, control=control)
    return _drain(Run(folder, split), events, control, device, show)


def resume(run: Run | str | Path, *, device: str = "auto", show: bool | None = None) -> Run:
    """Go on with a run that was stopped, failed or killed, from its last checkpoint.

    On CPU it ends bit for bit where it would have ended without the interruption. A run that
    has finished is scored if it was not yet, and returned.

    Raises:
        RunError: The run is being trained by another process.
    """
    run = run if isinstance(run, Run) else open_run(run)
    if run.state == "finished":
        return _scored(run, device)
    control = Control()
    events = train(run.recipe, run.split, run.folder, device=device, resume=True, control=control)
    return _drain(run, events, control, device, show)


def _drain(run: Run, events: Iterator[Event], control: Control, device: str,
           show: bool | None) -> Run:
    view = _view(run, show)
    with contextlib.closing(view) if view else contextlib.nullcontext(), _interrupt_stops(control):
        for event in events:
            if view:
                _show(view, run, event)
    return _scored(run, device) if run.state == "finished" else run


def _show(view: View, run: Run, event: Event) -> None:
    # A resumed run brings its past with it, less what it superseded.
    for shown in run.events() if isinstance(event, RunResumed) else [event]:
        view.update(shown)


def _scored(run: Run, device: str) -> Run:
    parts = run.split.parts
    if (parts["test"] or parts["held_out"]) and not run.scores():
        evaluate(run, device=device)
    write_card(run)
    return run


def _folder(root: Path, name: str | None, base: str) -> Path:
    if name is None:
        numbered = (base if count == 1 else f"{base}-{count}" for count in range(1, sys.maxsize))
        return next(root / free for free in numbered if not (root / free).exists())
    if not name or name != Path(name).name or name.startswith("."):
        raise RunError(f"name={name!r} is not a plain folder name; the place goes into root=….")
    refuse_existing(root / name)
    return root / name


def _view(run: Run, show: bool | None) -> View | None:
    if show is False or (show is None and not _in_notebook() and not sys.stderr.isatty()):
        return None
    if _in_notebook():
        from workbench.widgets.live import LiveView

        return LiveView(run.name)
    return TerminalView(run.folder)


def _in_notebook() -> bool:
    """Return whether this is an IPython kernel, without importing IPython."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@contextlib.contextmanager
def _interrupt_stops(control: Control) -> Iterator[None]:
    """Let the first SIGINT stop the training after its step, the second at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may have signal handlers
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if control.stop_reason is not None:
            raise KeyboardInterrupt
        control.stop("interrupted")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
