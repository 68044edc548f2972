"""Linear probing: the backbone is frozen, only the decoder learns."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from workbench.peft import Adapter, Backbone, Method, register


class _Frozen(Adapter):
    trains_backbone = False

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        backbone.requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Write nothing: nothing of the backbone was learned."""

    def load(self, folder: Path) -> None:
        """Read nothing."""

    def disable(self) -> None:
        """Change nothing: nothing was added."""

    def enable(self) -> None:
        """Change nothing."""

    def remove(self) -> None:
        self.backbone.requires_grad_(True)


@register
class LinearProbe(Method):
    """Train only the decoder on the features of a frozen backbone."""

    kind: ClassVar[str] = "linear_probe"
    summary: ClassVar[str] = (
        "Only the decoder learns: the quickest, and the fairest look at what the features hold."
    )
    # Most of the values chosen by the PEFT paper's search lie above 8e-4 (IBM/peft-geofm).
    default_lr: ClassVar[float] = 9e-4

    def apply(self, backbone: Backbone) -> Adapter:
        """Freeze a backbone."""
        return _Frozen(backbone)
