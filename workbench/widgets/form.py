"""A form made from an options model: what the model says is all that the form knows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ipywidgets as widgets

from workbench.errors import WorkbenchError
from workbench.options import Choice, Options
from workbench.widgets.fields import (
    WIDE,
    Changed,
    Field,
    explain,
    help_html,
    make_field,
    members,
    problem_html,
)

INVALID = object()
Maker = Callable[[Changed], Any]


class OptionsForm:
    """The fields of an options model below each other.

    Args:
        model: Its fields are shown in their order; every one has a default.
        changed: Called after every change, valid or not.
        makers: Controls of our own for some fields, with the methods of `Field`.

    Attributes:
        fields: The controls by the names of the fields.
        message: What is wrong with fields that are right each by itself.
        box: The widget to show: all fields, then the message.
    """

    def __init__(self, model: type[Options], changed: Changed,
                 makers: Mapping[str, Maker] = {}) -> None:
        self.model = model
        self.fields: dict[str, Any] = {
            name: makers[name](changed) if name in makers else _field(name, info, changed)
            for name, info in model.model_fields.items()
        }
        self._valid = model()
        self.message = widgets.HTML()
        self.box = widgets.VBox([*(field.box for field in self.fields.values()), self.message])
        self.write(self._valid)

    def read(self) -> Any:
        """Return the options, or `INVALID` after saying beside each field what is wrong."""
        found = {name: field.read() for name, field in self.fields.items()}
        problem = ""
        if INVALID not in found.values():
            try:
                self._valid = self.model(**found)
            except WorkbenchError as error:
                problem = self._without_name(error)
        elsewhere = INVALID in found.values()
        single = {name: self._problem(name, value) if problem or elsewhere else ""
                  for name, value in found.items()}
        for name, message in single.items():
            self.fields[name].say(message)
        self.say("" if any(single.values()) else problem)
        return INVALID if problem or elsewhere else self._valid

    def write(self, value: Options) -> None:
        """Show options without telling anybody."""
        self._valid = value
        for name, field in self.fields.items():
            field.write(getattr(value, name))
            field.say("")
        self.say("")

    def say(self, message: str) -> None:
        """Show what is wrong with fields that are right each by itself."""
        self.message.value = problem_html(message)

    def _problem(self, name: str, value: Any) -> str:
        """Return what is wrong with one field where all others are as they last were right."""
        if value is INVALID:
            return ""  # said further inside
        try:
            self.model(**{**dict(self._valid), name: value})
        except WorkbenchError as error:
            return self._without_name(error)
        return ""

    def _without_name(self, error: WorkbenchError) -> str:
        return str(error).removeprefix(f"{self.model.__name__}: ")


class ChoiceField:
    """One of several kinds of options, and the form of the chosen one's.

    Args:
        label: What is chosen.
        base: All registered kinds derive from it.
        about: Help.
        changed: Called after every change.

    Attributes:
        kinds: All there are, by name.
        box: The widget to show.
    """

    def __init__(self, label: str, base: type[Choice], about: str, changed: Changed) -> None:
        self.kinds = {kind.kind: kind for kind in sorted(_kinds(base), key=lambda k: k.kind)}
        self._forms: dict[str, OptionsForm] = {}
        self._changed = changed
        self._quiet = False
        self.control = widgets.Dropdown(options=self._options(self.kinds), description=label,
                                        layout=WIDE, tooltip=about)
        self._message, self._summary = widgets.HTML(), widgets.HTML()
        self._inner = widgets.VBox()
        self._inner.add_class("wb-inner")
        self.box = widgets.VBox([self.control, self._message, self._summary, self._inner])
        self.box.add_class("wb-field")
        self.control.observe(self._on_change, "value")
        self._show()

    @property
    def form(self) -> OptionsForm:
        """The form of the kind that is chosen; it is kept when another is."""
        kind = self.control.value
        if kind not in self._forms:
            self._forms[kind] = OptionsForm(self.kinds[kind], self._changed)
        return self._forms[kind]

    def read(self) -> Any:
        """Return the options, or `INVALID`."""
        return self.form.read()

    def write(self, value: Choice) -> None:
        """Show options without telling anybody."""
        self._quiet = True
        try:
            if value.kind not in [kind for _, kind in self.control.options]:
                self.offer([*(kind for _, kind in self.control.options), value.kind])
            self.control.value = value.kind
        finally:
            self._quiet = False
        self._show()
        self.form.write(value)

    def say(self, message: str) -> None:
        """Show why the choice is refused."""
        self._message.value = problem_html(message)

    def offer(self, kinds: list[str]) -> None:
        """Offer these kinds only, and the one that is chosen."""
        kept = {name: kind for name, kind in self.kinds.items()
                if name in kinds or name == self.control.value}
        options, chosen = self._options(kept), self.control.value
        if options != list(self.control.options):
            before, self._quiet = self._quiet, True
            # All at once: a list that changes first would choose its first entry.
            with self.control.hold_sync():
                self.control.options = options
                self.control.value = chosen
            self._quiet = before

    def _on_change(self, change: Any) -> None:
        if not self._quiet:
            self._show()
            self._changed()

    def _show(self) -> None:
        kind = self.kinds[self.control.value]
        self._summary.value = help_html(kind.summary)
        self._inner.children = [self.form.box]

    @staticmethod
    def _options(kinds: Mapping[str, type[Choice]]) -> list[tuple[str, str]]:
        return [(kind.__name__, name) for name, kind in kinds.items()]


def _field(name: str, info: Any, changed: Changed) -> Field | ChoiceField:
    kinds = members(info.annotation)
    if len(kinds) == 1 and inspect.isclass(kinds[0]) and issubclass(kinds[0], Choice):
        return ChoiceField(name.replace("_", " "), kinds[0], explain(info), changed)
    return make_field(name, info, changed)


def _kinds(base: type[Choice]) -> Iterator[type[Choice]]:
    """Yield what derives from a base and has a kind of its own."""
    for derived in base.__subclasses__():
        if "kind" in vars(derived) and derived.__module__.startswith("workbench."):
            yield derived
        yield from _kinds(derived)
