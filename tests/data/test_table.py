from pathlib import Path

import geopandas
import pandas as pd
import pytest
import shapely

from workbench.data import Dataset, Split
from workbench.errors import DataError

BANDS = ["RED", "NIR_NARROW"]


@pytest.fixture
def table(write_pair):
    rows = []
    for number, name in enumerate("abcdefgh"):
        image, mask = write_pair(name)
        rows.append({"image": str(image), "mask": str(mask), "region": "north" if number < 4 else
                     "south", "date": f"2020-0{number + 1}-01", "biome": f"biome {number % 2}"})
    return pd.DataFrame(rows, index=[f"chip-{name}" for name in "abcdefgh"])


def opened(table, **options):
    return Dataset.from_table(table, bands=BANDS, classes=["land", "water"], scale=1e-4, **options)


def test_a_table_says_what_chips_are_called_and_all_else(table):
    dataset = opened(table)
    assert list(dataset) == list(table.index)
    assert dataset.regions == ["north", "south"]
    assert dataset.read("chip-b").date == "2020-02-01"
    assert dataset.chips["biome"].tolist() == table["biome"].tolist()


def test_a_table_in_memory_opens_again(table):
    split = opened(table).split(hold_out="south", fractions=(0.5, 0.25, 0.25))
    again = Split.from_json(split.to_json())
    assert again.dataset.hash == split.dataset.hash
    assert again.dataset.chips["biome"].tolist() == table["biome"].tolist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_of_a_table_has_paths_beside_it(table, suffix, tmp_path):
    named = table.rename_axis("chip_id").reset_index()
    named["image"] = [Path(path).name for path in named["image"]]
    named["mask"] = [Path(path).name for path in named["mask"]]
    path = tmp_path / f"chips{suffix}"
    named.to_csv(path, index=False) if suffix == ".csv" else named.to_parquet(path)
    dataset = opened(path)
    assert list(dataset) == list(table.index)
    assert dataset.info.name == "chips"
    assert Split.from_json(dataset.split(fractions=(0.5, 0.25, 0.25)).to_json()).dataset.hash == (
        dataset.hash)


def test_published_parts_of_a_table_make_a_split(table):
    parts = ["train"] * 4 + ["val"] * 2 + ["test", "held_out"]
    split = opened(table.assign(split=parts)).split(by="published")
    assert split.parts["val"] == ("chip-e", "chip-f")


def test_a_geometry_places_images_that_have_no_place(write_pair):
    rows = []
    for number, name in enumerate("abcd"):
        image, mask = write_pair(name, crs=None, transform=None)
        rows.append({"image": str(image), "mask": str(mask),
                     "geometry": shapely.box(number, 50, number + 0.01, 50.01)})
    dataset = opened(geopandas.GeoDataFrame(rows, crs="EPSG:4326"))
    assert dataset.chips.geometry.iloc[2].bounds == (2, 50, 2.01, 50.01)
    assert dataset.lonlat("c_S2") == pytest.approx((2.005, 50.005))


def test_scenes_of_a_table_are_cut_into_chips(table):
    dataset = opened(table, chip_size=8)
    assert len(dataset) == 32
    assert dataset.chips.loc["chip-c_001_000", "biome"] == "biome 0"
    assert dataset.read("chip-c_001_000").image.shape == (2, 8, 8)


def test_rows_without_a_mask_are_left_out_and_told(table):
    table.loc["chip-a", "mask"] = None
    with pytest.warns(UserWarning, match="1 of 8 chips are left out .1 no mask."):
        dataset = opened(table)
    assert len(dataset) == 7
    assert "no mask" in dataset.skipped["chip-a"]


@pytest.mark.parametrize(("change", "message"), [
    (lambda table: table.drop(columns="mask"), "no column 'mask'; it has image, region, date"),
    (lambda table: table.set_axis(["x"] * 8), "names the chip 'x' more than once"),
    (lambda table: table.assign(width=3), "column 'width' has a name that the index uses itself"),
    (lambda table: table.assign(split="training"), "holds 'training'; parts are train, val"),
    (lambda table: table.assign(region=None), "'region' is empty in row 'chip-a'"),
    (lambda table: table.assign(date="soon"), "The date of .* is given as 'soon'"),
    (lambda table: table.iloc[:0], "has no rows"),
])
def test_a_wrong_table_says_what_is_wrong(table, change, message):
    with pytest.raises(DataError, match=message):
        opened(change(table))


def test_a_table_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match=r"x\.parquet cannot be read"):
        opened(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"is none of \.parquet, \.gpkg"):
        opened(tmp_path / "x.xls")
