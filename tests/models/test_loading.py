"""Backbones by name: sizes, bands, frames, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from workbench.errors import BandError, DataError, RecipeError, UnknownNameError, WeightsError
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, HLS_BANDS, Backbone
from workbench.models.weights import State

SIZES = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8, "image_size": 32}


def image(bands: int = 6, size: int = 32) -> torch.Tensor:
    return torch.randn(1, bands, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model() -> Backbone:
    torch.manual_seed(0)
    return load_backbone("prithvi", **SIZES).eval()


@pytest.fixture(scope="module")
def state(model: Backbone) -> State:
    return model.state_dict()


def test_bands_are_picked_by_name_and_alias(model: Backbone, state: State) -> None:
    part = load_backbone("prithvi", weights=state, bands=["B8A", "red"], **SIZES)
    assert part.bands == ("NIR_NARROW", "RED")
    expected = model.patch_embed.proj.weight[:, [3, 2]]
    assert torch.equal(part.patch_embed.proj.weight, expected)


def test_bands_in_another_order_give_the_same_features(model: Backbone, state: State) -> None:
    turned = load_backbone("prithvi", weights=state, bands=HLS_BANDS[::-1], **SIZES).eval()
    with torch.no_grad():
        torch.testing.assert_close(turned(image().flip(1))[-1], model(image())[-1])


def test_unknown_bands_start_at_random_and_it_says_so(model: Backbone, state: State) -> None:
    with pytest.warns(UserWarning, match="was not trained with VV: .* starts from random values"):
        wider = load_backbone("prithvi", weights=state, bands=["BLUE", "VV"], **SIZES)
    weight = wider.patch_embed.proj.weight
    assert torch.equal(weight[:, 0], model.patch_embed.proj.weight[:, 0])
    assert weight[:, 1].isfinite().all()
    assert weight[:, 1].std() > 0


def test_bands_that_the_weights_know_none_of_are_refused(state: State) -> None:
    with pytest.raises(BandError, match=r"knows none of the bands VV, VH. It knows BLUE, GREEN"):
        load_backbone("prithvi", weights=state, bands=["VV", "VH"], **SIZES)


def test_a_misspelt_band_gets_the_nearest_name() -> None:
    with pytest.raises(BandError, match="Did you mean 'GREEN'"):
        load_backbone("workbench_tiny", weights="random", bands=["GREEEN"])


def test_no_bands_at_all_are_refused() -> None:
    with pytest.raises(BandError, match=r"bands=\[\] is empty; name the bands of the images"):
        load_backbone("workbench_tiny", weights="random", bands=[])


def test_weights_for_another_number_of_bands_are_refused(state: State) -> None:
    five = {**state, "patch_embed.proj.weight": torch.zeros(32, 5, 1, 8, 8)}
    with pytest.raises(
        WeightsError, match=r"shape \(32, 5, 1, 8, 8\); expected \(dim, 6, 1, patch"
    ):
        load_backbone("prithvi", weights=five, **SIZES)


def test_statistics_follow_the_bands() -> None:
    facts = BACKBONES["prithvi_eo_v2_tiny_tl"]
    model = load_backbone(facts.name, weights="random", bands=["SWIR_2", "BLUE"])
    assert (model.mean, model.std) == ((0.1363, 0.1087), (0.1049, 0.2248))
    with_radar = load_backbone(facts.name, weights="random", bands=["BLUE", "VV"])
    assert with_radar.mean is None


def test_features_keep_the_grid_and_stack_frames_in_channels() -> None:
    model = load_backbone("prithvi", num_frames=3, **SIZES).eval()
    with torch.no_grad():
        features = model(torch.randn(2, 6, 3, 32, 48))
    assert [tuple(feature.shape) for feature in features] == [(2, 96, 4, 6)] * 4
    assert model.num_features == (96,) * 4


def test_asked_blocks_are_those_of_all(model: Backbone) -> None:
    with torch.no_grad():
        every, some = model(image()), model(image(), blocks=[1, -1])
    assert len(some) == 2
    assert torch.equal(some[0], every[1])
    assert torch.equal(some[1], every[3])
    with pytest.raises(RecipeError, match=r"prithvi has 4 blocks, 0 to 3; asked: \[4\]"):
        model(image(), blocks=[0, 4])


def test_metadata_without_its_encoding_is_refused(model: Backbone) -> None:
    with pytest.raises(RecipeError, match="without an encoding of time; build it with coords="):
        model(image(), torch.zeros(1, 1, 2))


@pytest.mark.parametrize(
    ("given", "shape", "takes"),
    [("time", (1, 2), "(1, 1, 2)"), ("time", (1, 2, 2), "(1, 1, 2)"), ("location", (2,), "(1, 2)")],
)
def test_metadata_of_another_shape_is_refused_with_the_right_one(
    given: str, shape: tuple[int, ...], takes: str
) -> None:
    told = load_backbone("prithvi", coords=("time", "location"), **SIZES)
    said = f"{given} has the shape {shape}; prithvi takes {takes} for this image, as"
    with pytest.raises(DataError, match=re.escape(said)):
        told(image(), **{given: torch.zeros(shape)})


def test_one_date_and_place_serve_a_whole_batch() -> None:
    told = load_backbone("prithvi", coords=("time", "location"), **SIZES).eval()
    images = image().repeat(2, 1, 1, 1)
    time, location = told.encode("2018-02-15", (-65.0, -16.0))
    with torch.no_grad():
        torch.testing.assert_close(
            told(images, time, location)[-1],
            told(images, time.repeat(2, 1, 1), location.repeat(2, 1))[-1],
        )


@pytest.mark.parametrize("size", [4, 30])
def test_images_that_are_no_multiple_of_the_patch_are_refused(model: Backbone, size: int) -> None:
    with pytest.raises(DataError, match=f"The image is {size}×{size} pixels; .* its patch, 8"):
        model(image(size=size))


@pytest.mark.parametrize("name", ["prithvi", "unet_encoder"])
def test_another_number_of_bands_is_refused(name: str) -> None:
    model = load_backbone(name, **(SIZES if name == "prithvi" else {"widths": (4, 8)}))
    with pytest.raises(BandError, match=r"bands BLUE, GREEN, .*; got \(1, 3, 32, 32\)"):
        model(image(bands=3))


def test_unknown_names_and_sizes_get_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'workbench_tiny'\? wb.backbones"):
        load_backbone("workbench_tini")
    with pytest.raises(RecipeError, match=r"Prithvi has no size named 'embed_dims'. Did you mean"):
        load_backbone("prithvi", embed_dims=32)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"embed_dim": 40}, "embed_dim=40 must be a multiple of 16"),
        ({"embed_dim": 48, "num_heads": 5}, "of num_heads=5"),
        ({"patch_size": (2, 8, 8)}, r"patch_size=\(2, 8, 8\) is not a side in pixels"),
        ({"coords": ("space",)}, r"\['space'\] are not among \['time', 'location'\]"),
        ({"coords": "time"}, r"coords='time' is one string; pass a list of names: \['time'\]"),
        ({"num_frames": 0}, "num_frames=0 is not a whole number from 1 on"),
        ({"image_size": 0}, "image_size=0 is not a whole number from 1 on"),
        ({"image_size": 64.5}, "image_size=64.5 is not a whole number"),
        ({"image_size": (64, 64, 64)}, "neither a side in pixels nor height and width"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_backbone("prithvi", **{**SIZES, **sizes})


def test_without_the_hub_published_weights_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"Prithvi_EO_V2_tiny_TL.pt of .* cannot be reached"):
        load_backbone("prithvi_eo_v2_tiny_tl")


def test_an_installation_without_the_shipped_weights_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("workbench.models.loading.SHIPPED", tmp_path)
    with pytest.raises(WeightsError, match=r"lacks .*workbench_tiny.safetensors.*install it again"):
        load_backbone("workbench_tiny")


def test_what_is_not_on_the_hub_says_so() -> None:
    with pytest.raises(WeightsError, match="workbench_tiny is not on the hub"):
        load_backbone("workbench_tiny", weights="hub")


def test_the_scratch_encoder_is_a_pyramid_from_full_resolution() -> None:
    model = load_backbone("unet_encoder", widths=(4, 8, 16))
    with torch.no_grad():
        features = model(image())
    assert [tuple(f.shape[1:]) for f in features] == [(4, 32, 32), (8, 16, 16), (16, 8, 8)]
    assert model.strides == (1, 2, 4)


def test_dates_are_channels_of_the_scratch_encoder() -> None:
    model = load_backbone("unet_encoder", num_frames=2, widths=(4, 8)).eval()
    frames = torch.randn(1, 6, 2, 8, 8)
    with torch.no_grad():
        one, other = (model(given)[0] for given in (frames, frames.flip(2)))
    assert one.shape == (1, 4, 8, 8)
    assert not torch.equal(one, other)
    with pytest.raises(BandError, match=r"takes images \(B, 6, 2, H, W\).*got \(1, 6, 8, 8\)"):
        model(frames[:, :, 0])


@pytest.mark.parametrize("name", ["clay", "timm/test_resnet", "timm/test_vit"])
def test_a_backbone_of_one_date_names_those_of_several(name: str) -> None:
    with pytest.raises(RecipeError, match=f"'{name}' takes images of one date.*: .*workbench_tiny"):
        load_backbone(name, weights="random", num_frames=3)
