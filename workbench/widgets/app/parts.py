"""What every step is made of: its content, and below it the way to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape

import ipywidgets as widgets

from workbench.widgets.app.session import Session
from workbench.widgets.fields import problem_html


class Step(ABC):
    """One step; its content is made when it is first opened.

    Args:
        session: What all steps share.
        onward: What the button to the next step says.
        then: The next step; empty for the last.

    Attributes:
        box: The widget to show.
    """

    def __init__(self, session: Session, onward: str = "", then: str = "") -> None:
        self.session = session
        self._content = widgets.VBox()
        self._said = widgets.HTML(layout={"flex": "1 1 0", "min_width": "0"})
        self._onward = widgets.Button(description=onward, icon="arrow-right",
                                      layout={"width": "auto", "flex": "0 0 auto"})
        self._onward.on_click(lambda _: setattr(session, "step", then))
        foot = [self._said, self._onward] if then else []
        self.box = widgets.VBox([self._content])
        if foot:
            bar = widgets.HBox(foot)
            bar.add_class("wb-step-foot")
            self.box.children = (self._content, bar)
        self.box.add_class("wb-step")

    def open(self) -> None:
        """Show what the step is now."""
        content = self.fill()
        if self._content.children != (content,):
            self._content.children = (content,)
        self.tell()

    def tell(self) -> None:
        """Say what is to be done before the next step."""
        missing = self.ready()
        self._said.value = escape(missing)
        self._onward.disabled = bool(missing)
        self._onward.button_style = "" if missing else "primary"

    @abstractmethod
    def fill(self) -> widgets.Widget:
        """Return the content."""

    def ready(self) -> str:
        """Say what is to be done before the next step; nothing when all is."""
        return ""

    def refresh(self) -> None:
        """Show how runs stand, again and again while the step is open."""
        return

    def leave(self) -> None:
        """Another step is opened."""
        return

    def close(self) -> None:
        """The Workbench is taken away."""
        self.leave()


def hint(text: str) -> widgets.Widget:
    """Return a quiet line."""
    return widgets.HTML(f'<div class="wb-hint">{escape(text)}</div>')


def problem(text: str) -> widgets.Widget:
    """Return a line that says what went wrong."""
    return widgets.HTML(f'<div class="wb-form">{problem_html(text)}</div>')


def empty(session: Session, title: str, text: str, button: str, step: str) -> widgets.Widget:
    """Return what stands where nothing is yet: what to do first, and the way there."""
    words = widgets.HTML(f"<b>{escape(title)}</b><p>{escape(text)}</p>")
    way = widgets.Button(description=button, button_style="primary",
                         layout={"width": "auto", "margin": "12px 0 0",
                                 "align_self": "flex-start"})
    way.on_click(lambda _: setattr(session, "step", step))
    box = widgets.VBox([words, way])
    box.add_class("wb-empty")
    return box
