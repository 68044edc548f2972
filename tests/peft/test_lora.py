"""LoRA beyond the battery: peft's own files, exact splitting, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file

from workbench.errors import RecipeError, WeightsError
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone
from workbench.peft import LoRA, split_qkv
from workbench.peft._split_qkv import SplitQKV

Build = Callable[[str], Backbone]
IMAGE = torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))


def shaken(backbone: Backbone) -> None:
    """Give B of every update something to say."""
    generator = torch.Generator().manual_seed(5)
    for name, weight in backbone.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.1, generator=generator)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dim", [32, 192, 768])
def test_split_qkv_answers_bit_for_bit_as_the_fused_layer(dim: int, bias: bool) -> None:
    fused = torch.nn.Linear(dim, 3 * dim, bias=bias)
    split = SplitQKV(fused)
    tokens = torch.randn(2, 65, dim)
    with torch.no_grad():
        assert torch.equal(split(tokens), fused(tokens))
        assert torch.equal(split.fuse()(tokens), fused(tokens))


def test_peft_opens_the_two_files_on_the_same_backbone(small: Build, tmp_path: Path) -> None:
    backbone = small("prithvi")
    adapter = LoRA(rank=4).apply(backbone)
    shaken(backbone)
    adapter.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip
    other = small("prithvi")
    split_qkv(other)
    opened = peft.PeftModel.from_pretrained(other, str(tmp_path)).eval()
    with torch.no_grad():
        for ours, theirs in zip(backbone.eval()(IMAGE), opened(IMAGE), strict=True):
            assert torch.equal(ours, theirs)


def test_files_hold_the_update_and_nothing_of_the_backbone(small: Build, tmp_path: Path) -> None:
    LoRA(rank=4, targets=["q"]).apply(small("prithvi")).save(tmp_path)
    names = load_file(tmp_path / "adapter_model.safetensors")
    assert len(names) == 2 * 4
    assert all(".q_linear.lora_" in name for name in names)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 4, 16)


def test_qkv_is_split_only_where_its_parts_are_named(small: Build) -> None:
    fused, parts = small("prithvi"), small("prithvi")
    LoRA(targets=["qkv", "proj"]).apply(fused)
    LoRA(targets=["k", "proj"]).apply(parts)
    assert not any(isinstance(module, SplitQKV) for module in fused.modules())
    assert sum(isinstance(module, SplitQKV) for module in parts.modules()) == 4


def test_default_size_on_the_300_m_model_is_the_papers() -> None:
    # r (D + D) for q and v, r (D + 4D) for both layers of the MLP: 224 D a block at r = 16.
    facts = BACKBONES["prithvi_eo_v2_300"]
    with torch.device("meta"):
        backbone = FAMILIES["prithvi"](bands=facts.bands, **facts.architecture)
        backbone.name = facts.name
        adapter = LoRA().apply(backbone)
    count = sum(weight.numel() for weight in adapter.trainable_parameters())
    assert count == 224 * 1024 * 24


def test_dropout_acts_in_training_only(small: Build) -> None:
    backbone = small("prithvi")
    LoRA(dropout=0.5).apply(backbone)
    shaken(backbone)
    with torch.no_grad():
        torch.testing.assert_close(backbone.eval()(IMAGE)[-1], backbone(IMAGE)[-1])
        backbone.train()
        assert not torch.equal(backbone(IMAGE)[-1], backbone(IMAGE)[-1])


def test_a_second_adapter_on_top_is_refused(small: Build) -> None:
    backbone = small("prithvi")
    LoRA(targets=["fc1"]).apply(backbone)
    with pytest.raises(RecipeError, match=r"'prithvi' already carries an adapter. Remove it first"):
        LoRA(targets=["fc2"]).apply(backbone)


def test_files_of_another_adapter_are_refused(small: Build, tmp_path: Path) -> None:
    LoRA(rank=4).apply(small("prithvi")).save(tmp_path)
    other = LoRA(rank=8).apply(small("prithvi"))
    with pytest.raises(WeightsError, match=r"belongs to another adapter.*Check options"):
        other.load(tmp_path)


def test_a_damaged_or_missing_file_is_named(small: Build, tmp_path: Path) -> None:
    adapter = LoRA().apply(small("prithvi"))
    with pytest.raises(WeightsError, match=r"adapter_model.safetensors is not a whole adapter"):
        adapter.load(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x10" * 50)
    with pytest.raises(WeightsError, match=r"adapter_model.safetensors is not a whole adapter"):
        adapter.load(tmp_path)
