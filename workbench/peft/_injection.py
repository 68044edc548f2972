"""Adapters by Hugging Face peft, in its file format; shared by the methods that use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
from torch import Tensor

from workbench.peft import Adapter
from workbench.peft._adapter_file import read_tensors, write_tensors
from workbench.peft._graft import require_bare
from workbench.peft._lean_linear import note_gelus
from workbench.peft._split_qkv import fuse_qkv, split_qkv


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
        require_bare(backbone)
        backbone.requires_grad_(False)
        if split:
            split_qkv(backbone)
        self.peft_model: Any = peft.PeftModel(backbone, config)
        self._handles = note_gelus(backbone)

    def tensors(self) -> dict[str, Tensor]:
        return peft.get_peft_model_state_dict(self.peft_model)

    def merge(self) -> None:
        self.peft_model.merge_and_unload()
        self._tidy()

    def save(self, folder: Path) -> None:
        self.peft_model.peft_config["default"].save_pretrained(str(folder))
        write_tensors(folder, self.tensors())

    def load(self, folder: Path) -> None:
        state = read_tensors(folder, self.tensors())
        peft.set_peft_model_state_dict(self.peft_model, state)

    def disable(self) -> None:
        self.peft_model.base_model.disable_adapter_layers()

    def enable(self) -> None:
        self.peft_model.base_model.enable_adapter_layers()

    def remove(self) -> None:
        self.peft_model.unload()
        self._tidy()

    def _tidy(self) -> None:
        for handle in self._handles:
            handle.remove()
        fuse_qkv(self.backbone)
        self.backbone.requires_grad_(True)
