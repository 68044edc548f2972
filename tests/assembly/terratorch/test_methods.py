"""Adapters of TerraTorch's checkpoints: recognised with their options, and the same logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.assembly.terratorch.checkpoints import (
    CLOSE,
    imported,
    lightning,
    linear_logits,
    logits,
    lora_config,
    lora_state,
    needs_parity,
    reference,
    whole,
)
from workbench.assembly import build_model, load_model
from workbench.errors import RecipeError, WeightsError
from workbench.peft import METHODS
from workbench.recipe import Recipe

pytestmark = needs_parity


def test_lora_is_imported_as_lora(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    state = lora_state(ref)
    run = imported(lightning(tmp_path, state), tmp_path, config=lora_config(ref))
    feature = ref["features"][-1][:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    torch.testing.assert_close(
        logits(run, ref["x"]), linear_logits(state, feature), rtol=0, atol=1e-4
    )
    assert run.recipe.peft == METHODS["lora"](rank=4, alpha=16, dropout=0.1)
    best = run.folder / "checkpoints" / "best"
    assert not any(path.name == "backbone.safetensors" for path in best.iterdir())
    assert (best / "adapter_config.json").is_file()


def test_loras_alpha_comes_from_the_configuration_or_the_checkpoint(tmp_path: Path) -> None:
    ref = reference("prithvi_small_lora")
    state, said = lora_state(ref), lora_config(ref)
    path = lightning(tmp_path, state)
    with pytest.raises(RecipeError, match="does not say LoRA's alpha"):
        imported(path, tmp_path, config={"num_heads": 4})
    assert not (tmp_path / "runs").exists()
    path = lightning(tmp_path, state, hyper_parameters={**said, "class_names": ["land", "water"]})
    run = imported(path, tmp_path)
    assert run.recipe.peft.alpha == 16
    assert [entry.name for entry in run.classes] == ["land", "water"]


def test_vpt_is_imported_as_vpt(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T1")
    generator = torch.Generator().manual_seed(1)
    prompts = {f"vpt_prompt_embeddings.{index}": torch.randn(1, 5, 96, generator=generator)
               for index in range(4)}  # fmt: skip
    state = whole({**ref["state_dict"], **prompts})
    run = imported(lightning(tmp_path, state), tmp_path,
                   config={"num_heads": 4, "backbone_vpt_dropout": 0.1})  # fmt: skip
    assert run.recipe.peft == METHODS["vpt"](tokens=5)
    model = load_model(run, device="cpu")
    for index in range(4):
        found = model.backbone.state_dict()[f"vpt_prompt_embeddings.{index}"]
        assert torch.equal(found, prompts[f"vpt_prompt_embeddings.{index}"])
    model.adapter.disable()
    with torch.no_grad():
        feature = ref["prepared"][-1]
        torch.testing.assert_close(model(ref["x"][:, :, 0] if ref["x"].ndim == 5 else ref["x"]),
                                   linear_logits(state, feature), rtol=0, atol=1e-4)  # fmt: skip


def test_a_freezing_configuration_makes_a_linear_probe(tmp_path: Path) -> None:
    ref = reference("prithvi_small_T1")
    state = whole(ref["state_dict"])
    run = imported(lightning(tmp_path, state), tmp_path,
                   config={"num_heads": 4, "freeze_backbone": True})  # fmt: skip
    assert run.recipe.peft.kind == "linear_probe"
    image = ref["x"][:, :, 0] if ref["x"].ndim == 5 else ref["x"]
    torch.testing.assert_close(logits(run, image), linear_logits(state, ref["prepared"][-1]),
                               rtol=0, atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("peft", [
    METHODS["lora"](rank=2, alpha=8, targets=("q", "v", "proj", "fc2")), METHODS["vpt"](tokens=3),
    METHODS["lora"](rank=2, alpha=2, targets=("qkv", "fc1")), METHODS["full"](),
    METHODS["lora"](rank=2, alpha=8, dora=True),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("family", ["prithvi", "clay"])
@pytest.mark.parametrize("decoder", ["upernet", "unet"])
def test_what_is_written_under_terratorchs_names_comes_back(
    family: str, peft: Any, decoder: str, tmp_path: Path
) -> None:
    sizes = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8}
    sizes |= {"dim_head": 8} if family == "clay" else {}
    bands = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]
    options = {"channels": 8} if decoder == "upernet" else {"channels": [16, 8, 8, 4]}
    more = {"wavelengths_nm": [490, 560, 665, 864, 1610, 2200]} if family == "clay" else {}
    model = build_model(
        Recipe(backbone=family, peft=peft, decoder=decoder), classes=2, bands=bands, image_size=32,
        mean=[0] * 6, std=[1] * 6, architecture={**sizes, **more}, decoder_options=options,
    ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        weight.data += 0.05 * torch.randn(weight.shape, generator=generator)
    inner = {"clay": "clay_encoder.", "prithvi": ""}[family]
    wrapped = "base_model.model." if peft.kind == "lora" else ""
    state = {}
    for name, tensor in model.backbone.state_dict().items():
        nested = "transformer." if family == "clay" and name.startswith("vpt") else ""
        state[f"encoder.{wrapped}{inner}{nested}{name}"] = tensor
    for name, tensor in model.decoder.state_dict().items():
        part, _, rest = name.partition(".")
        theirs = {"neck": f"neck.2.{rest}", "head": f"head.head.2.{rest}",
                  "stages": f"decoder.decoder.blocks.{rest}"}  # fmt: skip
        state[theirs.get(part, f"decoder.{name}")] = tensor
    said = {"num_heads": 2, "backbone_bands": bands, "img_size": 32, "lora_alpha": peft.alpha
            if peft.kind == "lora" else None, "vpt_dropout": 0.1}  # fmt: skip
    run = imported(lightning(tmp_path, state), tmp_path, config=said)
    assert run.recipe.peft == peft
    image = torch.rand(1, 6, 40, 33, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(logits(run, image), model(image), **CLOSE)


def vit_adapter_state(ref: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return a whole model: the reference's encoder and a linear decoder on its last map."""
    state = whole(ref["state_dict"])
    dim = ref["features"][0].shape[1]
    generator = torch.Generator().manual_seed(4)
    state["decoder.conv.weight"] = torch.randn((dim, 2, 16, 16), generator=generator)
    return state


def test_the_vit_adapter_is_imported_as_one(tmp_path: Path) -> None:
    ref = reference("prithvi_small_vit_adapter")
    state = vit_adapter_state(ref)
    run = imported(lightning(tmp_path, state), tmp_path, config={"num_heads": 4})
    assert run.recipe.peft == METHODS["vit_adapter"](channels=16)
    coarse = linear_logits(state, ref["features"][-1])
    expected = torch.nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(logits(run, ref["x"]), expected, rtol=1e-4, atol=1e-4)


def test_an_adapter_that_lacks_a_tensor_is_refused(tmp_path: Path) -> None:
    state = vit_adapter_state(reference("prithvi_small_vit_adapter"))
    del state["encoder.norm4.running_mean"]
    with pytest.raises(WeightsError, match=r"1 of its tensors .* vit_adapter\.norm4\.running_mean"):
        imported(lightning(tmp_path, state), tmp_path, config={"num_heads": 4})


def test_a_vit_adapter_put_together_in_another_way_is_refused(tmp_path: Path) -> None:
    path = lightning(tmp_path, vit_adapter_state(reference("prithvi_small_vit_adapter")))
    with pytest.raises(RecipeError, match=r"ViT-Adapter with deform_ratio=1\.0 is not imported"):
        imported(path, tmp_path, config={"num_heads": 4, "deform_ratio": 1.0})
