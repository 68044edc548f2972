"""Where a training is shown: a picture in a notebook, a bar in a terminal, nowhere else."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from typing import Protocol

from workbench.console import TerminalView
from workbench.events import Event
from workbench.runs import Run


class View(Protocol):
    """Where events are shown while a training goes on."""

    def update(self, event: Event) -> None:
        """Take in an event."""

    def close(self) -> None:
        """Leave the last state standing."""


class Unseen:
    """A view that nobody looks at."""

    def update(self, event: Event) -> None:
        """Take in an event."""

    def close(self) -> None:
        """Leave nothing."""


def shown(run: Run, show: bool | None) -> contextlib.closing[View]:
    """Return where the events of a run are shown, to be closed at the end of a `with`.

    Args:
        run: Whose events they are.
        show: True shows them, False nothing, None shows them where a person looks on.
    """
    if show is False or (show is None and not in_notebook() and not sys.stderr.isatty()):
        return contextlib.closing(Unseen())
    return contextlib.closing(view_of(run))


def view_of(run: Run) -> View:
    """Return the view that suits the place: an output of a notebook, or the terminal."""
    if in_notebook() and importlib.util.find_spec("anywidget"):
        from workbench.widgets.live import LiveView

        return LiveView(run)
    return TerminalView(run.folder)


def in_notebook() -> bool:
    """Return whether this is an IPython kernel, without importing IPython."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")
