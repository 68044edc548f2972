"""Earth-Adapter beyond the battery: the reference's numbers on its own sizes, and any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone
from workbench.peft import EarthAdapter
from workbench.peft.earth_adapter import _Experts, low_pass

Build = Callable[[str], Backbone]
IMAGE = torch.randn(2, 6, 32, 32, generator=torch.Generator().manual_seed(1))


def low_by_shifting(maps: Tensor, cutoff: float) -> Tensor:
    """Return the low frequencies of maps ``(B, D, h, w)`` the way the authors' code does."""
    spectrum = torch.fft.fftshift(torch.fft.fft2(maps, norm="ortho"), dim=(-2, -1))
    height, width = maps.shape[-2:]
    half, y, x = int(min(height, width) * cutoff // 2), height // 2, width // 2
    mask = torch.zeros_like(spectrum)
    mask[:, :, y - half : y + half, x - half : x + half] = 1
    kept = torch.fft.ifftshift(spectrum * mask, dim=(-2, -1))
    return torch.fft.ifft2(kept, norm="ortho").real


@pytest.mark.parametrize("size", [(32, 32), (20, 14), (15, 21)])
@pytest.mark.parametrize("cutoff", [0.2, 0.3])
def test_low_frequencies_are_the_references(size: tuple[int, int], cutoff: float) -> None:
    maps = torch.randn(2, 5, *size, generator=torch.Generator().manual_seed(2))
    tokens = maps.permute(0, 2, 3, 1)[:, None, :, :, None]
    found = low_pass(tokens, cutoff)[:, 0, :, :, 0].permute(0, 3, 1, 2)
    torch.testing.assert_close(found, low_by_shifting(maps, cutoff), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 4)])
def test_the_smallest_grid_keeps_its_mean_in_the_low_frequencies(size: tuple[int, int]) -> None:
    tokens = torch.randn(2, 1, *size, 1, 4)
    torch.testing.assert_close(low_pass(tokens, 0.3).mean((2, 3)), tokens.mean((2, 3)))


def test_three_experts_are_mixed_as_in_the_reference() -> None:
    torch.manual_seed(0)
    experts = _Experts(16, 4, 0.3, mixed=True)
    tokens = torch.randn(2, 12 * 10, 16)
    maps = tokens.transpose(1, 2).unflatten(2, (12, 10))
    low = low_by_shifting(maps, 0.3)
    parts = [tokens, low.flatten(2).transpose(1, 2), (maps - low).flatten(2).transpose(1, 2)]
    with torch.no_grad():
        weights = torch.softmax(experts.router(tokens), dim=-1)
        outputs = [experts.full(parts[0]), experts.low(parts[1]), experts.high(parts[2])]
        delta = sum(weights[..., [k]] * output for k, output in enumerate(outputs))
        found = experts(tokens, (1, 12, 10, 1))
    torch.testing.assert_close(found, tokens + 0.1 * delta, rtol=0, atol=1e-5)


def test_the_class_token_is_left_alone_and_scale_zero_changes_nothing(small: Build) -> None:
    backbone = small("prithvi").eval()
    with torch.no_grad():
        before = backbone(IMAGE)
    adapter = EarthAdapter(frequencies="all").apply(backbone).graft
    seen: list[Tensor] = []
    with torch.no_grad():
        plain = small("prithvi").eval().blocks[0]
        hook = backbone.blocks[0].register_forward_hook(
            lambda block, args, tokens: seen.extend([args[0], tokens])
        )
        backbone.eval()(IMAGE)
        hook.remove()
        torch.testing.assert_close(seen[1][:, 0], plain(seen[0])[:, 0])
        assert not torch.equal(seen[1][:, 1:], plain(seen[0])[:, 1:])
        for experts in adapter.blocks:
            experts.scale.zero_()
        assert all(map(torch.equal, backbone(IMAGE), before))


def test_frames_are_transformed_each_for_itself(small: Build) -> None:
    torch.manual_seed(0)
    sizes = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8, "image_size": 32}
    backbone = load_backbone("prithvi", weights="random", num_frames=3, **sizes).eval()
    EarthAdapter(frequencies="all").apply(backbone)
    with torch.no_grad():
        features = backbone(IMAGE[:, :, None].expand(-1, -1, 3, -1, -1))
    assert features[-1].shape == (2, 96, 4, 4)


@pytest.mark.parametrize(
    ("frequencies", "blocks"),
    [("first", [0, 1, 2, 3, 4, 5]), ("last", [18, 19, 20, 21, 22, 23]), ("none", [])],
)
def test_blocks_with_three_experts_are_the_authors(frequencies: str, blocks: list[int]) -> None:
    assert list(EarthAdapter(frequencies=frequencies).mixed_blocks(24)) == blocks


def test_size_on_a_24_block_backbone() -> None:
    # A bottleneck of 24 with its biases and a scale in each block; two more and a router in six.
    facts = BACKBONES["prithvi_eo_v2_300"]
    with torch.device("meta"):
        backbone = FAMILIES["prithvi"](bands=facts.bands, **facts.architecture)
        backbone.name = facts.name
        adapter = EarthAdapter().apply(backbone)
    expert = 2 * 1024 * 24 + 24 + 1024
    count = sum(weight.numel() for weight in adapter.trainable_parameters())
    assert count == 24 * (expert + 1) + 6 * (2 * expert + 3 * 1025)


def test_files_hold_the_experts_and_nothing_of_the_backbone(small: Build, tmp_path: Path) -> None:
    EarthAdapter(width=8).apply(small("prithvi")).save(tmp_path)
    names = load_file(tmp_path / "adapter_model.safetensors")
    assert all(name.startswith("earth_adapter.blocks.") for name in names)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["kind"], config["width"]) == ("earth_adapter", 8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_runs_under_autocast(dtype: torch.dtype, small: Build) -> None:
    backbone = small("prithvi").eval()
    EarthAdapter(frequencies="all").apply(backbone)
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        assert backbone(IMAGE)[-1].isfinite().all()
