"""xarray objects: datasets of bands, dask chunks."""

from __future__ import annotations

from pathlib import Path

import dask
import dask.array
import numpy as np
import pytest
import rioxarray
import xarray as xr

from tests.prediction.conftest import BANDS, stored_scene, write_scene
from tests.prediction.test_scene import MODEL
from workbench.errors import BandError, DataError, GridError
from workbench.prediction import predict
from workbench.prediction.blending import Tiling


@pytest.fixture
def array(tmp_path: Path) -> xr.DataArray:
    with rioxarray.open_rasterio(write_scene(tmp_path / "scene.tif", stored_scene())) as opened:
        return opened.load().assign_coords(band=list(BANDS))


def named(array: xr.DataArray, names: tuple[str, ...] = BANDS) -> xr.Dataset:
    return array.assign_coords(band=list(names)).to_dataset("band")


@pytest.mark.parametrize("change", [
    lambda array: named(array), lambda array: named(array, ("B03", "b8a", "swir16")),
    lambda array: named(array).transpose("x", "y"),
    lambda array: named(array).assign(clouds=("time", [1.0, 2.0])),
    lambda array: named(array).expand_dims("time"),
    lambda array: array.to_dataset(name="reflectance"),
], ids=["names", "aliases", "x first", "something else in it", "one date", "one variable"])
def test_a_dataset_says_what_its_array_says(array: xr.DataArray, change: object) -> None:
    found = predict(MODEL, change(array), overlap=8)  # type: ignore[operator]
    xr.testing.assert_equal(found, predict(MODEL, array, overlap=8))


def test_a_dataset_without_a_band_or_a_crs_or_a_raster_is_refused(array: xr.DataArray) -> None:
    with pytest.raises(BandError, match="lacks GREEN"):
        predict(MODEL, named(array).drop_vars("GREEN"))
    with pytest.raises(GridError, match="no CRS"):
        predict(MODEL, named(array).drop_vars("spatial_ref"))
    with pytest.raises(DataError, match="No variable of the dataset"):
        predict(MODEL, named(array)[["spatial_ref", "x", "y"]])


@pytest.mark.parametrize("chunks", [{"y": 7, "x": 11}, {"y": -1, "x": -1, "band": 1}, {"y": 1}])
@pytest.mark.parametrize("panel", [20, 2048])
def test_chunks_change_nothing_and_each_is_computed_once_for_a_panel(
        array: xr.DataArray, chunks: dict[str, int], panel: int,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiling, "panel", panel)
    chunked = array.chunk(chunks)
    computed: list[object] = []
    watched = chunked.copy(data=chunked.data.map_blocks(
        lambda block: computed.append(block.shape) or block, dtype=chunked.dtype,
        meta=np.array((), chunked.dtype)))
    with dask.config.set(scheduler="synchronous"):
        found = predict(MODEL, watched, overlap=8)
    xr.testing.assert_allclose(found, predict(MODEL, array, overlap=8), atol=1e-6)
    bands, rows, columns = chunked.data.chunks
    edges = np.cumsum([0, *columns])
    crossed = sum(np.count_nonzero((edges[:-1] < part.right) & (edges[1:] > part.left))
                  for part in Tiling(40, 50, 16, 8, 4, panel).panels)
    assert len(computed) <= (2 if len(bands) > 1 else 1) * len(rows) * crossed


def test_a_lazy_file_is_read_by_windows(tmp_path: Path, array: xr.DataArray) -> None:
    with rioxarray.open_rasterio(tmp_path / "scene.tif", chunks=None) as lazy:
        found = predict(MODEL, lazy.assign_coords(band=list(BANDS)), overlap=8)
    xr.testing.assert_equal(found, predict(MODEL, array, overlap=8))
