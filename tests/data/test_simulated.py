"""The simulated floods: deterministic, physical, whole or not at all."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.warp import transform as reproject

from workbench.data.simulated import generate as module
from workbench.data.simulated.atmosphere import illuminate, sun_at
from workbench.data.simulated.drainage import drain
from workbench.data.simulated.generate import generate, is_complete, scene_spots, simulated_root
from workbench.data.simulated.noise import fractal, threshold_at
from workbench.data.simulated.regions import HELD_OUT, REGIONS, random_profile
from workbench.data.simulated.scene import simulate_scene
from workbench.data.simulated.spectra import BANDS, NODATA, SPECTRA
from workbench.errors import DataError, WorkbenchError

RED, SWIR_1 = BANDS.index("RED"), BANDS.index("SWIR_1")


@pytest.fixture
def few_scenes(monkeypatch):
    """Two regions of one scene each, generated in this process or two others."""
    chosen = {name: REGIONS[name] for name in ("bolivia", "usa")}
    monkeypatch.setattr(module, "REGIONS", chosen)
    monkeypatch.setattr(module, "NUM_SCENES", 2)
    return chosen


@pytest.fixture(scope="module")
def scenes():
    return {
        (name, seed): simulate_scene(REGIONS[name], seed=seed)
        for name in ("ghana", "india", "spain", "bolivia")
        for seed in range(3)
    }


def content(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.tif"))
    }


def test_eleven_regions_stand_inside_their_event_boxes():
    assert list(REGIONS) == sorted(REGIONS)
    assert len(REGIONS) == 11
    assert HELD_OUT in REGIONS
    for profile in REGIONS.values():
        west, south, east, north = profile.box
        assert west <= profile.area[0] < profile.area[2] <= east
        assert south <= profile.area[1] < profile.area[3] <= north


def test_same_seed_gives_the_same_scene_and_another_seed_another():
    usa = REGIONS["usa"]
    first, again, other = (simulate_scene(usa, seed=s, shape=(64, 96)) for s in (7, 7, 8))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.transform == again.transform
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("shape", [(128, 256), (33, 70), (200, 160)])
def test_any_shape_has_six_bands_and_three_labels(shape):
    scene = simulate_scene(REGIONS["mekong"], seed=1, shape=shape)
    assert scene.image.shape == (6, *shape)
    assert scene.image.dtype == np.int16
    assert scene.mask.dtype == np.int8
    assert set(np.unique(scene.mask)) <= {-1, 0, 1}


def test_values_are_reflectance_or_nodata(scenes):
    for scene in scenes.values():
        values = scene.image[scene.image != NODATA]
        assert values.min() >= 1
        assert values.max() <= 16_000


def test_nodata_is_nodata_in_every_band_and_never_labelled():
    cut = [simulate_scene(REGIONS["usa"], seed=s, shape=(48, 64)) for s in range(25)]
    gone = [(s.image == NODATA) for s in cut]
    assert any(g.any() for g in gone)
    for scene, missing in zip(cut, gone, strict=True):
        assert np.array_equal(missing.any(0), missing.all(0))
        assert (scene.mask[missing[0]] == -1).all()


def test_labels_are_missing_under_cloud_and_shadow_only(scenes):
    cloudless = [s for (name, _), s in scenes.items() if name == "spain"]
    assert any((s.mask >= 0).all() for s in cloudless)
    for scene in scenes.values():
        unknown = (scene.mask == -1) & (scene.image[0] != NODATA)
        if unknown.mean() > 0.02:
            # Clouds are bright and their shadows dark: together they spread more than the ground.
            blue = scene.image[0].astype(float)
            assert blue[unknown].std() > blue[scene.mask >= 0].std()


def test_water_is_darker_than_land_in_the_short_wave_infrared(scenes):
    for scene in scenes.values():
        water, land = scene.mask == 1, scene.mask == 0
        swir = scene.image[SWIR_1]
        assert np.median(swir[water]) < np.median(swir[land])


def test_classes_are_balanced_enough_to_learn_from(scenes):
    shares = [(s.mask == 1).mean() for s in scenes.values()]
    assert 0.06 < np.mean(shares) < 0.35
    assert min(shares) > 0.005


def test_spectra_keep_their_published_order():
    assert SPECTRA["forest"][3] > 5 * SPECTRA["forest"][2]
    assert SPECTRA["water_silty"][2] > SPECTRA["water_silty"][3] > SPECTRA["water_silty"][4]
    assert SPECTRA["snow"][1] > 5 * SPECTRA["snow"][4]
    assert all((s > 0).all() and (s < 1).all() for s in SPECTRA.values())


@pytest.mark.parametrize("name", sorted(REGIONS))
def test_grid_is_30_m_in_the_regions_utm_zone(name):
    spot = scene_spots(name, 0)[0]
    scene = simulate_scene(REGIONS[name], seed=0, shape=(16, 16), lonlat=spot)
    assert scene.crs.is_projected
    south = REGIONS[name].box[3] < 0
    assert scene.crs.to_epsg() // 100 == (327 if south else 326)
    assert (scene.transform.a, scene.transform.e) == (30.0, -30.0)
    x, y = scene.transform.c + 8 * 30, scene.transform.f - 8 * 30
    (lon,), (lat,) = reproject(scene.crs, "EPSG:4326", [x], [y])
    assert abs(lon - spot[0]) < 0.001
    assert abs(lat - spot[1]) < 0.001


@pytest.mark.parametrize("name", sorted(REGIONS))
def test_scenes_of_a_region_never_overlap(name):
    spots = np.array(scene_spots(name, 0))
    assert len(spots) == module.NUM_SCENES
    km = spots * [111.3 * np.cos(np.deg2rad(spots[:, 1].mean())), 110.6]
    apart = np.abs(km[:, None] - km[None])
    clear = (apart[..., 0] > 7.9) | (apart[..., 1] > 4.1)
    assert clear[~np.eye(len(spots), dtype=bool)].all()


def test_dataset_is_the_same_for_any_number_of_workers(few_scenes, tmp_path):
    calls: list[tuple[int, int]] = []
    alone = generate(tmp_path / "a", seed=3, workers=0, progress=lambda *c: calls.append(c))
    again = generate(tmp_path / "b", seed=3, workers=0)
    assert content(alone) == content(again)
    assert calls == [(i, 4) for i in range(1, 5)]
    one = gpd.read_parquet(alone / "chips.parquet")
    assert one.equals(gpd.read_parquet(again / "chips.parquet"))


def test_a_pool_of_processes_writes_the_same_pixels(tmp_path):
    rows = []
    for name, workers in (("alone", 0), ("pool", 2)):
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "masks").mkdir()
        # The two first scenes are enough; closing the generator ends the other processes.
        scenes = module._each(tmp_path / name, 0, workers)
        rows.append([next(scenes), next(scenes)])
        scenes.close()
    assert rows[0] == rows[1]
    for file in content(tmp_path / "alone"):
        same = [(tmp_path / name / file).read_bytes() for name in ("alone", "pool")]
        assert same[0] == same[1]


def test_a_worker_that_fails_says_why(tmp_path):
    with pytest.raises(WorkbenchError, match=r"No such file|not exist|ended before"):
        list(module._each(tmp_path / "missing", 0, 2))


def test_index_agrees_with_the_files(few_scenes, tmp_path):
    root = generate(tmp_path / "floods", workers=0)
    chips = gpd.read_parquet(root / "chips.parquet")
    assert chips.crs.to_epsg() == 4326
    assert len(chips) == 8
    assert chips["chip_id"].is_unique
    assert not chips.isna().to_numpy().any()
    assert chips.groupby("cluster").size().eq(2).all()
    for row in chips.itertuples():
        with rasterio.open(root / row.image) as image, rasterio.open(root / row.mask) as mask:
            assert image.descriptions == BANDS
            assert image.nodata == NODATA
            assert mask.nodata == -1
            assert image.crs == mask.crs == rasterio.CRS.from_string(row.crs)
            assert image.transform == mask.transform
            assert image.scales == (1e-4,) * 6
            labels = mask.read(1)
        counts = [int((labels == k).sum()) for k in (0, 1, -1)]
        assert counts == [row.count_0, row.count_1, row.count_ignore]
        assert sum(counts) == row.width * row.height
    record = json.loads((root / "generation.json").read_text())
    assert record["version"] == module.VERSION
    assert record["simulated"] is True
    assert record["num_chips"] == 8


def test_chips_of_a_scene_are_neighbours(few_scenes, tmp_path):
    root = generate(tmp_path / "floods", workers=0)
    with (
        rasterio.open(root / "images/usa-00-a.tif") as left,
        rasterio.open(root / "images/usa-00-b.tif") as right,
    ):
        assert left.bounds.right == right.bounds.left
        assert left.bounds.top == right.bounds.top
        whole = module.scene_of("usa", 0, 0).image
        np.testing.assert_array_equal(np.concatenate([left.read(), right.read()], 2), whole)


def test_a_finished_dataset_is_left_as_it_is(few_scenes, tmp_path):
    root = generate(tmp_path / "floods", workers=0)
    before = (root / "chips.parquet").stat().st_mtime_ns
    assert generate(root, workers=0) == root
    assert (root / "chips.parquet").stat().st_mtime_ns == before


def test_a_folder_with_other_things_in_it_is_never_replaced(few_scenes, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="not made by this generator"):
        generate(tmp_path, workers=0)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_error_half_way_leaves_nothing(few_scenes, tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "floods", workers=0, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_nothing_that_passes_for_finished(tmp_path):
    root = tmp_path / "floods"
    code = ("import sys; from pathlib import Path; "
            "from workbench.data.simulated.generate import generate; "
            "generate(Path(sys.argv[1]), workers=0)")  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", code, root],
                               env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    while not list(tmp_path.rglob("*.tif")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert list(tmp_path.rglob("*.tif"))
    assert not root.exists()
    assert not is_complete(root)


def test_a_folder_of_another_version_is_not_complete(few_scenes, tmp_path, monkeypatch):
    root = generate(tmp_path / "floods", workers=0)
    assert is_complete(root)
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    assert not is_complete(root)


def test_the_cache_names_version_and_seed(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    assert simulated_root(5) == tmp_path / "simulated-floods" / f"v{module.VERSION}-seed5"


def test_random_places_are_none_of_the_regions():
    rng = np.random.default_rng(0)
    for _ in range(60):
        profile = random_profile(rng)
        lon, lat = profile.box[0] + 0.5, profile.box[1] + 0.5
        assert profile.name not in REGIONS
        for region in REGIONS.values():
            west, south, east, north = region.box
            assert not (west - 1 < lon < east + 1 and south - 1 < lat < north + 1)
    scene = simulate_scene(random_profile(rng), seed=1, shape=(64, 64))
    assert np.ptp(scene.image[0]) > 100


def test_water_runs_downhill_and_fills_pits():
    slope = np.tile(np.arange(20.0), (15, 1))
    slope[6:9, 8:11] -= 5
    river = np.zeros(slope.shape, bool)
    river[:, 0] = True
    drainage = drain(slope, river, stream_cells=1e9)
    assert drainage.pit_depth_m[7, 9] > 2
    assert drainage.pit_depth_m[2, 15] == 0
    assert drainage.upstream.max() >= 13
    assert (drainage.hand_m >= 0).all()


def test_slopes_facing_the_sun_are_brighter():
    sun = sun_at("2019-09-18", 38.5)
    assert 40 < sun.elevation_deg < 55
    assert 120 < sun.azimuth_deg < 180
    rows = np.repeat(np.arange(40.0)[:, None], 40, 1)
    south_facing = illuminate(-8 * rows, sun)
    north_facing = illuminate(8 * rows, sun)
    assert south_facing[:, 20, 20].min() > 1 > north_facing[:, 20, 20].max()


def test_noise_is_standardised_and_rougher_with_a_lower_slope():
    fields = [fractal(np.random.default_rng(1), (60, 90), beta=b) for b in (1.0, 3.0)]
    for field in fields:
        assert field.shape == (60, 90)
        assert abs(field.mean()) < 1e-4
        assert abs(field.std() - 1) < 1e-3
    assert np.diff(fields[0]).std() > np.diff(fields[1]).std()
    assert abs((threshold_at(fields[1], 0.2, 0.1) > 0.5).mean() - 0.2) < 0.02
