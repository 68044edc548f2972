"""What fits what, known before anything is downloaded: for those who offer a choice."""

from __future__ import annotations

from functools import cache

import torch

from workbench.models import load_backbone
from workbench.models.backbones import Backbone
from workbench.peft import METHODS
from workbench.recipe import Recipe


@cache
def backbone_skeleton(name: str) -> Backbone:
    """Return a backbone without memory for its weights; nothing is read or downloaded."""
    with torch.device("meta"):
        # Some networks of timm choose a device themselves.
        return load_backbone(name, weights="random").to("meta")


def count_parameters(name: str) -> int:
    """Return the number of parameters of a backbone."""
    return sum(weight.numel() for weight in backbone_skeleton(name).parameters())


def misfit(recipe: Recipe) -> str | None:
    """Return why the method of a recipe does not fit its backbone; None where it fits."""
    reason = recipe.peft.misfit(backbone_skeleton(recipe.backbone))
    name = type(recipe.peft).__name__
    return reason and f"{name} does not fit {recipe.backbone!r}: {reason}"


def misfits(backbone: str) -> dict[str, str]:
    """Return the methods that do not fit a backbone with their default options, and why."""
    model = backbone_skeleton(backbone)
    reasons = {kind: options().misfit(model) for kind, options in METHODS.items()}
    return {kind: reason for kind, reason in reasons.items() if reason}
