"""LoRA, by Hugging Face peft and in its file format."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from torch import nn

from workbench.peft import Backbone, register
from workbench.peft._roles import Roles, Tuner, target_paths

if TYPE_CHECKING:
    import peft


@register
class LoRA(Tuner):
    """Add low-rank updates to linear layers; the backbone's own weights stay frozen.

    Source: Hu et al. 2022, "LoRA" (arXiv:2106.09685). Defaults: IBM/peft-geofm, configs (rank and
    alpha 16; query, value and both layers of the MLP; no dropout). `dora` is Liu et al. 2024
    (arXiv:2402.09353), `rslora` Kalajdzievski 2023 (arXiv:2312.03732).
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
    targets: Roles = Field(
        default=("q", "v", "fc1", "fc2"),
        description="Linear layers that get an update, by role: q, k, v (or qkv), proj, fc1, fc2.",
    )
    dora: bool = Field(
        default=False,
        description="Learn each output's magnitude apart from its direction; a little better at "
        "small ranks, slower.",
    )
    rslora: bool = Field(
        default=False,
        description="Scale by alpha / √rank, so that ranks above 32 go on helping.",
    )
    initialization: Literal["kaiming", "gaussian"] = Field(
        default="kaiming",
        description="How the first of the two factors starts; the second starts at zero.",
    )

    def config(self, backbone: Backbone) -> peft.LoraConfig:
        """Return peft's configuration for the targeted layers of a backbone."""
        import peft

        from workbench.peft._lean_linear import LeanLinear

        config = peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            use_dora=self.dora,
            use_rslora=self.rslora,
            # peft's name for Kaiming's is True. Its others change the frozen weights or need data.
            init_lora_weights="gaussian" if self.initialization == "gaussian" else True,
            target_modules=target_paths(backbone, self.targets),
        )
        if not self.dora:
            config._register_custom_module({nn.Linear: LeanLinear})
        return config
