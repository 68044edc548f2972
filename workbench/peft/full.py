"""Full fine-tuning: every weight of the backbone learns."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.errors import WeightsError
from workbench.peft import Adapter, Backbone, Method, register
from workbench.peft._in_place import InPlace

FILE = "backbone.safetensors"


class _Full(InPlace):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        backbone.requires_grad_(True)

    def tensors(self) -> dict[str, Tensor]:
        state = self.backbone.state_dict()
        return {name: state[name] for name in state if name not in self.backbone.derived}

    def save(self, folder: Path) -> None:
        kept = {name: t.detach().cpu().contiguous() for name, t in self.tensors().items()}
        save_file(kept, folder / FILE)

    def load(self, folder: Path) -> None:
        path = folder / FILE
        present = self.backbone.state_dict()
        derived = {name: present[name] for name in self.backbone.derived}
        try:
            self.backbone.load_state_dict({**derived, **load_file(path)})
        except (SafetensorError, RuntimeError, OSError) as error:
            raise WeightsError(
                f"{path} does not hold the weights of {self.backbone.name!r}: {error}"
            ) from error


@register
class FullFineTuning(Method):
    """Train every weight of the backbone together with the decoder."""

    kind: ClassVar[str] = "full"
    summary: ClassVar[str] = (
        "Everything learns: the yardstick, with the most memory and a copy of the whole backbone."
    )
    # Within the values chosen by the PEFT paper's search, 2.2e-5 to 9.9e-4 (IBM/peft-geofm).
    default_lr: ClassVar[float] = 1e-4
    saves_backbone: ClassVar[bool] = True

    def apply(self, backbone: Backbone) -> Adapter:
        """Make all of a backbone trainable."""
        return _Full(backbone)
