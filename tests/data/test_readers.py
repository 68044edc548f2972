import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.data import layouts
from tests.plugin import SHARED
from workbench.data.folder import ChipWarning
from workbench.errors import DataError, LabelError, UnknownNameError

PATCHES = ("S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_28_55",
           "S2A_MSIL2A_20170613T101031_N9999_R022_T34VER_25_49")  # fmt: skip


def quietly(done, total):
    pass


def load(name, root, **options):
    return wb.load(name, root=root, progress=quietly, **options)


@pytest.fixture
def floods(tmp_path):
    return layouts.sen1floods11(tmp_path)


def test_sen1floods11_has_regions_dates_and_reflectance(floods):
    dataset = load("sen1floods11", floods)
    assert list(dataset) == ["Bolivia_3", "Ghana_1", "Ghana_2", "Mekong_7"]
    assert dataset.regions == ["bolivia", "ghana", "mekong"]
    # The metadata call the Mekong event Cambodia; the catalogue knows it all the same.
    assert dataset.date("Mekong_7") == "2018-08-04"
    sample = dataset.with_bands(["B8A", "RED"]).read("Ghana_1")
    assert sample.image.shape == (2, 16, 16)
    assert 0.009 < np.nanmin(sample.image) < np.nanmax(sample.image) < 0.41
    assert set(np.unique(sample.mask)) == {-1, 0, 1}


def test_sentinel_1_is_another_choice_of_images(floods):
    dataset = load("sen1floods11", floods, images="s1")
    assert dataset.bands == ("VV", "VH")
    assert -30 < np.nanmean(dataset.read("Ghana_1").image) < 0
    with pytest.raises(UnknownNameError, match="No choice of images named 's3'"):
        load("sen1floods11", floods, images="s3")


def test_bands_that_are_not_asked_for_are_not_read(tmp_path):
    root = layouts.bigearthnet(tmp_path, PATCHES[:1])
    dataset = load("reben-7k", root).with_bands(["BLUE", "SWIR_1"])
    patch = root / "BigEarthNet-S2" / PATCHES[0].rsplit("_", 2)[0] / PATCHES[0]
    (patch / f"{PATCHES[0]}_B04.tif").unlink()
    assert dataset.read(PATCHES[0]).image.shape == (2, 120, 120)


def test_burn_scars_know_tile_zone_and_day(tmp_path):
    dataset = load("hls-burn-scars", layouts.burn_scars(tmp_path))
    row = dataset.chips.loc["T10SEH.2018190.v1"]
    assert (row["region"], row["cluster"], row["date"]) == ("zone-10", "10SEH", "2018-07-09")
    assert dataset.chips["split"].tolist() == ["train", "val"]
    sample = dataset.read("T10SEH.2018190.v1")
    assert not sample.valid[0, 0]
    assert np.nanmax(sample.image) < 0.5


def test_bands_of_20_and_60_m_are_repeated_to_10_m(tmp_path):
    root = layouts.bigearthnet(tmp_path, PATCHES, countries={PATCHES[1]: "Lithuania"})
    dataset = load("reben-7k", root)
    image = dataset.with_bands(["BLUE", "SWIR_1", "COASTAL_AEROSOL"]).read(PATCHES[0]).image
    for band, factor in ((1, 2), (2, 6)):
        coarse = image[band, ::factor, ::factor]
        assert np.array_equal(image[band], coarse.repeat(factor, 0).repeat(factor, 1))
    assert dataset.chips["region"].tolist() == ["austria", "lithuania"]
    assert any("nearest neighbour" in note for note in dataset.info.notes)


def test_corine_codes_become_the_nineteen_classes(tmp_path):
    root = layouts.bigearthnet(tmp_path, PATCHES[:1], codes=(112, 312, 423))
    dataset = load("reben-7k", root)
    labels = set(np.unique(dataset.read(PATCHES[0]).mask))
    assert labels == {-1, 0, 9}
    assert dataset.classes[9].name == "coniferous forest"


def test_a_code_that_is_not_corine_s_is_an_error(tmp_path):
    root = layouts.bigearthnet(tmp_path, PATCHES[:1], codes=(112, 700))
    with pytest.raises(LabelError, match=r"reference_map\.tif holds 700, which is no code"):
        load("reben-7k", root)


def test_geo_bench_chips_are_read_without_their_pickles(tmp_path):
    dataset = load("m-cashew-plant", layouts.geo_bench(tmp_path))
    assert dataset.date("a") == "2019-11-05"
    assert dataset.chips.geometry.isna().all()
    image = dataset.with_bands(["BLUE", "NIR_NARROW"]).read("a").image
    assert image[:, 0, 0] == pytest.approx([0.02, 0.09])
    assert dataset.read("a").mask.min() == -1  # "no data" is no class
    assert not Path("/tmp/workbench-was-here").exists()


def test_a_truncated_hdf5_is_left_out_and_said(tmp_path):
    root = layouts.geo_bench(tmp_path)
    path = root / "m-cashew-plant/b.hdf5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.warns(ChipWarning, match="1 of 3 chips are left out"):
        dataset = load("m-cashew-plant", root)
    assert list(dataset) == ["a", "c"]


def test_links_out_of_an_hdf5_are_not_followed(tmp_path):
    import h5py

    root = layouts.geo_bench(tmp_path)
    with h5py.File(root / "m-cashew-plant/b.hdf5", "a") as file:
        del file["label"]
        file["label"] = h5py.ExternalLink(str(root / "m-cashew-plant/a.hdf5"), "label")
    with pytest.warns(ChipWarning, match="is not an array of numbers in this file"):
        load("m-cashew-plant", root)


@pytest.mark.parametrize("name", ["sen1floods11", "hls-burn-scars", "reben-7k", "m-cashew-plant"])
def test_a_root_that_is_not_the_dataset_says_what_was_expected_and_found(tmp_path, name):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DataError, match=rf"expected .* found holiday\.jpg.*download\('{name}'"):
        load(name, tmp_path)


def test_an_unfinished_unpacking_is_told(floods):
    (floods / ".downloads").mkdir()
    (floods / ".downloads/archive.unpacking").touch()
    with pytest.raises(DataError, match="download of archive was interrupted"):
        load("sen1floods11", floods)


def test_the_index_is_made_once_and_opens_without_images(floods):
    first = load("sen1floods11", floods)
    for path in floods.rglob("*_S2Hand.tif"):
        stat = path.stat()
        path.write_bytes(b"\0" * stat.st_size)  # as large, and as old
        import os

        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again = load("sen1floods11", floods)
    assert again.hash == first.hash


def test_files_that_came_or_changed_are_read_again(floods):
    assert len(load("sen1floods11", floods)) == 4
    layouts.sen1floods11(floods, ("Ghana_1", "Ghana_2", "Mekong_7", "Bolivia_3", "Spain_9"))
    assert "Spain_9" in load("sen1floods11", floods)


def test_an_interrupted_indexing_goes_on(floods):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wb.load("sen1floods11", root=floods, progress=stop)
    seen = []
    dataset = wb.load("sen1floods11", root=floods, progress=lambda done, total: seen.append(total))
    assert len(dataset) == 4
    assert seen[0] <= 2


def test_bad_chips_are_left_out_with_their_reason(floods):
    labels = floods / "v1.1/data/flood_events/HandLabeled/LabelHand"
    (labels / "Ghana_1_LabelHand.tif").unlink()
    layouts.tif(labels / "Ghana_2_LabelHand.tif", np.zeros((8, 8), np.int16))
    (labels.parent / "S2Hand/Mekong_7_S2Hand.tif").write_bytes(b"")
    with pytest.warns(ChipWarning, match="3 of 4 chips are left out"):
        dataset = load("sen1floods11", floods)
    assert list(dataset) == ["Bolivia_3"]
    kinds = {chip: reason.partition(":")[0] for chip, reason in dataset.skipped.items()}
    assert kinds == {"Ghana_1": "no mask", "Ghana_2": "another grid", "Mekong_7": "unreadable"}


def test_published_lists_that_come_with_the_files_make_a_split(floods):
    split = load("sen1floods11", floods, split="official").split(by="published")
    assert {part: list(chips) for part, chips in split.parts.items()} == {
        "train": ["Ghana_1"], "val": ["Ghana_2"], "test": ["Mekong_7"], "held_out": ["Bolivia_3"],
    }  # fmt: skip


def test_geo_bench_s_partition_makes_a_split(tmp_path):
    split = load("m-cashew-plant", layouts.geo_bench(tmp_path)).split(by="published")
    assert [len(split.parts[part]) for part in ("train", "val", "test")] == [1, 1, 1]


def test_a_split_of_files_opens_again_from_its_json(floods):
    split = load("sen1floods11", floods, split="official").split(by="published")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = wb.Split.from_json(json.loads(json.dumps(split.to_json())))
    assert again.parts == split.parts
    assert again.dataset.hash == split.dataset.hash


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder ../shared beside the repository")
def test_the_real_chip_of_sen1floods11_is_read(tmp_path):
    top = tmp_path / "v1.1/data/flood_events/HandLabeled"
    for folder in ("S2Hand", "S1Hand", "LabelHand"):
        (top / folder).mkdir(parents=True)
        name = f"Spain_7370579_{folder}.tif"
        (top / folder / name).symlink_to(SHARED / "real/sen1floods11_sample" / name)
    dataset = load("sen1floods11", tmp_path)
    counts = dataset.chips.loc["Spain_7370579"]
    assert (counts["count_ignore"], counts["count_0"], counts["count_1"]) == (99, 192010, 70035)
    assert dataset.date("Spain_7370579") == "2019-09-18"
    assert load("sen1floods11", tmp_path, images="s1").bands == ("VV", "VH")
