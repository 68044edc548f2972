"""Gradient checkpointing: the same numbers from less memory, whatever method trains."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from workbench.assembly import build_model
from workbench.assembly.building import build_skeleton
from workbench.errors import RecipeError
from workbench.models.recompute import recompute_sections
from workbench.models.segmenter import Segmenter
from workbench.peft import METHODS, LoRA, Method
from workbench.recipe import Recipe

BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
BLOCKS = dict(embed_dim=48, depth=4, num_heads=3, patch_size=8)
DROPPING = {"lora": {"dropout": 0.3}, "vpt": {"tokens": 5, "dropout": 0.3}}


def model(method: Method, backbone: str = "workbench_tiny", decoder: str = "unet",
          **architecture) -> Segmenter:
    recipe = Recipe(backbone=backbone, peft=method, decoder=decoder)
    return build_model(recipe, classes=2, bands=BANDS, image_size=64, mean=[0.1] * 6, std=[0.1] * 6,
                       weights="random", architecture=architecture).train()  # fmt: skip


def outcome(network: Segmenter) -> tuple[dict[str, Tensor], int]:
    """Return loss, gradients and buffers after one backward pass, and the bytes kept for it."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    image = torch.rand(2, 6, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network(image).square().mean()
    loss.backward()
    found = {name: weight.grad for name, weight in network.named_parameters()
             if weight.grad is not None}  # fmt: skip
    return {"loss": loss.detach(), **found, **dict(network.named_buffers())}, sum(kept.values())


def compare(make) -> tuple[int, int]:
    """Assert that recomputing changes no number; return the bytes kept without and with it."""
    plain, kept = outcome(make())
    network = make()
    recompute_sections(network.backbone)
    recompute_sections(network.backbone)
    again, kept_less = outcome(network)
    assert plain.keys() == again.keys()
    for name, value in plain.items():
        torch.testing.assert_close(again[name], value, rtol=1e-6, atol=1e-6, msg=name)
    return kept, kept_less


@pytest.mark.parametrize("kind", [kind for kind in METHODS if kind != "linear_probe"])
def test_every_method_learns_the_same_and_keeps_less(kind):
    method = METHODS[kind](**DROPPING.get(kind, {}))
    kept, kept_less = compare(lambda: model(method, **BLOCKS))
    assert kept_less < kept


def test_lora_keeps_less_than_a_third_of_the_activations_of_blocks():
    kept, kept_less = compare(lambda: model(LoRA(), decoder="linear", **BLOCKS))
    assert kept_less < kept / 3


@pytest.mark.parametrize(
    "backbone", ["unet_encoder", "timm/resnet18", "timm/convnext_atto", "timm/densenet121"]
)
def test_convolutions_count_their_batch_statistics_once(backbone):
    kept, kept_less = compare(lambda: model(METHODS["full"](), backbone))
    assert kept_less < kept


def test_a_network_without_sections_says_so():
    recipe = Recipe(backbone="timm/efficientnet_b0", peft="full", gradient_checkpointing=True)
    with pytest.raises(RecipeError, match=r"timm/efficientnet_b0 has no sections .*accumulate"):
        build_skeleton(recipe, classes=2, bands=("RED", "GREEN", "BLUE"))
    build_skeleton(recipe.but(peft="linear_probe"), classes=2, bands=("RED", "GREEN", "BLUE"))


def test_without_gradients_nothing_is_prepared_for_them():
    network = model(LoRA(), **BLOCKS).eval()
    image = torch.rand(1, 6, 64, 64)
    with torch.inference_mode():
        expected = network(image)
        recompute_sections(network.backbone)
        assert torch.equal(network(image), expected)
