"""Time and location, from the chips' index through training and scoring to the predicted raster."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from safetensors.torch import load_file

from tests.conftest import HLS
from workbench.assembly import build_model, encoder, load_model
from workbench.data import Dataset, Split
from workbench.errors import DataError, RecipeError
from workbench.evaluation import evaluate
from workbench.models import load_backbone
from workbench.models.backbones import BACKBONES, Facts, publish
from workbench.models.metadata import parse_dates, parse_lonlat
from workbench.prediction import predict
from workbench.recipe import Recipe
from workbench.runs import Run, open_run
from workbench.training import train
from workbench.training.loader import Loader

TINY = "prithvi_test_tl"
SIZES = {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8}


@pytest.fixture(autouse=True, scope="module")
def tiny_backbone() -> Iterator[None]:
    """A published backbone with both encodings that needs no download."""
    publish(Facts(TINY, "prithvi", bands=HLS, image_size=32, coords=("time", "location"),
                  architecture=SIZES))  # fmt: skip
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    del BACKBONES._entries[TINY]


@pytest.fixture(scope="module")
def dated(tiny_floods: Dataset) -> Dataset:
    """The tiny floods, each chip with a date of its own."""
    days = np.datetime64("2018-01-01") + 20 * np.arange(len(tiny_floods))
    chips = tiny_floods.chips.assign(date=days.astype(str))
    return Dataset(tiny_floods.info, chips)


@pytest.fixture(scope="module")
def split(dated: Dataset) -> Split:
    return dated.split(hold_out=["bolivia"])


def recipe(metadata: str = "both", **more: object) -> Recipe:
    return Recipe(**{  # type: ignore[arg-type]
        "backbone": TINY, "peft": "full", "decoder": "linear", "metadata": metadata, "epochs": 2,
        "batch_size": 4, **more,
    })  # fmt: skip


@pytest.fixture(scope="module")
def run(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "both"
    for _ in train(recipe(learning_rate=0.003), split, folder, device="cpu"):
        pass
    return Run(folder, split)


def test_a_backbone_without_the_encoding_is_refused_and_those_that_have_it_are_named() -> None:
    with pytest.raises(RecipeError, match=r"'prithvi_eo_v2_300' has no encoding of time\. .*"
                                          r"prithvi_eo_v2_tiny_tl.*prithvi_eo_v2_600_tl"):
        Recipe(backbone="prithvi_eo_v2_300", metadata="time")
    with pytest.raises(RecipeError, match="no encoding of time and location"):
        Recipe(metadata="both")
    with pytest.raises(RecipeError, match="metadata='date' is not one of"):
        Recipe(metadata="date")  # type: ignore[arg-type]


def test_a_recipe_remembers_its_metadata() -> None:
    both = Recipe(backbone="prithvi_eo_v2_300_tl", metadata="both")
    assert Recipe.from_json(both.to_json()) == both
    assert both.coords == ("time", "location")
    assert both.name == "prithvi_eo_v2_300_tl-lora-unet-metadata-both"
    assert Recipe().coords == ()
    assert "metadata" not in Recipe().name


def test_a_family_gets_the_encodings_that_are_asked_for() -> None:
    model = build_model(Recipe(backbone="prithvi", metadata="time", peft="linear_probe",
                               decoder="linear"), classes=2, bands=HLS, image_size=32,
                        mean=[0] * 6, std=[1] * 6, architecture=SIZES)  # fmt: skip
    names = {name.split(".")[1] for name in model.state_dict() if "embed_enc" in name}
    assert names == {"temporal_embed_enc"}


def test_prithvi_encodes_year_and_day_and_latitude_and_longitude() -> None:
    backbone = load_backbone(TINY, weights="random")
    time, location = backbone.encode(["2018-03-14", "2020-12-31"], [(-64.5, -14.25), (12.0, 41.0)])
    assert time is not None
    assert location is not None
    assert time.tolist() == [[[2018, 73]], [[2020, 366]]]
    assert location.tolist() == [[-14.25, -64.5], [41.0, 12.0]]
    assert time.dtype == location.dtype == torch.float32
    assert backbone.encode([("2018-01-01", "2018-02-01")])[0].tolist() == [[[2018, 1], [2018, 32]]]
    assert backbone.encode() == (None, None)


def test_dates_and_positions_are_taken_in_the_usual_forms() -> None:
    day = datetime.date(2018, 3, 14)
    for given in ("2018-03-14", day, ["2018-03-14T10:00:00Z"], [np.datetime64(day)]):
        ((moment,),) = parse_dates(given)  # type: ignore[arg-type]
        assert moment.date() == day
    assert parse_lonlat((12, 41)) == parse_lonlat([(12.0, 41.0)]) == [(12.0, 41.0)]


@pytest.mark.parametrize("wrong", ["14.3.2018", "", "2018-13-01"])
def test_what_is_no_date_is_said(wrong: str) -> None:
    with pytest.raises(DataError, match="is not a date; expected an ISO date"):
        parse_dates([wrong])


def test_what_is_no_position_is_said() -> None:
    with pytest.raises(DataError, match="no position on the globe"):
        parse_lonlat([(41.0, 120.0)])
    with pytest.raises(RecipeError, match="unet_encoder encodes neither time nor location"):
        load_backbone("unet_encoder").encode(["2018-03-14"])


def test_batches_carry_the_metadata_of_their_chips(split: Split, run: Run) -> None:
    model = load_model(run, device="cpu")
    loader = Loader(split.train, 4, cache=True, encode=encoder(model))
    for batch in (next(loader.in_order()), next(loader.shuffled(0, 0, augmented=True))):
        image, time, location = batch.inputs(lambda tensor: tensor)
        assert image is not None
        assert (time.shape, location.shape) == ((4, 1, 2), (4, 2))  # type: ignore[union-attr]
    chip = split.train.read(next(iter(split.train)))
    _, time, location = next(loader.in_order()).inputs(lambda tensor: tensor)
    day = datetime.date.fromisoformat(str(chip.date)).timetuple().tm_yday
    assert time is not None
    assert time[0, 0].tolist() == [int(str(chip.date)[:4]), day]
    assert location is not None
    assert chip.lonlat is not None
    np.testing.assert_allclose(location[0], chip.lonlat[::-1], rtol=1e-6)


def test_without_metadata_a_model_is_called_with_pixels_alone(split: Split) -> None:
    with_none = build_model(recipe("none"), classes=2, bands=HLS, mean=[0] * 6, std=[1] * 6)
    assert encoder(with_none) is None
    batch = next(Loader(split.train, 4, cache=False, encode=encoder(with_none)).in_order())
    assert len(batch.inputs(lambda tensor: tensor)) == 1


@pytest.mark.parametrize(("metadata", "encodes"), [
    ("none", set()), ("time", {"temporal"}), ("location", {"location"}),
    ("both", {"temporal", "location"}),
])  # fmt: skip
def test_what_the_recipe_tells_is_what_trains(
    metadata: str, encodes: set[str], split: Split, tmp_path: Path
) -> None:
    for _ in train(recipe(metadata, epochs=1), split, tmp_path / "run", device="cpu"):
        pass
    tensors = load_file(tmp_path / "run/checkpoints/last/backbone.safetensors")
    changed = {name.split("_")[0] for name, value in tensors.items()
               if name.endswith("embed_enc.scale") and value.item() != pytest.approx(0.1)}
    assert changed == encodes


def test_a_run_with_metadata_is_scored_with_it(run: Run, split: Split) -> None:
    scores = evaluate(run, device="cpu")
    assert len(scores.chips) == len(split.test) + len(split.held_out)
    assert open_run(run.folder).recipe == run.recipe


def test_a_chip_without_a_date_is_said_before_training(
    tiny_floods: Dataset, dated: Dataset, tmp_path: Path
) -> None:
    chips = dated.chips.assign(date=[None, *dated.chips["date"][1:]])
    with pytest.raises(DataError, match=r"1 of 24 chips of tiny-floods have no date, for example"):
        train(recipe("time"), Dataset(dated.info, chips).split(), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match="24 of 24 chips of tiny-floods have no date"):
        train(recipe("both"), tiny_floods.split(), tmp_path / "run", device="cpu")


@pytest.mark.parametrize("date", [
    {f"{place}_{n}_S2": f"2018-0{n + 1}-01" for place in ("spain", "ghana", "bolivia")
     for n in range(8)},
    datetime.date(2018, 3, 14), "20180314",
])  # fmt: skip
def test_a_folders_images_can_be_dated(
    date: Any, tiny_folder: Path, tiny_floods: Dataset
) -> None:
    def opened(**more: Any) -> Dataset:
        return Dataset.from_folder(
            str(tiny_folder / "*_S2.tif"), str(tiny_folder / "*_label.tif"), bands=HLS,
            classes=["land", "water"], region="{region}_{number}_S2", **more)  # fmt: skip

    dated = opened(date=date)
    expected = {"2018-03-14"} if not isinstance(date, dict) else set(date.values())
    assert set(dated.chips["date"]) == expected
    assert {dated.read(chip).date for chip in dated} == expected
    split = dated.split(hold_out=["bolivia"])
    assert Split.from_json(json.loads(json.dumps(split.to_json()))).dataset.hash == dated.hash
    assert tiny_floods.chips["date"].isna().all()
    with pytest.raises(DataError, match=r"finds no date in the name bolivia_0_S2"):
        opened(date=r"_(\d{8})_")
    with pytest.raises(DataError, match="is given as 'S2'; expected an ISO date"):
        opened(date=r"_(S2)")


def test_a_chip_without_a_position_is_said_before_training(dated: Dataset, tmp_path: Path) -> None:
    chips = dated.chips.copy()
    chips.loc[chips.index[3], "geometry"] = None
    with pytest.raises(DataError, match="1 of 24 chips of tiny-floods have no position"):
        train(recipe("location"), Dataset(dated.info, chips).split(), tmp_path / "r", device="cpu")


@pytest.fixture
def scene(tmp_path: Path, tiny_folder: Path) -> Path:
    """A raster of three by two chips' size."""
    path = tmp_path / "scene.tif"
    with rasterio.open(tiny_folder / "spain_0_S2.tif") as file:
        profile, pixels = file.profile, file.read()
    profile.update(width=96, height=64)
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.tile(pixels, (1, 2, 3)))
        file.descriptions = HLS
    return path


def test_a_model_told_the_time_needs_the_scenes_date(run: Run, scene: Path) -> None:
    with pytest.raises(RecipeError, match=r"needs the scene's: predict\(…, date='2018-03-14'\)"):
        predict(run, scene, device="cpu")
    with pytest.raises(DataError, match="'yesterday' is not a date"):
        predict(run, scene, date="yesterday", device="cpu")
    winter, summer = (predict(run, scene, date=day, device="cpu")["probability"].values
                      for day in ("2018-01-14", "2018-07-14"))  # fmt: skip
    assert np.nanmax(np.abs(winter - summer)) > 1e-6


def test_a_window_is_told_the_position_of_its_own_centre(run: Run, scene: Path) -> None:
    predicted = predict(run, scene, date="2018-03-14", overlap=0, device="cpu")
    model = load_model(run, device="cpu")
    with rasterio.open(scene) as file:
        stored, centre = file.read()[:, 32:, 64:], file.xy(48, 80, offset="ul")
        longitude, latitude = rasterio.warp.transform(
            file.crs, "EPSG:4326", [centre[0]], [centre[1]])
    image = np.where(stored == -9999, np.nan, stored * np.float32(1e-4)).astype(np.float32)
    image[:, np.isnan(image).any(0)] = np.nan
    with torch.inference_mode():
        coords = model.encode(["2018-03-14"], [(longitude[0], latitude[0])])
        expected = model(torch.from_numpy(image)[None], *coords).softmax(1).amax(1)[0].numpy()
    here = predicted["probability"].values[32:, 64:]
    valid = np.isfinite(here)
    np.testing.assert_allclose(here[valid], expected[valid], atol=1e-5)


@pytest.mark.parametrize("decoder", ["linear", "unet", "fcn", "upernet"])
def test_several_frames_reach_the_decoder_as_channels(decoder: str) -> None:
    several = build_model(recipe("both", decoder=decoder), classes=3, bands=HLS, image_size=32,
                          num_frames=3, mean=[0] * 6, std=[1] * 6)  # fmt: skip
    assert several.backbone.num_features == (96,) * 4
    image = torch.rand(2, 6, 3, 40, 33)
    days = [("2018-01-01", "2018-02-01", "2018-03-01")] * 2
    with torch.no_grad():
        logits = several.eval()(image)
        told = several(image, *several.encode(days, [(12.0, 41.0)] * 2))
    assert logits.shape == told.shape == (2, 3, 40, 33)
    assert not torch.equal(logits, told)

