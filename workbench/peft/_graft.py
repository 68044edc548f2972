"""Adapters that add modules to a backbone and act through hooks; shared by those that do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from workbench.errors import RecipeError
from workbench.peft import Adapter, Backbone, Method, Site
from workbench.peft._adapter_file import read_tensors, write_adapter


class Handle(Protocol):
    """Something that undoes what was done, such as a hook's handle."""

    def remove(self) -> None: ...


class Graft(nn.Module):
    """Modules added to a backbone. They keep no reference to it: it holds them."""

    def attach(self, backbone: Any) -> list[Handle]:
        """Put hooks on a backbone and its blocks, and return their handles."""
        raise NotImplementedError

    def sites(self) -> tuple[Site, ...]:
        """Return where it acts on blocks."""
        raise NotImplementedError


class Grafted(Adapter):
    """A graft at work.

    Args:
        backbone: Changed in place.
        options: Of the method, written beside the tensors.
        name: Under which the backbone holds the graft; tensors are named after it.
        graft: What is trained.
    """

    def __init__(self, backbone: Any, options: Method, name: str, graft: Graft) -> None:
        super().__init__(backbone)
        require_bare(backbone)
        backbone.requires_grad_(False)
        device = next(backbone.parameters()).device
        backbone.add_module(name, graft.to(device))
        self.options = options
        self.name = name
        self.graft = graft
        self._handles: list[Handle] = []
        self.enable()

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where the graft acts."""
        return self.graft.sites()

    def tensors(self) -> dict[str, Tensor]:
        """Return the graft's tensors by their names in the backbone; normalisation's too."""
        return {f"{self.name}.{name}": value for name, value in self.graft.state_dict().items()}

    def save(self, folder: Path) -> None:
        config = {"peft_type": self.options.kind.upper(), **self.options.to_json()}
        write_adapter(folder, config, self.tensors())

    def load(self, folder: Path) -> None:
        state = read_tensors(folder, self.tensors())
        prefix = f"{self.name}."
        self.graft.load_state_dict(
            {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        )

    def disable(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def enable(self) -> None:
        if not self._handles:
            self._handles = self.graft.attach(self.backbone)

    def remove(self) -> None:
        self.disable()
        delattr(self.backbone, self.name)
        self.backbone.requires_grad_(True)


class Changed:
    """Attributes of an object that have other values until `remove` is called."""

    def __init__(self, owner: Any, **values: Any) -> None:
        self.owner = owner
        # None where the value came from the class.
        self._before = {name: vars(owner).get(name) for name in values}
        for name, value in values.items():
            setattr(owner, name, value)

    def remove(self) -> None:
        """Give the attributes their former values."""
        for name, value in self._before.items():
            if value is None:
                delattr(self.owner, name)
            else:
                setattr(self.owner, name, value)


def prefix_changed(backbone: Any, by: int) -> list[Handle]:
    """Tell blocks that count the tokens without a place that there are `by` more of them.

    Rotary attention turns all tokens but the first `num_prefix_tokens`, as timm calls them.
    """
    return [
        Changed(module, num_prefix_tokens=module.num_prefix_tokens + by)
        for module in backbone.blocks.modules()
        if isinstance(getattr(module, "num_prefix_tokens", None), int)
    ]


def no_blocks(backbone: Backbone) -> str | None:
    """Return why a method on transformer blocks does not fit; None where there are blocks."""
    return None if backbone.blocks is not None else "it has no transformer blocks."


def require_bare(backbone: Any) -> None:
    """Raise an error if a backbone carries an adapter already."""
    for module in backbone.modules():
        # By its module's name, because Hugging Face peft takes seconds to import.
        origins = [base.__module__ for base in type(module).__mro__]
        if isinstance(module, Graft) or any(name.startswith("peft.") for name in origins):
            raise RecipeError(
                f"{backbone.name!r} already carries an adapter. Remove it first, or load the "
                "backbone again."
            )
