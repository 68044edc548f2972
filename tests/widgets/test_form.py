"""Forms know what the option models know: fields by their types, messages the model's own."""

from __future__ import annotations

from typing import Any, Literal

import ipywidgets as widgets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from workbench.losses import LOSSES
from workbench.options import Names, Options
from workbench.peft import METHODS
from workbench.recipe import Recipe
from workbench.schedules import SCHEDULES
from workbench.widgets.fields import explain, members, parse, text_of
from workbench.widgets.form import INVALID, ChoiceField, OptionsForm

ALL = [*METHODS.values(), *LOSSES.values(), *SCHEDULES.values(), Recipe]


class Every(Options):
    """A field of every type that a form has to know."""

    whole: int = Field(default=3, ge=1, le=9, description="A whole number.")
    share: float = Field(default=0.5, ge=0, lt=1, description="A share.")
    maybe: float | None = Field(default=None, gt=0, description="A number or nothing.")
    yes: bool = Field(default=True, description="A switch.")
    one: Literal["a", "b"] = Field(default="a", description="One of two.")
    size: int | Literal["auto"] = Field(default=8, description="A number, or auto.")
    names: Names | None = Field(default=None, description="Names.")
    weights: tuple[float, ...] | Literal["balanced"] | None = Field(
        default=None, description="Numbers, a word, or nothing."
    )
    path: str | None = Field(default=None, description="Text or nothing.")


def form(model: type[Options]) -> tuple[OptionsForm, list[int]]:
    calls: list[int] = []
    return OptionsForm(model, lambda: calls.append(1)), calls


def shown(box: Any) -> str:
    """All the HTML in a widget."""
    inner = "".join(map(shown, getattr(box, "children", ())))
    return inner + (box.value if isinstance(box, widgets.HTML) else "")


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_every_options_model_has_a_form_with_its_help_and_defaults(model):
    made, calls = form(model)
    assert set(made.fields) == set(model.model_fields)
    assert made.read() == model()
    assert not calls
    page = shown(made.box)
    for name, info in model.model_fields.items():
        if not isinstance(made.fields[name], ChoiceField):
            assert info.description[:40].replace("'", "&#x27;") in page


def test_the_type_of_a_field_chooses_its_control():
    made, _ = form(Every)
    kinds = {name: type(field.control).__name__ for name, field in made.fields.items()}
    assert kinds == {
        "whole": "IntText", "share": "Text", "maybe": "Text", "yes": "Checkbox",
        "one": "Dropdown", "size": "Combobox", "names": "Text", "weights": "Combobox",
        "path": "Text",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("whole", 4, 4), ("share", "0.25", 0.25), ("share", "1e-3", 0.001), ("maybe", "", None),
        ("maybe", "2", 2.0), ("yes", False, False), ("one", "b", "b"), ("size", "auto", "auto"),
        ("size", "16", 16), ("names", "q, v", ("q", "v")), ("names", " ", None),
        ("weights", "1, 2.5", (1.0, 2.5)), ("weights", "balanced", "balanced"),
        ("weights", "[1, 2]", (1.0, 2.0)), ("path", "/a b/c.pt", "/a b/c.pt"),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_a_value_of_the_field_s_type(name, typed, value):
    made, calls = form(Every)
    made.fields[name].control.value = typed
    found = getattr(made.read(), name)
    assert (found, type(found)) == (value, type(value))
    assert len(calls) <= 1


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("whole", 0, "whole=0 is below 1."), ("share", "1.5", "share=1.5 is not below 1."),
        ("share", "much", "share='much': input should be a valid number."),
        ("maybe", "inf", "maybe='inf': input should be a valid number."),
    ],
)  # fmt: skip
def test_a_refused_value_shows_the_model_s_message_beside_its_field_alone(name, typed, message):
    made, _ = form(Every)
    made.fields[name].control.value = typed
    assert made.read() is INVALID
    said = {key: field._message.value for key, field in made.fields.items()}
    assert message.replace("'", "&#x27;") in said.pop(name)
    assert not any(said.values())
    made.fields[name].write(getattr(Every(), name))
    assert made.read() == Every()
    assert made.fields[name]._message.value == ""


def test_messages_and_help_are_escaped():
    made, _ = form(Every)
    made.fields["share"].control.value = "<b>"
    made.read()
    assert "<b>" not in shown(made.box)


def test_the_kind_of_an_option_chooses_its_form():
    made, calls = form(Recipe)
    peft = made.fields["peft"]
    peft.control.value = "vpt"
    peft.form.fields["tokens"].control.value = 7
    assert made.read() == Recipe(peft=METHODS["vpt"](tokens=7))
    assert METHODS["vpt"].summary.split(":")[0] in shown(peft.box)
    peft.control.value = "lora"
    peft.control.value = "vpt"
    assert made.read().peft.tokens == 7  # what was typed is still there
    assert len(calls) == 4


def test_ranges_and_defaults_are_said():
    whole = "A whole number. At least 1, at most 9, default 3."
    assert explain(Every.model_fields["whole"]) == whole
    assert explain(Every.model_fields["maybe"]) == "A number or nothing. Above 0."


def kinds_of(registry: Any) -> st.SearchStrategy[Options]:
    return st.sampled_from(list(registry.values())).map(lambda options: options())


recipes = st.builds(
    Recipe,
    peft=st.one_of(
        kinds_of(METHODS),
        st.builds(
            METHODS["lora"], rank=st.integers(1, 512), dropout=st.floats(0, 0.99),
            targets=st.sampled_from([("q",), ("k", "v"), ("qkv", "fc1")]), dora=st.booleans(),
        ),
    ),
    decoder=st.sampled_from(["unet", "linear", "fcn", "upernet"]),
    epochs=st.integers(1, 1000),
    learning_rate=st.none() | st.floats(1e-9, 10, exclude_min=True),
    weight_decay=st.floats(0, 1),
    loss=kinds_of(LOSSES),
    schedule=kinds_of(SCHEDULES),
    class_weights=st.none() | st.just("balanced")
    | st.lists(st.floats(0.1, 9), min_size=2, max_size=4).map(tuple),
    augment=st.booleans(),
    bands=st.none() | st.just(("RED", "SWIR_1")),
)  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(recipe=recipes)
def test_a_form_gives_back_the_recipe_that_it_was_filled_with(recipe):
    made = OptionsForm(Recipe, lambda: None)
    made.write(recipe)
    assert made.read() == recipe


@given(value=st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_their_text(value):
    assert parse(text_of(value), members(float | None)) == value
