"""The widget of a dashboard: state of a few kilobytes, drawn by the browser.

All that the browser needs is in the widget's state, none of it in messages that could be missed:
a page that is reloaded and a second tab show the whole history. So that little is sent, the
curves of a run are in two parts, a long one that is sent now and then and a short one with what
is new since, sent at every look.
"""

from __future__ import annotations

import itertools
import json
import operator
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.data.split import display_name
from workbench.widgets.following import Follower, Line

_FILES = Path(__file__).parent / "browser"
# Bytes a second that a dashboard may send on average, of numbers and of sample chips: epochs of a
# second with their chips shall not hold up the numbers.
BUDGET = 25_000
CHIPS_BUDGET = 15_000
# What is new is sent again and again until it is as long as this, then it joins the long part.
_LONGEST_TAIL = 6_000


class Board(anywidget.AnyWidget):
    """One or several runs in one view.

    Args:
        followers: The runs.
        code: The line that the dashboard stands for.
        buttons: Whether there is someone who hears them.
        asked: Called with the place of a run and a wish when a button is pressed.
    """

    _esm = "\n".join((_FILES / name).read_text("utf-8")
                     for name in ("element.js", "chart.js", "board.js"))
    _css = (_FILES / "board.css").read_text("utf-8")

    code = traitlets.Unicode().tag(sync=True)
    buttons = traitlets.Bool().tag(sync=True)
    runs: Any = traitlets.List().tag(sync=True)
    lines: Any = traitlets.List().tag(sync=True)
    chips = traitlets.Dict().tag(sync=True)

    def __init__(self, followers: Sequence[Follower], code: str, buttons: bool,
                 asked: Callable[[int, str], None]) -> None:
        self._feeds = [Feed(follower) for follower in followers]
        super().__init__(code=code, buttons=buttons)
        # A trait for each run: one that has ended is not sent again because another goes on.
        self.add_traits(**{
            f"{part}{place}": traitlets.Dict().tag(sync=True)
            for place in range(len(followers)) for part in ("base", "tail")
        })  # fmt: skip
        self._next = self._chips_next = 0.0
        self.on_msg(lambda _, message, __: asked(message["run"], message["wish"]))

    def __repr__(self) -> str:
        """Return what stands in a notebook where widgets cannot be had."""
        return f"{', '.join(feed.follower.name for feed in self._feeds)}: the last picture is below"

    def show(self, *, now: bool = False) -> None:
        """Send what is new, if it is time or `now`."""
        if not now and time.monotonic() < self._next:
            return
        state: dict[str, Any] = {
            "runs": [_status(feed.follower) for feed in self._feeds],
            "lines": _lines([feed.follower for feed in self._feeds]),
        }
        for place, feed in enumerate(self._feeds):
            base, tail = feed.parts()
            state |= {f"base{place}": base, f"tail{place}": tail}
        self._next = max(self._next, time.monotonic()) + self._give(state) / BUDGET

    @property
    def takes_chips(self) -> bool:
        """Return whether it is time for new sample chips."""
        return time.monotonic() >= self._chips_next

    def show_chips(self, chips: dict[str, Any]) -> None:
        """Send new sample chips."""
        self._chips_next = time.monotonic() + self._give({"chips": chips}) / CHIPS_BUDGET

    def _give(self, state: dict[str, Any]) -> int:
        """Send what has changed; return how many bytes that are."""
        changed = {name: value for name, value in state.items() if getattr(self, name) != value}
        if not changed:
            return 0
        with self.hold_sync():
            for name, value in changed.items():
                setattr(self, name, value)
        return len(json.dumps(changed))


class Feed:
    """The curves of one run in their two parts."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self._base: dict[str, list[Any]] = {"steps": [], "epochs": []}
        self._version = (0, 0)

    def parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the long part, and the short one with the place where it goes on."""
        follower = self.follower
        version = (follower.times_begun, follower.steps.generation)
        if version != self._version:
            self._version = version
            self._renew()
        tail = self._tail()
        if len(json.dumps(tail)) > _LONGEST_TAIL:
            self._renew()
            tail = self._tail()
        return self._base, tail

    def _renew(self) -> None:
        settled = self.follower.steps.rows[: self.follower.steps.settled]
        self._base = {"steps": _rounded(settled), "epochs": _rounded(self.follower.epochs)}

    def _tail(self) -> dict[str, Any]:
        steps, epochs = len(self._base["steps"]), len(self._base["epochs"])
        return {"steps": _rounded(self.follower.steps.rows[steps:]), "steps_from": steps,
                "epochs": _rounded(self.follower.epochs[epochs:]), "epochs_from": epochs}


def _status(follower: Follower) -> dict[str, Any]:
    return {
        "name": follower.name, "state": follower.state, "live": follower.live,
        "headline": follower.headline(), "progress": round(follower.progress(), 3),
        "facts": follower.facts(), "wish": follower.wish, "notice": follower.notice(),
        "epochs": follower.epochs_planned, "capacity": follower.capacity_bytes,
        "regions": [display_name(name) for name in follower.regions],
        "held_out": [display_name(name) for name in follower.held_out],
        "unwatched": [display_name(name) for name in follower.unwatched],
        "classes": follower.classes,
    }  # fmt: skip


def _lines(followers: Sequence[Follower]) -> list[dict[str, Any]]:
    found: list[tuple[float, Line, str]] = []
    for follower in followers:
        # Each run in its own order, also where its clock was put back.
        times = itertools.accumulate((line.time for line in follower.log), max)
        found += [(when, line, follower.name)
                  for when, line in zip(times, follower.log, strict=True)]
    found.sort(key=operator.itemgetter(0))
    return [{"time": round(line.time), "level": line.level, "text": line.text, "run": name}
            for _, line, name in found[-100:]]


def _rounded(value: Any) -> Any:
    """Five digits are more than any screen shows."""
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
