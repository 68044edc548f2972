"""Full fine-tuning: every weight of the backbone learns."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from workbench.errors import RecipeError, WeightsError
from workbench.peft import Adapter, Backbone, Method, register

FILE = "backbone.safetensors"


class _Full(Adapter):
    additive = False

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        backbone.requires_grad_(True)

    def save(self, folder: Path) -> None:
        state = self.backbone.state_dict()
        kept = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in state.items()
            if name not in self.backbone.derived
        }
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

    def disable(self) -> None:
        raise RecipeError(_IN_PLACE)

    def enable(self) -> None:
        raise RecipeError(_IN_PLACE)

    def remove(self) -> None:
        raise RecipeError(_IN_PLACE)


_IN_PLACE = (
    "Full fine-tuning changes the backbone's own weights: it cannot be switched off or removed. "
    "Load the backbone again with load_backbone."
)


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
