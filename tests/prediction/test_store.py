"""Large predictions: on disk, restartable, the same as in memory."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import rioxarray
import torch
import tqdm.auto
import xarray as xr

from tests.prediction.conftest import BANDS, stored_scene, write_scene
from tests.prediction.test_scene import MODEL, Convolutions
from workbench.errors import DataError, OutOfSpaceError
from workbench.prediction import PredictionWarning, keeping, predict, to_cog
from workbench.prediction import job as job_module
from workbench.prediction.blending import Tiling
from workbench.prediction.store import Behind, Store

OPTIONS = {"overlap": 8, "batch_size": 2, "entropy": True}


class StopError(Exception):
    """The process dies here."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 rows and panels of two windows, so that a small scene has many."""
    monkeypatch.setattr(job_module, "_BLOCK_ROWS", 16)
    monkeypatch.setattr(Tiling, "panel", 30)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "scene.tif", stored_scene(70, 90), tiled=True, blockxsize=16,
                       blockysize=16)


def stopping_after(calls: int) -> torch.nn.Module:
    """The same model, whose process dies at a later call."""
    model, left = Convolutions(), SimpleNamespace(calls=calls)
    model.load_state_dict(MODEL.state_dict())
    forward = model.forward

    def counted(image: torch.Tensor) -> torch.Tensor:
        left.calls -= 1
        if left.calls < 0:
            raise StopError
        return forward(image)

    model.forward = counted  # type: ignore[method-assign]
    model.left = left
    return model


def test_blocks_on_disk_are_what_is_in_memory(scene: Path, tmp_path: Path) -> None:
    stored = predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    xr.testing.assert_equal(stored, predict(MODEL, scene, **OPTIONS))
    assert stored["class"].dtype == np.uint8
    assert stored.encoding["source"] == str(tmp_path / "store")


@pytest.mark.parametrize("calls", [1, 9, 20, 33, 47])
def test_an_interrupted_prediction_goes_on_and_is_the_same_to_the_bit(
        scene: Path, tmp_path: Path, calls: int) -> None:
    whole = predict(MODEL, scene, **OPTIONS)
    with pytest.raises(StopError):
        predict(stopping_after(calls), scene, store=tmp_path / "store", **OPTIONS)
    rest = stopping_after(10_000)
    xr.testing.assert_identical(
        predict(rest, scene, store=tmp_path / "store", **OPTIONS).load(), whole)
    fresh = stopping_after(10_000)
    predict(fresh, scene, **OPTIONS)
    assert rest.left.calls > fresh.left.calls or calls == 1, "what was finished is not asked again"


def test_a_block_is_written_while_the_next_one_is_predicted(
        scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, waited, write, hand_over = threading.Event(), [], Store.write, Behind.write
    model = Convolutions()
    model.load_state_dict(MODEL.state_dict())
    forward = model.forward

    def noticed(image: torch.Tensor) -> torch.Tensor:
        asked.set()
        return forward(image)

    def handed_over(self: Behind, *block: object) -> None:
        asked.clear()
        hand_over(self, *block)  # type: ignore[arg-type]

    def slow(self: Store, *block: object) -> None:
        if not waited:
            waited.append(asked.wait(60))
        write(self, *block)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "forward", noticed)
    monkeypatch.setattr(Behind, "write", handed_over)
    monkeypatch.setattr(Store, "write", slow)
    found = predict(model, scene, store=tmp_path / "store", **OPTIONS)
    assert waited == [True], "the model was asked while the first block waited for the disk"
    xr.testing.assert_equal(found, predict(MODEL, scene, **OPTIONS))


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_disk_that_fills_up_is_told_and_the_same_call_goes_on(
        scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    predict(MODEL, scene, store=tmp_path / "other", **OPTIONS)
    blocks = len(list((tmp_path / "other").glob("block-*.npz")))
    write, written = Store.write, []

    def full(self: Store, *block: object) -> None:
        if len(written) == number % blocks:
            raise OutOfSpaceError("No space left on the disk.")
        written.append(block)
        write(self, *block)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", full)
        with pytest.raises(OutOfSpaceError, match="No space left"):
            predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    assert len(list((tmp_path / "store").glob("block-*.npz"))) == len(written)
    xr.testing.assert_equal(predict(MODEL, scene, store=tmp_path / "store", **OPTIONS),
                            predict(MODEL, scene, **OPTIONS))


def test_what_another_device_began_goes_on_in_its_panels(
        scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StopError):
        predict(stopping_after(20), scene, store=tmp_path / "store", **OPTIONS)
    monkeypatch.setattr(Tiling, "panel", 64)
    rest = stopping_after(10_000)
    found = predict(rest, scene, store=tmp_path / "store", **OPTIONS)
    monkeypatch.setattr(Tiling, "panel", 30)
    xr.testing.assert_identical(found.load(), predict(MODEL, scene, **OPTIONS))


def test_a_result_on_disk_that_is_all_nodata_is_said_each_time(tmp_path: Path) -> None:
    empty = write_scene(tmp_path / "empty.tif", np.full((3, 70, 90), -9999, np.int16))
    for _ in range(2):
        with pytest.warns(PredictionWarning, match="prediction is all nodata"):
            predict(MODEL, empty, store=tmp_path / "store", **OPTIONS)


def test_what_is_finished_is_not_predicted_again(scene: Path, tmp_path: Path) -> None:
    predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    again = stopping_after(1)  # how many classes there are
    found = predict(again, scene, store=tmp_path / "store", **OPTIONS)
    xr.testing.assert_equal(found, predict(MODEL, scene, **OPTIONS))


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:-40]), lambda path: path.write_bytes(b""),
    lambda path: path.unlink(), lambda path: path.rename(path.with_suffix(".tmp.npz")),
], ids=["cut off", "empty", "gone", "never renamed"])
def test_a_half_written_block_is_not_taken_for_a_finished_one(
        scene: Path, tmp_path: Path, damage: Callable[[Path], object]) -> None:
    predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    damage(sorted((tmp_path / "store").glob("block-0001-*.npz"))[1])
    found = predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    xr.testing.assert_equal(found, predict(MODEL, scene, **OPTIONS))


def test_a_block_that_is_damaged_later_is_named(scene: Path, tmp_path: Path) -> None:
    found = predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    next((tmp_path / "store").glob("block-0001-*.npz")).unlink()
    with pytest.raises(DataError, match=r"block-0001-.*damaged.*same wb.predict call again"):
        found.load()


@pytest.mark.parametrize("other", [
    {"overlap": 4}, {"entropy": False}, {"scale": 2e-4}, {"bands": list(BANDS)}, {"window": 20}])
def test_a_store_of_another_prediction_is_refused(
        scene: Path, tmp_path: Path, other: dict[str, object]) -> None:
    predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    with pytest.raises(DataError, match=r"store holds blocks of another prediction: its \w+ is"):
        predict(MODEL, scene, store=tmp_path / "store", **{**OPTIONS, **other})


def test_a_scene_or_weights_that_changed_are_another_prediction(
        scene: Path, tmp_path: Path) -> None:
    predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    other = Convolutions()
    with torch.no_grad():
        other.layers[0].bias += 1
    with pytest.raises(DataError, match="its weights is"):
        predict(other, scene, store=tmp_path / "store", **OPTIONS)
    write_scene(scene, stored_scene(70, 90, seed=1))
    with pytest.raises(DataError, match="its pixels of the source is"):
        predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)


def test_an_array_goes_on_where_its_pixels_are_the_same(scene: Path, tmp_path: Path) -> None:
    with rioxarray.open_rasterio(scene) as opened:
        array = opened.load().assign_coords(band=list(BANDS))
    found = predict(MODEL, array, store=tmp_path / "store", **OPTIONS)
    xr.testing.assert_equal(found, predict(MODEL, array, **OPTIONS))
    predict(stopping_after(1), array.copy(), store=tmp_path / "store", **OPTIONS)
    with pytest.raises(DataError, match="its pixels of the source"):
        predict(MODEL, array + 1, store=tmp_path / "store", **OPTIONS)


def test_large_arrays_have_a_temporary_store_that_goes_with_them(
        scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_IN_MEMORY_BYTES", 1000)
    found = predict(MODEL, scene, progress=lambda *_: None, **OPTIONS)
    folder = Path(found.encoding["source"])
    assert list(folder.glob("block-*.npz"))
    np.testing.assert_array_equal(found["class"][3:9, 80], predict(MODEL, scene, **OPTIONS)[
        "class"][3:9, 80])
    del found
    gc.collect()
    assert not folder.exists()


def test_parts_are_read_as_numpy_indexes_them(scene: Path, tmp_path: Path) -> None:
    lazy = predict([MODEL, MODEL_TWO], scene, store=tmp_path / "store", window=16, **OPTIONS)
    whole = lazy.compute()
    for key in ({"y": 5}, {"y": slice(60, 3, -7), "x": slice(None, None, 9)}, {"run": 1, "x": -1},
                {"y": [1, 40, 2], "x": slice(10, 50)}, {"run": 0, "y": 0, "x": 0}):
        xr.testing.assert_identical(lazy.isel(key).compute(), whole.isel(key))
    xr.testing.assert_identical(copy.deepcopy(lazy).compute(), whole)
    xr.testing.assert_identical(pickle.loads(pickle.dumps(lazy)).compute(), whole)


MODEL_TWO = Convolutions()


def test_a_cog_of_a_lazy_prediction_is_that_of_the_whole(scene: Path, tmp_path: Path) -> None:
    lazy = predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    with rasterio.open(to_cog(lazy, tmp_path / "lazy.tif", probability=True)) as file:
        np.testing.assert_array_equal(file.read(1), lazy["class"].values)
    with rasterio.open(tmp_path / "lazy_probability.tif") as file:
        np.testing.assert_array_equal(file.read(1), lazy["probability"].values)


def test_a_file_is_no_store(scene: Path) -> None:
    with pytest.raises(DataError, match=r"scene\.tif' is a file; give a folder"):
        predict(MODEL, scene, store=scene, **OPTIONS)
    with pytest.raises(DataError, match=r"store='.*scene\.tif/blocks' \(Not a directory\)\. Give "):
        predict(MODEL, scene, store=scene / "blocks", **OPTIONS)


def test_the_bar_begins_where_an_earlier_call_stopped(
        scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[tqdm.auto.tqdm] = []

    class Silent(tqdm.auto.tqdm):
        def __init__(self, **options: object) -> None:
            self.begun_at = options["initial"]
            assert options["delay"] == 1, "a quick prediction shows none"
            super().__init__(**{**options, "file": io.StringIO()})  # type: ignore[arg-type]
            bars.append(self)

    monkeypatch.setattr("tqdm.auto.tqdm", Silent)
    with pytest.raises(StopError):
        predict(stopping_after(30), scene, store=tmp_path / "store", **OPTIONS)
    predict(MODEL, scene, store=tmp_path / "store", **OPTIONS)
    first, second = bars
    assert first.begun_at < second.begun_at < first.n < second.n == second.total == first.total


def test_a_disk_that_is_too_small_is_told_before_anything_is_predicted(
        scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.prediction.store.shutil.disk_usage",
                        lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OutOfSpaceError, match=r"takes .* kB .*are free.*store='/elsewhere'"):
        predict(stopping_after(1), scene, store=tmp_path / "store", **OPTIONS)
