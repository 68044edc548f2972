"""What panels of two maps have in common: a thread that paints, a picture that stays."""

from __future__ import annotations

from abc import abstractmethod

import ipywidgets as widgets
import traitlets
from IPython.display import DisplayHandle, display

from workbench.widgets.cells import take_the_place
from workbench.widgets.comparing.worker import Worker


class MapPanel(traitlets.HasTraits):
    """A panel that a thread of its own paints.

    Args:
        worker: The thread.

    Attributes:
        box: The widget, to be put beside others.
    """

    box: widgets.Widget

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._still: DisplayHandle | None = None

    def show(self) -> None:
        """Show the panel; under it, as an output of its own, what a stored notebook keeps of it.

        That is a picture of both layers; the panel itself lives only as long as its kernel.
        """
        take_the_place(self)
        display(self.box)
        self._still = DisplayHandle()
        self._still.display({"text/plain": repr(self)}, raw=True)
        self._worker.ask("still", self._draw_still)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return whether everything asked for is shown, after `timeout_s` at the latest."""
        return self._worker.wait(timeout_s)

    def close(self) -> None:
        """Stop painting and take the panel away; the picture stays."""
        self._worker.close()
        # Not the maps: leaflet still listens to the window, and asks a map that is closed.
        self.box.close()

    def _ipython_display_(self) -> None:
        self.show()

    @abstractmethod
    def _draw_still(self) -> None:
        """Draw the picture anew; done in the thread."""
