"""dashboard: one or several runs seen live, whoever trains them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle

from workbench.errors import DataError, WorkbenchError
from workbench.plots import preview
from workbench.runs import Run, RunList, open_run
from workbench.runs.preview import PREVIEW
from workbench.widgets.board import Board
from workbench.widgets.cells import take_the_place
from workbench.widgets.following import Follower, Line
from workbench.widgets.picture import drawn, summary
from workbench.widgets.telling import telling
from workbench.widgets.tiles import tiles

# Twice as often as is needed to see a run move; a look reads what is new in one file.
EVERY_S = 0.5
# A run that has ended may be resumed, here or by anybody.
REST_S = 2.0
# The still picture takes a quarter of a second to draw, in a kernel that others want to use.
PICTURE_EVERY_S = 20.0
_SHARE = 0.02

AnyRun = Run | str | Path


def dashboard(runs: AnyRun | Sequence[AnyRun]) -> Dashboard:
    """Show one or several runs live: curves, memory, speed, sample chips, and buttons to steer.

    It is a view on run folders: of runs that this kernel, another one or a terminal trains, and
    of runs that are over. Put it at the end of a cell; run the cell again after a restart.

    Args:
        runs: A run, its folder, or several of them to compare.

    Returns:
        The dashboard, which shows itself; its `value` is the run, or the runs.

    Raises:
        RunError: A folder is no run folder.
        DataError: There are no runs.
    """
    if isinstance(runs, (Run, str, Path)):
        return Dashboard(_opened(runs))
    if not isinstance(runs, Iterable):
        raise DataError(f"{runs!r} is neither a run nor the folder of one, nor a list of those.")
    return Dashboard(RunList([_opened(run) for run in runs]))


def _opened(run: AnyRun) -> Run:
    return run if isinstance(run, Run) else open_run(run)


class Dashboard:
    """A view on run folders that keeps itself up to date until it is closed.

    Attributes:
        value: The run, or the runs.
        code: The line that it stands for.
        widget: What the browser draws.
    """

    def __init__(self, value: Run | RunList, *, buttons: bool = True) -> None:
        self.value = value
        runs = [value] if isinstance(value, Run) else list(value)
        if not runs:
            raise DataError("There are no runs to show. wb.list_runs() lists those of `runs`.")
        self._runs = [Run(run.folder) for run in runs]
        self._followers = [Follower(run) for run in runs]
        self.code = _code(value)
        self.widget = Board(self._followers, self.code, buttons, self._ask)
        self._lock = threading.RLock()
        self._previews: list[int | None] = []
        self._chips = preview.data([])
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._still: DisplayHandle | None = None
        self._still_epochs, self._still_words = -1, ""
        self._still_next = 0.0
        self.refresh(now=True)

    def refresh(self, *, now: bool = False) -> bool:
        """Show what the folders say; return whether there may be more to come.

        Args:
            now: Show it even if little time has passed since the last look.
        """
        with self._lock:
            if self._closed.is_set():
                return False
            for follower in self._followers:
                follower.read()
            busy = any(follower.busy for follower in self._followers)
            self.widget.show(now=now or not busy)
            if self.widget.takes_chips or not busy:
                self._show_chips()
            return busy

    @property
    def box(self) -> Board:
        """The widget, to be put beside others; `follow` keeps it up to date."""
        return self.widget

    def follow(self) -> None:
        """Keep the widget up to date, in a thread, until it is closed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="workbench-dashboard",
                                            daemon=True)
            self._thread.start()

    def picture(self) -> bytes | None:
        """Return the dashboard as a still picture (PNG), None before the first step."""
        with self._lock:
            return drawn(self._followers, self._chips)

    def close(self) -> None:
        """Stop looking and take the widget away; the still picture stays."""
        self._closed.set()
        with self._lock:  # not in the middle of a look
            self.widget.close()

    def _ask(self, place: int, wish: str) -> None:
        try:
            self._followers[place].ask(wish)
        except WorkbenchError as error:
            self._warn(str(error), place)
        self.refresh(now=True)

    def _warn(self, text: str, place: int = 0) -> None:
        self._followers[place].log.append(Line(time.time(), "warning", text))

    def _show_chips(self) -> None:
        readable = [run for run, follower in zip(self._runs, self._followers, strict=True)
                    if not follower.trouble]
        written = [_modified(run.folder / PREVIEW) for run in readable]
        if not readable or written == self._previews:
            return
        self._previews = written
        try:
            self._chips = preview.data(readable)
        except WorkbenchError as error:
            self._warn(f"No sample chips: {error}")
            self.widget.show(now=True)
            return
        self.widget.show_chips(tiles(self._chips))

    def _ipython_display_(self) -> None:
        """Show the widget, and the still picture as an output of its own below it."""
        shell = get_ipython()
        if shell is None or not hasattr(shell, "kernel"):
            print(repr(self))
            return
        take_the_place(self)
        DisplayHandle().display(self.widget)
        self._still = DisplayHandle()
        self._draw(self._still.display)
        self.follow()

    def _follow(self) -> None:
        with telling(self._tell_the_end):
            busy = True
            while not self._closed.wait(EVERY_S if busy else REST_S):
                busy = self.refresh()
                if self._still and self._outdated(busy):
                    self._draw(self._still.update)

    def _outdated(self, busy: bool) -> bool:
        """Return whether the still picture is to be drawn again: at the end in any case."""
        if not busy:
            return repr(self) != self._still_words
        return self._num_epochs() != self._still_epochs and time.monotonic() > self._still_next

    def _tell_the_end(self, text: str) -> None:
        """Say that nobody looks any more; the curves that are shown are not the newest."""
        with self._lock:
            self._warn(f"{text} This view has stopped looking; run its cell again.")
            self.widget.show(now=True)

    def _draw(self, display: Callable[..., Any]) -> None:
        begin = time.monotonic()
        self._still_epochs, self._still_words = self._num_epochs(), repr(self)
        display(still_bundle(self), raw=True)
        end = time.monotonic()
        self._still_next = end + max(PICTURE_EVERY_S, (end - begin) / _SHARE)

    def _num_epochs(self) -> int:
        return sum(len(follower.epochs) for follower in self._followers)

    def __repr__(self) -> str:
        return "\n".join(filter(None, (words for follower in self._followers
                                       for words in (summary(follower), follower.trouble))))


def still_bundle(board: Dashboard) -> dict[str, Any]:
    """Return the still picture as a notebook keeps it."""
    png = board.picture()
    return {"text/plain": repr(board)} | ({} if png is None else {"image/png": png})


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _code(value: Run | RunList) -> str:
    if isinstance(value, Run):
        return f"run = wb.open_run({str(value.folder)!r})\nwb.dashboard(run)"
    opened = ", ".join(f"wb.open_run({str(run.folder)!r})" for run in value)
    return f"run = [{opened}]\nwb.dashboard(run)"
