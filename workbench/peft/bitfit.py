"""BitFit: only the biases of the backbone learn."""

from __future__ import annotations

from typing import ClassVar

from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft._in_place import Part, names_where


@register
class BitFit(Method):
    """Train every bias of a transformer; its other weights stay frozen.

    Source: Ben Zaken et al. 2022, "BitFit" (arXiv:2106.10199).
    """

    kind: ClassVar[str] = "bitfit"
    summary: ClassVar[str] = (
        "Only biases learn: a tenth of a percent of the weights, half the memory; a quick try."
    )
    # Ours. BitFit's authors search 1e-4 to 1e-3; few weights bear the upper end.
    default_lr: ClassVar[float] = 1e-3

    def misfit(self, backbone: Backbone) -> str | None:
        """Say that a backbone is no transformer."""
        if backbone.linear_roles():
            return None
        return "it is no transformer; the biases of its normalisation train with NormTuning."

    def apply(self, backbone: Backbone) -> Adapter:
        """Freeze all of a backbone but its biases."""
        self.require_fit(backbone)
        return Part(backbone, names_where(backbone, lambda name, _: name.endswith("bias")))
