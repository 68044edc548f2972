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


class Sides:
    """The menus above two maps: the layer of each, and whether they lie in one with a swipe.

    Args:
        names: Names of the layers.
        changed: Called with what was changed: `left`, `right` or `swipe`.
        opacity: Stands between them.
    """

    def __init__(self, names: Sequence[str], changed: Callable[..., object],
                 opacity: widgets.Widget) -> None:
        self._changed, self._quiet = changed, False
        self.left, self.right = (_menu("", names, "190px") for _ in ("left", "right"))
        for menu, side in ((self.left, "left"), (self.right, "right")):
            menu.tooltip = f"What the {side} side shows"
        self.swipe = widgets.ToggleButtons(
            options=[("two maps", False), ("swipe", True)], style={"button_width": "98px"},
            tooltips=["Two maps that move together", "One map with a handle between the layers"])
        for name in ("left", "right", "swipe"):
            getattr(self, name).observe(
                lambda change, name=name: self._tell(name, change["new"]), "value")
        self.box = _row(self.left, self.swipe, opacity, self.right)
        self.box.add_class("wb-sides")

    def show(self, left: str, right: str, swipe: bool) -> None:
        """Show what is chosen without telling anybody."""
        self._quiet = True
        self.left.value, self.right.value, self.swipe.value = left, right, swipe
        self._quiet = False

    def _tell(self, name: str, value: Any) -> None:
        if not self._quiet:
            self._changed(**{name: value})


class Status:
    """A line that says what is being done, or what went wrong."""

    def __init__(self) -> None:
        self.box = widgets.HTML()

    def say(self, text: str) -> None:
        """Say what is being done; what went wrong stays until `forget`."""
        if "wb-problem" not in self.box.value:
            self.box.value = f'<span class="wb-busy">{escape(text)}</span>' if text else ""

    def fail(self, text: str) -> None:
        """Say what went wrong."""
        self.box.value = f'<span class="wb-problem">{escape(text)}</span>'

    def forget(self) -> None:
        """Take away what was said."""
        self.box.value = ""


def code_button(code: widgets.Widget) -> widgets.Widget:
    """Return the button that shows and hides the lines of Python."""
    code.layout.display = "none"
    shown = widgets.ToggleButton(description="Code", icon="code", layout={"width": "90px"},
                                 tooltip="The lines of Python that show this view")
    shown.observe(lambda change: setattr(code.layout, "display",
                                         "" if change["new"] else "none"), "value")
    shown.add_class("wb-last")
    return shown


class Controls:
    """Menus that show a view and change it.

    Args:
        atlas: What there is to choose from.
        changed: Called with the fields of the view that were changed.

    Attributes:
        top: What is measured, where, and what the panel is busy with.
        sides: The layer of each map, and how they lie.
        status: What the panel is busy with.
    """

    def __init__(self, atlas: Atlas, changed: Callable[..., object], opacity: widgets.Widget,
                 code: widgets.Widget) -> None:
        self._changed, self._quiet = changed, False
        self._runs = _menu("score", [(str(measure), _runs(measure)) for measure in
                                       measures(atlas.comparison.runs)], "300px")
        held_out = set(atlas.chips.loc[atlas.chips["part"] == "held_out", "region"])
        # A menu whose value is None shows nothing at all.
        self._region = _menu("region", [(_EVERYWHERE, ""), *(
            (display_name(name) + (" (held out)" if name in held_out else ""), name)
            for name in atlas.regions)], "250px")
        self._seed = _menu("seed", [*atlas.seeds] or [("", None)], "120px")
        self._seed.tooltip = "The run of this seed is shown, where there are several"
        self._seed.layout.display = None if atlas.seeds else "none"
        self._sides = Sides(layers(atlas), changed, opacity)
        for name in ("runs", "region", "seed"):
            getattr(self, f"_{name}").observe(
                lambda change, name=name: self._tell(name, change["new"]), "value")
        self._head, self.status = widgets.HTML(), Status()
        self.top = _row(self._runs, self._region, self._seed, self._head, self.status.box,
                        code_button(code))
        self.sides = self._sides.box

    def show(self, view: View) -> None:
        """Show a view without telling anybody."""
        self._quiet = True
        self._runs.value = view.runs
        self._region.value, self._seed.value = view.region or "", view.seed
        self._quiet = False
        self._sides.show(view.left, view.right, view.swipe)

    def head(self, words: Sequence[str]) -> None:
        """Say which chip is shown."""
        self._head.value = ('<div class="wb-chip-name"><b>' + escape(words[0]) + "</b> "
                            + escape(" · ".join(words[1:])) + "</div>")

    def _tell(self, name: str, value: Any) -> None:
        if not self._quiet:
            self._changed(**{name: None if value == "" else value})


def _runs(measure: Any) -> tuple[str, ...]:
    return (measure.run,) if measure.other is None else (measure.run, measure.other)


def _menu(name: str, options: Sequence[Any], width: str) -> widgets.Widget:
    return widgets.Dropdown(options=list(options), description=name,
                            style={"description_width": "auto"},
                            layout={"width": width, "flex": "0 1 auto", "min_width": "130px"})


def _row(*children: widgets.Widget) -> widgets.Widget:
    return widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center",
                                          "width": "100%"})
