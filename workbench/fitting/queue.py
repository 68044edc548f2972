"""The queue of a study: what is to be done next, by whichever process asks first."""

from __future__ import annotations

import time
from typing import Any

from workbench.errors import OutOfSpaceError, RunError, RunExistsError, WorkbenchError
from workbench.estimation import advise, auto_batch
from workbench.evaluation import evaluate
from workbench.events import RunFinished
from workbench.fitting.interrupts import first_interrupt, gentle_end
from workbench.fitting.studyviews import StudyView
from workbench.runs import OUTPUT, Run, create_locked, write_card
from workbench.runs.cells import Cell
from workbench.runs.lock import Lock, holder, is_live, writing
from workbench.runs.pruning import prune
from workbench.runs.run import LIVE
from workbench.runs.studies import RUNS, Study
from workbench.training import Control, work

# How often to look whether what other processes train is done.
_LOOK_EVERY_S = 0.5


class Queue:
    """Works a study off until nothing is left to do, together with others that do the same.

    A cell belongs to who holds the lock of its run folder; nothing else is agreed upon.

    Args:
        study: What is to be done.
        device: Where.
        view: Who looks on.
    """

    def __init__(self, study: Study, device: str, view: StudyView) -> None:
        self._study, self._device, self._view = study, device, view
        self._pairs = [(method, split) for split in study.split_names for method in study.methods]
        self._tried: set[tuple[str, str]] = set()
        self._control = Control()
        self._interrupted = False
        self._waiting = ""

    def work_off(self) -> None:
        """Train and score; Ctrl-C ends it after the step under way, with a checkpoint written."""
        with gentle_end(self._interrupt), first_interrupt(self._interrupt):
            while not self._interrupted:
                job = self._next()
                if job is not None:
                    self._tried.add((job[0], job[1].name))
                    self._do(*job)
                elif others := [cell for cell in self._study.cells()
                                if self._study.state(cell) in LIVE]:
                    self._wait(others)
                else:
                    return

    def _wait(self, others: list[Cell]) -> None:
        """Say, once for each cell, whom the rest is left to."""
        run = self._study.run(others[0])
        process = holder(run.folder) if run else None
        words = (f"waiting for process {process}, which has {others[0]}" if process
                 else f"waiting for {others[0]}, which another process has")
        if words != self._waiting:
            self._view.say(words)
        self._waiting = words
        self._view.update(words)
        time.sleep(_LOOK_EVERY_S)

    def _interrupt(self) -> None:
        self._interrupted = True
        self._control.stop("interrupted")

    def _next(self) -> tuple[str, Cell] | None:
        """Return what to do next, None where all is done, was tried, or is in other hands."""
        study = self._study
        for pair in self._pairs:
            if study.chosen(*pair) is None:
                for cell in study.trials(*pair):
                    if self._trainable(cell):
                        return "train", cell
                self._choose(*pair)
        for place in range(len(study.seeds)):
            for pair in self._pairs:
                for cell in study.finals(*pair)[place : place + 1]:
                    if self._trainable(cell):
                        return "train", cell
                    if self._scorable(cell):
                        return "score", cell
        return None

    def _trainable(self, cell: Cell) -> bool:
        return ("train", cell.name) not in self._tried and (
            self._study.state(cell) not in ("finished", *LIVE))

    def _scorable(self, cell: Cell) -> bool:
        run = self._study.run(cell)
        return (run is not None and ("score", cell.name) not in self._tried
                and run.state == "finished" and not is_live(run.folder) and not _is_scored(run))

    def _choose(self, method: str, split: str) -> None:
        best = self._study.choose(method, split)
        for cell in self._study.trials(method, split) if best else ():
            if cell != best and (run := self._study.run(cell)):
                prune(run, best=True)

    def _do(self, what: str, cell: Cell) -> None:
        """Train or score a cell; what goes wrong is told, and stands in its folder."""
        try:
            if what == "train":
                self._train(cell)
            else:
                self._score(cell)
        except OutOfSpaceError:
            raise
        except WorkbenchError as error:
            run = self._study.run(cell)
            if isinstance(error, RunExistsError) or (
                    isinstance(error, RunError) and run is not None and is_live(run.folder)):
                # Another process was faster by an instant; should it die, the cell is free again.
                self._tried.discard((what, cell.name))
                return
            self._view.say(f"failed: {cell}: {error}")

    def _train(self, cell: Cell) -> None:
        lock = self._lock(cell)
        run = self._study.run(cell)
        assert run is not None
        self._control = Control()
        if self._interrupted:
            self._control.stop("interrupted")
        try:
            if _is_trained(run):  # by another process, since this one looked
                return
            for event in work(run, device=self._device, lock=lock, control=self._control,
                              advise=advise, auto_batch=auto_batch):
                self._view.update(str(cell), event)
        finally:
            lock.release()
        if run.state == "finished":
            prune(run)
            self._view.say(f"trained: {cell}")

    def _lock(self, cell: Cell) -> Lock:
        study = self._study
        if (run := study.run(cell)) is not None:
            return Lock.take(run.folder)
        split, recipe = study.split(cell.split), cell.recipe(study.recipes[cell.method])
        bands: Any = recipe.bands or split.dataset.bands
        return create_locked(study.folder / RUNS / cell.name, recipe, split,
                             {"bands": list(bands), "device": self._device})

    def _score(self, cell: Cell) -> None:
        run = self._study.run(cell)
        assert run is not None
        self._view.update(f"scoring {cell}")
        try:
            with writing(run.folder):  # others see that it is in somebody's hands
                if _is_scored(run):  # by another process, since this one looked
                    return
                evaluate(run, device=self._device)
        except WorkbenchError as error:
            with open(run.folder / OUTPUT, "a", encoding="utf-8") as output:
                output.write(f"{error}\n")  # as the process of a launched run leaves it
            raise
        write_card(run)
        prune(run)


def _is_trained(run: Run) -> bool:
    events = run.events()
    return bool(events) and isinstance(events[-1], RunFinished)


def _is_scored(run: Run) -> bool:
    parts = run.split.parts
    return bool(run.scores()) or not (parts["test"] or parts["held_out"])
