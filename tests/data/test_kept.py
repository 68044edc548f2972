"""The index of a folder is kept until a file changes, and is the one that reading gives."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from workbench.data import ChipWarning, Dataset, folder
from workbench.errors import LabelError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def readings(monkeypatch) -> list[int]:
    """Count how often pixels are read."""
    read, seen = folder.index_scenes, []

    def counted(scenes, *rest):
        seen.append(len(scenes))
        return read(scenes, *rest)

    monkeypatch.setattr(folder, "index_scenes", counted)
    return seen


def settle(root: Path, seconds_ago: float = 3600) -> None:
    """Date all files back, as if they had been there for long."""
    then = time.time() - seconds_ago
    for path in root.glob("*.*"):
        os.utime(path, (then, then))


def same(one: Dataset, other: Dataset) -> None:
    pd.testing.assert_frame_equal(one.chips, other.chips)
    assert one.info == other.info
    assert one.skipped == other.skipped
    assert one.hash == other.hash
    assert one.chips.crs == other.chips.crs


@pytest.mark.parametrize("options", [
    {}, {"region": "{region}_S2"}, {"chip_size": 8}, {"date": "2019-03-14"}, {"classes": None},
    {"region": geopandas.GeoDataFrame({"region": ["all"]}, geometry=[shapely.box(-180, 0, 0, 80)],
                                      crs="EPSG:4326")},
])
def test_opened_again_it_is_the_same_and_no_pixel_is_read(write_pair, open_pairs, tmp_path,
                                                          readings, options):
    for name in ("ghana", "spain"):
        write_pair(name)
    settle(tmp_path)
    first, again = open_pairs(**options), open_pairs(**options)
    assert readings == [2]
    same(first, again)


def test_chips_of_several_dates_come_back_too(write_pair, open_pairs, tmp_path, readings):
    for name in ("a", "b"):
        write_pair(name, np.full((4, 16, 16), 2000, np.int16))
    settle(tmp_path)
    options = {"frames": 2, "date": ["2019-03-14", "2019-04-01"]}
    first, again = open_pairs(**options), open_pairs(**options)
    assert readings == [2]
    same(first, again)
    assert again.read("a_S2").image.shape == first.read("a_S2").image.shape == (2, 2, 16, 16)
    assert len(open_pairs(bands=["RED", "NIR_NARROW", "SWIR_1", "SWIR_2"])) == 2
    assert readings == [2, 2]


def test_chips_without_a_place_come_back_too(write_pair, open_pairs, tmp_path, readings):
    write_pair("a", crs=None, transform=None)
    write_pair("b", crs=None, transform=None)
    settle(tmp_path)
    same(open_pairs(), open_pairs())
    assert readings == [2]


@pytest.mark.parametrize("change", ["image", "mask", "more", "gone", "world file", "time alone"])
def test_any_change_of_a_file_is_seen(write_pair, open_pairs, tmp_path, readings, change):
    images = [write_pair(name)[0] for name in ("a", "b", "c")]
    settle(tmp_path)
    first = open_pairs()
    if change == "image":
        write_pair("b", np.full((2, 16, 16), 7, np.int16))
    elif change == "mask":
        write_pair("b", mask=np.ones((16, 16), np.uint8))
    elif change == "more":
        write_pair("d")
    elif change == "gone":
        images[1].unlink()
        images[1].with_name("b_label.tif").unlink()
    elif change == "world file":
        images[1].with_suffix(".tfw").write_text("30\n0\n0\n-30\n500000\n4000000\n")
    else:
        os.utime(images[1])
    settle(tmp_path, 1800)
    again = open_pairs()
    assert len(readings) == 2
    assert (again.hash == first.hash) == (change in ("world file", "time alone"))
    assert len(open_pairs()) == len(again)
    assert len(readings) == 2


def test_another_question_of_the_same_files_has_its_own_answer(write_pair, open_pairs, tmp_path,
                                                               readings):
    write_pair("a", mask=np.tile(np.array([0, 2], np.uint8), (16, 8)))
    write_pair("b")
    settle(tmp_path)
    names = {0: "land", 1: "water", 2: "ice"}
    assert open_pairs(classes=names).num_classes == 3
    with pytest.raises(LabelError):
        open_pairs()
    with pytest.raises(LabelError):
        open_pairs()
    assert open_pairs(no_label=[2]).chips["count_ignore"].tolist() == [128, 0]
    assert open_pairs(classes=names).chips["count_2"].tolist() == [128, 0]


def test_files_that_were_written_just_now_may_be_written_again(write_pair, open_pairs, readings):
    write_pair("a")
    open_pairs()
    open_pairs()
    assert readings == [1, 1]


def test_what_is_left_out_is_said_each_time(write_pair, open_pairs, tmp_path, readings):
    write_pair("a")
    write_pair("b", np.full((2, 16, 16), -9999, np.int16), nodata=-9999)
    settle(tmp_path)
    said = []
    for _ in range(2):
        with pytest.warns(ChipWarning, match="1 of 2 chips are left out") as caught:
            assert list(open_pairs().skipped) == ["b_S2"]
        said.append(str(caught[0].message))
        assert caught[0].filename.endswith("conftest.py"), "where people called it"
    assert said[0] == said[1]
    assert readings == [2]


def test_a_damaged_or_forbidden_cache_is_no_reason_to_fail(write_pair, open_pairs, tmp_path, cache,
                                                           readings):
    write_pair("a")
    settle(tmp_path)
    first = open_pairs()
    (kept,) = cache.rglob("*.parquet")
    kept.write_bytes(kept.read_bytes()[:-60])
    same(open_pairs(), first)
    assert readings == [1, 1]
    kept.unlink()
    for folder_ in (kept.parent, kept.parent.parent):
        folder_.rmdir()
    cache.rmdir()
    cache.write_text("a file where the cache should be")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(open_pairs(), first)


def test_a_split_opens_its_folder_without_reading_pixels(write_pair, open_pairs, tmp_path,
                                                         readings):
    for number in range(8):
        write_pair(f"place{number % 2}-{number}")
    settle(tmp_path)
    split = open_pairs(region="{region}-{n}_S2").split(hold_out=["place0"])
    again = type(split).from_json(split.to_json())
    assert again.parts == split.parts
    assert again.dataset.hash == split.dataset.hash
    assert readings == [8]
