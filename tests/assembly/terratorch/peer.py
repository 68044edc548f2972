"""Makes checkpoints and logits with TerraTorch itself; run by a Python that has it.

    $TERRATORCH_PYTHON tests/assembly/terratorch/peer.py <folder>

Reads `cases.json` in the folder and writes `<name>.ckpt`, as Lightning would, and `<name>.pt` with
image, metadata and logits for every case.
"""

from __future__ import annotations

import json
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn


def replace_cuda_extension() -> None:
    """Let its ViT-Adapter run without CUDA, by the core in PyTorch that it ships for tests."""
    sys.modules["MultiScaleDeformableAttention"] = types.ModuleType("stub")
    from terratorch.models.backbones.detr_ops.functions import ms_deform_attn_func as functions

    def apply(value: Any, shapes: Any, starts: Any, places: Any, weights: Any, step: int) -> Any:
        return functions.ms_deform_attn_core_pytorch(value, shapes, places, weights)

    functions.MSDeformAttnFunction.apply = apply


def stir(model: nn.Module) -> None:
    """Give what starts as zeros or ones other values, so that it shows in the logits."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for name, weight in model.named_parameters():
        if weight.unique().numel() == 1:
            with torch.no_grad():
                # What scales a feature stays near one.
                weight += torch.randn_like(weight) * (0.3 if "gamma" in name else 0.05)


def make(case: dict[str, Any], folder: Path) -> None:
    """Write checkpoint and logits of one case."""
    from terratorch.models import EncoderDecoderFactory

    torch.manual_seed(case.get("seed", 0))
    model = EncoderDecoderFactory().build_model(
        "segmentation", backbone_pretrained=False, **case["model"]
    )
    stir(model)
    model.eval()
    image = torch.randn(*case["image"])
    more = {name: torch.tensor(value) for name, value in case.get("metadata", {}).items()}
    with torch.no_grad():
        logits = model(image, **more).output
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    name = case["name"]
    torch.save({
        "epoch": 7, "global_step": 100, "pytorch-lightning_version": "2.5.0", "loops": {},
        "state_dict": state, "hyper_parameters": {"model_args": case["model"]},
    }, folder / f"{name}.ckpt")  # fmt: skip
    torch.save({"image": image, "logits": logits, **more}, folder / f"{name}.pt")


def main() -> None:
    """Make every case of the folder."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    replace_cuda_extension()
    folder = Path(sys.argv[1])
    for case in json.loads((folder / "cases.json").read_text()):
        make(case, folder)


if __name__ == "__main__":
    main()
