"""Recipes from the options of a command, and the help of those options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

import workbench as wb
from workbench.errors import RecipeError

if TYPE_CHECKING:
    from workbench.peft import Method
    from workbench.recipe import Recipe

# Help and defaults come from the recipe's fields: see RecipeCommand.
recipe_field = typer.Option(rich_help_panel="Recipe")


class RecipeCommand(TyperCommand):
    """Takes the help of its options from the recipe's own fields, once help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with advice and defaults as the recipe has them."""
        fields = wb.Recipe.model_fields
        for option in self.params:
            if option.name in fields and not getattr(option, "help", None):
                field = fields[option.name]
                default = getattr(field.default, "kind", field.default)
                known = "" if default is None else f" (default: {default})"
                option.help = f"{field.description}{known}"  # type: ignore[attr-defined]
        others = [name for name in fields if name not in {option.name for option in self.params}]
        self.epilog = f"{self.epilog}\n\n{_set_help(others)}\n\n{_peft_help()}"
        super().format_help(ctx, formatter)


def _set_help(names: list[str]) -> str:
    from rich.markup import escape

    fields = wb.Recipe.model_fields
    lines = [f"  --set {name}={_shown(fields[name].default)}: {fields[name].description}"
             for name in names]
    return "\n\n".join(map(escape, ("Other fields of the recipe:", *lines)))


def _shown(default: Any) -> str:
    return json.dumps(default) if not isinstance(default, str) else default


def _peft_help() -> str:
    from rich.markup import escape

    from workbench.peft import METHODS

    lines = ["PEFT methods and their options:"]
    for name, method in METHODS.items():
        lines.append(f"{name}: {method.summary}")
        for option, field in method.model_fields.items():
            lines.append(f"  --peft-option {option}={_written(field.default)}: {field.description}")
    return "\n\n".join(map(escape, lines))


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def make_recipe(peft: str | None, options: list[str] | None, changes: dict[str, Any]) -> Recipe:
    """Make the recipe; what was not given keeps the API's default."""
    from workbench.peft import METHODS

    given = assignments("--peft-option", options)
    if given:
        method = METHODS[peft] if peft else type(wb.Recipe().peft)
        changes = {**changes, "peft": _options(method, given)}
    elif peft:
        changes = {**changes, "peft": peft}
    return wb.Recipe(**changes)


def _options(method: type[Method], given: dict[str, Any]) -> Method:
    """Make a method's options; one name where several may stand is a tuple of one."""
    defaults = {name: field.default for name, field in method.model_fields.items()}
    return method(
        **{
            name: (value,)
            if isinstance(defaults.get(name), tuple) and isinstance(value, str)
            else value
            for name, value in given.items()
        }
    )


def assignments(option: str, lines: list[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE; a value is JSON where it can be, `a,b` is a list, all else is text."""
    read: dict[str, Any] = {}
    for line in lines or ():
        name, equals, text = line.partition("=")
        if not equals:
            raise RecipeError(f"{option} {line!r} is not NAME=VALUE, such as rank=8.")
        try:
            read[name.strip()] = json.loads(text)
        except json.JSONDecodeError:
            read[name.strip()] = text.split(",") if "," in text else text
    return read
