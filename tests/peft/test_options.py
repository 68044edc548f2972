"""Options refuse what is wrong in one sentence, and show themselves as Python."""

from __future__ import annotations

import re

import pytest

from workbench.errors import RecipeError, UnknownNameError
from workbench.peft import METHODS, FullFineTuning, LinearProbe, LoRA, Method, method


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        LoRA(rank=0, targets="qq")
    assert str(error.value) == (
        "LoRA: rank=0 is below 1; targets='qq' is not one of q, k, v, qkv, proj, fc1, fc2."
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rnk": 4}, "LoRA: no field 'rnk' (did you mean 'rank'? fields: rank, alpha, dropout, "),
        ({"dropout": 1.0}, "dropout=1.0 is not below 1"),
        ({"rank": 2.5}, "rank=2.5: input should be a valid integer"),
        ({"rank": "8"}, "rank='8': input should be a valid integer"),
        ({"rank": True}, "rank=True: input should be a valid integer"),
        ({"targets": ()}, "targets=() is not one of q, k, v"),
        ({"targets": ("q", "qkv")}, "name it or them, not both"),
        ({"targets": ("q", "q")}, "names a role twice"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(fields: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)):
        LoRA(**fields)


def test_options_are_frozen_and_say_how_to_change_them() -> None:
    lora = LoRA()
    with pytest.raises(RecipeError, match=r"LoRA is frozen; make a changed copy with .but\(rank=8"):
        lora.rank = 8
    assert lora.but(rank=8) == LoRA(rank=8)
    with pytest.raises(RecipeError, match="rank=-1 is below 1"):
        lora.but(rank=-1)


@pytest.mark.parametrize("options", [LoRA(), LoRA(rank=4, targets=["q"]), LinearProbe()])
def test_repr_is_the_python_that_makes_it(options: Method) -> None:
    assert eval(repr(options)) == options


def test_repr_names_only_what_differs_from_the_defaults() -> None:
    assert repr(LoRA(rank=16, dropout=0.1)) == "LoRA(dropout=0.1)"


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_survives_json_and_explains_itself(kind: str) -> None:
    options = METHODS[kind]()
    assert method(options.to_json()) == options
    assert method(kind) == options
    assert method(options) is options
    assert options.summary.endswith(".")
    assert 1e-5 < options.default_lr < 1e-2
    assert all(field.description for field in type(options).model_fields.values())


def test_options_are_hashable_and_equal_by_value() -> None:
    assert {LoRA(), LoRA(rank=16), FullFineTuning()} == {LoRA(), FullFineTuning()}


def test_an_unknown_method_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'lora'\? wb.peft_methods\(\) lists"):
        method("loora")
    with pytest.raises(RecipeError, match="peft=3 is not a PEFT method"):
        method(3)  # type: ignore[arg-type]
