"""The fourth step: which run holds up where, in a table and on maps."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from workbench.evaluation import Comparison, compare
from workbench.runs import Run
from workbench.widgets.app.parts import Step, empty, hint, problem
from workbench.widgets.app.queue import is_done
from workbench.widgets.app.rows import Rows
from workbench.widgets.app.session import Session
from workbench.widgets.comparing import CompareMap, compare_map
from workbench.widgets.latest import Latest
from workbench.widgets.telling import telling

_COMPUTING = "comparing…"


class CompareStep(Step):
    """The ticked runs that have finished, compared; what the others are is said.

    Args:
        session: What all steps share.
        rows: The list of runs.
    """

    def __init__(self, session: Session, rows: Rows) -> None:
        super().__init__(session)
        self._map: CompareMap | None = None
        self._of: tuple[str, ...] = ()
        self._worker = Latest(self._compare, pause_s=0.3)
        runs = widgets.VBox([rows], layout={"flex": "1 1 420px", "max_width": "640px",
                                            "min_width": "0"})
        self._table = widgets.VBox(layout={"flex": "2 1 560px", "min_width": "0"})
        self._table.add_class("wb-compared")
        upper = widgets.HBox([runs, self._table],
                             layout={"flex_flow": "row wrap", "grid_gap": "24px"})
        self._maps = widgets.VBox(layout={"margin": "10px 0 0"})
        self._whole = widgets.VBox([upper, self._maps])
        self._nothing = empty(
            session, "Nothing to compare yet",
            "Scores of regions that were trained on stand beside those of regions that were "
            "never seen, as soon as a run has finished.", "Train a model", "train")  # fmt: skip

    @property
    def runs(self) -> list[Run]:
        """The ticked runs that have finished."""
        return [run for run in self.session.ticked if is_done(run)]

    def fill(self) -> widgets.Widget:
        """Return table and maps, or the way to the first run."""
        if not any(map(is_done, self.session.runs)):
            return self._nothing
        runs = self.runs
        names = tuple(run.name for run in runs)
        if names != self._of:
            self._of = names
            if not runs:
                self._show(None, hint("Tick runs that have finished to compare them."))
            else:
                self._table.children = (hint(_COMPUTING),)
                self._worker.ask(runs)
        return self._whole

    def refresh(self) -> None:
        """Show how runs stand."""
        self.open()

    def wait(self) -> None:
        """Return when what is ticked is compared."""
        self._worker.wait()

    def close(self) -> None:
        """Stop computing and take the maps away."""
        super().close()
        if self._map:
            self._map.close()

    def _compare(self, runs: list[Run]) -> None:
        """Compare runs, in a thread."""
        with telling(lambda text: self._show(None, problem(text))):
            comparison = compare(runs)
            self._show(comparison, widgets.HTML(comparison._repr_html_()))
            with telling(self._no_map):
                self._show_map(compare_map(comparison))

    def _show(self, comparison: Comparison | None, said: widgets.Widget) -> None:
        self.session.comparison = comparison
        self._table.children = (said,)
        if comparison is None:
            self._maps.children = ()

    def _no_map(self, text: str) -> None:
        self._maps.children = (problem(text),)

    def _show_map(self, shown: CompareMap) -> None:
        before, self._map = self._map, shown
        self._maps.children = (shown.box,)
        if before:
            before.close()
        shown.observe(self._moved, "value")
        self._moved()

    def _moved(self, change: Any = None) -> None:
        if self._map:
            lines = self._map.code.split("\n")
            self.session.view = next(line for line in lines if line.startswith("wb.compare_map("))
