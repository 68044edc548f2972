"""ViT-Adapter beyond the battery: the reference's numbers, its pyramid, and its statistics."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.plugin import SHARED, NeedlessSkips
from workbench.assembly import build_model, load_model, save_model
from workbench.errors import DataError, RecipeError
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, FAMILIES, HLS_BANDS, Backbone
from workbench.models.decoders import DECODERS
from workbench.peft import ViTAdapter
from workbench.peft._interaction import DeformableAttention, cell_centres
from workbench.recipe import Recipe

Build = Callable[[str], Backbone]
IMAGE = torch.randn(2, 6, 32, 64, generator=torch.Generator().manual_seed(1))
FILE = SHARED / "parity" / "prithvi_small_vit_adapter.pt"
KEYS = SHARED / "parity" / "keys" / "prithvi_eo_v1_100_vit_adapter.txt"
PARTS = ("level_embed", "spm", "interactions", "up", "norm1", "norm2", "norm3", "norm4")
SIZES: dict[str, Any] = {"embed_dim": 32, "depth": 4, "num_heads": 2}
FACTS: dict[str, Any] = {"classes": 2, "bands": HLS_BANDS, "weights": "random",
                         "mean": [0.1] * 6, "std": [0.2] * 6}  # fmt: skip

needs_reference = pytest.mark.skipif(not FILE.is_file(), reason=NeedlessSkips.NO_SHARED)


@needs_reference
def test_features_are_the_references() -> None:
    ref = torch.load(FILE, weights_only=True)
    cfg, state = ref["cfg"], ref["state_dict"]
    learned = {name: state.pop(name) for name in list(state) if name.split(".")[0] in PARTS}
    dim = cfg["embed_dim"]
    # The reference deletes what the adapter does not use.
    state |= {"cls_token": torch.randn(1, 1, dim), "norm.weight": torch.randn(dim),
              "norm.bias": torch.randn(dim)}  # fmt: skip
    sizes = {key: cfg[key] for key in ("embed_dim", "depth", "num_heads", "patch_size")}
    backbone = load_backbone("prithvi", weights=state, image_size=cfg["img_size"], **sizes)
    adapter = ViTAdapter(channels=cfg["conv_inplane"], points=cfg["n_points"]).apply(backbone)
    adapter.graft.load_state_dict(learned)
    with torch.no_grad():
        features = backbone.eval()(ref["x"])
    for ours, theirs in zip(features, ref["features"], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * theirs.abs().max().item())


def adapted_prithvi_1() -> Backbone:
    facts = BACKBONES["prithvi_eo_v1_100"]
    with torch.device("meta"):
        backbone = FAMILIES["prithvi"](bands=facts.bands, **facts.architecture)
        backbone.name = facts.name
        ViTAdapter().apply(backbone)
    return backbone


@needs_reference
def test_tensors_of_the_full_size_have_the_references_names_and_shapes() -> None:
    rows = [line.split("\t") for line in KEYS.read_text().splitlines() if "\t" in line]
    reference = {row[0]: row[1] for row in rows if row[0].split(".")[0] in PARTS}
    ours = adapted_prithvi_1().vit_adapter.state_dict()
    assert {name: str(tuple(tensor.shape)) for name, tensor in ours.items()} == reference


@pytest.mark.parametrize(
    ("decoder", "count"),
    [("unet", 26_304_162), ("upernet", 21_526_818), ("fcn", 15_823_138),
     ("linear", 12_279_592 - 6)],
)  # fmt: skip
def test_size_on_prithvi_1_is_the_references(decoder: str, count: int) -> None:
    # The linear decoder lacks the reference's 1x1 convolution between two classes: 6 weights.
    backbone = adapted_prithvi_1()
    learned = sum(weight.numel() for weight in backbone.parameters() if weight.requires_grad)
    with torch.device("meta"):
        head = DECODERS[decoder](backbone.num_features, backbone.strides, 2)
    assert learned == 11_886_368
    assert learned + sum(weight.numel() for weight in head.parameters()) == count


def test_features_become_a_pyramid_and_plain_again(small: Build) -> None:
    backbone = small("prithvi").eval()
    plain = (backbone.num_features, backbone.strides, backbone.size_multiple)
    adapter = ViTAdapter().apply(backbone)
    assert backbone.num_features == (32,) * 4
    assert backbone.strides == (4, 8, 16, 32)
    with torch.no_grad():
        maps = backbone.eval()(IMAGE)
        chosen = backbone(IMAGE, blocks=(0, -1))
    assert [tuple(entry.shape) for entry in maps] == [
        (2, 32, 8, 16), (2, 32, 4, 8), (2, 32, 2, 4), (2, 32, 1, 2),
    ]  # fmt: skip
    assert torch.equal(chosen[0], maps[0])
    assert torch.equal(chosen[1], maps[3])
    adapter.disable()
    assert (backbone.num_features, backbone.strides, backbone.size_multiple) == plain
    adapter.enable()
    adapter.remove()
    assert (backbone.num_features, backbone.strides, backbone.size_multiple) == plain


def test_maps_lie_as_tokens_do(small: Build) -> None:
    """Normalising a map of another layout than its gradient takes ten times as long."""
    backbone = small("prithvi")
    ViTAdapter().apply(backbone)
    for entry in backbone(IMAGE):
        assert entry.is_contiguous(memory_format=torch.channels_last), entry.stride()


@pytest.mark.parametrize(("patch", "multiple"), [(8, 32), (14, 224), (16, 32)])
def test_any_patch_gives_the_same_strides(patch: int, multiple: int) -> None:
    torch.manual_seed(0)
    backbone = load_backbone(
        "prithvi", weights="random", image_size=multiple, patch_size=patch, **SIZES
    ).eval()
    ViTAdapter(channels=4).apply(backbone)
    assert backbone.size_multiple == multiple
    with torch.no_grad():
        maps = backbone(torch.randn(2, 6, multiple, multiple))
    assert [entry.shape[-1] for entry in maps] == [multiple // stride for stride in (4, 8, 16, 32)]


def test_other_sizes_are_refused_with_the_one_that_fits(small: Build) -> None:
    backbone = small("prithvi")
    ViTAdapter().apply(backbone)
    with pytest.raises(
        DataError, match=r"is 40×32 pixels; .* takes multiples of 32. The assembled"
    ):
        backbone(torch.zeros(1, 6, 40, 32))
    with pytest.raises(RecipeError, match="takes one frame; got an image of 3"):
        backbone(torch.zeros(1, 6, 3, 32, 32))


def test_several_frames_and_too_few_blocks_do_not_fit() -> None:
    many = load_backbone("prithvi", weights="random", num_frames=2, patch_size=8, **SIZES)
    with pytest.raises(RecipeError, match="it takes one frame, and this one is built for 2"):
        ViTAdapter().apply(many)
    few = load_backbone("prithvi", weights="random", patch_size=8, **{**SIZES, "depth": 3})
    with pytest.raises(RecipeError, match="it has fewer than 4 blocks"):
        ViTAdapter().apply(few)


def test_several_tokens_a_patch_do_not_fit(small: Build) -> None:
    with pytest.raises(RecipeError, match=r"it has more than one token a patch. Methods"):
        ViTAdapter().apply(small("galileo"))


def test_files_hold_its_statistics_and_nothing_of_the_backbone(
    small: Build, tmp_path: Path
) -> None:
    backbone = small("prithvi")
    adapter = ViTAdapter(channels=4).apply(backbone)
    backbone.train()(IMAGE)
    adapter.save(tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert all(name.startswith("vit_adapter.") for name in tensors)
    assert tensors["vit_adapter.norm1.num_batches_tracked"] == 1
    assert tensors["vit_adapter.spm.stem.1.running_mean"].any()
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config == {"peft_type": "VIT_ADAPTER", "kind": "vit_adapter", "channels": 4, "points": 4}


@pytest.mark.parametrize("decoder", ["linear", "fcn", "upernet", "unet"])
def test_an_assembled_model_of_any_image_size_opens_again(decoder: str, tmp_path: Path) -> None:
    recipe = Recipe(backbone="workbench_tiny", peft="vit_adapter", decoder=decoder)
    model = build_model(recipe, **FACTS)
    image = torch.rand(2, 6, 40, 50)
    model.train()(image)
    with torch.no_grad():
        logits = model.eval()(image)
    assert logits.shape == (2, 2, 40, 50)
    save_model(model, tmp_path)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path, device="cpu")(image), logits)


def test_the_decoder_of_a_plain_backbone_starts_as_ever() -> None:
    """What the adapter draws does not move the decoder's seed."""
    recipe = Recipe(backbone="workbench_tiny", decoder="linear", seed=3)
    kept = [
        build_model(recipe.but(peft=peft), **FACTS).decoder.state_dict()
        for peft in ("linear_probe", "vpt")
    ]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


def test_a_copy_is_independent(small: Build) -> None:
    backbone = small("prithvi")
    ViTAdapter(channels=4).apply(backbone)
    with torch.no_grad():
        before = backbone.eval()(IMAGE)
        other = copy.deepcopy(backbone)
        other.vit_adapter.level_embed.zero_()
        assert all(map(torch.equal, backbone(IMAGE), before))
        assert not torch.equal(other(IMAGE)[1], before[1])


def attend_by_hand(
    layer: DeformableAttention, query: Tensor, places: Tensor, maps: Tensor, shape: tuple[int, int]
) -> Tensor:
    """Return the attention on one map with bilinear sampling written out, point by point."""
    height, width = shape
    values = layer.value_proj(maps).view(len(maps), height, width, layer.heads, -1)
    outputs = torch.zeros(*query.shape[:2], layer.heads, values.shape[-1])
    for b, q, h in torch.cartesian_prod(*map(torch.arange, (*query.shape[:2], layer.heads))):
        offsets = layer.sampling_offsets(query[b, q]).view(layer.heads, layer.points, 2)[h]
        weights = layer.attention_weights(query[b, q]).view(layer.heads, layer.points)[h]
        for offset, weight in zip(offsets, weights.softmax(-1), strict=True):
            # In cells, whose centres are whole numbers.
            x = places[q, 0] * width + offset[0] - 0.5
            y = places[q, 1] * height + offset[1] - 0.5
            for row in (int(y.floor()), int(y.floor()) + 1):
                for column in (int(x.floor()), int(x.floor()) + 1):
                    if 0 <= row < height and 0 <= column < width:
                        share = (1 - (y - row).abs()) * (1 - (x - column).abs())
                        outputs[b, q, h] += weight * share * values[b, row, column, h]
    return layer.output_proj(outputs.flatten(2))


def test_deformable_attention_is_bilinear_sampling_around_the_place() -> None:
    torch.manual_seed(0)
    layer = DeformableAttention(8, heads=2, levels=1, points=3)
    for weight in (layer.sampling_offsets.weight, layer.attention_weights.weight):
        torch.nn.init.normal_(weight)
    places = cell_centres([(2, 2)], torch.device("cpu"))
    query, maps = torch.randn(2, 4, 8), torch.randn(2, 20, 8)
    with torch.no_grad():
        found = layer(query, places, maps, [(4, 5)])
        torch.testing.assert_close(found, attend_by_hand(layer, query, places, maps, (4, 5)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_runs_under_autocast(dtype: torch.dtype, small: Build) -> None:
    backbone = small("prithvi")
    ViTAdapter(channels=4).apply(backbone)
    with torch.autocast("cpu", dtype=dtype):
        features = backbone.train()(IMAGE)
    sum(entry.float().sum() for entry in features).backward()
    assert all(entry.isfinite().all() for entry in features)
