"""Chips of several dates: how they come in, and what of them is valid."""

import re

import numpy as np
import pandas as pd
import pytest
import rasterio
import rioxarray  # noqa: F401
import xarray as xr

import workbench as wb
from tests.data.conftest import write_tif
from tests.seasons import DATES, season, write_seasons
from workbench.data import Dataset, Split
from workbench.data.statistics import band_statistics
from workbench.errors import BandError, DataError

BANDS = ["RED", "NIR_NARROW"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def stack(write_pair):
    """Three dates of two bands as files hold them, band 1 and 2 of a date together."""
    layers = np.arange(6 * 16 * 16).reshape(6, 16, 16).astype(np.int16)
    layers[3, 2, 5] = -9999  # NIR_NARROW of the second date
    write_pair("a", layers, nodata=-9999)
    return layers


@pytest.fixture
def scene():
    image, mask = season(1, side=96)
    coords = {"y": 4_200_000 - 30 * np.arange(96) - 15.0, "x": 400_000 + 30 * np.arange(96) + 15.0}
    array = xr.DataArray(image.astype("f4"), dims=("band", "time", "y", "x"), coords={
        "band": BANDS, "time": np.array(DATES, "datetime64[ns]"), **coords})
    array = array.rio.write_crs("EPSG:32630")
    return array, xr.DataArray(mask.astype(np.uint8), dims=("y", "x"), coords=coords)


def test_stacked_files_are_read_band_by_date(stack, open_pairs):
    sample = open_pairs(frames=3, scale=1.0).read("a_S2")
    assert sample.image.shape == (2, 3, 16, 16)
    for frame in range(3):
        for band in range(2):
            expected = np.where(sample.valid, stack[2 * frame + band], np.nan)
            np.testing.assert_array_equal(sample.image[band, frame], expected)


def test_a_pixel_that_one_date_lacks_is_not_valid_and_has_no_label(stack, open_pairs):
    sample = open_pairs(frames=3).read("a_S2")
    assert np.argwhere(~sample.valid).tolist() == [[2, 5]]
    assert np.isnan(sample.image[:, :, 2, 5]).all()
    assert sample.mask[2, 5] == -1


def test_bands_are_chosen_by_name_on_every_date(stack, open_pairs):
    sample = open_pairs(frames=3, scale=1.0).with_bands(["NIR_NARROW"]).read("a_S2")
    np.testing.assert_array_equal(sample.image[0], np.where(sample.valid, stack[1::2], np.nan))


@pytest.mark.filterwarnings("error")
def test_a_stack_of_another_number_of_bands_says_what_was_found_and_expected(stack, open_pairs):
    with pytest.raises(BandError, match=r"has 6 bands; expected 8, 4 frames of the 2 that bands="):
        open_pairs(frames=4)
    with pytest.raises(BandError, match=r"If they hold 3 dates, .* pass frames=3"):
        open_pairs()
    with pytest.raises(DataError, match="frames=0 is no whole number from 1 on"):
        open_pairs(frames=0)


def test_a_stack_of_one_band_after_the_other_is_told_by_its_names(write_pair, open_pairs):
    write_pair("a", np.ones((4, 16, 16), np.int16), descriptions=["B04", "B04", "B8A", "B8A"])
    with pytest.raises(BandError, match="all those of the first date before those of the second"):
        open_pairs(frames=2)


def test_dates_are_one_for_each_frame(stack, open_pairs):
    for date in (DATES, {"a_S2": list(DATES)}, " ".join(DATES),
                 np.array(DATES, "datetime64[ns]")):
        dataset = open_pairs(frames=3, date=date)
        assert dataset.date("a_S2") == dataset.read("a_S2").date == DATES
        assert dataset.chips.loc["a_S2", "date"] == DATES[0]
    with pytest.raises(DataError, match=r"a_S2.tif has 3 frames, and its date is given as"):
        open_pairs(frames=3, date="2022-03-05")
    assert open_pairs(frames=3).date("a_S2") is None


def test_dates_are_found_in_the_names_of_files(tmp_path, write_pair, open_pairs):
    write_pair("a_20220305_20220610", np.ones((4, 16, 16), np.int16))
    dataset = open_pairs(frames=2, date=r"_(\d{8})_(\d{8})_")
    assert dataset.date(next(iter(dataset))) == DATES[:2]
    single = open_pairs(bands=[*BANDS, None, None],
                        date=r"_(\d{8})_(\d{8})_")
    assert single.date(next(iter(single))) == DATES[0]


def test_a_table_says_the_dates_of_every_stack(tmp_path, stack):
    table = pd.DataFrame({"image": ["a_S2.tif"], "mask": ["a_label.tif"],
                          "date": [", ".join(DATES)]}, index=["first"])
    dataset = Dataset.from_table(table, root=tmp_path, bands=BANDS, classes=["land", "water"],
                                 frames=3)
    assert dataset.date("first") == DATES
    assert dataset.read("first").image.shape == (2, 3, 16, 16)
    table["dates"] = "spring to autumn"
    with pytest.raises(DataError, match="'dates' has a name that the index uses itself"):
        Dataset.from_table(table, root=tmp_path, bands=BANDS, classes=["a", "b"], frames=3)


def test_it_opens_again_with_its_frames_and_dates(tmp_path):
    dataset = write_seasons(tmp_path)
    split = dataset.split(hold_out=["west"])
    again = Split.from_json(split.to_json()).dataset
    assert again.hash == dataset.hash
    assert (again.num_frames, again.date("north_0_stack")) == (3, DATES)
    assert "3 dates" in repr(again)


def test_one_date_reads_as_it_did_before_there_were_several(tiny_floods):
    assert "num_frames" not in tiny_floods.info.model_dump()
    assert "frames" not in tiny_floods.info.source
    assert "dates" not in tiny_floods.chips


def test_an_array_with_time_is_cut_into_chips_of_several_dates(scene):
    array, mask = scene
    dataset = Dataset.from_xarray(array.transpose("time", "band", "y", "x"), mask, chip_size=32,
                                  classes=["dries", "greens up"], name="here")
    assert (len(dataset), dataset.num_frames, dataset.bands) == (9, 3, tuple(BANDS))
    sample = dataset.read("here_001_002")
    np.testing.assert_array_equal(sample.image, array.values[:, :, 32:64, 64:])
    assert sample.date == DATES
    split = dataset.split(by="block", fractions=(0.4, 0.3, 0.3), buffer_km=0)
    again = Split.from_json(split.to_json()).dataset
    assert again.hash == dataset.hash
    np.testing.assert_array_equal(again.read("here_001_002").image, sample.image)


def test_a_dataset_of_bands_with_time_and_its_zarr_store_are_the_same_chips(scene, tmp_path):
    array, mask = scene
    bands = array.to_dataset("band").assign(label=mask)
    bands.to_zarr(tmp_path / "scene.zarr", consolidated=False, zarr_format=3)
    options = dict(classes=["dries", "greens up"], chip_size=32, name="here")
    one = Dataset.from_xarray(bands, "label", **options)
    other = Dataset.from_xarray(tmp_path / "scene.zarr", "label", bands=BANDS, **options)
    for dataset in (one, other):
        sample = dataset.with_bands(BANDS).read("here_000_001")
        np.testing.assert_array_equal(sample.image, array.values[:, :, :32, 32:64])
        assert sample.date == DATES


def test_one_step_in_time_is_a_chip_of_one_date(scene):
    array, mask = scene
    dataset = Dataset.from_xarray(array[:, 1:2], mask, classes=["a", "b"], chip_size=32, name="one")
    assert dataset.read("one_000_000").image.shape == (2, 32, 32)
    assert dataset.date("one_000_000") == DATES[1]


@pytest.mark.filterwarnings("ignore::workbench.data.folder.ChipWarning")
def test_a_missing_date_is_not_valid_data(scene):
    array, mask = scene
    array[:, 2, :32, :32] = np.nan
    dataset = Dataset.from_xarray(array, mask, chip_size=32, classes=["a", "b"], name="here")
    assert len(dataset) == 8
    assert "no valid pixel" in dataset.skipped["here_000_000"]


def test_statistics_are_those_of_all_dates_of_a_band(tmp_path):
    dataset = write_seasons(tmp_path)
    mean, std = band_statistics(dataset)
    images = np.stack([dataset.read(chip).image for chip in dataset]).swapaxes(0, 1)
    np.testing.assert_allclose(mean, images.reshape(2, -1).mean(1, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(std, images.reshape(2, -1).std(1, dtype=float), rtol=1e-6)


def test_only_chips_of_equally_many_dates_are_joined(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    three = write_seasons(tmp_path / "one", count=2)
    both = wb.concat([three, write_seasons(tmp_path / "other", places=("east",), count=2)])
    chip = "simulated-seasons#2/east_1_stack"
    assert both.read(chip).image.shape == (2, 3, 32, 32)
    assert both.date(chip) == DATES
    write_tif(tmp_path / "i.tif", np.ones((2, 32, 32), np.int16))
    write_tif(tmp_path / "m.tif", np.ones((32, 32), np.uint8))
    single = Dataset.from_folder(tmp_path / "i.tif", tmp_path / "m.tif", bands=BANDS, name="single",
                                 classes=["dries", "greens up"])
    with pytest.raises(DataError, match=r"simulated-seasons are of 3 dates, those of single of 1 "
                                        r"date\. Open both with the same number of frames"):
        wb.concat([three, single])


def test_classes_and_chips_are_chosen_as_of_one_date(tmp_path):
    dataset = write_seasons(tmp_path).remap({"dries": "bare"}).select(date="2022-03", region="west")
    assert [kind.name for kind in dataset.classes] == ["bare", "greens up"]
    assert dataset.regions == ["west"]
    assert dataset.read("west_0_stack").image.shape == (2, 3, 32, 32)


def frames_of(dataset):
    audit = dataset.split(hold_out=["west"]).audit()
    return [str(finding) for finding in audit.findings if finding.check == "frames"]


def changed(folder, change):
    for path in folder.glob("*_stack.tif"):
        with rasterio.open(path, "r+") as file:
            file.write(change(file.read()))


def test_the_doctor_has_nothing_to_say_of_good_dates(tmp_path):
    dataset = write_seasons(tmp_path)
    assert frames_of(dataset) == []
    assert dataset.split(hold_out=["west"]).audit().worst in ("ok", "note", "warning")


def test_the_doctor_sees_dates_that_are_copies_in_other_units_or_out_of_order(tmp_path):
    write_seasons(tmp_path)
    changed(tmp_path, lambda layers: np.concatenate([layers[:4], layers[2:4]]))
    dataset = wb.Dataset.from_folder(
        str(tmp_path / "*_stack.tif"), str(tmp_path / "*_mask.tif"), bands=BANDS, frames=3,
        region="{region}_{number}_stack", scale=1e-4, date=[DATES[1], DATES[0], DATES[2]])
    copied, unordered = frames_of(dataset)
    assert "frames 2 and 3 hold the same pixels in 18 of 18 chips" in copied
    assert "the dates of 18 chips are not in ascending order" in unordered
    changed(tmp_path, lambda layers: np.concatenate([layers[:4], layers[:2] // 20]))
    (units,) = [said for said in frames_of(dataset) if "units" in said]
    assert re.match(r"frame 3 is 0\.0\d+ times as bright as the others in every band", units)
