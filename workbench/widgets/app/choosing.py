"""The first two steps: data on a map, and a recipe by form."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from workbench.data import Split
from workbench.widgets.app.parts import Step, hint
from workbench.widgets.app.script import same
from workbench.widgets.app.session import Session
from workbench.widgets.configure import Configure
from workbench.widgets.picker import Picker, Source


class DataStep(Step):
    """What exists, and a split made on the map."""

    def __init__(self, session: Session, source: Source) -> None:
        super().__init__(session, "Continue to the model", "model")
        self._source = source
        self._picker: Picker | None = None

    def fill(self) -> widgets.Widget:
        """Return the map, which is made once and goes on from what is picked."""
        if self._picker is None:
            source, picked = self._source, self.session.picked
            if picked and isinstance(source, Split):
                source = picked.plan.source
            self._picker = Picker(source, picked=picked)
            self._picker.observe(lambda _: self._take(), "value")
            self._take()
        return self._picker.box

    def ready(self) -> str:
        """Say what is to be done before the next step."""
        if self.session.split is None:
            return ("Open a collection – the simulated floods need no download – and say which "
                    "regions training shall never see.")
        return ""

    def wait(self) -> None:
        """Return when what is being opened is open and audited."""
        if self._picker:
            self._picker.wait()

    def close(self) -> None:
        """Leave a map whose data are still being opened: another one takes its place."""
        super().close()
        if self._picker:
            self._picker.unobserve_all()

    def _take(self) -> None:
        assert self._picker is not None
        self.session.picked = self._picker.picked
        # Shown again, the map makes the same split anew: nothing has changed.
        split, known = self._picker.value, self.session.split
        if split is None or known is None or not same(split, known):
            self.session.split = split
        self.tell()


class ModelStep(Step):
    """A recipe, the drawing of its model and what training it costs."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Continue to training", "train")
        self._panel: Configure | None = None
        self._of: Split | None = None

    def fill(self) -> widgets.Widget:
        """Return the form, which goes on from the recipe and is made anew for other data."""
        split = self.session.split
        if self._panel is None or self._of is not split:
            if self._panel is not None:
                self._panel.close()
                self._panel.unobserve_all()
            self._panel, self._of = Configure(split, self.session.recipe), split
            self._panel.observe(self._took, "value")
        elif self._panel.value != self.session.recipe:
            self._panel.value = self.session.recipe
        self._panel.tell_costs()
        if split is None:
            told = hint("What training costs is told once data are chosen in step 1.")
            return widgets.VBox([told, self._panel.box])
        return self._panel.box

    def leave(self) -> None:
        """End the process that costs are estimated in: trainings want the memory."""
        if self._panel is not None:
            self._panel.close()

    def _took(self, change: Any) -> None:
        self.session.recipe = change["new"]
