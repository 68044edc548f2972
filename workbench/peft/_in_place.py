"""Methods that train weights of the backbone itself; shared by all that add nothing to it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.peft import Adapter, Backbone
from workbench.peft._adapter_file import read_tensors, write_tensors

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class InPlace(Adapter):
    """Weights of the backbone that train where they are; nothing can be taken away again."""

    additive = False

    def disable(self) -> None:
        raise RecipeError(_ONE_WAY)

    def enable(self) -> None:
        raise RecipeError(_ONE_WAY)

    def remove(self) -> None:
        raise RecipeError(_ONE_WAY)


class Part(InPlace):
    """Some weights of the backbone train, and only they are saved.

    Args:
        backbone: Changed in place.
        names: Names of the parameters that train.
    """

    def __init__(self, backbone: Backbone, names: Collection[str]) -> None:
        super().__init__(backbone)
        for name, weight in backbone.named_parameters():
            weight.requires_grad_(name in names)

    def tensors(self) -> dict[str, Tensor]:
        trained = [name for name, p in self.backbone.named_parameters() if p.requires_grad]
        owners = {name.rpartition(".")[0] for name in trained}
        # Running statistics belong to the batch normalisation that trains.
        return {
            name: tensor
            for name, tensor in self.backbone.state_dict().items()
            if name in trained or (is_statistic(name) and name.rpartition(".")[0] in owners)
        }

    def save(self, folder: Path) -> None:
        write_tensors(folder, self.tensors())

    def load(self, folder: Path) -> None:
        saved = read_tensors(folder, self.tensors())
        self.backbone.load_state_dict({**self.backbone.state_dict(), **saved})


def names_where(backbone: Backbone, wanted: Callable[[str, nn.Module], bool]) -> list[str]:
    """Return the names of the parameters for which `wanted(name, owner)` holds."""
    return [
        name
        for name, _ in backbone.named_parameters()
        if wanted(name, backbone.get_submodule(name.rpartition(".")[0]))
    ]


def is_norm(module: nn.Module) -> bool:
    """Return whether a module is a normalisation layer."""
    return isinstance(module, _NORMS) or "Norm" in type(module).__name__


def is_statistic(name: str) -> bool:
    """Return whether a tensor's name is one of batch normalisation's running statistics."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


_ONE_WAY = (
    "This method changes the backbone's own weights: it cannot be switched off or removed. "
    "Load the backbone again with load_backbone."
)
