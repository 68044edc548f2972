"""Workbench: data, model, training and comparison as steps of one panel."""

from __future__ import annotations

import contextlib
import threading
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import DisplayHandle, display

from workbench.data import Split
from workbench.errors import WorkbenchError
from workbench.evaluation import Comparison
from workbench.recipe import Recipe
from workbench.reprs import html_card
from workbench.runs import RunList
from workbench.widgets.app.choosing import DataStep, ModelStep
from workbench.widgets.app.comparing import CompareStep
from workbench.widgets.app.header import Header, compare_said, data_said, model_said, train_said
from workbench.widgets.app.keeping import StateFile
from workbench.widgets.app.memory import Memory
from workbench.widgets.app.parts import Step
from workbench.widgets.app.queue import Training, is_done
from workbench.widgets.app.rows import Rows, row, waiting_row
from workbench.widgets.app.session import Session, State
from workbench.widgets.app.training import TrainStep
from workbench.widgets.cells import take_the_place
from workbench.widgets.looks import STYLE
from workbench.widgets.picker import Source, find_source

# A look reads what is new in the folders of runs.
EVERY_S = 1.0
# What the line below each step, and the script, are made of.
_TOLD = ("split", "recipe", "chosen", "comparison", "view", "asked")
_KEPT: dict[tuple[Path, str], tuple[Session, Memory]] = {}


class Workbench:
    """The whole job with the mouse: choose data, make a recipe, train, compare.

    Steps may be taken in any order; each goes on from what the others came to. What is done is
    kept in the folder of the runs: the same cell run again, also by another kernel, goes on where
    it was, with what waits to be trained; a second `wb.Workbench()` shows the same. Trainings go on
    by themselves.

    Args:
        source: What the map begins with: a catalogue, a collection or its id, a dataset, a split.
        root: Folder of the runs; those that are there are listed.
        key: A name under which what is done is kept; None to start fresh and keep nothing.

    Attributes:
        box: The widget, to be put beside others.

    Raises:
        DataError: `source` is none of these.
        UnknownNameError: No such collection.
    """

    def __init__(self, source: Source | str | None = None, *, root: str | Path = "runs",
                 key: str | None = "workbench") -> None:
        begun = find_source(source)
        session, self._memory = _session(Path(root).absolute(), key)
        self._session = session
        if self._memory:
            self._memory.recall(begun)
        self._rows = Rows(self._tick, self._drop)
        self._header = Header(self._open)
        self._data, self._compare = DataStep(session, begun), CompareStep(session, self._rows)
        self._steps: dict[str, Step] = {
            "data": self._data, "model": ModelStep(session),
            "train": TrainStep(session, self._rows), "compare": self._compare,
        }  # fmt: skip
        self._notice = widgets.HTML()
        self._code = widgets.HTML()
        self._code.add_class("wb-script")
        self._code.layout.display = "none"
        self._body = widgets.VBox()
        self.box = widgets.VBox([widgets.HTML(STYLE), self._header, self._notice, self._code,
                                 self._body])
        self.box.add_class("wb-app")
        self._still: DisplayHandle | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._header.observe(self._toggle_code, "code")
        session.observe(self._on_step, "step")
        session.observe(self._on_change, _TOLD)
        session.observe(self._on_said, "said")
        self._on_said()
        self._show_step()
        self.refresh()

    @property
    def value(self) -> State:
        """Split, recipe, ticked runs and their comparison."""
        return self._session.value

    @property
    def split(self) -> Split | None:
        """The data; None before they are chosen."""
        return self._session.split

    @property
    def recipe(self) -> Recipe:
        """The recipe of the form."""
        return self._session.recipe

    @property
    def runs(self) -> RunList:
        """The runs that are ticked."""
        return self._session.ticked

    @property
    def comparison(self) -> Comparison | None:
        """The comparison of the ticked runs; None before one has finished."""
        return self._session.comparison

    @property
    def code(self) -> str:
        """Everything so far as a script that runs by itself."""
        return self._session.code

    def show(self) -> None:
        """Show the steps; below them, as an output that a stored notebook keeps, the script."""
        take_the_place(self)
        display(self.box)
        self._still = DisplayHandle()
        self._still.display(self._bundle(), raw=True)
        threading.Thread(target=self._follow, name="workbench-app", daemon=True).start()

    def wait(self) -> None:
        """Return when data that are being opened, and the comparison, are there; not trainings."""
        self._data.wait()
        self._compare.wait()

    def refresh(self) -> None:
        """Launch what may be launched, and show how runs stand."""
        self._session.advance()
        if self._memory:
            self._memory.keep()
        with self._lock:
            self._list()
            self._steps[self._session.step].refresh()
            self._tell()

    def close(self) -> None:
        """Take the panel away; trainings, and what was done, stay."""
        self._closed.set()
        self._session.unobserve(self._on_step, "step")
        self._session.unobserve(self._on_change, _TOLD)
        self._session.unobserve(self._on_said, "said")
        for step in self._steps.values():
            step.close()
        self.box.close()

    def __repr__(self) -> str:
        return self.code

    def _ipython_display_(self) -> None:
        self.show()

    def _follow(self) -> None:
        while not self._closed.wait(EVERY_S):
            # A folder that is deleted or replaced meanwhile is there or not at the next look.
            with contextlib.suppress(WorkbenchError, OSError):
                self.refresh()

    def _open(self, step: str) -> None:
        self._session.step = step

    def _on_step(self, change: Any) -> None:
        self._steps[change["old"]].leave()
        self._show_step()

    def _show_step(self) -> None:
        with self._lock:
            step = self._steps[self._session.step]
            step.open()
            self._header.step = self._session.step
            self._body.children = (step.box,)

    def _on_change(self, change: Any) -> None:
        if change["name"] == "asked":
            self._list()
        self._tell()

    def _on_said(self, change: Any = None) -> None:
        lines = "".join(f"<p>{escape(line)}</p>" for line in self._session.said)
        self._notice.value = f'<div class="wb-notice" role="status">{lines}</div>' if lines else ""

    def _tick(self, names: tuple[str, ...]) -> None:
        self._session.chosen = names
        self.refresh()

    def _drop(self, key: str) -> None:
        # One that was launched since the browser drew its row is no longer pending.
        for entry in self._pending():
            if entry.key == key:
                self._session.queue.drop(entry)
        self.refresh()

    def _pending(self) -> list[Training]:
        """Return the trainings without a run: those that wait, and those that could not begin."""
        return [entry for entry in self._session.queue.trainings if entry.run is None]

    def _list(self) -> None:
        """Show all runs, and the trainings that wait for them."""
        self._rows.rows = [row(run) for run in self._session.runs]
        self._rows.waiting = [waiting_row(entry) for entry in self._pending()]
        self._rows.chosen = list(self._session.chosen)

    def _tell(self) -> None:
        """Write what each step came to, and the script."""
        session = self._session
        finished = [run for run in session.ticked if is_done(run)]
        self._header.tell({
            "data": data_said(session.split), "model": model_said(session.recipe),
            "train": train_said(session.runs, session.queue), "compare": compare_said(finished),
        })  # fmt: skip
        code = f"<pre>{escape(self.code)}</pre>"
        if code != self._code.value:
            self._code.value = code
            if self._still:
                self._still.update(self._bundle(), raw=True)

    def _toggle_code(self, change: Any) -> None:
        self._code.layout.display = "" if change["new"] else "none"

    def _bundle(self) -> dict[str, str]:
        script = ("<details><summary>the script so far</summary>"
                  f"<pre>{escape(self.code)}</pre></details>")
        facts = {step["title"]: step["said"] for step in self._header.steps if step["said"]}
        return {"text/plain": self.code, "text/html": html_card("Workbench", facts, body=script)}


def _session(root: Path, key: str | None) -> tuple[Session, Memory | None]:
    """Return what is done under a key, from this kernel or as an earlier one left it."""
    if key is None:
        return Session(root), None
    if (root, key) not in _KEPT:
        session = Session(root)
        _KEPT[root, key] = session, Memory(session, StateFile(root, key))
    return _KEPT[root, key]
