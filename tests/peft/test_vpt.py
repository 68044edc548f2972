"""VPT beyond the battery: where prompts go, what they cost, and their files."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from workbench.errors import RecipeError, WeightsError
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone
from workbench.models.decoders import DECODERS
from workbench.peft import VPT, LoRA

Build = Callable[[str], Backbone]
IMAGE = torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))


def forward_by_hand(backbone: Backbone, prompts: list[Tensor]) -> list[Tensor]:
    """Run Prithvi's blocks with prompts after the class token, written out.

    With one prompt only, what the block made of it goes into the next.
    """
    _, height, width, _ = backbone.token_grid(IMAGE)
    tokens = backbone.embed(IMAGE[:, :, None])
    tokens = torch.cat([backbone.cls_token.expand(2, -1, -1), tokens], dim=1)
    count = prompts[0].shape[1]
    kept = prompts[0].expand(2, -1, -1)
    outputs = []
    for index, block in enumerate(backbone.blocks):
        if len(prompts) > 1:
            kept = prompts[index].expand(2, -1, -1)
        tokens = block(torch.cat([tokens[:, :1], kept, tokens[:, 1:]], dim=1))
        kept = tokens[:, 1 : 1 + count]
        tokens = torch.cat([tokens[:, :1], tokens[:, 1 + count :]], dim=1)
        outputs.append(tokens)
    outputs[-1] = backbone.norm(outputs[-1])
    return [entry[:, 1:].transpose(1, 2).unflatten(2, (height, width)) for entry in outputs]


@pytest.mark.parametrize("deep", [True, False])
def test_prompts_stand_after_the_class_token_and_leave_behind_the_block(
    deep: bool, small: Build
) -> None:
    backbone = small("prithvi").eval()
    adapter = VPT(tokens=3, deep=deep).apply(backbone).graft
    with torch.no_grad():
        found = backbone.eval()(IMAGE)
        expected = forward_by_hand(small("prithvi").eval(), [entry.detach() for entry in adapter])
    assert len(adapter) == (4 if deep else 1)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_prompts_start_uniform_in_the_references_limits(small: Build) -> None:
    backbone = small("prithvi")
    VPT(tokens=50).apply(backbone)
    limit = math.sqrt(6 / (3 * 8 * 8 + 32))
    values = torch.cat([entry.flatten() for entry in backbone.vpt_prompt_embeddings])
    assert values.abs().max() <= limit
    assert values.abs().max() > 0.98 * limit
    assert values.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.03)


@pytest.mark.parametrize(
    ("decoder", "options", "count"),
    [("unet", {}, 16_447_042), ("upernet", {}, 12_972_226), ("fcn", {}, 4_858_370),
     ("linear", {}, 1_314_824 - 6)],
)  # fmt: skip
def test_size_on_prithvi_1_is_the_references(decoder: str, options: dict, count: int) -> None:
    # The linear decoder lacks the reference's 1x1 convolution between two classes: 6 weights.
    facts = BACKBONES["prithvi_eo_v1_100"]
    with torch.device("meta"):
        backbone = FAMILIES["prithvi"](bands=facts.bands, **facts.architecture)
        backbone.name = facts.name
        adapter = VPT().apply(backbone)
        head = DECODERS[decoder](backbone.num_features, backbone.strides, 2, **options)
    learned = sum(weight.numel() for weight in adapter.trainable_parameters())
    assert learned == 921_600
    assert learned + sum(weight.numel() for weight in head.parameters()) == count


def test_dropout_acts_in_training_only(small: Build) -> None:
    backbone = small("prithvi")
    VPT(tokens=4, dropout=0.5).apply(backbone)
    with torch.no_grad():
        backbone.eval()
        assert torch.equal(backbone(IMAGE)[-1], backbone(IMAGE)[-1])
        backbone.train()
        assert not torch.equal(backbone(IMAGE)[-1], backbone(IMAGE)[-1])


def test_files_hold_prompts_under_the_references_names(small: Build, tmp_path: Path) -> None:
    VPT(tokens=4).apply(small("prithvi")).save(tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        f"vpt_prompt_embeddings.{block}": (1, 4, 32) for block in range(4)
    }
    assert json.loads((tmp_path / "adapter_config.json").read_text()) == {
        "peft_type": "VPT", "kind": "vpt", "tokens": 4, "dropout": 0.1, "deep": True,
    }  # fmt: skip
    with pytest.raises(WeightsError, match="belongs to another adapter: 4 of its tensors differ"):
        VPT(tokens=5).apply(small("prithvi")).load(tmp_path)


def test_a_copy_has_prompts_of_its_own(small: Build) -> None:
    backbone = small("prithvi").eval()
    VPT(tokens=4, deep=False).apply(backbone)
    with torch.no_grad():
        before = backbone.eval()(IMAGE)[-1]
    backbone(IMAGE)
    other = copy.deepcopy(backbone)
    with torch.no_grad():
        other.vpt_prompt_embeddings[0].zero_()
        assert torch.equal(backbone(IMAGE)[-1], before)
        assert not torch.equal(other(IMAGE)[-1], before)


def test_blocks_that_count_tokens_without_a_place_are_told_of_prompts(small: Build) -> None:
    backbone = small("prithvi")
    attention: nn.Module = backbone.blocks[0].attn
    attention.num_prefix_tokens = 1
    adapter = VPT(tokens=4).apply(backbone)
    assert attention.num_prefix_tokens == 5
    adapter.remove()
    assert attention.num_prefix_tokens == 1


def test_another_adapter_on_top_is_refused_either_way(small: Build) -> None:
    backbone = small("prithvi")
    adapter = VPT(tokens=4).apply(backbone)
    with pytest.raises(RecipeError, match="'prithvi' already carries an adapter"):
        LoRA().apply(backbone)
    adapter.remove()
    LoRA(targets=["fc1"]).apply(backbone)
    with pytest.raises(RecipeError, match="'prithvi' already carries an adapter"):
        VPT().apply(backbone)


def test_a_convolutional_network_is_told_what_fits_it(small: Build) -> None:
    with pytest.raises(RecipeError) as error:
        VPT().apply(small("unet_encoder"))
    assert "VPT does not fit 'unet_encoder': it has no transformer blocks." in str(error.value)
    assert "'full'" in str(error.value)
    assert "'vpt'" not in str(error.value)
