"""LoRA's further options: each starts at identity, is peft's own, and folds into plain weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workbench.errors import RecipeError
from workbench.models.backbones import Backbone
from workbench.peft import IA3, FullFineTuning, LoRA, Method

Build = Callable[[str], Backbone]
IMAGE = torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))
VARIANTS: list[Method] = [
    LoRA(rank=4),
    LoRA(rank=4, dora=True),
    LoRA(rank=4, rslora=True),
    LoRA(rank=4, initialization="gaussian"),
    LoRA(rank=4, targets=["qkv", "proj"], dora=True, dropout=0.1),
    IA3(),
    IA3(targets=["qkv", "fc1", "fc2"]),
]


def features(backbone: Backbone) -> list[torch.Tensor]:
    with torch.no_grad():
        return backbone.eval()(IMAGE)


def shaken(backbone: Backbone) -> None:
    """Move what trains away from where it started."""
    generator = torch.Generator().manual_seed(5)
    for weight in backbone.parameters():
        if weight.requires_grad:
            weight.data += 0.1 * torch.randn(weight.shape, generator=generator)


@pytest.mark.parametrize("options", VARIANTS, ids=repr)
def test_the_start_changes_no_feature_bit_for_bit(options: Method, small: Build) -> None:
    backbone = small("prithvi")
    before = features(backbone)
    options.apply(backbone)
    assert all(map(torch.equal, features(backbone), before))


@pytest.mark.parametrize("options", VARIANTS, ids=repr)
def test_merged_into_plain_weights_the_features_stay(options: Method, small: Build) -> None:
    backbone = small("prithvi")
    structure = list(backbone.state_dict())
    plain = features(backbone)
    adapter = options.apply(backbone)
    shaken(backbone)
    trained = features(backbone)
    assert not torch.allclose(trained[-1], plain[-1], atol=1e-3)
    adapter.merge()
    assert list(backbone.state_dict()) == structure
    for ours, theirs in zip(features(backbone), trained, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_what_is_not_of_the_family_cannot_be_merged(small: Build) -> None:
    with pytest.raises(RecipeError, match=r"Only adapters of the LoRA family \(lora, ia3\)"):
        FullFineTuning().apply(small("prithvi")).merge()


def test_peft_reads_the_options_in_its_own_file(small: Build, tmp_path: Path) -> None:
    LoRA(dora=True, rslora=True, initialization="gaussian").apply(small("prithvi")).save(tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (said["use_dora"], said["use_rslora"], said["init_lora_weights"]) == (
        True, True, "gaussian",
    )  # fmt: skip


def test_rslora_scales_by_the_root_of_the_rank(small: Build) -> None:
    scales = {}
    for rslora in (False, True):
        adapter = LoRA(rank=16, alpha=8, rslora=rslora).apply(small("prithvi"))
        layer = adapter.backbone.get_submodule("blocks.0.mlp.fc1")
        scales[rslora] = layer.scaling["default"]
    assert scales == {False: 8 / 16, True: pytest.approx(8 / math.sqrt(16))}


def test_ia3_learns_a_scale_a_channel(small: Build) -> None:
    backbone = small("prithvi")
    adapter = IA3().apply(backbone)
    # Keys and values of 32 channels and the hidden layer of 128, in four blocks.
    assert sum(weight.numel() for weight in adapter.trainable_parameters()) == 4 * (32 + 32 + 128)


def test_an_unknown_initialisation_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"initialization='zeros' is not one of 'kaiming' or"):
        LoRA(initialization="zeros")
