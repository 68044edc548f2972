"""The menus of the comparison map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from workbench.data.split import display_name
from workbench.evaluation.atlas import Atlas
from workbench.plots.measures import measures
from workbench.widgets.comparing.view import View, layers

_EVERYWHERE = "all regions"


class Controls:
    """Menus that show a view and change it.

    Args:
        atlas: What there is to choose from.
        changed: Called with the fields of the view that were changed.

    Attributes:
        top: What is measured, where, and what the panel is busy with.
        sides: The layer of each map, and how they lie.
    """

    def __init__(self, atlas: Atlas, changed: Callable[..., object], opacity: widgets.Widget,
                 code: widgets.Widget) -> None:
        self._changed, self._quiet = changed, False
        self._runs = _menu("score", [(str(measure), _runs(measure)) for measure in
                                       measures(atlas.comparison.runs)], "300px")
        held_out = set(atlas.chips.loc[atlas.chips["part"] == "held_out", "region"])
        self._region = _menu("region", [(_EVERYWHERE, None), *(
            (display_name(name) + (" (held out)" if name in held_out else ""), name)
            for name in atlas.regions)], "250px")
        names = layers(atlas)
        self._left, self._right = (_menu("", names, "190px") for _ in ("left", "right"))
        for menu, side in ((self._left, "left"), (self._right, "right")):
            menu.tooltip = f"What the {side} side shows"
        self._swipe = widgets.ToggleButtons(
            options=[("two maps", False), ("swipe", True)], style={"button_width": "78px"},
            tooltips=["Two maps that move together", "One map with a handle between the layers"])
        for name in ("runs", "region", "left", "right", "swipe"):
            getattr(self, f"_{name}").observe(
                lambda change, name=name: self._tell(name, change["new"]), "value")
        self._head, self._status = widgets.HTML(), widgets.HTML()
        shown = widgets.ToggleButton(description="Code", icon="code", layout={"width": "90px"},
                                     tooltip="The lines of Python that show this view")
        shown.observe(lambda change: setattr(code.layout, "display",
                                             "" if change["new"] else "none"), "value")
        code.layout.display = "none"
        shown.add_class("wb-last")
        self.top = _row(self._runs, self._region, self._head, self._status, shown)
        self.sides = _row(self._left, self._swipe, opacity, self._right)
        self.sides.add_class("wb-sides")

    def show(self, view: View) -> None:
        """Show a view without telling anybody."""
        self._quiet = True
        self._runs.value = view.runs
        for name in ("region", "left", "right", "swipe"):
            getattr(self, f"_{name}").value = getattr(view, name)
        self._quiet = False

    def head(self, words: Sequence[str]) -> None:
        """Say which chip is shown."""
        self._head.value = ('<div class="wb-chip-name"><b>' + escape(words[0]) + "</b> "
                            + escape(" · ".join(words[1:])) + "</div>")

    def say(self, text: str) -> None:
        """Say what is being done; what went wrong stays until `forget`."""
        if "wb-problem" not in self._status.value:
            self._status.value = f'<span class="wb-busy">{escape(text)}</span>' if text else ""

    def fail(self, text: str) -> None:
        """Say what went wrong."""
        self._status.value = f'<span class="wb-problem">{escape(text)}</span>'

    def forget(self) -> None:
        """Take away what was said."""
        self._status.value = ""

    def _tell(self, name: str, value: Any) -> None:
        if not self._quiet:
            self._changed(**{name: value})


def _runs(measure: Any) -> tuple[str, ...]:
    return (measure.run,) if measure.other is None else (measure.run, measure.other)


def _menu(name: str, options: Sequence[Any], width: str) -> widgets.Widget:
    return widgets.Dropdown(options=list(options), description=name,
                            style={"description_width": "auto"},
                            layout={"width": width, "flex": "0 1 auto", "min_width": "130px"})


def _row(*children: widgets.Widget) -> widgets.Widget:
    return widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center",
                                          "width": "100%"})
