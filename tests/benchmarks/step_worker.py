"""One model of either library, stepped on request: `step_time.py` starts it in a fresh process.

It runs in the peer's interpreter too, so nothing of this package is imported on its side. Every
line on its input is one step of training; it answers each with a line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import sys
import time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

BANDS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
BACKBONE = "prithvi_eo_v1_100"
BATCH, SIDE, CLASSES = 4, 224, 2


def build_ours(method: str, dropout: float) -> torch.nn.Module:
    """Build the model that a recipe describes."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from workbench.assembly import build_model
    from workbench.peft import METHODS
    from workbench.recipe import Recipe

    options = METHODS[method]
    peft = options(dropout=dropout) if "dropout" in options.model_fields else options()
    recipe = Recipe(backbone=BACKBONE, peft=peft, decoder="unet")
    return build_model(recipe, classes=CLASSES, bands=BANDS, weights="random",
                       mean=[0.0] * 6, std=[1.0] * 6)  # fmt: skip


def build_peer(method: str, dropout: float) -> torch.nn.Module:
    """Build the same model with TerraTorch: its factory, necks and defaults."""
    if method == "vit_adapter":
        _replace_cuda_extension()
    from terratorch.models import EncoderDecoderFactory

    necks = [{"name": "SelectIndices", "indices": [2, 5, 8, 11]},
             {"name": "ReshapeTokensToImage"}, {"name": "LearnedInterpolateToPyramidal"}]
    more: dict[str, Any] = {"necks": necks}
    if method == "vit_adapter":
        more = {"backbone_vit_adapter": True}
    elif method == "vpt":
        more |= {"backbone_vpt": True, "backbone_vpt_n_tokens": 100,
                 "backbone_vpt_dropout": dropout}
    elif method == "lora":
        targets = ["qkv.q_linear", "qkv.v_linear", "mlp.fc1", "mlp.fc2"]
        more["peft_config"] = {
            "method": "LORA", "replace_qkv": "qkv",
            "peft_config_kwargs": {"r": 16, "lora_alpha": 16, "lora_dropout": dropout,
                                   "target_modules": targets},
        }  # fmt: skip
    model = EncoderDecoderFactory().build_model(
        "segmentation", backbone=BACKBONE, backbone_pretrained=False, backbone_bands=BANDS,
        backbone_num_frames=1, decoder="UNetDecoder", decoder_channels=[512, 256, 128, 64],
        num_classes=CLASSES, **more,
    )  # fmt: skip
    if method not in ("full", "lora"):
        model.freeze_encoder()
    return model


def _replace_cuda_extension() -> None:
    """Let its ViT-Adapter run without CUDA, by the core in PyTorch that it ships for tests."""
    sys.modules["MultiScaleDeformableAttention"] = types.ModuleType("stub")
    from terratorch.models.backbones.detr_ops.functions import ms_deform_attn_func as functions

    def apply(value: Any, shapes: Any, starts: Any, places: Any, weights: Any, step: int) -> Any:
        return functions.ms_deform_attn_core_pytorch(value, shapes, places, weights)

    functions.MSDeformAttnFunction.apply = apply


@contextlib.contextmanager
def as_our_loop_trains(system_heap: bool) -> Iterator[None]:
    """Set this process up as our training loop does, or leave its heap to the system."""
    from workbench.models.arithmetic import quick_float32
    from workbench.training.heap import kept_heap

    with quick_float32(), contextlib.nullcontext() if system_heap else kept_heap():
        yield


def memory_bytes(entry: str) -> int:
    """Return `VmRSS` (now) or `VmHWM` (the peak) of this process."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if entry in line) * 1024


def forget_peak() -> None:
    """Give back what building left free, and let the peak start from here."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Build what the arguments say, then train it by one step for every line of input."""
    case = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # The peer prints as it loads.
    torch.set_num_threads(case["threads"])
    torch.manual_seed(0)
    build = build_peer if case["peer"] else build_ours
    model = build(case["method"], case["dropout"]).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    # As the trainer of either library makes it.
    optimizer = torch.optim.AdamW(weights, lr=1e-5, fused=not case["peer"])
    image = torch.randn(BATCH, len(BANDS), SIDE, SIDE)
    mask = torch.randint(0, CLASSES, (BATCH, SIDE, SIDE))
    forget_peak()
    built = memory_bytes("VmRSS")
    told = {"trainable": sum(weight.numel() for weight in weights), "torch": torch.__version__}
    print(json.dumps(told), file=answers, flush=True)
    with contextlib.nullcontext() if case["peer"] else as_our_loop_trains(case["system_heap"]):
        for _ in sys.stdin:
            begun, worked = time.perf_counter(), time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=case["bf16"]):
                output = model(image)
                logits = output if isinstance(output, torch.Tensor) else output.output
                loss = torch.nn.functional.cross_entropy(logits.float(), mask)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            told = {"loss": loss.item()}
            told |= {"wall_s": time.perf_counter() - begun, "cpu_s": time.process_time() - worked,
                     "rise_bytes": memory_bytes("VmHWM") - built}  # fmt: skip
            print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
