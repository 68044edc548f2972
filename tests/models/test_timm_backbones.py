"""Networks of timm: the same numbers as timm's, for any bands and sizes; what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import timm
import torch
from timm.models._manipulate import adapt_input_conv
from torch import nn

import workbench as wb
from workbench.errors import BandError, DataError, RecipeError, UnknownNameError, WeightsError
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES
from workbench.models.backbones._timm import RGB
from workbench.models.loading import find_facts

MORE = (*RGB, "NIR_NARROW", "SWIR_1", "SWIR_2")


def image(bands: int = 3, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.randn(2, bands, height, width, generator=torch.Generator().manual_seed(0))


def network(name: str, **options: object) -> nn.Module:
    """Return timm's own network with random weights, batch statistics included."""
    torch.manual_seed(0)
    made = timm.create_model(name, **options).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return made


def test_a_vits_last_feature_is_timms_own() -> None:
    vit = network("test_vit", img_size=(64, 96))
    ours = load_backbone("timm/test_vit", weights=vit.state_dict(), image_size=(64, 96)).eval()
    with torch.no_grad():
        features, expected = ours(image()), vit.forward_features(image())
    assert len(features) == len(ours.blocks) == 6
    assert torch.equal(features[-1].flatten(2).transpose(1, 2), expected[:, 1:])
    assert ours.strides == (16,) * 6
    assert features[0].shape == (2, 64, 4, 6)


@pytest.mark.parametrize("image_size", [(64, 96), (160, 160)])
def test_positions_are_interpolated_as_timm_does_at_loading_and_at_any_image(
    image_size: tuple[int, int],
) -> None:
    vit = network("test_vit", dynamic_img_size=True)
    ours = load_backbone("timm/test_vit", weights=vit.state_dict(), image_size=image_size).eval()
    with torch.no_grad():
        feature, expected = ours(image())[-1], vit.forward_features(image())
    torch.testing.assert_close(feature.flatten(2).transpose(1, 2), expected[:, 1:])


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet", "resnet18"])
def test_a_pyramid_is_timms_own_from_the_complete_models_tensors(name: str) -> None:
    complete = network(name)
    ours = load_backbone(f"timm/{name}", weights=complete.state_dict()).eval()
    with torch.no_grad():
        features = ours(image())
        expected = complete.forward_intermediates(image(), intermediates_only=True)
    assert ours.strides == (4, 8, 16, 32)
    for feature, other in zip(features, expected[-4:], strict=True):
        torch.testing.assert_close(feature, other)


@pytest.mark.parametrize("prefix", ["", "resnet_model."])
def test_decur_is_read_under_the_names_of_its_file_and_of_the_reference(
    prefix: str, tmp_path: Path
) -> None:
    complete = network("resnet50", in_chans=13)
    tensors = {f"{prefix}{name}": tensor for name, tensor in complete.state_dict().items()}
    torch.save(tensors, tmp_path / "decur.pth")
    ours = load_backbone("decur_resnet50", weights=tmp_path / "decur.pth").eval()
    assert (ours.num_features, ours.strides) == ((256, 512, 1024, 2048), (4, 8, 16, 32))
    assert (ours.mean, ours.std) == ((0.0,) * 13, (1.0,) * 13)
    with torch.no_grad():
        expected = complete.forward_features(image(13))
        torch.testing.assert_close(ours(image(13))[-1], expected)


def test_decur_takes_some_of_its_bands_by_name(tmp_path: Path) -> None:
    state = network("resnet50", in_chans=13).state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = load_backbone("decur_resnet50", weights=state, bands=["B8A", "B02"])
    assert torch.equal(part.model.conv1.weight, state["conv1.weight"][:, [8, 1]])


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_new_bands_take_the_trained_ones_in_turn_as_timm_does(name: str) -> None:
    complete = network(name)
    first = complete.pretrained_cfg["first_conv"]
    weight = complete.state_dict()[f"{first}.weight"]
    with pytest.warns(UserWarning, match=r"not trained with NIR_NARROW, SWIR_1, SWIR_2: .* RED, G"):
        ours = load_backbone(f"timm/{name}", weights=complete.state_dict(), bands=MORE)
    assert torch.equal(ours.model.state_dict()[f"{first}.weight"], adapt_input_conv(6, weight))
    turned = load_backbone(f"timm/{name}", weights=complete.state_dict(), bands=RGB[::-1])
    assert torch.equal(turned.model.state_dict()[f"{first}.weight"], weight.flip(1))


@pytest.mark.parametrize("name", ["timm/test_vit", "timm/test_convnext"])
def test_what_it_saved_it_loads_for_the_same_bands(name: str) -> None:
    ours = load_backbone(name, weights="random", bands=MORE).eval()
    again = load_backbone(name, weights=ours.state_dict(), bands=MORE).eval()
    with torch.no_grad():
        for feature, other in zip(ours(image(6)), again(image(6)), strict=True):
            assert torch.equal(feature, other)
    assert ours.weights_hash() == again.weights_hash()


def test_weights_for_another_number_of_bands_are_refused() -> None:
    state = network("test_vit", in_chans=5).state_dict()
    with pytest.raises(WeightsError, match=r"takes 5 bands; expected 3 \(RED, GREEN, BLUE\) or 2"):
        load_backbone("timm/test_vit", weights=state, bands=["RED", "VV"])


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_foreign_tensors_are_refused_and_only_the_classifier_is_dropped(name: str) -> None:
    state = network(name).state_dict()
    with pytest.raises(WeightsError, match=r"1 unexpected: model\.decoder\.weight"):
        load_backbone(f"timm/{name}", weights={**state, "decoder.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match="does not fit"):
        load_backbone(f"timm/{name}", weights={"cls_token": torch.zeros(1, 1, 8)})
    other = network("test_resnet").state_dict()
    with pytest.raises(WeightsError, match="does not fit"):
        load_backbone(f"timm/{name}", weights=other)


def test_rotary_vits_work_at_any_size_and_from_a_state(tmp_path: Path) -> None:
    sizes = {"embed_dim": 32, "depth": 4, "num_heads": 2}
    name = "timm/vit_small_patch16_dinov3"
    ours = load_backbone(name, weights="random", **sizes).eval()
    again = load_backbone(name, weights=ours.state_dict(), image_size=64, **sizes).eval()
    assert ours.num_prefix_tokens == 5
    assert set(ours.linear_roles()) == {"qkv", "proj", "fc1", "fc2"}
    with torch.no_grad():
        assert torch.equal(ours(image())[-1], again(image())[-1])


def test_the_batch_norm_statistics_of_a_frozen_backbone_do_not_drift() -> None:
    recipe = wb.Recipe(backbone="timm/test_efficientnet", peft="linear_probe", decoder="linear")
    model = wb.build_model(recipe, classes=2, bands=RGB, weights="random", mean=[0] * 3,
                           std=[1] * 3)  # fmt: skip
    before = model.backbone.weights_hash()
    model.train()
    model(image()).sum().backward()
    assert model.backbone.weights_hash() == before


def test_the_batch_norm_statistics_of_a_frozen_stage_do_not_drift() -> None:
    ours = load_backbone("timm/test_resnet", weights="random").requires_grad_(False)
    ours.model.layer4.requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    ours.train()(image())
    after = ours.state_dict()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith("model.layer4.") for name in moved)


@pytest.mark.parametrize("name", ["test_mambaout", "dla46_c", "repvgg_a0"])
def test_unusual_pyramids_have_the_same_layout(name: str) -> None:
    state = timm.create_model(name).state_dict()
    with pytest.warns(UserWarning, match="not trained with NIR_NARROW, SWIR_1, SWIR_2"):
        ours = load_backbone(f"timm/{name}", weights=state, bands=MORE).eval()
    with torch.no_grad():
        features = ours(image(6))
    assert ours.strides == (4, 8, 16, 32)
    for feature, stride, channels in zip(features, ours.strides, ours.num_features, strict=True):
        assert feature.shape == (2, channels, 64 // stride, 96 // stride)


def test_a_recipe_with_a_timm_name_needs_no_network_and_builds() -> None:
    recipe = wb.Recipe(backbone="timm/vit_tiny_patch16_224", decoder="linear")
    assert recipe.name == "timm-vit_tiny_patch16_224-lora-linear"
    assert wb.Recipe.from_json(recipe.to_json()) == recipe
    small = recipe.but(backbone="timm/test_vit")
    model = wb.build_model(small, classes=3, bands=MORE, weights="random", image_size=32,
                           mean=[0] * 6, std=[1] * 6).eval()  # fmt: skip
    assert model(image(6, 50, 70)).shape == (2, 3, 50, 70)


def test_names_with_a_tag_choose_the_weights_and_their_licence() -> None:
    facts = find_facts("timm/vit_large_patch16_dinov3.sat493m")
    assert (facts.source.repo, facts.family) == (
        "timm/vit_large_patch16_dinov3.sat493m", "timm_vit",
    )  # fmt: skip
    assert facts.licence == "dinov3-license"
    assert facts.image_size == 256


def test_the_named_resnet50_is_timms() -> None:
    ours, theirs = BACKBONES["resnet50"].source, find_facts("timm/resnet50").source
    assert (ours.repo, ours.file) == (theirs.repo, theirs.file)


def test_unknown_names_get_the_nearest_of_timms() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'timm/resnet50'\? timm.list_models"):
        load_backbone("timm/resnett50")
    with pytest.raises(RecipeError, match=r"Did you mean 'timm/resnet50.a1_in1k'"):
        wb.Recipe(backbone="timm/resnet50.a1_in1kk")


@pytest.mark.parametrize(
    "name", ["swin_tiny_patch4_window7_224", "vit_base_r50_s16_224", "test_maxvit", "mixer_s16_224"]
)
def test_what_is_neither_plain_vit_nor_convnet_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"timm/{name} .* neither a plain vision transformer"):
        wb.Recipe(backbone=f"timm/{name}")


def test_without_the_hub_timms_weights_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    for weights in (None, "hub"):
        with pytest.raises(WeightsError, match=r"model.safetensors of timm/test_vit.* cannot be"):
            load_backbone("timm/test_vit", weights=weights)


@pytest.mark.parametrize("name", ["timm/test_vit", "timm/test_resnet"])
def test_frames_metadata_and_other_bands_are_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="takes one frame, and neither time nor location"):
        load_backbone(name, weights="random", coords=("time",))
    ours = load_backbone(name, weights="random")
    with pytest.raises(BandError, match=r"bands RED, GREEN, BLUE; got \(2, 4, 64, 96\)"):
        ours(image(4))
    with pytest.raises(RecipeError, match="takes no time"):
        ours(image(), torch.zeros(2, 1, 2))
    assert torch.equal(ours.eval()(image()[:, :, None])[-1], ours(image())[-1])


def test_images_smaller_than_a_patch_are_refused() -> None:
    ours = load_backbone("timm/test_vit", weights="random")
    with pytest.raises(DataError, match="multiples of its patch, 16"):
        ours(image(height=8, width=8))


def test_asked_features_are_those_of_all() -> None:
    for name in ("timm/test_vit", "timm/test_resnet"):
        ours = load_backbone(name, weights="random").eval()
        with torch.no_grad():
            every, some = ours(image()), ours(image(), blocks=[0, 2])
        assert torch.equal(some[0], every[0])
        assert torch.equal(some[1], every[2])
        assert ours(image(), blocks=()) == []
