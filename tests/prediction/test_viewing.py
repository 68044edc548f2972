"""Views of large scenes: where they lie, what they hold, how little is read for them."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.warp import transform

import workbench as wb
from tests.prediction.conftest import NORTH_UP, TRANSFORMS, stored_scene, write_scene
from tests.prediction.server import serving
from tests.prediction.test_cog import prediction
from tests.prediction.test_scene import MODEL
from workbench.errors import BandError, DataError, GridError
from workbench.prediction import predict
from workbench.prediction.cog import to_cog
from workbench.prediction.grid import array_grid, raster_grid
from workbench.prediction.thinning import Part, bounds_of, part_in, thinned_arrays, whole
from workbench.prediction.viewing import Scene, scene_view

FIJI = Affine(10, 0, 818_700, 0, -10, 8_100_000)  # UTM 60 S, on the antimeridian


def places(view: xr.Dataset) -> np.ndarray:
    """Rows and columns of a 40 × 50 north-up scene that the pixels of a view are said to be."""
    grid = array_grid(view)
    rows, columns = (index.ravel() + 0.5 for index in np.indices((grid.height, grid.width)))
    a, b, c, d, e, f = (~NORTH_UP @ grid.transform)[:6]
    return np.floor([d * columns + e * rows + f, a * columns + b * rows + c]).astype(int)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_thinned_pixel_is_one_of_those_that_it_stands_for(step: int) -> None:
    source = prediction()
    view = scene_view(source, side=-(-50 // step))
    assert view.attrs["step"] == step
    rows, columns = places(view)
    for name in ("class", "probability"):
        np.testing.assert_array_equal(view[name].values[0].ravel(),
                                      source[name].values[rows, columns])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_bounds_choose_what_lies_within_them(name: str) -> None:
    grid = raster_grid(40, 50, CRS.from_epsg(32720), TRANSFORMS[name])
    columns, rows = np.meshgrid(np.arange(50) + 0.5, np.arange(40) + 0.5)
    a, b, c, d, e, f = grid.transform[:6]
    lons, lats = (np.reshape(values, (40, 50)) for values in transform(
        grid.crs, "EPSG:4326", (a * columns + b * rows + c).ravel(),
        (d * columns + e * rows + f).ravel()))
    west, south, east, north = bounds_of(grid)
    box = (west + 0.3 * (east - west), south + 0.2 * (north - south),
           west + 0.6 * (east - west), south + 0.7 * (north - south))
    part = part_in(grid, box, 1000)
    inside = (lons > box[0]) & (lons < box[2]) & (lats > box[1]) & (lats < box[3])
    kept = np.zeros_like(inside)
    kept[part.top : part.top + part.rows, part.left : part.left + part.columns] = True
    assert inside.any()
    assert kept[inside].all()
    assert kept.sum() < 2.6 * inside.sum()  # a turned grid has corners


def test_the_antimeridian_is_a_place_like_any_other() -> None:
    grid = raster_grid(100, 100, CRS.from_epsg(32760), FIJI)
    west, south, east, north = bounds_of(grid)
    assert west < 180 < east < 181
    all_of_it = part_in(grid, (west, south, east, north), 1000)
    assert (all_of_it.rows, all_of_it.columns) == (100, 100)
    for turn in (-360, 0, 360):
        east_half = part_in(grid, (180 + turn, south, east + turn, north), 1000)
        assert 0 < east_half.columns < 100
        assert east_half.left + east_half.columns == 100


def test_what_lies_elsewhere_is_nothing_and_is_said() -> None:
    source = prediction()
    assert part_in(array_grid(source), (10, 50, 11, 51), 100) is None
    with pytest.raises(DataError, match=r"51.0\) lie outside of the scene"):
        scene_view(source, bounds=(10, 50, 11, 51))


def test_a_strip_that_is_thinner_than_a_step_has_one_row() -> None:
    grid = raster_grid(3, 900, CRS.from_epsg(32720), NORTH_UP)
    strip = xr.Dataset({"class": (("y", "x"), np.ones((3, 900), np.uint8),
                                  prediction()["class"].attrs)})
    view = scene_view(grid.georeferenced(strip), side=100)
    assert view["class"].shape == (1, 1, 100)
    assert (view["class"] == 1).all()


def test_a_cog_is_read_from_its_overviews(tmp_path: Path) -> None:
    source = prediction(1100, 1300)
    path = to_cog(source, tmp_path / "water.tif", probability=True)
    view = scene_view(path, side=325)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(view["class"].values[0], file.read(1, out_shape=(275, 325)))
    assert view["class"].attrs["flag_meanings"] == "land water ice"
    assert view["class"].attrs["flag_colors"] == "#d9c9a3 #1f78b4 #ffffff"
    assert list(view["run"].values) == ["lora"]
    assert np.isfinite(view["probability"]).mean() > 0.9


def test_little_of_a_cog_behind_http_is_fetched(tmp_path: Path) -> None:
    plain = write_scene(tmp_path / "plain.tif", stored_scene(2048, 2048))
    copy(plain, tmp_path / "scene.tif", driver="COG", blocksize=128, compress="NONE")
    source = prediction(2048, 2048)
    with serving(tmp_path) as server:
        view = scene_view(source, server.url("scene.tif"), side=256)
        sent = sum(int(asked.split("-")[1]) - int(asked.split("=")[1].split("-")[0]) + 1
                   for method, asked in server.requests if method == "GET" and asked)
    assert view.sizes["band"] == 3
    assert sent < (tmp_path / "scene.tif").stat().st_size / 8


def test_chunks_that_are_not_in_sight_are_never_computed() -> None:
    asked = []

    def block(block_info=None):
        asked.append(block_info[None]["chunk-location"])
        return np.zeros(block_info[None]["chunk-shape"], np.uint8)

    lazy = dask.array.map_blocks(block, chunks=((400,) * 10, (400,) * 10), dtype=np.uint8)
    grid = raster_grid(4000, 4000, CRS.from_epsg(32720), NORTH_UP)
    source = grid.georeferenced(
        xr.Dataset({"class": (("y", "x"), lazy, prediction()["class"].attrs)}))
    asked.clear()
    scene = Scene(source)
    scene.view(Part(1000, 1000, 300, 300, 2))
    assert set(asked) <= {(row, column) for row in (2, 3) for column in (2, 3)}


def test_far_out_views_are_cut_from_what_was_read_once() -> None:
    read = []
    scene = Scene(prediction(3000, 3000))
    kept = scene._thinned["class"][0]
    scene._thinned["class"] = [
        kept._replace(read=lambda part: read.append(part) or kept.read(part))]
    far = scene.view(whole(scene.grid, 500))
    again = scene.view(whole(scene.grid, 400))
    assert [part.step for part in read] == [2]
    for view in (far, again):
        rows, columns = places(view)
        expected = prediction(3000, 3000)["class"].values
        near = [expected[np.clip(rows + down, 0, 2999), np.clip(columns + right, 0, 2999)]
                for down in (-1, 0, 1) for right in (-1, 0, 1)]
        assert (np.array(near) == view["class"].values[0].ravel()).any(axis=0).all()


def test_far_out_imagery_is_averaged_and_nodata_is_not_part_of_it() -> None:
    pixels = np.random.default_rng(0).uniform(1, 2, (1, 3200, 3200)).astype(np.float32)
    pixels[:, :1600] += 4
    pixels[:, ::7, ::5] = np.nan
    array = xr.DataArray(pixels, dims=("band", "y", "x"), coords={"band": ["RED"]})
    grid = raster_grid(3200, 3200, CRS.from_epsg(32720), NORTH_UP)
    scene = grid.georeferenced(array.to_dataset(name="scene"))["scene"]
    image = scene_view(prediction(3200, 3200), scene, side=200)["image"].values[0]
    assert image.shape == (200, 200)
    assert image[:100].min() > 5.2
    assert image[100:].max() < 1.8
    assert np.isfinite(image).all()


def test_a_scene_lies_beside_with_the_names_of_its_bands(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", stored_scene())
    view = scene_view(prediction(), path)
    assert list(view["band"].values) == ["GREEN", "NIR_NARROW", "SWIR_1"]
    assert np.isnan(view["image"].values[:, :3, :5]).all(), "nodata in one band is none in all"
    np.testing.assert_array_equal(view["image"].values[:, 3:], stored_scene()[:, 3:])
    array = xr.DataArray(stored_scene(), dims=("band", "y", "x"),
                         coords={"band": ["GREEN", "B8A", "B11"]})
    grid = raster_grid(40, 50, CRS.from_epsg(32720), NORTH_UP)
    same = grid.georeferenced(array.to_dataset(name="scene"))["scene"].rio.write_nodata(-9999)
    by_band = xr.Dataset({name: same.sel(band=name, drop=True)
                          for name in ("GREEN", "B8A", "B11")})
    for other in (same, same.transpose("y", "x", "band"), by_band):
        xr.testing.assert_equal(scene_view(prediction(), other)["image"], view["image"])


def test_several_predictions_have_their_names() -> None:
    both = xr.concat([prediction(), prediction()], dim=xr.Variable("run", ["a", "b"]),
                     coords="minimal", compat="override")
    assert list(scene_view(both)["run"].values) == ["a", "b"]
    assert list(scene_view({"x": prediction(), "y": prediction()})["run"].values) == ["x", "y"]
    assert list(scene_view({"x": both, "y": prediction()})["run"].values) == ["x a", "x b", "y"]


def test_a_view_is_drawn_by_plot(tmp_path: Path) -> None:
    view = scene_view({"a": prediction(), "b": prediction()},
                      write_scene(tmp_path / "scene.tif", stored_scene()))
    figure = wb.plot(view)
    assert [axes.get_title() for axes in figure.axes] == ["image", "prediction of a",
                                                          "prediction of b"]
    assert [axes.get_title() for axes in wb.plot(view, show=["disagreement"]).axes] == [
        "disagreement"]
    assert [axes.get_title() for axes in wb.plot(scene_view(prediction())).axes] == [
        "prediction of lora"]


@pytest.mark.parametrize(("given", "error", "says"), [
    (lambda: scene_view({}), DataError, "nothing to show"),
    (lambda: scene_view(7), DataError, "int is no prediction"),
    (lambda: scene_view(prediction().drop_attrs()), DataError, "does not say its classes"),
    (lambda: scene_view({"a": prediction(), "b": prediction(transform=FIJI)}), GridError,
     "the prediction of b is not on the grid of the prediction of a"),
    (lambda: scene_view(prediction(), 7), DataError, "int is no scene"),
    (lambda: scene_view(prediction(), side=0), DataError, "side=0 is below 1"),
    (lambda: scene_view(prediction(), bounds=(0, 1)), DataError, r"bounds=\(0, 1\) is no box"),
    (lambda: scene_view(prediction(), bounds=(0, 5, 1, 4)), DataError, "south below north"),
    (lambda: scene_view(prediction().drop_vars("spatial_ref")), GridError, "has no CRS"),
    (lambda: scene_view("nowhere.tif"), DataError, "nowhere.tif cannot be read: No such file"),
])
def test_what_cannot_be_shown_is_refused_with_the_remedy(given, error, says) -> None:
    with pytest.raises(error, match=says):
        given()


def test_bands_that_are_misnamed_are_refused(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", stored_scene(), bands=(None, None, None))
    assert list(scene_view(prediction(), path)["band"].values) == ["BAND 1", "BAND 2", "BAND 3"]
    with pytest.raises(BandError, match="does not name the 3 bands"):
        scene_view(prediction(), path, bands=["RED"])
    with pytest.raises(BandError, match="have one name"):
        scene_view(prediction(), path, bands=["RED", "B04", "BLUE"])


def test_a_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    path = to_cog(prediction(600, 600), tmp_path / "water.tif")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        scene_view(path)


def test_arrays_of_any_order_are_read_alike() -> None:
    source = prediction()["class"].rio.write_crs("EPSG:32720")
    part = Part(4, 6, 10, 12, 2)
    np.testing.assert_array_equal(thinned_arrays("a", [source]).read(part),
                                  thinned_arrays("b", [source.transpose("x", "y")]).read(part))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_any_grid_keeps_its_place(name: str) -> None:
    source = prediction(transform=TRANSFORMS[name])
    view = array_grid(scene_view(source, side=25))
    assert view.transform.almost_equals(TRANSFORMS[name] @ Affine.scale(2), 1e-6)
    assert view.crs == CRS.from_epsg(32720)


def test_bounds_across_the_antimeridian_are_written_either_way() -> None:
    source = prediction(100, 100, transform=FIJI)
    west, south, east, north = bounds_of(array_grid(source))
    whole_way = scene_view(source, bounds=(west, south, east, north))
    xr.testing.assert_identical(scene_view(source, bounds=(west, south, east - 360, north)),
                                whole_way)


def test_a_prediction_that_is_kept_on_disk_is_read_block_by_block(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", stored_scene(300, 200))
    on_disk = predict(MODEL, path, store=tmp_path / "store", window=64)
    in_memory = predict(MODEL, path, window=64)
    xr.testing.assert_identical(scene_view(on_disk, side=60), scene_view(in_memory, side=60))
