"""Galileo: the reference's numbers on real pixels, groups of bands, months, and its input layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.plugin import SHARED, NeedlessSkips
from workbench.assembly import build_model, load_model, save_model
from workbench.errors import BandError, DataError, RecipeError, WeightsError
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone
from workbench.models.backbones._galileo_input import STATISTICS
from workbench.recipe import Recipe

NANO = SHARED / "real" / "galileo_nano" / "encoder.pt"
needs_real = pytest.mark.skipif(not NANO.is_file(), reason=NeedlessSkips.NO_SHARED)
SENTINEL_2 = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
HLS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
SIZES = {"embed_dim": 32, "depth": 2, "num_heads": 2}
CLOSE = {"rtol": 0, "atol": 1e-5}


def small(**more: Any) -> Backbone:
    torch.manual_seed(0)
    return load_backbone("galileo", weights="random", **{**SIZES, **more}).eval()


@pytest.fixture(scope="module")
def spain() -> dict[str, Any]:
    """Two windows of the flood in Spain: reflectance, the reference's input and features."""
    ref = torch.load(SHARED / "parity" / "galileo_nano_spain.pt", weights_only=True)
    ten = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12]
    ref["reflectance"] = ref["s2_raw_dn"][:, ten].float() * 1e-4
    ref["input"] = ref["space_time_x_normalised"][:, :, :, 0, 2:].permute(0, 3, 1, 2)
    return ref


@needs_real
@pytest.mark.parametrize("patch", [4, 8])
def test_features_of_real_pixels_are_the_references(spain: dict[str, Any], patch: int) -> None:
    model = load_backbone("galileo_nano", weights=NANO, patch_size=patch, bands=SENTINEL_2).eval()
    tokens = spain[f"features_patch{patch}"]
    expected = tokens.transpose(1, 2).unflatten(2, (32 // patch, 32 // patch))
    prepared = model.prepare(spain["reflectance"])
    torch.testing.assert_close(prepared, spain["input"], **CLOSE)
    time, location = model.encode(["2019-09-18"] * 2, [(-0.6, 38.1)] * 2)
    with torch.no_grad():
        for features in (
            model(prepared, month=spain["month"]),
            model(prepared, time, location),
            model(prepared[:, :, None], month=torch.tensor([8, 8]), gsd=10.0),
        ):
            assert [tuple(entry.shape) for entry in features] == [tuple(expected.shape)] * 4
            torch.testing.assert_close(features[-1], expected, **CLOSE)
        assert torch.equal(model(prepared, time, blocks=[1])[0], model(prepared, time)[1])


@needs_real
def test_the_published_tables_are_those_that_are_computed() -> None:
    state = torch.load(NANO, weights_only=True, map_location="cpu")
    model = load_backbone("galileo_nano", weights="random")
    torch.testing.assert_close(model.pos_embed, state["pos_embed"], **CLOSE)
    torch.testing.assert_close(model.month_embed, state["month_embed.weight"], **CLOSE)


@needs_real
def test_inputs_that_are_no_images_are_dropped_and_foreign_tensors_refused() -> None:
    state = torch.load(NANO, weights_only=True, map_location="cpu")
    model = load_backbone("galileo_nano", weights=state, bands=("B2", "B3", "B4"))
    assert set(model.space_time_embed) == {"S2_RGB"}
    with pytest.raises(WeightsError, match=r"1 unexpected: head.weight"):
        load_backbone("galileo_nano", weights={**state, "head.weight": torch.zeros(2)})
    del state["space_time_embed.NDVI.proj.bias"]
    with pytest.raises(WeightsError, match=r"1 missing: space_time_embed.NDVI.proj.bias"):
        load_backbone("galileo_nano", weights=state)


@pytest.mark.parametrize(("name", "millions"), [("nano", 0.8), ("tiny", 5.3), ("base", 85.0)])
def test_published_sizes_are_the_papers(name: str, millions: float) -> None:
    facts = BACKBONES[f"galileo_{name}"]
    with torch.device("meta"):
        model = FAMILIES["galileo"](bands=facts.bands, **facts.architecture)
    count = sum(weight.numel() for weight in model.blocks.parameters())  # type: ignore[union-attr]
    assert count / 1e6 == pytest.approx(millions, rel=0.02)


def test_ndvi_needs_red_and_the_broad_infrared() -> None:
    assert small().channels == (*tuple(STATISTICS)[2:], "NDVI")
    assert small(bands=HLS).channels == HLS
    image = torch.full((1, 10, 8, 8), 0.1)
    image[:, 6] = 0.3
    ndvi = small().prepare(image)[:, -1]
    torch.testing.assert_close(
        ndvi * 4 * 0.2720939 + 0.2892117 - 2 * 0.2720939, torch.full((1, 8, 8), 0.5)
    )
    assert small().prepare(torch.zeros(1, 10, 8, 8)).isfinite().all()


def test_mean_and_deviations_become_a_half_and_the_ends_of_0_to_1() -> None:
    model = small(bands=("VV", "VH", "NIR_NARROW"))
    mean, std = (torch.tensor(entries).view(1, 3, 1, 1) for entries in (model.mean, model.std))
    for deviations, value in ((0, 0.5), (-2, 0.0), (2, 1.0)):
        prepared = model.prepare(mean + deviations * std)
        torch.testing.assert_close(prepared, torch.full_like(prepared, value))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_invalid_pixels_count_as_the_bands_mean(value: float) -> None:
    model = small()
    image = torch.rand(1, 10, 8, 8)
    with_mean = image.clone()
    image[:, 2, 3:5, 7] = value
    with_mean[:, 2, 3:5, 7] = STATISTICS["RED"][0]
    torch.testing.assert_close(model.prepare(image), model.prepare(with_mean))


def test_the_order_of_the_bands_does_not_matter() -> None:
    model, turned = small(), small(bands=SENTINEL_2[::-1])
    turned.load_state_dict(model.state_dict())
    image = torch.rand(2, 10, 16, 16)
    with torch.no_grad():
        ours, theirs = model(model.prepare(image)), turned(turned.prepare(image.flip(1)))
    torch.testing.assert_close(ours[-1], theirs[-1], **CLOSE)


def test_groups_of_bands_are_there_as_a_whole_or_refused() -> None:
    with pytest.raises(BandError) as error:
        small(bands=("B1", "B2", "B3", "B11", "B12"))
    said = str(error.value)
    assert "knows no COASTAL_AEROSOL; takes BLUE, GREEN, RED together (S2_RGB)" in said
    assert "not without RED" in said
    assert "any of these groups: VV VH; BLUE GREEN RED; " in said


def test_any_grid_and_any_patch_works_with_positions_in_metres() -> None:
    model = small(patch_size=4)
    image = torch.randn(1, 11, 20, 12)
    with torch.no_grad():
        assert [tuple(entry.shape) for entry in model(image)] == [(1, 32, 5, 3)] * 2
        near, far = model(image, gsd=10)[-1], model(image, gsd=torch.tensor([30.0]))[-1]
    assert not torch.allclose(near, far)


def test_features_do_not_depend_on_the_rest_of_the_batch() -> None:
    model = small(bands=HLS)
    image = torch.randn(2, 6, 3, 16, 16)
    months, gsd = torch.tensor([[0, 4, 8], [11, 2, 3]]), torch.tensor([10.0, 20.0])
    with torch.no_grad():
        both = model(image, months, gsd=gsd)[-1]
        for index in range(2):
            alone = model(image[index : index + 1], months[index : index + 1], gsd=gsd[index])[-1]
            torch.testing.assert_close(both[index : index + 1], alone, **CLOSE)
    assert both.shape == (2, 32, 2, 2)  # Dates and groups are averaged, as in the reference.


def test_without_a_month_it_is_june() -> None:
    model, image = small(), torch.randn(1, 11, 16, 16)
    with torch.no_grad():
        assert torch.equal(model(image)[-1], model(image, month=5)[-1])
        assert not torch.allclose(model(image)[-1], model(image, month=11)[-1])


@pytest.mark.parametrize("month", [12, -1, 2.5, torch.tensor([1, 2, 3])])
def test_what_is_no_month_is_refused(month: Any) -> None:
    with pytest.raises(DataError, match=r"whole numbers from 0 \(January\) to 11"):
        small()(torch.randn(2, 11, 16, 16), month=month)


def test_what_it_does_not_take_is_said() -> None:
    model, image = small(), torch.randn(2, 11, 16, 16)
    with pytest.raises(RecipeError, match=r"takes no location; .* time and gsd and month"):
        model(image, location=torch.zeros(2, 2))
    with pytest.raises(RecipeError, match="as time or as month, not both"):
        model(image, torch.zeros(2, 1, dtype=torch.long), month=3)
    with pytest.raises(BandError, match=r"SWIR_1, SWIR_2, NDVI; got \(2, 10, 16, 16\)"):
        model(image[:, :10])
    with pytest.raises(RecipeError, match="patch_size=16: Galileo was trained with 1 to 8"):
        small(patch_size=16)
    with pytest.raises(
        RecipeError, match=r"\['location'\] are not among \['time'\], which Galileo"
    ):
        small(coords=("time", "location"))
    with pytest.raises(RecipeError, match="embed_dim=40 must be a multiple of 16"):
        small(embed_dim=40)


def test_an_image_without_ndvi_is_told_what_adds_it() -> None:
    with pytest.raises(BandError, match=r"backbone.prepare\(image\) adds NDVI"):
        small()(torch.rand(1, 10, 16, 16))


def test_a_patch_resized_without_gradients_learns_later() -> None:
    model = small(patch_size=5)
    with torch.inference_mode():
        model(torch.randn(1, 11, 10, 10))
    model(torch.randn(1, 11, 10, 10))[-1].sum().backward()
    assert model.get_parameter("space_time_embed.NDVI.proj.weight").grad is not None


def reflectance(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3)) * 0.4


@pytest.mark.parametrize("method", ["lora", "linear_probe", "full"])
@pytest.mark.parametrize("decoder", ["unet", "linear"])
@pytest.mark.parametrize("bands", [SENTINEL_2, HLS])
def test_a_model_takes_physical_units_trains_and_is_saved(
    bands: tuple[str, ...], decoder: str, method: str, tmp_path: Path
) -> None:
    recipe = Recipe(backbone="galileo_nano", peft=method, decoder=decoder)
    weights = NANO if NANO.is_file() else "random"
    statistics = {"mean": [0.1] * len(bands), "std": [0.05] * len(bands)}
    model = build_model(recipe, classes=2, bands=bands, weights=weights, **statistics).train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    before = [weight.detach().clone() for weight in trained]
    image = reflectance(2, len(bands), 20, 16)
    image[:, :, 3, 3] = float("nan")
    model(image).square().mean().backward()
    torch.optim.AdamW(trained, lr=1e-2).step()
    assert not all(map(torch.equal, before, (weight.detach() for weight in trained)))
    save_model(model, tmp_path)
    again = load_model(tmp_path, device="cpu", weights=weights)
    with torch.no_grad():
        assert torch.equal(again(image), model.eval()(image))


def test_the_first_layer_is_the_backbones_own_where_no_statistics_are_given() -> None:
    recipe = Recipe(backbone="galileo_nano", peft="linear_probe", decoder="linear")
    model = build_model(recipe, classes=2, bands=SENTINEL_2, weights="random").eval()
    image = reflectance(1, 10, 16, 16)
    with torch.no_grad():
        features = model.backbone(model.backbone.prepare(image))
        torch.testing.assert_close(model(image), model.decoder(features[-1:]))
