"""The steps on top, each with a line of what it came to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.data import Split
from workbench.data.split import display_name
from workbench.recipe import Recipe
from workbench.runs import Run, RunList
from workbench.runs.run import LIVE
from workbench.widgets.app.queue import Queue, is_done, is_scoring, state_of

_FILES = Path(__file__).parents[1] / "browser"
TITLES = {"data": "Data", "model": "Model", "train": "Train", "compare": "Compare"}


class Header(anywidget.AnyWidget):
    """Steps to click.

    Args:
        opened: Called with the name of the step that is clicked.
    """

    _esm = (_FILES / "steps.js").read_text("utf-8")
    _css = (_FILES / "workbench.css").read_text("utf-8")

    steps: Any = traitlets.List().tag(sync=True)
    step = traitlets.Unicode().tag(sync=True)
    code = traitlets.Bool().tag(sync=True)

    def __init__(self, opened: Callable[[str], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, message, __: opened(message["open"]))

    def tell(self, said: dict[str, str]) -> None:
        """Show what each step came to; empty for one that is yet to be done."""
        steps = [{"name": name, "title": title, "said": said[name]}
                 for name, title in TITLES.items()]
        if steps != self.steps:
            self.steps = steps


def data_said(split: Split | None) -> str:
    """Return what is trained on, in a few words."""
    if split is None:
        return ""
    held = ", ".join(display_name(region) for region in split.hold_out)
    chips = sum(len(split.parts[part]) for part in ("train", "val", "test"))
    simulated = " (simulated)" if split.dataset.info.simulated else ""
    return (f"{split.dataset.info.name}{simulated} · {chips} chips"
            f"{f' · {held} held out' if held else ' · nothing held out'}")


def model_said(recipe: Recipe) -> str:
    """Return what is trained, in a few words."""
    return f"{recipe.backbone} · {type(recipe.peft).__name__} · {recipe.decoder}"


def train_said(runs: RunList, queue: Queue) -> str:
    """Return how trainings stand, in a few words."""
    done = sum(map(is_done, runs))
    words = [f"{done} finished" if done else ""]
    live = sum(state_of(run) in LIVE or is_scoring(run) for run in runs)
    words += [f"{live} under way" if live else "",
              f"{len(queue.waiting)} waiting" if queue.waiting else ""]  # fmt: skip
    return " · ".join(filter(None, words))


def compare_said(runs: list[Run]) -> str:
    """Return what is compared, in a few words."""
    return "" if not runs else f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
