"""PEFT methods: the contract and the registry.

Every file `<name>.py` of this folder is one method: its options and what `apply` does to a
backbone. Files with an underscore are what methods share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.options import Choice, choose
from workbench.registry import Registry, import_plugins


class Backbone(Protocol):
    """What a method has to know of a backbone (a `torch.nn.Module`)."""

    name: str
    derived: ClassVar[frozenset[str]]
    bands: tuple[str, ...]
    patch_size: int
    blocks: nn.ModuleList | None
    embed_dim: int
    num_heads: int
    num_frames: int
    num_prefix_tokens: int

    def linear_roles(self) -> dict[str, list[str]]: ...  # noqa: D102
    def token_grid(self, image: Tensor) -> tuple[int, int, int, int]: ...  # noqa: D102
    def parameters(self) -> Iterator[nn.Parameter]: ...  # noqa: D102
    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
    def named_modules(self) -> Iterator[tuple[str, nn.Module]]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...  # noqa: D102
    def get_submodule(self, target: str) -> nn.Module: ...  # noqa: D102
    def requires_grad_(self, requires_grad: bool = True) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class Site:
    """Where modules that a method added act on blocks, for drawings.

    Attributes:
        place: `tokens` beside those of the image, `behind` each block, `beside` them all at once.
        blocks: Indices of the blocks.
        label: What is there, in a few words.
        pieces: Names of the modules at each block.
    """

    place: Literal["tokens", "behind", "beside"]
    blocks: tuple[int, ...]
    label: str
    pieces: tuple[str, ...] = ()


class Adapter(ABC):
    """A method at work on one backbone, which it has changed in place.

    Attributes:
        trains_backbone: Whether gradients flow through the backbone. Where they do not, it runs
            in evaluation mode without recording operations.
        additive: Whether it can be switched off and removed, leaving the backbone as it was.
        identity_at_start: Whether the features stay the same until the first step.
        still_at_start: Parts of names of trainable tensors whose first gradient is zero.
    """

    trains_backbone: ClassVar[bool] = True
    additive: ClassVar[bool] = True
    identity_at_start: ClassVar[bool] = True
    still_at_start: ClassVar[tuple[str, ...]] = ()

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where added modules act on blocks; empty where layers themselves change or train."""
        return ()

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the backbone that training changes."""
        return [weight for weight in self.backbone.parameters() if weight.requires_grad]

    def tensors(self) -> dict[str, Tensor]:
        """Return what `save` writes, by name; known without any memory on the meta device."""
        named = self.backbone.named_parameters()
        return {name: weight for name, weight in named if weight.requires_grad}

    def merge(self) -> None:
        """Fold what was added into the backbone's own weights, in place; nothing is left beside.

        Raises:
            RecipeError: The method adds nothing that plain weights could hold.
        """
        raise RecipeError(
            "Only adapters of the LoRA family (lora, ia3) fold into plain weights. "
            "wb.load_model opens the model as it was trained."
        )

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learned, and nothing of the frozen backbone, into `folder`."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read back what `save` wrote.

        Raises:
            WeightsError: The files are missing or belong to another adapter.
        """

    @abstractmethod
    def disable(self) -> None:
        """Let the backbone answer as if nothing had been added."""

    @abstractmethod
    def enable(self) -> None:
        """Undo `disable`."""

    @abstractmethod
    def remove(self) -> None:
        """Give the backbone back exactly as it was before `apply`, all of it trainable."""


class Method(Choice, ABC):
    """Base of the options of a PEFT method.

    Attributes:
        default_lr: Learning rate where the recipe gives none.
        saves_backbone: Whether its files hold all of the backbone.
    """

    default_lr: ClassVar[float]
    saves_backbone: ClassVar[bool] = False

    @property
    def placement(self) -> str:
        """Where in the backbone it acts, in words; empty where the trained parts say it."""
        return ""

    def misfit(self, backbone: Backbone) -> str | None:
        """Return why the method does not fit a backbone; None where it fits."""
        return None

    @abstractmethod
    def apply(self, backbone: Backbone) -> Adapter:
        """Change a backbone in place, so that training it trains what the method says.

        Raises:
            RecipeError: The method does not fit; the message names those that do.
        """

    def require_fit(self, backbone: Backbone) -> None:
        """Raise the error of a misfit."""
        if reason := self.misfit(backbone):
            fitting = ", ".join(repr(kind) for kind in fitting_methods(backbone))
            raise RecipeError(
                f"{type(self).__name__} does not fit {backbone.name!r}: {reason} "
                f"Methods that fit: {fitting}."
            )


METHODS: Registry[type[Method]] = Registry("PEFT method", "wb.peft_methods()")


def register(method: type[Method]) -> type[Method]:
    """Register the decorated options under their `kind`."""
    return METHODS.add(method.kind, method)


def method(value: Any) -> Method:
    """Return the options for a name, for plain data with its `kind`, or as they are."""
    return choose(value, METHODS, field="peft", example="LoRA(rank=8)")


def fitting_methods(backbone: Backbone, kinds: Collection[str] = METHODS) -> list[str]:
    """Return the kinds of the methods that fit a backbone with their default options."""
    return [kind for kind in kinds if METHODS[kind]().misfit(backbone) is None]


import_plugins(__name__, __path__)

from workbench.peft._roles import Tuner  # noqa: E402
from workbench.peft._split_qkv import split_qkv  # noqa: E402
from workbench.peft.bitfit import BitFit  # noqa: E402
from workbench.peft.earth_adapter import EarthAdapter  # noqa: E402
from workbench.peft.full import FullFineTuning  # noqa: E402
from workbench.peft.ia3 import IA3  # noqa: E402
from workbench.peft.last_blocks import LastBlocks  # noqa: E402
from workbench.peft.linear_probe import LinearProbe  # noqa: E402
from workbench.peft.lora import LoRA  # noqa: E402
from workbench.peft.norm_tuning import NormTuning  # noqa: E402
from workbench.peft.vit_adapter import ViTAdapter  # noqa: E402
from workbench.peft.vpt import VPT  # noqa: E402

__all__ = ["IA3", "METHODS", "VPT", "Adapter", "Backbone", "BitFit", "EarthAdapter",
           "FullFineTuning", "LastBlocks", "LinearProbe", "LoRA", "Method", "NormTuning",
           "Site", "Tuner", "ViTAdapter", "fitting_methods", "method", "register",
           "split_qkv"]  # fmt: skip
