"""Labels on a raster: drawn, saved, resumed, and made a dataset that ignores all else."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.warp import transform

from tests.conftest import HLS, write_chip
from workbench import Labels
from workbench.data.raster import Raster
from workbench.data.sources import open_dataset
from workbench.errors import (
    BandError,
    DataError,
    GridError,
    LabelError,
    OutOfSpaceError,
    UnknownNameError,
)

EAST, NORTH, SIDE = 600_000, 900_000, 64
UTM = "EPSG:32630"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """64 x 64 pixels of 30 m in UTM zone 30; three pixels of its first row are nodata."""
    path, _ = write_chip(tmp_path, "scene", 1, epsg=32630, east=EAST, north=NORTH, side=SIDE)
    return path


@pytest.fixture
def labels(scene: Path) -> Labels:
    return Labels(scene, ["land", "water"], bands=HLS, scale=1e-4)


def box(row: float, col: float, height: float, width: float) -> shapely.Polygon:
    """Return a rectangle of pixels in the scene's CRS."""
    return shapely.box(EAST + 30 * col, NORTH - 30 * (row + height), EAST + 30 * (col + width),
                       NORTH - 30 * row)


def test_a_polygon_labels_the_pixels_whose_centre_it_holds(labels: Labels) -> None:
    labels.add("water", box(10.6, 5.4, 3, 4), crs=UTM)
    mask = labels.mask()
    rows, cols = np.nonzero(mask == 1)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (11, 13, 5, 8)
    assert (mask >= 0).sum() == 12


def test_a_point_labels_the_pixel_that_it_lies_in_given_in_degrees(labels: Labels) -> None:
    lon, lat = transform(UTM, "EPSG:4326", [EAST + 30 * 20.9], [NORTH - 30 * 7.1])
    labels.add("land", (lon[0], lat[0]))
    assert np.argwhere(labels.mask() == 0).tolist() == [[7, 20]]


def test_a_polygon_smaller_than_a_pixel_still_labels_it(labels: Labels) -> None:
    labels.add("land", box(7.1, 20.1, 0.2, 0.2), crs=UTM)
    assert np.argwhere(labels.mask() == 0).tolist() == [[7, 20]]


def test_a_line_labels_every_pixel_that_it_touches(labels: Labels) -> None:
    line = shapely.LineString([(EAST + 15, NORTH - 15), (EAST + 30 * 5.5, NORTH - 30 * 5.5)])
    labels.add("water", line, crs=UTM)
    assert set(np.flatnonzero(np.diag(labels.mask()) == 1)) == set(range(6))


def test_of_two_that_overlap_the_later_one_counts(labels: Labels) -> None:
    labels.add("land", box(0, 0, 10, 10), crs=UTM)
    labels.add("water", box(5, 5, 10, 10), crs=UTM)
    assert labels.counts() == {"land": (1, 75), "water": (1, 100)}
    labels.add("land", box(7, 7, 1, 1), crs=UTM)
    assert labels.mask()[7, 7] == 0


def test_what_hangs_over_the_edge_labels_what_lies_inside(labels: Labels) -> None:
    labels.add("water", box(-5, -5, 10, 10), crs=UTM)
    assert labels.counts()["water"] == (1, 25)


def test_a_bow_tie_labels_both_of_its_wings(labels: Labels) -> None:
    x, y = EAST, NORTH
    tie = shapely.Polygon([(x, y), (x + 600, y - 600), (x + 600, y), (x, y - 600)])
    assert not tie.is_valid
    labels.add("water", tie, crs=UTM)
    mask = labels.mask()
    assert mask[10, 1] == mask[10, 18] == 1
    assert mask[1, 10] == -1


def test_undo_redo_remove_and_change_go_through_the_history(labels: Labels) -> None:
    assert (labels.can_undo, labels.can_redo) == (False, False)
    first = labels.add("land", box(0, 0, 2, 2), crs=UTM)
    labels.add("land", box(5, 5, 2, 2), crs=UTM)
    labels.change(first, "water")
    labels.remove(first)
    assert len(labels) == 1
    assert labels.undo()
    assert labels.table.loc[first, "class"] == "water"
    assert labels.undo()
    assert labels.table.loc[first, "class"] == "land"
    assert (labels.can_undo, labels.can_redo) == (True, True)
    assert labels.redo()
    assert labels.table.loc[first, "class"] == "water"
    labels.add("water", box(9, 9, 2, 2), crs=UTM)
    assert not labels.redo()
    assert not labels.can_redo
    while labels.undo():
        pass
    assert len(labels) == 0
    assert (labels.can_undo, labels.can_redo) == (False, True)


def test_every_change_is_on_disk_and_is_resumed_with_its_classes(scene: Path) -> None:
    labels = Labels(scene, [("land", "#112233"), "water"], bands=HLS)
    labels.add("water", box(3, 3, 4, 4), crs=UTM)
    labels.add("land", box(20, 20, 4, 4), crs=UTM)
    labels.undo()
    again = Labels(scene, bands=HLS)
    assert again.path == scene.with_suffix(".labels.gpkg")
    assert [entry.name for entry in again.classes] == ["land", "water"]
    assert again.classes[0].color == "#112233"
    assert np.array_equal(again.mask(), labels.mask())
    assert not [file for file in scene.parent.iterdir() if ".tmp" in file.name]


def test_other_programs_read_the_geopackage(labels: Labels) -> None:
    labels.add("water", box(3, 3, 4, 4), crs=UTM)
    table = geopandas.read_file(labels.path, layer="labels")
    assert table["class"].tolist() == ["water"]
    assert table.crs.to_epsg() == 32630


def test_classes_are_added_after_the_saved_ones_and_no_other_way(labels: Labels) -> None:
    labels.add("water", box(3, 3, 4, 4), crs=UTM)
    more = Labels(labels.imagery, ["land", "water", "cloud"])
    assert more.add("cloud", box(9, 9, 1, 1), crs=UTM) == 1
    with pytest.raises(LabelError, match=r"holds labels of the classes land, water, cloud; "
                                         r"classes= names water, land"):
        Labels(labels.imagery, ["water", "land"])


def test_a_failed_write_leaves_labels_and_file_as_they_were(labels: Labels, monkeypatch) -> None:
    labels.add("water", box(3, 3, 4, 4), crs=UTM)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pyogrio, "write_dataframe", full)
    with pytest.raises(OutOfSpaceError, match="No space left"):
        labels.add("land", box(9, 9, 4, 4), crs=UTM)
    with pytest.raises(OutOfSpaceError):
        labels.undo()
    assert len(labels) == len(Labels(labels.imagery)) == 1


def test_labels_that_another_session_changed_are_not_overwritten(labels: Labels) -> None:
    labels.add("water", box(3, 3, 4, 4), crs=UTM)
    other = Labels(labels.imagery)
    other.add("land", box(9, 9, 4, 4), crs=UTM)
    with pytest.raises(DataError, match="was changed by somebody else"):
        labels.add("water", box(12, 12, 1, 1), crs=UTM)
    assert len(labels) == 1
    assert len(Labels(labels.imagery)) == 2


def test_a_table_is_brought_to_the_rasters_crs(labels: Labels) -> None:
    table = geopandas.GeoDataFrame({"kind": ["water", "land"]}, crs=UTM,
                                   geometry=[box(4, 4, 3, 3), box(20, 20, 3, 3)])
    assert labels.add_table(table.to_crs("EPSG:3857"), column="kind") == [0, 1]
    assert labels.counts() == {"land": (1, 9), "water": (1, 9)}


@pytest.mark.parametrize(
    ("name", "shape", "error", "message"),
    [
        ("watr", (0, 0), UnknownNameError, "Did you mean 'water'"),
        ("water", (40.0, 8.0), GridError, r"\(40, 8\) in EPSG:4326 lies outside scene_S2\.tif"),
        ("water", shapely.Point(), LabelError, "is empty"),
        ("water", (float("nan"), 8.0), LabelError, "finite"),
        ("water", {"type": "Point"}, LabelError, "no GeoJSON geometry"),
        ("water", "here", LabelError, "not 'here'"),
    ],
)
def test_what_cannot_be_a_label_is_refused(labels: Labels, name, shape, error, message) -> None:
    with pytest.raises(error, match=message):
        labels.add(name, shape)
    assert len(labels) == 0
    assert not labels.path.exists()


def test_exchanged_coordinates_are_recognised(labels: Labels) -> None:
    west, south, east, north = labels.imagery.bounds
    with pytest.raises(GridError, match="the two look exchanged"):
        labels.add("water", ((south + north) / 2, (west + east) / 2))


def test_tables_say_what_they_lack(labels: Labels) -> None:
    table = geopandas.GeoDataFrame({"class": ["water"]}, geometry=[box(4, 4, 3, 3)])
    with pytest.raises(LabelError, match="no CRS"):
        labels.add_table(table)
    with pytest.raises(LabelError, match="no column 'kind'; it has class, geometry"):
        labels.add_table(table.set_crs(UTM), column="kind")


def test_a_number_that_is_no_label_is_refused(labels: Labels) -> None:
    labels.add("water", box(4, 4, 3, 3), crs=UTM)
    for change in (lambda: labels.remove(7), lambda: labels.change(7, "land")):
        with pytest.raises(LabelError, match=r"no label 7\. labels\.table lists all: 0"):
            change()


def test_rasters_that_cannot_be_labelled_say_why(tmp_path: Path, scene: Path) -> None:
    with pytest.raises(BandError, match="does not name its 6 bands"):
        Labels(scene, ["a", "b"])
    with pytest.raises(BandError, match="has 6 bands, bands= names 2"):
        Labels(scene, ["a", "b"], bands=["RED", "BLUE"])
    with pytest.raises(LabelError, match="Name the classes"):
        Labels(scene, bands=HLS)
    with pytest.raises(LabelError, match="names a class twice"):
        Labels(scene, ["a", "a"], bands=HLS)
    plain = tmp_path / "plain.tif"
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(plain, "w", driver="GTiff", width=8, height=8, count=1, dtype="uint8"),
    ):
        pass
    with pytest.raises(GridError, match="has no CRS or no geotransform"):
        Labels(plain, ["a", "b"], bands=["RED"])


def test_a_file_that_is_no_labels_is_refused(labels: Labels) -> None:
    labels.path.write_bytes(b"not a database")
    with pytest.raises(DataError, match="cannot be read as labels"):
        Labels(labels.imagery, ["land", "water"])
    labels.path.unlink()
    table = geopandas.GeoDataFrame({"class": ["x"]}, geometry=[box(1, 1, 1, 1)], crs=UTM)
    table.to_file(labels.path, layer="drawn")
    with pytest.raises(DataError, match="holds the layers drawn"):
        Labels(labels.imagery, ["land", "water"])


def test_scale_and_bands_come_from_the_file_where_it_says_them(scene: Path) -> None:
    with rasterio.open(scene, "r+") as file:
        file.descriptions = HLS
        file.scales = (1e-4,) * len(HLS)
    imagery = Labels(scene, ["land", "water"]).imagery
    assert imagery.bands == HLS
    assert imagery.scale == 1e-4
    image = imagery.read(0, 0, 4, 8)
    assert image.shape == (6, 4, 8)
    assert np.isnan(image[:, 0, :3]).all()
    assert 0 < np.nanmean(image) < 1


def test_the_dataset_ignores_what_has_no_label(labels: Labels) -> None:
    labels.add("land", box(0, 0, 8, 8), crs=UTM)
    labels.add("water", box(40, 40, 4, 4), crs=UTM)
    dataset = labels.dataset(chip_size=32)
    assert list(dataset) == ["scene_S2_000_000", "scene_S2_001_001"]
    assert dataset.class_counts() == [64 - 3, 16]  # three pixels are nodata
    sample = dataset.read("scene_S2_001_001")
    assert (sample.mask >= 0).sum() == 16
    assert sample.mask[8:12, 8:12].tolist() == [[1] * 4] * 4
    assert dataset.info.scale == 1e-4
    assert dataset.regions == ["scene_S2"]


def test_the_dataset_of_a_run_stays_what_it_was_when_more_is_drawn(labels: Labels) -> None:
    labels.add("land", box(0, 0, 8, 8), crs=UTM)
    labels.add("water", box(40, 40, 4, 4), crs=UTM)
    before = labels.dataset(chip_size=32)
    labels.add("water", box(5, 5, 4, 4), crs=UTM)
    after = labels.dataset(chip_size=32)
    source = json.loads(json.dumps(before.info.source))
    assert open_dataset(source).hash == before.hash != after.hash


def test_nothing_labelled_is_no_dataset(labels: Labels) -> None:
    with pytest.raises(LabelError, match=r"Nothing is labelled on scene_S2\.tif yet"):
        labels.dataset()


def test_the_mask_is_written_with_its_colours(labels: Labels, tmp_path: Path) -> None:
    labels.add("water", box(40, 40, 4, 4), crs=UTM)
    with rasterio.open(labels.write_mask(tmp_path / "mask.tif")) as file:
        assert file.nodata == 255
        assert (file.read(1) == 1).sum() == 16
        assert file.crs.to_epsg() == 32630
        assert file.colormap(1)[1][:3] == tuple(bytes.fromhex(labels.classes[1].color[1:]))


def test_repr_counts_labels_and_escapes_names(scene: Path) -> None:
    labels = Labels(scene, ["<b>land</b>", "water"], bands=HLS)
    labels.add("water", box(40, 40, 4, 4), crs=UTM)
    assert repr(labels) == ("Labels on scene_S2.tif: <b>land</b> 0 (0 pixels) · "
                            "water 1 (16 pixels)")
    assert "<b>land" not in labels._repr_html_()


def test_pixels_of_a_large_raster_cost_no_array_of_its_size(labels: Labels) -> None:
    huge = Raster("huge.tif", 10**6, 10**6, 1, ("uint8",), UTM, labels.imagery.raster.transform,
                  None, (None,))
    from workbench.data.labels.burning import covered

    found = covered([box(0, 0, 2, 2), shapely.Point(EAST + 45, NORTH - 45)], [0, 1], huge)
    assert found.kind.tolist() == [0, 0, 0, 1]
    assert found.place.tolist() == [0, 1, 10**6, 10**6 + 1]
