"""Options: frozen, strict, and shown as the Python that makes them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from workbench.errors import RecipeError
from workbench.registry import Registry


def _as_tuple(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


# Strict options take tuples only; JSON writes lists, and people also a single name.
Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class Options(BaseModel):
    """Base of all options: frozen, no unknown fields, no silent conversion of types.

    Raises:
        RecipeError: Fields are unknown or out of range; one sentence names all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise RecipeError(explain(type(self), error)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise RecipeError(
            f"{type(self).__name__} is frozen; make a changed copy with .but({name}={value!r})."
        )

    def __repr__(self) -> str:
        """Return valid Python that names only what differs from the defaults."""
        shown = (f"{name}={value!r}" for name, value in self.changed().items())
        return f"{type(self).__name__}({', '.join(shown)})"

    __str__ = __repr__

    def changed(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        fields = type(self).model_fields
        return {
            name: getattr(self, name)
            for name, field in fields.items()
            if field.is_required()
            or getattr(self, name) != field.get_default(call_default_factory=True)
        }

    def but(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; the copy is validated like a new one."""
        return type(self)(**{**dict(self), **changes})


class Choice(Options):
    """Base of options that stand for one of several: a method, a loss, a schedule.

    Attributes:
        kind: Name in the registry.
        summary: One sentence on what it does and when to choose it.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `choose` makes the same options from."""
        return {"kind": self.kind, **self.model_dump(mode="json")}


C = TypeVar("C", bound=Choice)


def choose(value: Any, known: Registry[type[C]], *, field: str, example: str) -> C:
    """Return the options for a name, for plain data with its `kind`, or as they are.

    Args:
        value: What was given.
        known: What there is to choose from.
        field: Where it was given, for the message.
        example: Options as one would write them, likewise.
    """
    if isinstance(value, Choice) and type(value) in known.values():
        return cast(C, value)
    if isinstance(value, str):
        return known[value]()
    if isinstance(value, Mapping) and "kind" in value:
        return known[value["kind"]](**{key: value[key] for key in value if key != "kind"})
    raise RecipeError(
        f"{field}={value!r} is not a {known.kind}. Pass a name ({', '.join(known)}) or options "
        f"such as {example}."
    )


def explain(options: type[BaseModel], error: ValidationError) -> str:
    """Return one sentence with every problem: what was found and what is allowed."""
    problems = [_problem(options, dict(entry)) for entry in error.errors()]
    return f"{options.__name__}: {'; '.join(problems)}."


def _problem(options: type[BaseModel], entry: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in entry["loc"])
    found, limits = entry["input"], entry.get("ctx", {})
    match entry["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(name, options.model_fields, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            return f"no field {name!r} ({hint}fields: {', '.join(options.model_fields)})"
        case "greater_than_equal":
            return f"{name}={found!r} is below {limits['ge']}"
        case "greater_than":
            return f"{name}={found!r} is not above {limits['gt']}"
        case "less_than_equal":
            return f"{name}={found!r} is above {limits['le']}"
        case "less_than":
            return f"{name}={found!r} is not below {limits['lt']}"
        case "literal_error":
            return f"{name}={found!r} is not one of {limits['expected']}"
        case "value_error":
            # Raised by our own validators: the message already says what is wrong.
            return str(limits["error"]).rstrip(".")
    return f"{name}={found!r}: {entry['msg'][0].lower()}{entry['msg'][1:]}"
