"""What was done in a Workbench comes back when its kernel has ended."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

from workbench.data import Dataset, Split
from workbench.errors import WorkbenchError
from workbench.recipe import Recipe, recipe_from_json
from workbench.runs.folder import SPLIT
from workbench.storage import read_json
from workbench.widgets.app.keeping import (
    Kept,
    StateFile,
    Waiting,
    begun_with,
    digest,
    picked_from_json,
    picked_to_json,
    split_to_json,
)
from workbench.widgets.app.queue import Training
from workbench.widgets.app.session import STEPS, Session
from workbench.widgets.picker import Source
from workbench.widgets.picker.plan import Picked

_WATCHED = ("step", "picked", "recipe", "chosen", "asked")
# What opening plain data raises that were damaged, or changed by hand.
_DAMAGED = (WorkbenchError, OSError, LookupError, TypeError, ValueError, AttributeError)
_THEIRS = ("Another Workbench{process} keeps its state in {root}. What you do here lasts as long "
           "as this kernel, runs aside; root=… or key=… gives this one a place of its own.")


class Memory:
    """Keeps a session in a file as it changes, and brings back what an earlier kernel kept.

    What cannot be brought back, for example because a disk is missing, stays kept and is tried
    again when the cell runs again. Of two kernels with one file the first writes it, and trains
    what waits.

    Args:
        session: What is kept.
        file: Where.
    """

    def __init__(self, session: Session, file: StateFile) -> None:
        self._session, self._file = session, file
        self._said: dict[str, str] = {}
        self._lock = threading.RLock()
        self._ours = self._damaged = False
        self._opened: dict[str, Split] = {}
        # Kept by an earlier kernel, and not brought back yet.
        self._data: dict[str, Any] | None = None
        self._waiting: tuple[Waiting, ...] = ()
        self._splits: dict[str, dict[str, Any]] = {}
        self._written: tuple[Any, ...] | None = None
        # What was open when something was said of it.
        self._noted: Picked | None = None
        self._read()
        session.observe(lambda _: self.keep(), _WATCHED)

    def recall(self, source: Source) -> None:
        """Bring back what can be; what cannot is said.

        Args:
            source: What the map begins with; data that are no part of it are left.
        """
        self._leave_others(source)
        self._recall_data(source)
        if self._ours:
            self._recall_waiting()
        self.keep()

    def keep(self) -> None:
        """Write what has changed; where that cannot be done, say so."""
        with self._lock:
            if self._session.picked != self._noted:
                self._tell("data", "")
            if self._state() == self._written:
                return
            try:
                if not self._claim():
                    return
                self._file.write(self._described())
            except (WorkbenchError, OSError) as error:
                self._tell("file", f"What you do here is not kept: {error}")
                return
            self._written = self._state()
            self._tell("file", "")

    def _read(self) -> None:
        session = self._session
        try:
            kept = self._file.read()
            recipe = recipe_from_json(kept.recipe) if kept else session.recipe
        except _DAMAGED as error:
            self._damaged = True
            self._tell("before", f"What was done before cannot be read and is put aside: {error}")
            return
        if kept is None:
            self._written = self._state()
            return
        session.recipe = recipe if isinstance(recipe, Recipe) else session.recipe
        session.step, session.chosen, session.begun = kept.step, kept.chosen, kept.begun
        self._data = kept.data
        self._recall_launched(kept.launched)

    def _claim(self) -> bool:
        """Take the file, and with it what waits there."""
        if not self._ours and self._file.claim():
            if self._damaged:
                self._file.put_aside()
            kept = self._file.read()
            self._ours = True
            self._waiting, self._splits = (kept.waiting, kept.splits) if kept else ((), {})
            self._recall_waiting()
        if not self._ours:
            self._tell("file", _THEIRS.format(process=self._process(),
                                              root=self._session.queue.root))
        return self._ours

    def _process(self) -> str:
        with contextlib.suppress(WorkbenchError, OSError):
            return f" (process {kept.process})" if (kept := self._file.read()) else ""
        return ""

    def _leave_others(self, source: Source) -> None:
        """Leave data that are no part of a source that was not given before."""
        session = self._session
        known: set[Any] = {"", session.begun}
        if session.picked:
            known |= {session.picked.collection, session.picked.plan.source.layout_hash}
        elif self._data:
            known |= {str(self._data.get(name)) for name in ("collection", "layout")}
        begun = begun_with(source)
        if begun not in known:
            self._data = session.picked = session.split = None
            session.step = STEPS[0]
        session.begun = begun or session.begun

    def _recall_data(self, source: Source) -> None:
        session = self._session
        if self._data is None or session.picked is not None:
            self._data = None
            return
        given = source.dataset if isinstance(source, Split) else source
        try:
            picked, changed = picked_from_json(
                self._data, given if isinstance(given, Dataset) else None)
        except _DAMAGED as error:
            self._tell("data", f"The data of before cannot be opened: {error} They stay noted: run "
                               "this cell again once they are there, or choose others.")
            return
        self._noted = session.picked = picked
        session.split = picked.plan.split
        self._tell("data", "The data have changed since they were chosen: the same choices make "
                           "another split of them now." if changed else "")

    def _recall_launched(self, names: tuple[str, ...]) -> None:
        """Bring back what was trained here; a run whose data are gone is a run like any other."""
        runs = {run.name: run for run in self._session.runs}
        for run in (runs[name] for name in names if name in runs):
            with contextlib.suppress(*_DAMAGED):
                split = self._open(read_json(run.folder / SPLIT))
                self._session.queue.trainings.append(Training(run.recipe, split, run))

    def _recall_waiting(self) -> None:
        left, why = [], ""
        for entry in self._waiting:
            try:
                recipe = recipe_from_json(entry.recipe)
                split = self._open(self._splits[entry.split])
            except _DAMAGED as error:
                left.append(entry)
                why = str(error)
            else:
                self._session.queue.trainings.append(Training(recipe, split))
        self._waiting = tuple(left)
        count = "1 training that waits" if len(left) == 1 else f"{len(left)} trainings that wait"
        self._tell("waiting", f"{count} cannot be opened: {why}" if left else "")

    def _open(self, data: dict[str, Any]) -> Split:
        text = json.dumps(data, sort_keys=True)
        if text not in self._opened:
            self._opened[text] = Split.from_json(data)
        return self._opened[text]

    def _state(self) -> tuple[Any, ...]:
        """Return what is compared to tell whether something is to be written."""
        session, trainings = self._session, self._session.queue.trainings
        return (session.step, session.picked, session.recipe, session.chosen, session.begun,
                tuple((training, training.waiting) for training in trainings), self._waiting)

    def _described(self) -> Kept:
        session = self._session
        trainings = session.queue.trainings
        waiting = [training for training in trainings if training.waiting]
        return Kept(
            step=session.step, recipe=session.recipe.to_json(), chosen=session.chosen,
            begun=session.begun,
            data=picked_to_json(session.picked) if session.picked else self._data,
            launched=tuple(training.run.name for training in trainings if training.run),
            waiting=(*self._waiting, *(Waiting(recipe=training.recipe.to_json(),
                                               split=digest(training.split))
                                       for training in waiting)),
            splits={**(self._splits if self._waiting else {}),
                    **{digest(training.split): split_to_json(training.split)
                       for training in waiting}},
        )  # fmt: skip

    def _tell(self, subject: str, text: str) -> None:
        self._said[subject] = text
        self._session.said = tuple(filter(None, self._said.values()))
