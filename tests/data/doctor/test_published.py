"""What the published splits are known to leak, found by the index alone: no image is there."""

import geopandas
import numpy as np
import pytest
import shapely

from workbench.data import ClassInfo, Dataset, DatasetInfo, Split

CLASSES = (ClassInfo(name="no", color="#000000"), ClassInfo(name="yes", color="#0000ff"))


def published(folder, region_of, **files):
    """A split of chips of which only the names are known."""
    parts = {part: tuple((folder / file).read_text().split()) for part, file in files.items()}
    ids = [chip for chips in parts.values() for chip in chips]
    counts = np.full(len(ids), 1000)
    table = {
        "image": ids, "mask": ids, "col_off": 0, "row_off": 0, "width": 512, "height": 512,
        "region": [region_of(chip) for chip in ids], "cluster": ids, "date": None, "crs": None,
        "valid_fraction": 1.0, "count_0": counts, "count_1": counts, "count_ignore": 0,
    }
    chips = geopandas.GeoDataFrame(
        table, geometry=[shapely.Point()] * len(ids), index=ids, crs="EPSG:4326")
    chips = chips.set_geometry(geopandas.GeoSeries([None] * len(ids), index=ids, crs="EPSG:4326"))
    info = DatasetInfo(
        name=folder.name, bands=("BLUE", "GREEN", "RED"), classes=CLASSES, source={"kind": "none"},
        stored_bands=("BLUE", "GREEN", "RED"), class_values=(0, 1), chip_shape=(512, 512),
    )
    empty = dict.fromkeys(("train", "val", "test", "held_out"), ())
    return Split(Dataset(info, chips), {**empty, **parts})


def told(split, check):
    return [finding.what for finding in split.audit().findings if finding.check == check]


@pytest.fixture
def burn_scars(shared):
    return published(
        shared / "paper/splits/burn_scars", lambda chip: f"zone {chip[1:3]}",
        train="train_data.txt", val="val_data.txt", test="test_data.txt",
    )


def test_burn_scars_tests_on_tiles_it_trains_on(burn_scars):
    test, val = told(burn_scars, "tiles")
    assert test.startswith("55 of 120 test chips lie on an MGRS tile that also has train chips")
    assert "(28 of 71 tiles)" in test
    assert val.startswith("62 of 160 val chips")


def test_without_images_the_audit_says_that_it_saw_the_index_only(burn_scars):
    assert told(burn_scars, "band values") == [
        "no image could be read: only the index was checked"
    ]


def test_sen1floods11_tests_on_events_it_trains_on_and_holds_out_bolivia_alone(shared):
    split = published(
        shared / "paper/splits/sen1floods11", lambda chip: chip.split("_")[0],
        train="train_data.txt", val="valid_data.txt", test="test_data.txt",
        held_out="bolivia_data.txt",
    )
    (what,) = told(split, "events")
    assert what.startswith(f"all {len(split.test)} test chips come from regions (events) that")
