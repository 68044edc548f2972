"""LoRA, by Hugging Face peft and in its file format."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft.options import Names

ROLES = ("q", "k", "v", "qkv", "proj", "fc1", "fc2")


@register
class LoRA(Method):
    """Add low-rank updates to linear layers; the backbone's own weights stay frozen.

    Source: Hu et al. 2022, "LoRA" (arXiv:2106.09685). Defaults: IBM/peft-geofm, configs (rank and
    alpha 16; query, value and both layers of the MLP; no dropout).
    """

    kind: ClassVar[str] = "lora"
    summary: ClassVar[str] = (
        "Small updates beside frozen weights: close to full fine-tuning at 2 % of its parameters, "
        "and often better in regions never seen. Start here."
    )
    # The PEFT paper's search chose 3.9e-4 to 9.8e-4 everywhere (IBM/peft-geofm).
    default_lr: ClassVar[float] = 7e-4

    rank: int = Field(
        default=16, ge=1, description="Size of the update; 4 to 32 is usual, more learns more."
    )
    alpha: int = Field(
        default=16, ge=1, description="The update is scaled by alpha / rank; keep it near rank."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of inputs dropped in training; try 0.1 where it overfits.",
    )
    targets: Names = Field(
        default=("q", "v", "fc1", "fc2"),
        description="Linear layers that get an update, by role: q, k, v (or qkv), proj, fc1, fc2.",
    )

    @field_validator("targets")
    @classmethod
    def _known(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [target for target in targets if target not in ROLES]
        if wrong or not targets:
            found = repr(wrong[0]) if wrong else "()"
            raise ValueError(f"targets={found} is not one of {', '.join(ROLES)}")
        if "qkv" in targets and {"q", "k", "v"} & set(targets):
            raise ValueError("targets='qkv' is q, k and v in one layer; name it or them, not both")
        if len(set(targets)) < len(targets):
            raise ValueError(f"targets={targets!r} names a role twice")
        return targets

    def misfit(self, backbone: Backbone) -> str | None:
        """Say which of the targeted roles a backbone lacks."""
        roles = backbone.linear_roles()
        missing = [role for role in self.targets if not _paths(role, roles)]
        if not missing:
            return None
        known = ", ".join(roles) if roles else "none: it is no transformer"
        return f"it has no linear layers in the role {', '.join(missing)} (roles: {known})."

    def apply(self, backbone: Backbone) -> Adapter:
        """Inject LoRA into a backbone; until the first step its output is exactly the same."""
        # Hugging Face peft takes seconds to import: only who trains or loads an adapter waits.
        import peft

        from workbench.peft._injection import Injected

        self.require_fit(backbone)
        roles = backbone.linear_roles()
        alone = any(role in ("q", "k", "v") and role not in roles for role in self.targets)
        config = peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=[path for role in self.targets for path in _paths(role, roles)],
        )
        return Injected(backbone, config, split=alone)


def _paths(role: str, roles: dict[str, list[str]]) -> list[str]:
    if role in ("q", "k", "v") and role not in roles:
        return [f"{path}.{role}_linear" for path in roles.get("qkv", [])]
    return roles.get(role, [])
