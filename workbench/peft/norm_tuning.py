"""Norm tuning: only the normalisation layers of the backbone learn."""

from __future__ import annotations

from typing import ClassVar

from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft._in_place import Part, is_norm, names_where


@register
class NormTuning(Method):
    """Train the scales and shifts of every normalisation layer; the rest stays frozen.

    The running statistics of batch normalisation follow the training data and are saved with it.
    Source: Frankle et al. 2021 (arXiv:2003.00152) for batch normalisation; Basu et al. 2023
    (arXiv:2304.01917) for LayerNorm in vision transformers.
    """

    kind: ClassVar[str] = "norm_tuning"
    summary: ClassVar[str] = (
        "Only normalisation layers learn: the fewest weights, for sensors that merely look "
        "different; fits convolutional networks too."
    )
    # Ours: as BitFit's, whose weights are of the same kind.
    default_lr: ClassVar[float] = 1e-3

    def misfit(self, backbone: Backbone) -> str | None:
        """Say that a backbone has no normalisation layers."""
        if _names(backbone):
            return None
        return "it has no normalisation layers with weights."

    def apply(self, backbone: Backbone) -> Adapter:
        """Freeze all of a backbone but its normalisation layers."""
        self.require_fit(backbone)
        return Part(backbone, _names(backbone))


def _names(backbone: Backbone) -> list[str]:
    return names_where(backbone, lambda _, owner: is_norm(owner))
