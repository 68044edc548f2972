"""Lists of sources and chips of a dataset: predicted when they are looked up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rioxarray
import xarray as xr

from tests.prediction.conftest import BANDS, stored_scene, write_scene
from tests.prediction.test_scene import MODEL, Convolutions
from workbench.data import Dataset
from workbench.errors import DataError, RecipeError
from workbench.prediction import Predictions, predict, to_cog, to_polygons
from workbench.prediction.cog import cog_stamp
from workbench.recipe import SpectralIndex
from workbench.runs import Run
from workbench.training import train

ScenePath = Callable[..., Path]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [write_scene(tmp_path / f"{name}.tif", stored_scene(seed=seed))
            for seed, name in enumerate("ab")]


def test_a_list_is_a_mapping_that_predicts_what_is_looked_up(paths: list[Path]) -> None:
    asked: list[int] = []
    model = Convolutions()
    forward = model.forward
    model.forward = lambda image: asked.append(1) or forward(image)  # type: ignore
    found = predict(model, paths)
    assert isinstance(found, Predictions)
    assert list(found) == [str(path) for path in paths]
    assert not asked
    xr.testing.assert_equal(found[str(paths[1])], predict(model, paths[1]))
    assert "2 sources" in repr(found)
    assert "a.tif" in repr(found)
    with pytest.raises(KeyError, match="No source named 'c'"):
        found["c"]


def test_what_sources_take_is_told_before_anything_is_predicted(
        paths: list[Path], tmp_path: Path) -> None:
    found = predict(MODEL, paths, window=20, overlap=10)
    assert [one.windows for one in found.planned().values()] == [3 * 4] * 2
    assert {one.stamp for one in found.planned().values()} == {None}, "a model may change"
    with pytest.raises(DataError, match=r"nowhere\.tif"):
        predict(MODEL, [*paths, tmp_path / "nowhere.tif"]).planned()


def test_the_stamp_of_a_prediction_follows_from_pixels_weights_and_options(
        paths: list[Path], tiny_floods: Dataset, tmp_path: Path) -> None:
    for _ in train(SpectralIndex(), tiny_floods.select(region="spain").split(), tmp_path / "ndwi",
                   device="cpu"):
        pass
    run = Run(tmp_path / "ndwi")

    def stamp(**options: object) -> str | None:
        return predict(run, paths, window=20, bands=BANDS, **options).planned()[  # type: ignore
            str(paths[0])].stamp

    usual = stamp(batch_size=3)
    assert usual is not None
    found = predict(run, paths, window=20, bands=BANDS)[str(paths[0])]
    assert found.attrs["stamp"] == usual == stamp()
    stored = predict(run, paths, window=20, bands=BANDS, store=tmp_path / "store")
    assert stored[str(paths[0])].attrs["stamp"] == usual
    assert cog_stamp(to_cog(found, tmp_path / "water.tif", probability=True)) == usual
    assert cog_stamp(tmp_path / "water_probability.tif") == usual
    assert cog_stamp(paths[0]) is cog_stamp(tmp_path / "nowhere.tif") is None
    assert len({usual, stamp(overlap=2), stamp(entropy=True), stamp(scale=1.0)}) == 4
    write_scene(paths[0], stored_scene(seed=9))
    assert stamp() != usual


def test_sources_are_named_by_a_mapping_by_arrays_or_by_number(paths: list[Path]) -> None:
    with rioxarray.open_rasterio(paths[0]) as opened:
        array = opened.load().assign_coords(band=list(BANDS))
    assert list(predict(MODEL, {"north": paths[0], "south": array})) == ["north", "south"]
    assert list(predict(MODEL, [array.rename("lake"), array.rename(None)])) == [
        "lake", "source 1"]
    with pytest.raises(DataError, match="Two sources are called"):
        predict(MODEL, [paths[0], paths[0]])
    with pytest.raises(DataError, match="nothing to predict"):
        predict(MODEL, [])


def test_what_is_no_source_is_said_at_once_with_the_remedy(
        paths: list[Path], tmp_path: Path) -> None:
    for wrong in (tmp_path, [paths[0], tmp_path], {"north": str(tmp_path)}):
        with pytest.raises(DataError, match=r"is a folder\. Give its files .*glob\('\*\.tif'\)"):
            predict(MODEL, wrong)
    for wrong in (np.zeros((3, 20, 20)), [np.zeros((3, 20, 20))]):
        with pytest.raises(DataError, match=r"does not say where its pixels are.*not ndarray"):
            predict(MODEL, wrong)  # type: ignore[call-overload]
    with pytest.raises(DataError, match="or a list of those, not int"):
        predict(MODEL, [paths[0], 3])  # type: ignore[list-item]


def test_predictions_of_several_sources_are_written_one_by_one(
        paths: list[Path], tmp_path: Path) -> None:
    found = predict(MODEL, paths)
    for ask in (lambda: to_cog(found, tmp_path / "a.tif"),
                lambda: to_polygons(found, tmp_path / "a.gpkg")):
        with pytest.raises(DataError, match=r"predictions of several sources \(.*in turn"):
            ask()


def test_each_source_has_a_store_of_its_own(paths: list[Path], tmp_path: Path) -> None:
    found = predict(MODEL, paths, store=tmp_path / "store", progress=lambda *_: None)
    for prediction, path in zip(found.values(), paths, strict=True):
        xr.testing.assert_equal(prediction, predict(MODEL, path))
    assert len(list((tmp_path / "store").iterdir())) == 2


def test_chips_are_predicted_as_their_files_are(tiny_floods: Dataset, tiny_folder: Path) -> None:
    chips = tiny_floods.split().test
    found = predict(MODEL, chips)
    assert list(found) == list(chips)
    name = next(iter(chips))
    file = tiny_folder / f"{name}_S2.tif" if (tiny_folder / f"{name}_S2.tif").exists() \
        else Path(chips.chips.loc[name, "image"])
    expected = predict(MODEL, file, bands=tiny_floods.bands)
    xr.testing.assert_allclose(found[name].drop_attrs(), expected.drop_attrs(), atol=1e-6)
    assert found[name].rio.transform() == expected.rio.transform()
    assert found[name].attrs["region"] == chips.chips.loc[name, "region"]
    two = predict([MODEL, Convolutions()], chips)[name]
    assert two["class"].dims == ("run", "y", "x")


def test_chips_without_a_place_are_put_at_the_origin_and_it_is_said(
        tiny_floods: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    read = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, chip: dataclasses.replace(
        read(self, chip), crs=None))
    found = predict(MODEL, tiny_floods)[next(iter(tiny_floods))]
    assert found.attrs["georeferenced"] == 0
    assert np.isin(found["class"], [0, 1, 255]).all()


def test_chips_take_no_bands_and_a_split_is_asked_for_a_part(tiny_floods: Dataset) -> None:
    with pytest.raises(RecipeError, match="Chips say their bands"):
        predict(MODEL, tiny_floods, scale=1)
    with pytest.raises(DataError, match=r"split\.test, split\.held_out"):
        predict(MODEL, tiny_floods.split())  # type: ignore[call-overload]
