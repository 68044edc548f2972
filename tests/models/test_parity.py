"""The reference's numbers (TerraTorch 1.2.13), through the public loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.plugin import SHARED, NeedlessSkips
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, FAMILIES
from workbench.models.decoders import DECODERS
from workbench.models.positions import sincos_3d
from workbench.models.segmenter import Normalize, Segmenter
from workbench.peft import LoRA

PARITY = SHARED / "parity"
pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason=NeedlessSkips.NO_SHARED)
CLOSE = {"rtol": 0, "atol": 1e-5}


def reference(name: str) -> dict[str, Any]:
    return torch.load(PARITY / f"{name}.pt", weights_only=True)


def prithvi(cfg: dict[str, Any], state: dict[str, Tensor], **more: Any) -> torch.nn.Module:
    sizes = {key: cfg[key] for key in ("embed_dim", "depth", "num_heads", "patch_size")}
    frames = cfg.get("num_frames", 1)
    return load_backbone(
        "prithvi", weights=state, image_size=cfg["img_size"], num_frames=frames, **sizes, **more
    ).eval()


def as_maps(tokens: list[Tensor], grid: tuple[int, int, int]) -> list[Tensor]:
    """Drop the class token and lay the tokens out as the reference does."""
    return [
        entry[:, 1:].unflatten(1, grid).permute(0, 1, 4, 2, 3).flatten(1, 2) for entry in tokens
    ]


def assert_all_close(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.mark.parametrize(("name", "frames"), [("prithvi_small_T1", 1), ("prithvi_small_T3", 3)])
def test_prithvi_features_are_the_references(name: str, frames: int) -> None:
    ref = reference(name)
    model = prithvi(ref["cfg"], ref["state_dict"])
    with torch.no_grad():
        features, elsewhere = model(ref["x"]), model(ref["x_other_size"])
    assert_all_close(features, as_maps(ref["features"], (frames, 4, 4)))
    assert_all_close(features, ref["prepared"])
    assert_all_close(elsewhere, as_maps(ref["features_other_size"], (frames, 5, 6)))


@pytest.mark.parametrize("given", ["both", "none", "time", "loc"])
def test_time_and_location_encodings_are_the_references(given: str) -> None:
    ref = reference("prithvi_small_TL_T1")
    model = prithvi(ref["cfg"], ref["state_dict"], coords=ref["cfg"]["coords_encoding"])
    time = ref["temporal_coords"] if given in ("both", "time") else None
    location = ref["location_coords"] if given in ("both", "loc") else None
    with torch.no_grad():
        features = model(ref["x"], time, location)
    assert_all_close(features, as_maps(ref[f"features_{given}"], (1, 4, 4)))


def test_position_table_is_the_references_bit_for_bit() -> None:
    assert torch.equal(sincos_3d(96, (3, 4, 5))[0], reference("pos_embed")["prithvi_3x4x5_96"])


def test_lora_features_are_the_references(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    ref = reference("prithvi_small_lora")
    model = prithvi(ref["cfg"], ref["base_state_dict"])
    with torch.no_grad():
        assert_all_close(model(ref["x"]), as_maps(ref["base_features"], (1, 4, 4)))
        adapter = LoRA(rank=4, alpha=16, dropout=0.1).apply(model)
        save_file(ref["adapter_state_dict"], tmp_path / "adapter_model.safetensors")
        adapter.load(tmp_path)
        assert_all_close(model.eval()(ref["x"]), as_maps(ref["features"], (1, 4, 4)))


def unet_model(ref: dict[str, Any]) -> Segmenter:
    """Assemble the reference's whole model; its tensors under our names."""
    state = ref["state_dict"]
    ours = {
        "decoder.decoder.blocks.": "stages.",
        "head.head.2.": "head.",
        "neck.2.": "neck.",
    }
    renamed = {
        name.replace(old, new): tensor
        for name, tensor in state.items()
        for old, new in ours.items()
        if name.startswith(old)
    }
    encoder = {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}
    backbone = prithvi(ref["cfg"], encoder)
    decoder = DECODERS["unet"](
        backbone.num_features, backbone.strides, 3, channels=ref["decoder_kwargs"]["channels"]
    )
    decoder.load_state_dict(renamed)
    return Segmenter(Normalize([0.0] * 6, [1.0] * 6), backbone, decoder).eval()


@pytest.mark.parametrize(("image", "logits"), [("x", "logits"), ("x_50x70", "logits_50x70")])
def test_whole_unet_models_logits_are_the_references(image: str, logits: str) -> None:
    ref = reference("full_UNetDecoder")
    with torch.no_grad():
        torch.testing.assert_close(unet_model(ref)(ref[image]), ref[logits], **CLOSE)


def fcn_model(ref: dict[str, Any]) -> Segmenter:
    """Assemble the reference's whole model; its tensors under our names."""
    state = {
        name.replace("head.head.2.", "decoder.head."): tensor
        for name, tensor in ref["state_dict"].items()
    }
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
    for name, tensor in state.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    backbone = prithvi(ref["cfg"], parts["encoder"])
    decoder = DECODERS["fcn"](backbone.num_features, backbone.strides, 3, **ref["decoder_kwargs"])
    decoder.load_state_dict(parts["decoder"])
    return Segmenter(Normalize([0.0] * 6, [1.0] * 6), backbone, decoder).eval()


@pytest.mark.parametrize(("image", "logits"), [("x", "logits"), ("x_50x70", "logits_50x70")])
def test_whole_fcn_models_logits_are_the_references(image: str, logits: str) -> None:
    ref = reference("full_FCNDecoder")
    with torch.no_grad():
        torch.testing.assert_close(fcn_model(ref)(ref[image]), ref[logits], **CLOSE)


@pytest.mark.parametrize(("name", "file"), [("fcn", "FCNDecoder"), ("upernet", "UperNetDecoder")])
def test_decoders_have_the_references_tensors(name: str, file: str) -> None:
    path = PARITY / "keys" / f"_full_model_prithvi_v1_100_{file}.txt"
    lines = [line.split("\t")[:2] for line in path.read_text().splitlines() if line[0] != "#"]
    ours = {"decoder.": "", "head.head.2.": "head.", "neck.2.": "neck."}
    expected = {
        new + key.removeprefix(old): shape
        for key, shape in lines
        for old, new in ours.items()
        if key.startswith(old)
    }
    classes = int(dict(lines)["head.head.2.bias"].strip("(,)"))
    decoder = DECODERS[name]([768] * 12, [16] * 12, classes)
    assert {key: str(tuple(t.shape)) for key, t in decoder.state_dict().items()} == expected


def test_pyramid_is_the_references() -> None:
    ref = reference("full_UNetDecoder")
    model = unet_model(ref)
    with torch.no_grad():
        assert_all_close(model.decoder.neck(model.backbone(ref["x"])), ref["neck_out"])


@pytest.mark.parametrize(
    "name",
    ["prithvi_eo_v1_100", "prithvi_eo_v2_tiny_tl", "prithvi_eo_v2_300_tl", "prithvi_eo_v2_600_tl"],
)
def test_published_models_have_the_references_tensors(name: str) -> None:
    lines = (PARITY / "keys" / f"{name}.txt").read_text().splitlines()
    expected = dict(line.split("\t")[:2] for line in lines if not line.startswith("#"))
    facts = BACKBONES[name]
    with torch.device("meta"):
        model = FAMILIES[facts.family](bands=facts.bands, coords=facts.coords, **facts.architecture)
    assert {key: str(tuple(t.shape)) for key, t in model.state_dict().items()} == expected


def test_a_whole_masked_autoencoders_checkpoint_loads_without_its_decoder() -> None:
    ref = reference("prithvi_small_T1")
    state = {f"encoder.{name}": tensor for name, tensor in ref["state_dict"].items()}
    state["decoder.mask_token"] = torch.zeros(1, 1, 8)
    state["decoder.decoder_blocks.0.norm1.weight"] = torch.zeros(8)
    model = prithvi(ref["cfg"], state)
    with torch.no_grad():
        assert_all_close(model(ref["x"]), ref["prepared"])
