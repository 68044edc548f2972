"""Models that TerraTorch builds and computes itself, imported; in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.assembly.terratorch.checkpoints import imported
from tests.plugin import NeedlessSkips
from workbench.assembly import load_model

PYTHON = os.environ.get("TERRATORCH_PYTHON")
PEER = Path(__file__).with_name("peer.py")
# Made by peer.py from the case of this name, with TerraTorch 1.2.13: its names of tensors, images
# and logits.
UPERNET = Path(__file__).with_name("upernet.safetensors")

HLS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
SMALL = {
    "backbone": "prithvi_eo_tiny", "backbone_embed_dim": 96, "backbone_depth": 4,
    "backbone_num_heads": 4, "backbone_img_size": 64, "backbone_bands": HLS, "num_classes": 3,
}  # fmt: skip
CLAY = {
    "backbone": "timm_clay_v1_base", "backbone_img_size": 64, "num_classes": 3,
    "backbone_bands": ["blue", "green", "red", "nir", "swir16", "swir22"],
}  # fmt: skip
UNET = {"decoder": "UNetDecoder", "decoder_channels": [64, 32, 16, 8]}
UPER = {"decoder": "UperNetDecoder", "decoder_channels": 32}
FCN = {"decoder": "FCNDecoder", "decoder_channels": 32, "decoder_num_convs": 4}
LINEAR = {"decoder": "LinearDecoder", "decoder_upsampling_size": 16, "decoder_num_classes": 3}
VPT = {"backbone_vpt": True, "backbone_vpt_n_tokens": 7, "backbone_vpt_dropout": 0.1}
ENCODINGS = {"backbone_coords_encoding": ["time", "location"], "backbone_coords_scale_learn": True}


def necks(*indices: int, frames: int = 1) -> dict[str, Any]:
    steps = [{"name": "SelectIndices", "indices": list(indices)},
             {"name": "ReshapeTokensToImage", "effective_time_dim": frames}]  # fmt: skip
    if len(indices) == 4:
        steps.append({"name": "LearnedInterpolateToPyramidal"})
    return {"necks": steps}


def lora(qkv: str, *mlp: str) -> dict[str, Any]:
    targets = [f"{qkv}.q_linear", f"{qkv}.v_linear", *mlp]
    options = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": targets}
    return {"peft_config": {"method": "LORA", "replace_qkv": qkv, "peft_config_kwargs": options}}


THREE = {"backbone_num_frames": 3}
BLOCKS = necks(0, 1, 2, 3)
CASES: dict[str, dict[str, Any]] = {
    "upernet": {"model": {**SMALL, **UPER, **BLOCKS}, "image": [2, 6, 64, 64]},
    "upernet-padded": {"model": {**SMALL, **UPER, **BLOCKS}, "image": [2, 6, 50, 70]},
    "linear-padded": {"model": {**SMALL, **LINEAR, **necks(-1)}, "image": [2, 6, 50, 70]},
    "fcn-lora": {"model": {**SMALL, **FCN, **necks(-1), **lora("qkv", "mlp.fc1", "mlp.fc2")},
                 "image": [2, 6, 96, 64]},
    "unet-vpt-3-frames": {
        "model": {**SMALL, **UNET, **THREE, **VPT, **necks(0, 1, 2, 3, frames=3)},
        "image": [1, 6, 3, 50, 70]},
    "upernet-lora-3-frames": {
        "model": {**SMALL, **UPER, **THREE, **lora("qkv"), **necks(0, 1, 2, 3, frames=3)},
        "image": [1, 6, 3, 64, 64]},
    "unet-3-frames-time-location": {
        "model": {**SMALL, **UNET, **THREE, **ENCODINGS, **necks(0, 1, 2, 3, frames=3)},
        "image": [1, 6, 3, 64, 64],
        "metadata": {"temporal_coords": [[[2018.0, 46.0], [2018.0, 90.0], [2019.0, 2.0]]],
                     "location_coords": [[-16.0, -65.0]]}},
    "upernet-vit-adapter": {
        "model": {"backbone": "prithvi_eo_v1_100", "backbone_vit_adapter": True,
                  "backbone_bands": HLS, "num_classes": 3, **UPER},
        "image": [1, 6, 96, 160]},
    "clay-unet-vpt": {"model": {**CLAY, **UNET, **VPT, **necks(2, 5, 8, 11)},
                      "image": [1, 6, 64, 64]},
    "clay-upernet-lora": {
        "model": {**CLAY, **UPER, **lora("to_qkv", "1.net.1", "1.net.3"), **necks(2, 5, 8, 11)},
        "image": [1, 6, 50, 64]},
}  # fmt: skip
TINY = {"backbone_embed_dim": 16, "backbone_num_heads": 2, "backbone_img_size": 32,
        "backbone_patch_size": [1, 8, 8], "decoder_channels": 8}  # fmt: skip
KEPT = {"model": {**SMALL, **UPER, **TINY, **BLOCKS}, "image": [2, 6, 30, 52]}


def difference(run: Any, image: torch.Tensor, logits: torch.Tensor, *told: torch.Tensor) -> float:
    with torch.no_grad():
        ours = load_model(run, device="cpu")(image, *told)
    return float((ours - logits).abs().max())


def test_upernets_logits_are_the_references(tmp_path: Path) -> None:
    stored = load_file(UPERNET)
    image, logits = stored.pop("image"), stored.pop("logits")
    torch.save({"state_dict": stored, "hyper_parameters": {"model_args": KEPT["model"]}},
               tmp_path / "upernet.ckpt")  # fmt: skip
    run = imported(tmp_path / "upernet.ckpt", tmp_path)
    assert logits.std() > 0.01
    assert difference(run, image, logits) < 1e-6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terratorch")
    cases = [{"name": name, **case} for name, case in CASES.items()]
    (folder / "cases.json").write_text(json.dumps(cases))
    subprocess.run([str(PYTHON), str(PEER), str(folder)], check=True, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason=NeedlessSkips.NO_TERRATORCH)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CASES)
def test_imported_models_give_terratorchs_logits(name: str, made: Path, tmp_path: Path) -> None:
    peer = torch.load(made / f"{name}.pt", weights_only=True)
    told = [peer[key] for key in ("temporal_coords", "location_coords") if key in peer]
    run = imported(made / f"{name}.ckpt", tmp_path, metadata="both" if told else "none")
    assert peer["logits"].std() > 0.01
    assert difference(run, peer["image"], peer["logits"], *told) < 1e-5
