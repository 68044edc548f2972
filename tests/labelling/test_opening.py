"""A GeoTIFF, a chip and an array are opened to be labelled, each with its units and its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr

from tests.conftest import HLS, write_chip
from workbench import Dataset, Labels
from workbench.errors import BandError, DataError, GridError, UnknownNameError
from workbench.labelling import open_labels


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def array() -> xr.DataArray:
    pixels = np.random.default_rng(0).uniform(0.1, 0.4, (2, 12, 10)).astype(np.float32)
    pixels[:, 0, 0] = np.nan
    made = xr.DataArray(pixels, dims=("band", "y", "x"), name="field",
                        coords={"band": ["RED", "NIR_NARROW"], "y": 900 - 30.0 * np.arange(12),
                                "x": 600_000 + 30.0 * np.arange(10)})
    return made.rio.write_crs("EPSG:32630")


def test_a_chip_is_opened_in_its_file_with_its_units_and_classes(tiny_floods: Dataset) -> None:
    labels = open_labels(tiny_floods, chip="ghana_3_S2")
    assert labels.imagery.scale == 1e-4
    assert labels.imagery.bands == HLS
    assert labels.classes == tiny_floods.classes
    assert labels.path == Path("labels/ghana_3_S2.gpkg").absolute()
    sample = tiny_floods.read("ghana_3_S2")
    np.testing.assert_array_equal(labels.imagery.read(0, 0, 32, 32), sample.image)
    labels.add("water", shapely.Point(sample.transform @ (5.5, 6.5)), crs=sample.crs)
    assert len(open_labels(tiny_floods, chip="ghana_3_S2")) == 1


def test_an_array_is_written_beside_its_labels_and_found_again() -> None:
    given = array()
    labels = open_labels(given, ["bare", "green"])
    assert labels.imagery.path == Path("labels/field.tif").absolute()
    np.testing.assert_array_equal(labels.imagery.read(0, 0, 12, 10), given.values)
    labels.add("bare", shapely.Point(600_100, 700), crs="EPSG:32630")
    written = labels.imagery.path.stat().st_mtime_ns
    again = open_labels(given)
    assert len(again) == 1
    assert again.imagery.path.stat().st_mtime_ns == written


def test_dimensions_in_another_order_are_the_same_array() -> None:
    one = open_labels(array(), ["a", "b"]).imagery.read(0, 0, 12, 10)
    other = open_labels(array().transpose("y", "x", "band"), ["a", "b"]).imagery
    np.testing.assert_array_equal(one, other.read(0, 0, 12, 10))


def test_what_cannot_be_labelled_says_what_can(tiny_floods: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ghana_3_S2'"):
        open_labels(tiny_floods, chip="ghana_3_S")
    with pytest.raises(DataError, match=r"wb\.label\(dataset, chip='ghana_3_S2'\)"):
        open_labels(tiny_floods.read("ghana_3_S2"))
    with pytest.raises(DataError, match="A int cannot be labelled"):
        open_labels(3)
    with pytest.raises(DataError, match="has no name"):
        open_labels(array().rename(None), ["a", "b"])
    with pytest.raises(BandError, match="does not name its bands"):
        open_labels(array().drop_vars("band"), ["a", "b"])
    with pytest.raises(GridError, match="no CRS"):
        open_labels(array().drop_vars("spatial_ref"), ["a", "b"])


def test_labels_are_taken_as_they_are(tmp_path: Path) -> None:
    path, _ = write_chip(tmp_path, "a", 1, epsg=32630, east=600_000, north=900_000)
    labels = Labels(path, ["a", "b"], bands=HLS)
    assert open_labels(labels) is labels
    assert open_labels(path, ["a", "b"], bands=HLS).imagery.path == path
