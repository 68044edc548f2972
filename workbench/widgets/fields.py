"""One control for one field of an options model, chosen by the field's type alone."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable
from html import escape
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic.fields import FieldInfo

WIDE = {"width": "100%"}
Changed = Callable[[], None]


class Field:
    """A labelled control with its help below it and a message where its value is refused.

    Attributes:
        box: The widget to show.
    """

    def __init__(self, control: Any, about: str, parse: Callable[[Any], Any], changed: Changed,
                 shown: Callable[[Any], Any] = lambda value: value) -> None:
        self.control = control
        self._parse, self._shown, self._changed = parse, shown, changed
        self._quiet = False
        self._message = widgets.HTML()
        self.box = widgets.VBox([control, self._message, widgets.HTML(help_html(about))])
        self.box.add_class("wb-field")
        control.observe(self._on_change, "value")

    def read(self) -> Any:
        """Return what is in the control, which may be no valid value."""
        return self._parse(self.control.value)

    def write(self, value: Any) -> None:
        """Show a value without telling anybody."""
        self._quiet = True
        try:
            self.control.value = self._shown(value)
        finally:
            self._quiet = False

    def say(self, message: str) -> None:
        """Show why the value is refused; an empty message takes the last one away."""
        self._message.value = problem_html(message)

    def _on_change(self, change: Any) -> None:
        if not self._quiet:
            self._changed()


def make_field(name: str, info: FieldInfo, changed: Changed) -> Field:
    """Return the control for a field: a box to tick, a list, a number or text."""
    kinds = members(info.annotation)
    literals = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    label, about = name.replace("_", " "), explain(info)
    common = {"description": label, "layout": WIDE, "tooltip": about}
    if kinds == [bool]:
        control = widgets.Checkbox(description=label, indent=False, layout=WIDE, tooltip=about)
        return Field(control, about, lambda value: value, changed)
    if len(literals) and len(kinds) == 1:
        control = widgets.Dropdown(options=[(str(value), value) for value in literals], **common)
        return Field(control, about, lambda value: value, changed)
    if kinds == [int]:
        control = widgets.IntText(continuous_update=True, **common)
        return Field(control, about, lambda value: value, changed)
    empty = "default" if type(None) in kinds else ""
    if literals:
        control = widgets.Combobox(options=[str(value) for value in literals], placeholder=empty,
                                   continuous_update=True, **common)
    else:
        control = widgets.Text(placeholder=empty, **common)
    return Field(control, about, lambda text: parse(text, kinds), changed, text_of)


def members(annotation: Any) -> list[Any]:
    """Return the types that a field accepts, unions and annotations taken apart."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return members(get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in members(part)]
    return [annotation]


def parse(text: str, kinds: list[Any]) -> Any:
    """Return the value that text stands for in one of the types, else the text itself."""
    text = text.strip()
    if not text and type(None) in kinds:
        return None
    for kind in kinds:
        origin = get_origin(kind)
        if origin is Literal:
            chosen = [value for value in get_args(kind) if str(value) == text]
            if chosen:
                return chosen[0]
        elif origin is tuple:
            parts = [part for part in text.strip("()[]").split(",") if part.strip()]
            values = tuple(parse(part, members(get_args(kind)[0])) for part in parts)
            if str in get_args(kind) or not any(isinstance(value, str) for value in values):
                return values
        elif kind in (int, float):
            number = _number(text, kind)
            if number is not None:
                return number
    return text


def _number(text: str, kind: type[int] | type[float]) -> float | None:
    try:
        number = kind(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def text_of(value: Any) -> str:
    """Return the text that `parse` reads back."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def explain(info: FieldInfo) -> str:
    """Return a field's description with its range and its default."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [f"{said} {getattr(limit, name)}" for limit in info.metadata
              for name, said in words.items() if hasattr(limit, name)]
    default = text_of(info.get_default(call_default_factory=True))
    known = [f"default {default}"] if default else []
    said = ", ".join([*limits, *known])
    return f"{info.description or ''} {said[:1].upper()}{said[1:]}{'.' if said else ''}".strip()


def problem_html(message: str) -> str:
    """Return a message as the form shows it; nothing for none."""
    return f'<div class="wb-problem" role="alert">{escape(message)}</div>' if message else ""


def help_html(text: str) -> str:
    """Return help as the form shows it."""
    return f'<div class="wb-help">{escape(text)}</div>'
