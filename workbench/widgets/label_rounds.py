"""Rounds of training in a thread of their own; the kernel and the map stay free."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from workbench.data.labels import Labels
from workbench.errors import WorkbenchError
from workbench.labelling import LabelProbe
from workbench.labelling.probe import Area
from workbench.models.segmenter import Segmenter
from workbench.recipe import Recipe
from workbench.widgets.latest import Latest

# Pixels that are mapped as a whole in seconds; of larger rasters the part in sight is.
LARGEST_WHOLE = 1_500_000


@dataclass(frozen=True)
class Round:
    """A model and its map, and how long both took."""

    model: Segmenter
    prediction: xr.Dataset
    seconds: float


class Rounds:
    """Trains on the newest labels when asked; what was asked for meanwhile is done once.

    Args:
        labels: What is trained on.
        recipe: As for `wb.fit_labels`.
        told: Called with what goes on, and the share that is done (0 to 1).
        done: Called with each round.
        failed: Called with a message for people.
    """

    def __init__(self, labels: Labels, recipe: Recipe, *, told: Callable[[str, float], None],
                 done: Callable[[Round], None], failed: Callable[[str], None]) -> None:
        self._labels, self._recipe = labels, recipe
        self._told, self._done, self._failed = told, done, failed
        self._probe: LabelProbe | None = None
        self._latest = Latest(self._work, pause_s=0.05)

    def ask(self, view: Area) -> None:
        """Ask for a round; `view` is the part of the raster in sight."""
        self._latest.ask(view)

    def wait(self) -> None:
        """Return when every round asked for is done."""
        self._latest.wait()

    def _work(self, view: Area) -> None:
        begun = time.perf_counter()
        try:
            if self._probe is None:
                self._told("loading the backbone…", 0.0)
                self._probe = LabelProbe(self._labels, self._recipe)
            model = self._probe.fit(self._telling("features under the labels", 0.0, 0.5))
            prediction = self._probe.predict(model, self._area(self._probe, view),
                                             self._telling("map", 0.5, 1.0))
        except WorkbenchError as error:
            self._failed(str(error))
            return
        except Exception as error:  # a thread has no cell below it: its errors are told here
            self._failed(f"{type(error).__name__}: {error}")
            return
        self._done(Round(model, prediction, time.perf_counter() - begun))

    def _area(self, probe: LabelProbe, view: Area) -> Area | None:
        raster = self._labels.imagery.raster
        if raster.height * raster.width <= LARGEST_WHOLE:
            return None
        top, left, height, width = view
        side = int(LARGEST_WHOLE**0.5)
        # The middle of the view, no more than is mapped in seconds.
        rows, cols = min(height, side), min(width, side)
        return probe.snapped((top + (height - rows) // 2, left + (width - cols) // 2, rows, cols))

    def _telling(self, what: str, start: float, end: float) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            self._told(f"{what} {done} of {total}", start + (end - start) * done / max(total, 1))

        return tell
