"""Checkpoints as TerraTorch writes them, made from the reference values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.plugin import SHARED, NeedlessSkips
from workbench.assembly import load_model
from workbench.assembly.terratorch import import_terratorch
from workbench.runs import Run

PARITY = SHARED / "parity"
needs_parity = pytest.mark.skipif(not PARITY.is_dir(), reason=NeedlessSkips.NO_SHARED)
CLOSE = {"rtol": 0, "atol": 1e-5}
PLAIN = ([0.0] * 6, [1.0] * 6)


def reference(name: str) -> dict[str, Any]:
    return torch.load(PARITY / f"{name}.pt", weights_only=True)


def lightning(folder: Path, state: dict[str, Tensor], **beside: Any) -> Path:
    """Write what Lightning's ModelCheckpoint writes."""
    path = folder / "best-epoch=07.ckpt"
    torch.save({
        "epoch": 7, "global_step": 100, "pytorch-lightning_version": "2.5.0", "loops": {},
        "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-4}]}], **beside,
    }, path)  # fmt: skip
    return path


def imported(path: Path, tmp_path: Path, **more: Any) -> Run:
    return import_terratorch(path, root=tmp_path / "runs",
                             **{"normalisation": PLAIN, **more})  # fmt: skip


def logits(run: Run, image: Tensor) -> Tensor:
    with torch.no_grad():
        return load_model(run, device="cpu")(image)


def config(ref: dict[str, Any]) -> dict[str, Any]:
    """What a configuration holds of the reference's model."""
    return {"model": {"init_args": {"model_args": {
        "backbone_num_heads": ref["cfg"]["num_heads"], "necks": ref["necks"],
    }}}}  # fmt: skip


def whole(encoder: dict[str, Tensor], last: Tensor | None = None) -> dict[str, Tensor]:
    """Give an encoder a linear decoder and a head, as TerraTorch names them."""
    generator = torch.Generator().manual_seed(3)
    dim = 96
    made = {
        "decoder.conv.weight": (dim, 2, 16, 16), "decoder.conv.bias": (2,),
        "head.head.2.weight": (2, 2, 1, 1), "head.head.2.bias": (2,),
    }  # fmt: skip
    rest = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in made.items()}
    return {**{f"encoder.{name}": tensor for name, tensor in encoder.items()}, **rest}


def linear_logits(state: dict[str, Tensor], feature: Tensor) -> Tensor:
    """What the reference computes behind the last block: two layers."""
    spread = torch.nn.functional.conv_transpose2d(
        feature, state["decoder.conv.weight"], state["decoder.conv.bias"], stride=16
    )
    return torch.nn.functional.conv2d(
        spread, state["head.head.2.weight"], state["head.head.2.bias"]
    )


def lora_state(ref: dict[str, Any]) -> dict[str, Tensor]:
    """Return the encoder's tensors with LoRA inside, under the names of `all_keys`."""
    state: dict[str, Tensor] = dict(ref["lora_state_dict"])
    for name in ref["all_keys"]:
        plain = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
        if ".qkv." in plain and "lora" not in plain:
            part = "qkv".index(plain.split("_linear")[0][-1])
            fused = plain.replace(f".{'qkv'[part]}_linear", "")
            state[name] = ref["base_state_dict"][fused].chunk(3)[part].clone()
        elif name not in state:
            state[name] = ref["base_state_dict"][plain]
    assert list(ref["all_keys"]) == [name for name in ref["all_keys"] if name in state]
    return whole(state)


def lora_config(ref: dict[str, Any]) -> dict[str, Any]:
    return {"model_args": {"backbone_num_heads": ref["cfg"]["num_heads"],
                           "peft_config": ref["peft_config"]}}  # fmt: skip


def clay_state() -> tuple[dict[str, Any], dict[str, Tensor]]:
    ref = reference("clay_small")
    shape = (48, 2, 8, 8)
    state = whole({f"clay_encoder.{name}": value for name, value in ref["state_dict"].items()})
    state["decoder.conv.weight"] = 0.1 * torch.randn(
        shape, generator=torch.Generator().manual_seed(2)
    )
    return ref, state


def tensors_of(file: str) -> dict[str, Tensor]:
    """Return the tensors that a file of `keys` lists, without memory."""
    state = {}
    for line in (PARITY / "keys" / file).read_text().splitlines():
        if not line.startswith("#"):
            key, shape = line.split("\t")[:2]
            sides = [int(side) for side in shape.strip("() ").split(",") if side.strip()]
            state[key] = torch.empty(sides, device="meta")
    return state
