import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr

from workbench.data import Dataset, Split
from workbench.errors import BandError, DataError, GridError

BANDS = ["RED", "NIR_NARROW", "SWIR_1"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    coords = {"y": 4_200_000 - 30 * np.arange(96) - 15.0, "x": 400_000 + 30 * np.arange(64) + 15.0}
    image = xr.DataArray(rng.integers(1, 4000, (3, 96, 64)).astype(np.int16),
                         dims=("band", "y", "x"), coords={"band": BANDS, **coords})
    image = image.rio.write_crs("EPSG:32630").rio.write_nodata(-9999)
    image[:, 0, 0] = -9999
    mask = xr.DataArray(rng.integers(0, 2, (96, 64)).astype(np.uint8), dims=("y", "x"),
                        coords=coords)
    return image, mask


def opened(image, mask, **options):
    return Dataset.from_xarray(image, mask, classes=["land", "water"], scale=1e-4, chip_size=32,
                               **options)


def test_chips_are_what_the_arrays_hold(scene):
    image, mask = scene
    dataset = opened(image, mask, name="here", date="2020-05-01")
    assert (len(dataset), dataset.bands, dataset.regions) == (6, tuple(BANDS), ["here"])
    sample = dataset.read("here_001_001")
    np.testing.assert_allclose(sample.image, image.values[:, 32:64, 32:] * np.float32(1e-4))
    np.testing.assert_array_equal(sample.mask, mask.values[32:64, 32:])
    assert (sample.crs, sample.date) == ("EPSG:32630", "2020-05-01")
    assert sample.transform[:6] == (30, 0, 400_960, 0, -30, 4_199_040)
    assert not dataset.read("here_000_000").valid[0, 0]


def test_it_opens_again_from_the_store_that_was_written(scene):
    dataset = opened(*scene, name="here").with_bands(["SWIR_1", "RED"])
    split = dataset.split(by="block", fractions=(0.5, 0.25, 0.25), buffer_km=0)
    again = Split.from_json(split.to_json()).dataset
    assert again.hash == dataset.hash
    np.testing.assert_array_equal(again.read("here_002_001").image,
                                  dataset.read("here_002_001").image)


def test_the_same_content_is_written_once(scene, tmp_path):
    first, second = opened(*scene), opened(*scene)
    assert first.info.source["store"] == second.info.source["store"]
    other = opened(scene[0] + np.int16(1), scene[1])
    assert other.info.source["store"] != first.info.source["store"]
    assert len(list((tmp_path / "cache" / "zarr").iterdir())) == 2


def test_dimensions_may_come_in_any_order_and_under_other_names(scene):
    image, mask = scene
    turned = image.transpose("x", "y", "band").rename(y="latitude", x="longitude")
    dataset = opened(turned, mask.T.rename(y="latitude", x="longitude"), name="here")
    np.testing.assert_array_equal(dataset.read("here_000_001").image,
                                  opened(image, mask, name="here").read("here_000_001").image)


def test_a_dataset_of_variables_is_read(scene):
    image, mask = scene
    variables = image.to_dataset("band").assign(label=mask).rio.write_crs("EPSG:32630")
    dataset = opened(variables, "label", name="here", nodata=-9999)
    assert dataset.bands == tuple(BANDS)
    np.testing.assert_array_equal(dataset.read("here_000_000").image,
                                  opened(image, mask, name="here").read("here_000_000").image)


def test_a_zarr_store_is_read_where_it_lies(scene, tmp_path):
    image, mask = scene
    variables = image.to_dataset("band").assign(label=mask).rio.write_crs("EPSG:32630")
    for array in variables.values():
        array.attrs.clear()
    variables.to_zarr(tmp_path / "scene.zarr", consolidated=False)
    dataset = opened(tmp_path / "scene.zarr", "label", nodata=-9999).with_bands(BANDS)
    assert opened(tmp_path / "scene.zarr", "label", bands=["B11", "RED"]).bands == (
        "RED", "SWIR_1")
    with pytest.raises(BandError, match="no variable for the band BLUE; it has NIR_NARROW, RED"):
        opened(tmp_path / "scene.zarr", "label", bands=["BLUE"])
    assert dataset.info.source["store"] == str(tmp_path / "scene.zarr")
    assert not (tmp_path / "cache" / "zarr").exists()
    np.testing.assert_array_equal(dataset.read("scene_001_000").image,
                                  opened(image, mask, name="scene").read("scene_001_000").image)
    assert dataset.read("scene_000_000").crs == "EPSG:32630"


def test_what_does_not_fit_is_said(scene, tmp_path):
    image, mask = scene
    with pytest.raises(GridError, match=r"not on the same grid.*reproject_match"):
        opened(image, mask.assign_coords(x=mask.x + 15))
    with pytest.raises(BandError, match=r"have no names; pass bands="):
        opened(image.drop_vars("band"), mask)
    with pytest.raises(DataError, match=r"tile 1, band 3.*at most `time`.*Rename"):
        opened(image.expand_dims(tile=1), mask)
    with pytest.raises(DataError, match="expected y and x among them"):
        opened(image.rename(x="east"), mask)
    with pytest.raises(DataError, match="has no variable 'label'"):
        opened(image.to_dataset("band"), "label")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        opened(tmp_path / "none.zarr", "label")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(DataError, match="cannot be opened as a Zarr store"):
        opened(tmp_path / "empty.zarr", "label")


def test_a_store_that_holds_something_else_is_not_overwritten(scene, tmp_path):
    image, mask = scene
    opened(image, mask, store=tmp_path / "mine.zarr")
    opened(image, mask, store=tmp_path / "mine.zarr")
    with pytest.raises(DataError, match=r"mine\.zarr is there and holds something else"):
        opened(image + np.int16(1), mask, store=tmp_path / "mine.zarr")
