"""The third step: trainings one after the other, and the runs that are watched."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from workbench.errors import WorkbenchError
from workbench.runs import RunList
from workbench.training.preflight import check_split, require_reopening
from workbench.widgets.app.header import data_said, model_said
from workbench.widgets.app.parts import Step, empty, hint
from workbench.widgets.app.queue import is_done
from workbench.widgets.app.rows import Rows
from workbench.widgets.app.session import Session
from workbench.widgets.dashboard import Dashboard
from workbench.widgets.fields import problem_html

_LEFT = {"flex": "1 1 420px", "min_width": "0", "max_width": "640px"}
_RIGHT = {"flex": "3 1 620px", "min_width": "0"}


class TrainStep(Step):
    """What would be trained, the runs there are, and a dashboard of the ticked ones.

    Args:
        session: What all steps share.
        rows: The list of runs.
    """

    def __init__(self, session: Session, rows: Rows) -> None:
        super().__init__(session, "Continue to the comparison", "compare")
        self._plan, self._problem = widgets.HTML(), widgets.HTML()
        self._problem.add_class("wb-form")
        self._buttons = widgets.HBox([
            self._button("Train", "play", "primary", session.train,
                         "Train this recipe in a process of its own"),
            self._button("Train the baselines", "flag-checkered", "", session.train_baselines,
                         "Water indices where they fit, and a U-Net from nothing: what a model "
                         "has to beat"),
        ], layout={"flex_flow": "row wrap", "margin": "2px 0 6px"})  # fmt: skip
        self._watched = widgets.VBox(layout=_RIGHT)
        self._board: Dashboard | None = None
        self._shown: list[str] = []
        left = widgets.VBox([self._plan, self._buttons, self._problem, rows], layout=_LEFT)
        self._whole = widgets.HBox([left, self._watched],
                                   layout={"flex_flow": "row wrap", "grid_gap": "24px"})
        self._no_data = empty(session, "Choose data first",
                              "A training needs chips with labels, and regions to hold out.",
                              "Choose data", "data")  # fmt: skip

    def fill(self) -> widgets.Widget:
        """Return plan, runs and dashboard; without data the way to them, unless there are runs."""
        split, recipe = self.session.split, self.session.recipe
        if split is None and not len(self.session.runs):
            return self._no_data
        for button in self._buttons.children:
            button.disabled = split is None
        epochs = f"at most {recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''}"
        words = (f"<b>{escape(recipe.name)}</b><div>{escape(model_said(recipe))}, {epochs}</div>"
                 f"<div>{escape(data_said(split))}</div>")
        self._plan.value = (f'<div class="wb-plan">{words}</div>' if split else
                            '<div class="wb-hint">Choose data in step 1 to train more.</div>')
        self.watch()
        return self._whole

    def refresh(self) -> None:
        """Show how runs stand."""
        self.open()

    def ready(self) -> str:
        """Say what is to be done before runs are compared."""
        if any(map(is_done, self.session.ticked)):
            return ""
        if any(map(is_done, self.session.runs)):
            return "Tick the runs to compare."
        return "A comparison needs a run that has finished."

    def watch(self) -> None:
        """Show the ticked runs, all of them in one dashboard."""
        ticked = self.session.ticked
        names = [run.name for run in ticked]
        if names == self._shown and (self._board or not names):
            if not names and not self._watched.children:
                self._watched.children = (hint("Runs that are ticked are shown here as they go."),)
            return
        before, self._shown = self._board, names
        try:
            self._board = Dashboard(ticked[0] if len(ticked) == 1 else RunList(ticked)) \
                if names else None
        except WorkbenchError as error:
            self._board = None
            self._problem.value = problem_html(str(error))
        self._watched.children = (self._board.box,) if self._board else (
            hint("Runs that are ticked are shown here as they go."),)
        if self._board:
            self._board.follow()
        if before:
            before.close()

    def close(self) -> None:
        """Stop watching; trainings go on."""
        super().close()
        if self._board:
            self._board.close()

    def _button(self, words: str, icon: str, style: str, add: Callable[[], Any],
                about: str) -> widgets.Widget:
        button = widgets.Button(description=words, icon=icon, button_style=style, tooltip=about,
                                layout={"width": "auto"})
        button.on_click(lambda _: self._add(add))
        return button

    def _add(self, add: Callable[[], Any]) -> None:
        """Ask for a training; what is wrong with the data is said at once."""
        split = self.session.split
        self._problem.value = ""
        if split is None:
            return
        try:
            check_split(split)
            require_reopening(split.dataset)
            add()
        except WorkbenchError as error:
            self._problem.value = problem_html(str(error))
