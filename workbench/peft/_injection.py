"""Adapters by Hugging Face peft, in its file format; shared by the methods that use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from workbench.errors import RecipeError, WeightsError
from workbench.peft import Adapter
from workbench.peft._split_qkv import fuse_qkv, split_qkv

FILE = "adapter_model.safetensors"


class Injected(Adapter):
    """Layers of Hugging Face peft inside a backbone.

    Args:
        backbone: Changed in place.
        config: What peft adds, and to which layers.
        split: Whether to take fused query-key-value layers apart first.
    """

    still_at_start = ("lora_A",)  # B starts at zero, and A's gradient passes through B.

    def __init__(self, backbone: Any, config: peft.PeftConfig, *, split: bool) -> None:
        super().__init__(backbone)
        if any(isinstance(module, BaseTunerLayer) for module in backbone.modules()):
            raise RecipeError(
                f"{backbone.name!r} already carries an adapter. Remove it first, or load the "
                "backbone again."
            )
        backbone.requires_grad_(False)
        if split:
            split_qkv(backbone)
        self.peft_model: Any = peft.PeftModel(backbone, config)

    def save(self, folder: Path) -> None:
        self.peft_model.peft_config["default"].save_pretrained(str(folder))
        state = peft.get_peft_model_state_dict(self.peft_model)
        save_file({name: tensor.cpu().contiguous() for name, tensor in state.items()},
                  folder / FILE)  # fmt: skip

    def load(self, folder: Path) -> None:
        path = folder / FILE
        try:
            state = load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is not a whole adapter file: {error}") from error
        own = peft.get_peft_model_state_dict(self.peft_model)
        wrong = sorted(
            set(own) ^ set(state)
            | {name for name in set(own) & set(state) if own[name].shape != state[name].shape}
        )
        if wrong:
            raise WeightsError(
                f"{path} belongs to another adapter: {len(wrong)} of its tensors differ in name "
                f"or shape from this one's, such as {wrong[0]}. Check options and backbone."
            )
        peft.set_peft_model_state_dict(self.peft_model, state)

    def disable(self) -> None:
        self.peft_model.base_model.disable_adapter_layers()

    def enable(self) -> None:
        self.peft_model.base_model.enable_adapter_layers()

    def remove(self) -> None:
        self.peft_model.unload()
        fuse_qkv(self.backbone)
        self.backbone.requires_grad_(True)
