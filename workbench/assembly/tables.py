"""Tables of what there is to choose from, made from the registries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.assembly.choices import backbone_skeleton
from workbench.models import hub
from workbench.models.backbones import BACKBONES
from workbench.models.decoders import DECODERS
from workbench.peft import METHODS, fitting_methods
from workbench.reprs import html_card, html_table, readable_bytes, readable_count, text_table


@dataclass(frozen=True)
class Table(Mapping[str, dict[str, Any]]):
    """Names with their facts: a mapping that shows itself as a table."""

    title: str
    rows: Mapping[str, dict[str, Any]]

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return text_table(*self._cells())

    def _repr_html_(self) -> str:
        return html_card(self.title, body=html_table(*self._cells()))

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        columns = list(next(iter(self.rows.values())))
        rows = [[name, *(_shown(row[column]) for column in columns)]
                for name, row in self.rows.items()]  # fmt: skip
        return ["name", *columns], rows


def backbones() -> Table:
    """Return every backbone that has a name: size, bands, weights, which methods fit."""
    return Table("Backbones", {name: _backbone_row(name) for name in BACKBONES})


def peft_methods() -> Table:
    """Return every PEFT method: what it does and its options with their defaults."""
    return Table("PEFT methods", {
        kind: {
            "options": repr_defaults(options),
            "learning rate": options.default_lr,
            "about": options.summary,
        }
        for kind, options in METHODS.items()
    })  # fmt: skip


def decoders() -> Table:
    """Return every decoder."""
    return Table("Decoders", {name: {"about": entry.summary} for name, entry in DECODERS.items()})


def repr_defaults(options: type) -> str:
    """Return the call that writes every default out: `LoRA(rank=16, …)`."""
    fields = options.model_fields  # type: ignore[attr-defined]
    shown = ", ".join(f"{name}={field.default!r}" for name, field in fields.items())
    return f"{options.__name__}({shown})"


def _backbone_row(name: str) -> dict[str, Any]:
    facts, model = BACKBONES[name], backbone_skeleton(name)
    weights, checked, size = "shipped" if facts.shipped else "none", "–", None
    if facts.source:
        weights, checked = facts.source.repo, hub.standing(facts.source)
        size = hub.size_bytes(facts.source)
    return {
        "parameters": readable_count(sum(weight.numel() for weight in model.parameters())),
        "depth": len(model.num_features),
        "patch": model.patch_size,
        "bands": facts.bands,
        "weights": weights,
        "size": readable_bytes(size),
        "checked": checked,
        "licence": facts.licence,
        "fits": tuple(fitting_methods(model)),
        "about": facts.about,
    }


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
