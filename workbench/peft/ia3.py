"""IA3, by Hugging Face peft and in its file format."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from workbench.peft import Backbone, register
from workbench.peft._roles import Roles, Tuner, target_paths

if TYPE_CHECKING:
    import peft


@register
class IA3(Tuner):
    """Scale activations by learned vectors; the backbone's own weights stay frozen.

    Keys, values and other outputs are scaled channel by channel; of `fc2` it is the input, the
    hidden layer of the MLP. Source: Liu et al. 2022 (arXiv:2205.05638), whose targets are the
    defaults.
    """

    kind: ClassVar[str] = "ia3"
    summary: ClassVar[str] = (
        "A scale for each channel of keys, values and MLP: forty times smaller than LoRA, for very "
        "few labels."
    )
    # The authors' value, found for text and few examples; not tuned for images.
    default_lr: ClassVar[float] = 3e-3

    targets: Roles = Field(
        default=("k", "v", "fc2"),
        description="Linear layers that are scaled, by role: q, k, v (or qkv), proj, fc1, fc2.",
    )

    def config(self, backbone: Backbone) -> peft.IA3Config:
        """Return peft's configuration for the targeted layers of a backbone."""
        import peft

        return peft.IA3Config(
            target_modules=target_paths(backbone, self.targets),
            feedforward_modules=target_paths(backbone, [r for r in self.targets if r == "fc2"]),
        )
