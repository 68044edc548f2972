"""Chips of three dates, from their files through training and scores to the predicted scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray
import torch
import xarray as xr
from typer.testing import CliRunner

import workbench as wb
from tests.seasons import BANDS, DATES, open_seasons, season, write_seasons
from workbench import cli
from workbench.assembly import encoder, load_model
from workbench.data import Dataset, Split
from workbench.errors import DataError, RecipeError, RunError
from workbench.estimation.analysis import analyse
from workbench.estimation.problem import Problem
from workbench.models.backbones import BACKBONES, Facts, publish
from workbench.plots import PLOTS
from workbench.prediction.needs import PredictionWarning
from workbench.recipe import Recipe, SpectralIndex
from workbench.runs import Run, open_run
from workbench.runs.card import card
from workbench.training import Control, train
from workbench.training.loader import Loader

TOLD = "prithvi_test_frames"


@pytest.fixture(autouse=True, scope="module")
def tiny_backbone() -> Iterator[None]:
    """A published backbone that is told dates and places, and needs no download."""
    publish(Facts(TOLD, "prithvi", bands=BANDS, image_size=32, coords=("time", "location"),
                  architecture=dict(embed_dim=32, depth=4, num_heads=2, patch_size=8)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    del BACKBONES._entries[TOLD]


def recipe(**more: object) -> Recipe:
    return Recipe(**{  # type: ignore[arg-type]
        "backbone": TOLD, "peft": "full", "decoder": "linear", "metadata": "both", "epochs": 2,
        "batch_size": 4, **more,
    })  # fmt: skip


@pytest.fixture(scope="module")
def seasons(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_seasons(tmp_path_factory.mktemp("seasons"))


@pytest.fixture(scope="module")
def split(seasons: Dataset) -> Split:
    return seasons.split(hold_out=["west"])


def trained(recipe: Recipe, split: Split, folder: Path) -> Run:
    for _ in train(recipe, split, folder, device="cpu"):
        pass
    return open_run(folder)


@pytest.fixture(scope="module")
def run(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = trained(recipe(), split, tmp_path_factory.mktemp("runs") / "three")
    wb.evaluate(run)
    return run


@pytest.fixture(scope="module")
def stack(split: Split) -> str:
    """The file of a test chip."""
    return str(split.dataset.chips.loc[next(iter(split.test)), "image"])


def as_array(stack: str) -> xr.DataArray:
    """Return what a stack holds as ``(time, band, y, x)``."""
    opened = rioxarray.open_rasterio(stack)
    array = xr.DataArray(
        opened.values.reshape(3, 2, *opened.shape[1:]), dims=("time", "band", "y", "x"),
        coords={"time": np.array(DATES, "datetime64[ns]"), "band": list(BANDS), "y": opened.y,
                "x": opened.x})
    return array.rio.write_crs(opened.rio.crs).rio.write_nodata(-9999)


def test_the_model_is_told_the_date_of_every_frame(run: Run, split: Split) -> None:
    loader = Loader(split.train, 2, cache=False, encode=encoder(load_model(run)))
    batch = next(loader.in_order())
    assert batch.image.shape == (2, 2, 3, 32, 32)
    assert batch.time is not None
    assert batch.time.tolist() == [[[2022, 64], [2022, 161], [2022, 258]]] * 2


def test_dates_are_asked_for_where_the_model_is_told_them(split: Split, tmp_path: Path) -> None:
    undated = Dataset(split.dataset.info, split.dataset.chips.drop(columns="dates"))
    again = undated.split(hold_out=["west"])
    with pytest.raises(DataError, match=r"18 of 18 chips .* have no date"):
        train(recipe(), again, tmp_path / "run", device="cpu")


def test_an_interrupted_training_ends_as_the_whole_one(run: Run, split: Split, tmp_path: Path
                                                       ) -> None:
    control = Control()
    for event in train(recipe(), split, tmp_path / "stopped", device="cpu", control=control):
        if event.kind == "epoch_done":
            control.stop()
    for _ in train(recipe(), split, tmp_path / "stopped", device="cpu", resume=True):
        pass
    one, other = (load_model(entry) for entry in (run, open_run(tmp_path / "stopped")))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_features_of_a_frozen_backbone_are_kept_and_change_nothing(split: Split, tmp_path: Path,
                                                                   monkeypatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "1")
    probe = recipe(peft="linear_probe")
    kept = trained(probe, split, tmp_path / "kept")
    computed = trained(probe.but(feature_cache="off"), split, tmp_path / "computed")
    assert any(event.kind == "features_cached" for event in kept.events())
    one, other = (load_model(entry).state_dict() for entry in (kept, computed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_file_an_array_and_a_chip_are_predicted_alike(run: Run, split: Split, stack: str) -> None:
    array = as_array(stack)
    flat = array.to_dataset("band").rio.write_crs(array.rio.crs)
    of_chip = wb.predict(run, split.test)[Path(stack).stem]
    assert of_chip.attrs["num_frames"] == 3
    for source in (stack, array, array.transpose("band", "y", "x", "time"), flat,
                   array.chunk({"y": 16, "x": 16})):
        found = wb.predict(run, source, date=list(DATES) if source is stack else None)
        np.testing.assert_array_equal(found["class"].values, of_chip["class"].values)
        np.testing.assert_allclose(found["probability"].values, of_chip["probability"].values,
                                   atol=1e-6)


def test_windows_of_a_scene_with_a_date_missing_in_places_are_blended(run: Run, tmp_path: Path
                                                                      ) -> None:
    image, _ = season(7, side=96)
    stored = np.rint(image.swapaxes(0, 1).reshape(6, 96, 96) * 10_000).astype(np.int16)
    stored[2:4, :5, :7] = -9999  # the second date
    with rasterio.open(tmp_path / "scene.tif", "w", driver="GTiff", width=96, height=96, count=6,
                       dtype="int16", nodata=-9999, crs="EPSG:32630",
                       transform=rasterio.Affine(30, 0, 3e5, 0, -30, 4e6)) as file:
        file.write(stored)
    with pytest.warns(PredictionWarning, match="does not name its 2 bands"):
        found = wb.predict(run, tmp_path / "scene.tif", date=DATES)
    assert np.argwhere(found["class"].values == 255).max(axis=0).tolist() == [4, 6]
    assert np.isfinite(found["probability"].values[5:]).all()
    coarse = wb.predict(run, tmp_path / "scene.tif", bands=BANDS, date=DATES, gsd=60)
    assert coarse["class"].shape == (48, 48)


def test_the_last_date_of_a_scene_is_looked_at(run: Run, stack: str) -> None:
    predicted = wb.predict(run, stack, date=DATES)
    array = as_array(stack)
    flat = array.to_dataset("band").rio.write_crs(array.rio.crs)
    for scene in (stack, array, flat):
        view = wb.scene_view(predicted, scene=scene)
        np.testing.assert_array_equal(view["image"].values, array.values[-1])
        assert view["band"].values.tolist() == list(BANDS)
    red = wb.plot(predicted, "map", scene=stack, bands=["RED", "NIR_NARROW", "RED"])
    assert red.axes


def test_sources_of_other_numbers_of_dates_are_refused(run: Run, stack: str, tmp_path: Path,
                                                       tiny_floods: Dataset) -> None:
    array = as_array(stack)
    with pytest.raises(DataError, match=r"holds 2 dates; the model takes images of 3 dates\. .*"
                                        r"xr\.concat"):
        wb.predict(run, array[:2])
    with pytest.raises(DataError, match="holds 1 date; the model takes images of 3 dates"):
        wb.predict(run, array[0])
    with rasterio.open(stack) as file, \
            rasterio.open(tmp_path / "two.tif", "w", **{**file.profile, "count": 4}) as two:
        two.write(file.read([1, 2, 3, 4]))
    for bands in (None, BANDS):
        with pytest.raises(DataError, match=r"two.tif holds 4 bands, 2 dates of 2; the model takes "
                                            r"images of 3 dates\. .* all bands of the first date"):
            wb.predict(run, tmp_path / "two.tif", bands=bands, date=DATES)
    with pytest.raises(DataError, match="tiny-floods holds 1 date; the model takes images of 3"):
        wb.predict(run, tiny_floods)[next(iter(tiny_floods))]
    with pytest.raises(RecipeError, match=r"date of each of 3 frames; date='2022-03-05' names 1"):
        wb.predict(run, stack, date=DATES[0])


def test_a_run_is_not_scored_on_chips_of_another_number_of_dates(run: Run, split: Split,
                                                                 tmp_path: Path) -> None:
    single = one_date(Path(split.dataset.chips["image"].iloc[0]).parent)
    untold = trained(recipe(epochs=1, metadata="none"), split, tmp_path / "untold")
    with pytest.raises(DataError, match=r"trained on images of 3 dates, those of simulated-seasons "
                                        r"are of 1 date\. Open the data with the same number"):
        wb.evaluate(untold, split=single.split(hold_out=["west"]))
    other = trained(recipe(epochs=1, metadata="none"), single.split(hold_out=["west"]),
                    tmp_path / "single")
    with pytest.raises(RunError, match=r"their numbers of dates differ \(3; 1\)"):
        wb.predict([run, other], "nowhere.tif")


def test_runs_are_compared_and_looked_at(run: Run, split: Split, stack: str) -> None:
    comparison = wb.compare([run])
    assert {"north", "south", "west"} <= set(comparison.table()["region"])
    chip = Path(stack).stem
    ground = wb.chip_map(comparison, chip)
    np.testing.assert_array_equal(ground["image"].values, split.dataset.read(chip).image[:, 2])
    figure = wb.plot(run, "chips", chips=[chip])
    assert [axes.get_title() for axes in figure.axes][:4] == ["frame 1", "frame 2", "frame 3",
                                                              "label"]
    assert run.preview().image.shape[1:] == (1, 32, 32)
    assert "from RED, NIR_NARROW on 3 dates." in card(run)


def test_all_pictures_of_a_chip_are_stretched_alike(seasons: Dataset) -> None:
    strip = PLOTS["chips"].data(seasons, chips=["west_0_stack"]).strips[0]
    pictures = np.stack([*strip.earlier, strip.picture])[..., 0].astype(float)
    red = seasons.read("west_0_stack").image[0]
    order = np.argsort(red[:, ::16, ::16], axis=None)
    assert (np.diff(pictures[:, ::16, ::16].ravel()[order]) >= 0).all()


def test_an_estimate_counts_every_date(seasons: Dataset, split: Split) -> None:
    single = one_date(Path(seasons.chips["image"].iloc[0]).parent).split(hold_out=["west"])
    three, one = (Problem.of(recipe(peft="linear_probe"), data) for data in (split, single))
    assert Problem.from_json(three.to_json()) == three
    assert analyse(three, "fp32").feature_bytes == 3 * analyse(one, "fp32").feature_bytes


@pytest.mark.parametrize(("other", "said"), [
    (Recipe(backbone="timm/test_resnet", peft="full", weights="random"),
     r"takes images of one date, and these are of 3\. .*prithvi_eo_v2_300"),
    (SpectralIndex(), r"looks at one date, and images are of 3.*wb\.baselines"),
    (Recipe(peft="vit_adapter"),
     r"it takes one frame, and this one is built for 3\. Methods that fit: .*'lora'"),
], ids=["resnet", "index", "vit_adapter"])  # fmt: skip
def test_what_takes_one_date_is_refused_before_a_folder_is_made(other, said, split, tmp_path):
    with pytest.raises(RecipeError, match=said):
        train(other, split, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def one_date(folder: Path) -> Dataset:
    """Return the last date alone: bands of a file that are not named are not read."""
    return Dataset.from_folder(
        str(folder / "*_stack.tif"), str(folder / "*_mask.tif"), bands=[None] * 4 + list(BANDS),
        classes=["dries", "greens up"], region="{region}_{number}_stack", scale=1e-4,
        name="simulated-seasons",
    )


def test_the_command_trains_on_several_dates_and_predicts_them(seasons: Dataset, stack: str,
                                                               run: Run, tmp_path: Path) -> None:
    folder, runs = Path(stack).parent, tmp_path / "runs"
    for command in (
        ["fit", "--images", str(folder / "*_stack.tif"), "--masks", str(folder / "*_mask.tif"),
         "--bands", ",".join(BANDS), "--frames", "3", "--classes", "dries,greens up",
         "--region", "{region}_{number}_stack", "--scale", "1e-4", "--hold-out", "west",
         "--backbone", TOLD, "--peft", "linear_probe", "--decoder", "linear", "--epochs", "1",
         "--root", str(runs), "--name", "told"],
        ["predict", str(runs / "told"), stack, "--output", str(tmp_path / "one.tif")],
        ["predict", str(run.folder), stack, "--date", ",".join(DATES), "--output",
         str(tmp_path / "other.tif")],
    ):
        result = CliRunner().invoke(cli.app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    for name in ("one", "other"):
        with rasterio.open(tmp_path / f"{name}.tif") as file:
            assert file.shape == (32, 32)


@pytest.mark.slow
def test_what_only_change_tells_is_learned_from_three_dates_and_not_from_one(tmp_path: Path
                                                                             ) -> None:
    write_seasons(tmp_path, count=10)
    scores = {}
    for name, data in (("three", open_seasons(tmp_path)), ("one", one_date(tmp_path))):
        run = trained(recipe(metadata="none", epochs=30, patience=30, learning_rate=3e-3),
                      data.split(hold_out=["west"]), tmp_path / name)
        scores[name] = wb.evaluate(run).table().set_index("region").loc["west", "miou"]
    assert scores["three"] > 0.85
    assert scores["one"] < 0.65


@pytest.mark.slow
def test_arrays_with_time_are_trained_on_by_a_process_of_its_own(tmp_path: Path, monkeypatch
                                                                 ) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    image, mask = season(3, side=128)
    coords = {"y": 4e6 - 30 * np.arange(128) - 15, "x": 3e5 + 30 * np.arange(128) + 15}
    array = xr.DataArray(image.astype("f4"), dims=("band", "time", "y", "x"), coords={
        "band": list(BANDS), "time": np.array(DATES, "datetime64[ns]"), **coords})
    labels = xr.DataArray(mask.astype(np.uint8), dims=("y", "x"), coords=coords)
    dataset = Dataset.from_xarray(array.rio.write_crs("EPSG:32630"), labels, chip_size=32,
                                  classes=["dries", "greens up"], name="here")
    split = dataset.split(by="block", fractions=(0.5, 0.25, 0.25), buffer_km=0)
    run = wb.launch(Recipe(peft="linear_probe", decoder="linear", epochs=1, batch_size=4), split,
                    root=tmp_path, device="cpu").wait()
    assert run.state == "finished"
    assert wb.predict(run, array.rio.write_crs("EPSG:32630"))["class"].shape == (128, 128)
