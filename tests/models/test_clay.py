"""Clay: the reference's numbers, any bands by their wavelengths, and what it is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.plugin import SHARED, NeedlessSkips
from workbench.assembly import build_model
from workbench.errors import BandError, DataError, RecipeError, WeightsError
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, FAMILIES, Backbone, Facts
from workbench.models.positions import sincos_2d, sincos_closed
from workbench.recipe import Recipe

PARITY = SHARED / "parity"
needs_parity = pytest.mark.skipif(not PARITY.is_dir(), reason=NeedlessSkips.NO_SHARED)
CLOSE = {"rtol": 0, "atol": 1e-5}
SIZES = {"embed_dim": 32, "depth": 4, "num_heads": 2, "dim_head": 16, "patch_size": 8}


def reference(name: str = "clay_small") -> dict[str, Any]:
    return torch.load(PARITY / f"{name}.pt", weights_only=True)


def parity_model(ref: dict[str, Any], weights: Any = None, **more: Any) -> Backbone:
    cfg = ref["cfg"]
    return load_backbone(
        "clay", weights=ref["state_dict"] if weights is None else weights, bands=ref["bands"],
        image_size=cfg["img_size"], embed_dim=cfg["dim"], depth=cfg["depth"],
        num_heads=cfg["heads"], dim_head=cfg["dim_head"], patch_size=cfg["patch_size"], **more,
    ).eval()  # fmt: skip


def assert_same_maps(found: list[Tensor], tokens: list[Tensor]) -> None:
    """Compare with tokens whose first is the class token."""
    assert len(found) == len(tokens)
    for ours, theirs in zip(found, tokens, strict=True):
        maps = theirs[:, 1:].transpose(1, 2).unflatten(2, ours.shape[-2:])
        torch.testing.assert_close(ours, maps, **CLOSE)


def small(**more: Any) -> Backbone:
    torch.manual_seed(0)
    return load_backbone("clay", weights="random", **{**SIZES, **more}).eval()


@needs_parity
def test_features_without_and_with_metadata_are_the_references() -> None:
    ref = reference()
    model = parity_model(ref)
    with torch.no_grad():
        assert_same_maps(model(ref["x"]), ref["features_default"])
        told = model(ref["x"], ref["time"], ref["latlon"], gsd=ref["gsd"])
        assert_same_maps(told, ref["features_meta"])
        assert torch.equal(model(ref["x"], blocks=[-1])[0], model(ref["x"][:, :, None])[-1])


@needs_parity
def test_position_tables_are_the_references() -> None:
    ref = reference("pos_embed")
    table = sincos_2d(40, (6, 6), torch.tensor([10.0]))
    torch.testing.assert_close(table[0], ref["clay_2d_6x6_40_gsd10"], **CLOSE)
    waves = reference()["waves"]
    torch.testing.assert_close(sincos_closed(waves, 128), ref["clay_1d_128"], **CLOSE)


@needs_parity
def test_wavelengths_of_named_bands_are_those_of_the_training() -> None:
    ref = reference()
    expected = [1000 * um for um in ref["waves"].tolist()]
    assert parity_model(ref).wavelengths_nm == pytest.approx(expected)


@needs_parity
def test_the_published_model_has_the_references_tensors() -> None:
    lines = (PARITY / "keys" / "clay_v1_base.txt").read_text().splitlines()
    expected = dict(line.split("\t")[:2] for line in lines if not line.startswith("#"))
    facts = BACKBONES["clay_v1"]
    with torch.device("meta"):
        model = FAMILIES["clay"](bands=facts.bands, coords=facts.coords, **facts.architecture)
    ours = {f"clay_encoder.{name}": str(tuple(t.shape)) for name, t in model.state_dict().items()}
    assert ours == expected


@needs_parity
@pytest.mark.parametrize("prefix", ["model.encoder.", "clay_encoder."])
def test_a_lightning_checkpoint_loads_without_decoder_and_teacher(
    prefix: str, tmp_path: Path
) -> None:
    ref = reference()
    state = {f"{prefix}{name}": tensor for name, tensor in ref["state_dict"].items()}
    state |= {f"model.{part}.weight": torch.zeros(2) for part in ("decoder", "teacher", "proj")}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "clay.ckpt")
    with torch.no_grad():
        features = parity_model(ref, tmp_path / "clay.ckpt")(ref["x"])
        assert_same_maps(features, ref["features_default"])
    torch.save({"state_dict": {**state, "model.head.weight": torch.zeros(2)}}, tmp_path / "a.ckpt")
    with pytest.raises(WeightsError, match=r"1 unexpected: model.head.weight"):
        parity_model(ref, tmp_path / "a.ckpt")


def test_the_order_of_the_bands_does_not_matter() -> None:
    bands = ["B2", "B4", "B8A", "B11", "COASTAL", "TIRS1"]
    model = small(bands=bands)
    turned = small(bands=bands[::-1])
    turned.load_state_dict(model.state_dict())
    image = torch.randn(2, 6, 16, 16)
    with torch.no_grad():
        for ours, theirs in zip(model(image), turned(image.flip(1)), strict=True):
            torch.testing.assert_close(ours, theirs, **CLOSE)


def test_wavelengths_can_be_given_and_a_band_without_one_is_refused() -> None:
    assert small(bands=["RED", "DEM"], wavelengths_nm=[640, 1]).wavelengths_nm == (640, 1)
    with pytest.raises(BandError, match=r"DEM has none that is known.*wavelengths_nm="):
        small(bands=["RED", "DEM"])
    with pytest.raises(RecipeError, match="1 entries for 2 bands"):
        small(bands=["RED", "GREEN"], wavelengths_nm=[640])


def test_any_grid_works_and_positions_are_computed_for_it() -> None:
    model = small()
    image = torch.randn(1, 6, 40, 64)
    with torch.no_grad():
        assert [tuple(f.shape[1:]) for f in model(image)] == [(32, 5, 8)] * 4


def test_every_image_can_have_its_own_ground_sampling_distance() -> None:
    model = small()
    image = torch.randn(2, 6, 16, 16)
    with torch.no_grad():
        both = model(image, gsd=torch.tensor([10.0, 30.0]))[-1]
        torch.testing.assert_close(both[:1], model(image[:1], gsd=10)[-1], **CLOSE)
        torch.testing.assert_close(both[1:], model(image[1:], gsd=30.0)[-1], **CLOSE)
        assert not torch.allclose(model(image, gsd=10)[-1], model(image, gsd=30)[-1])


def test_dates_and_places_become_sines_and_cosines_of_week_hour_latitude_longitude() -> None:
    time, location = small().encode(["2018-01-15", "2019-06-03T06:00:00Z"], [(90, 30), (-180, 0)])
    assert time is not None
    assert location is not None
    week = 2 * math.pi * 3 / 52  # 15 January 2018 lies in the third ISO week.
    assert time[0].tolist() == pytest.approx([math.sin(week), math.cos(week), 0, 1])
    assert time[1, 2:].tolist() == pytest.approx([1, 0], abs=1e-6)
    assert location[0].tolist() == pytest.approx([0.5, math.sqrt(0.75), 1, 0], abs=1e-6)
    assert location[1].tolist() == pytest.approx([0, 1, 0, -1], abs=1e-6)
    with torch.no_grad():
        assert small()(torch.randn(2, 6, 16, 16), time, location)[0].shape == (2, 32, 2, 2)


def test_what_it_does_not_take_is_said() -> None:
    model, image = small(), torch.randn(2, 6, 16, 16)
    with pytest.raises(RecipeError, match=r"takes no month; .* time and location and gsd"):
        model(image, month=3)
    with pytest.raises(DataError, match=r"time has the shape \(2, 1, 2\); Clay takes \(2, 4\)"):
        model(image, torch.zeros(2, 1, 2))
    with pytest.raises(DataError, match=r"gsd=.* metres a pixel"):
        model(image, gsd=-1)
    with pytest.raises(DataError, match="one frame; the image has 2"):
        model(torch.randn(1, 6, 2, 16, 16))
    with pytest.raises(RecipeError, match=r"one date, and these are of 3.*prithvi_eo_v2_300"):
        small(num_frames=3)
    with pytest.raises(BandError, match=r"NIR_BROAD, SWIR_1, SWIR_2; got \(1, 3, 16, 16\)"):
        model(torch.randn(1, 3, 16, 16))


def test_physical_units_become_z_scores_of_the_pretraining() -> None:
    model = small(bands=["SWIR_2", "BLUE"])
    image = torch.tensor([0.1835 + 0.1379, 0.1105]).view(1, 2, 1, 1)
    torch.testing.assert_close(model.prepare(image).flatten(), torch.tensor([1.0, 0.0]))
    model = small(bands=["VV", "VH"])
    model.pretrained = True
    with pytest.raises(RecipeError, match="no statistics for the bands VV, VH"):
        model.prepare(image)


@pytest.mark.parametrize("decoder", ["unet", "linear"])
@pytest.mark.parametrize("method", ["lora", "linear_probe", "full"])
def test_a_segmenter_with_it_trains(
    decoder: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Facts("clay_small", "clay", FAMILIES["clay"].default_bands, architecture=SIZES,
                  decoders={"unet": {"channels": (16, 8, 8, 8)}})  # fmt: skip
    monkeypatch.setitem(BACKBONES._entries, facts.name, facts)
    recipe = Recipe(backbone=facts.name, peft=method, decoder=decoder)
    model = build_model(recipe, classes=2, bands=facts.bands).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    before = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.AdamW(weights, lr=1e-2)
    model(torch.rand(2, 6, 20, 16)).square().mean().backward()
    optimiser.step()
    assert not all(map(torch.equal, before, (weight.detach() for weight in weights)))
