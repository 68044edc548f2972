"""IA3, by Hugging Face peft and in its file format."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from workbench.options import Names
from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft._roles import check_roles, missing_roles, needs_split, target_paths


@register
class IA3(Method):
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

    targets: Names = Field(
        default=("k", "v", "fc2"),
        description="Linear layers that are scaled, by role: q, k, v (or qkv), proj, fc1, fc2.",
    )

    @field_validator("targets")
    @classmethod
    def _known(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        return check_roles(targets)

    @property
    def placement(self) -> str:
        """The roles of the layers it is in."""
        return f"in {', '.join(self.targets)}"

    def misfit(self, backbone: Backbone) -> str | None:
        """Say which of the targeted roles a backbone lacks."""
        return missing_roles(backbone, self.targets)

    def apply(self, backbone: Backbone) -> Adapter:
        """Inject scales of one; until the first step the output is exactly the same."""
        # Hugging Face peft takes seconds to import: only who trains or loads an adapter waits.
        import peft

        from workbench.peft._injection import Injected

        self.require_fit(backbone)
        config = peft.IA3Config(
            target_modules=target_paths(backbone, self.targets),
            feedforward_modules=target_paths(backbone, [r for r in self.targets if r == "fc2"]),
        )
        return Injected(backbone, config, split=needs_split(backbone, self.targets))
