"""LoRA, by Hugging Face peft and in its file format."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import peft
from peft.tuners.tuners_utils import BaseTunerLayer
from pydantic import Field, field_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from workbench.errors import RecipeError, WeightsError
from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft.options import Names
from workbench.peft.split_qkv import SplitQKV

ROLES = ("q", "k", "v", "qkv", "proj", "fc1", "fc2")
FILE = "adapter_model.safetensors"


class _LoRA(Adapter):
    still_at_start = ("lora_A",)  # B starts at zero, and A's gradient passes through B.

    def __init__(self, backbone: Any, config: peft.LoraConfig, split: list[str]) -> None:
        super().__init__(backbone)
        if any(isinstance(module, BaseTunerLayer) for module in backbone.modules()):
            raise RecipeError(
                f"{backbone.name!r} already carries an adapter. Remove it first, or load the "
                "backbone again."
            )
        self._split = split
        backbone.requires_grad_(False)
        for path in split:
            _replace(backbone, path, SplitQKV(backbone.get_submodule(path)))
        self.peft_model: Any = peft.PeftModel(backbone, config)

    def save(self, folder: Path) -> None:
        self.peft_model.peft_config["default"].save_pretrained(str(folder))
        state = peft.get_peft_model_state_dict(self.peft_model)
        save_file({name: tensor.cpu().contiguous() for name, tensor in state.items()},
                  folder / FILE)  # fmt: skip

    def load(self, folder: Path) -> None:
        path = folder / FILE
        try:
            state = load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is not a whole adapter file: {error}") from error
        own = peft.get_peft_model_state_dict(self.peft_model)
        wrong = sorted(
            set(own) ^ set(state)
            | {name for name in set(own) & set(state) if own[name].shape != state[name].shape}
        )
        if wrong:
            raise WeightsError(
                f"{path} belongs to another adapter: {len(wrong)} of its tensors differ in name "
                f"or shape from this LoRA's, such as {wrong[0]}. Check rank, targets and backbone."
            )
        peft.set_peft_model_state_dict(self.peft_model, state)

    def disable(self) -> None:
        self.peft_model.base_model.disable_adapter_layers()

    def enable(self) -> None:
        self.peft_model.base_model.enable_adapter_layers()

    def remove(self) -> None:
        self.peft_model.unload()
        for path in self._split:
            split = self.backbone.get_submodule(path)
            assert isinstance(split, SplitQKV)
            _replace(self.backbone, path, split.fuse())
        self.backbone.requires_grad_(True)


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
        self.require_fit(backbone)
        roles = backbone.linear_roles()
        alone = [role for role in self.targets if role in ("q", "k", "v") and role not in roles]
        config = peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=[path for role in self.targets for path in _paths(role, roles)],
        )
        return _LoRA(backbone, config, roles["qkv"] if alone else [])


def _paths(role: str, roles: dict[str, list[str]]) -> list[str]:
    if role in ("q", "k", "v") and role not in roles:
        return [f"{path}.{role}_linear" for path in roles.get("qkv", [])]
    return roles.get(role, [])


def _replace(backbone: Backbone, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(backbone.get_submodule(parent), name, module)
