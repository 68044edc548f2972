"""What a fine-tuned model takes on disk: the adapter, decoder and head, and no backbone."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
import torch
from safetensors import safe_open

from workbench.assembly import build_model, describe, save_model
from workbench.models import load_backbone
from workbench.models.backbones import HLS_BANDS
from workbench.models.segmenter import Segmenter
from workbench.peft import split_qkv
from workbench.recipe import Recipe

MOST_BYTES = 40_000_000
RECIPE = Recipe(backbone="prithvi_eo_v2_300", peft="lora", decoder="linear")


def named_in(folder: Path) -> set[str]:
    """Return the names of all tensors in a folder."""
    names: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            names |= set(opened.keys())
    return names


def test_what_describe_says_of_the_300m_is_within_the_limit() -> None:
    said = describe(RECIPE)
    assert 22_000_000 < said.adapter_bytes < said.checkpoint_bytes < MOST_BYTES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_files_of_the_300m_with_lora_are_small_and_open_in_plain_peft(
    tmp_path: Path,
) -> None:
    recipe = RECIPE.but(weights="random")
    model = build_model(recipe, classes=2, bands=HLS_BANDS, image_size=64)
    assert isinstance(model, Segmenter)
    for name, weight in model.backbone.named_parameters():
        if "lora_B" in name:  # It starts at zero, and would hide what is not loaded.
            torch.nn.init.normal_(weight, std=0.02)
    save_model(model, tmp_path)
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size < MOST_BYTES
    said = describe(recipe)
    assert (tmp_path / "adapter_model.safetensors").stat().st_size == said.adapter_bytes
    own = {name for name in named_in(tmp_path) if "lora_" not in name}
    assert own == {"normalize.mean", "normalize.std", "decoder.conv.weight", "decoder.conv.bias"}

    image = torch.randn(1, 6, 64, 64)
    with torch.no_grad():
        expected = model.eval().backbone(image, blocks=[-1])[0]
        del model
        torch.manual_seed(0)  # The recipe's seed: random weights are the same again.
        plain = load_backbone(RECIPE.backbone, weights="random", bands=HLS_BANDS, image_size=64)
        split_qkv(plain)
        opened = peft.PeftModel.from_pretrained(plain, str(tmp_path)).eval()
        assert torch.equal(opened(image, blocks=[-1])[0], expected)
