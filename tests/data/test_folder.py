"""Bad input and good: what `Dataset.from_folder` takes, leaves out and refuses."""

import warnings

import numpy as np
import pytest
from affine import Affine

from tests.data.conftest import GRID, write_tif
from workbench.data import ChipWarning, Dataset
from workbench.errors import BandError, DataError, GridError, LabelError

GOOD = np.full((2, 16, 16), 2000, np.int16)


def test_pairs_become_chips_with_counts_footprints_and_regions(write_pair, open_pairs):
    mask = np.zeros((16, 16), np.uint8)
    mask[:4] = 1
    write_pair("ghana_1", mask=mask, image=GOOD)
    write_pair("spain_1")
    dataset = open_pairs(region="{region}_{number}_S2")
    assert list(dataset) == ["ghana_1_S2", "spain_1_S2"]
    row = dataset.chips.loc["ghana_1_S2"]
    assert (row["count_0"], row["count_1"], row["count_ignore"]) == (192, 64, 0)
    assert (row["region"], row["crs"], row["valid_fraction"]) == ("ghana", "EPSG:32630", 1.0)
    assert dataset.chips.crs == "EPSG:4326"
    west, south, east, north = row["geometry"].bounds
    assert -6 < west < east < 0
    assert 37 < south < north < 39
    assert dataset.info.gsd_m == 30


def test_big_scenes_are_cut_into_chips_without_loss_or_overlap(write_pair, open_pairs):
    image = np.arange(2 * 40 * 36, dtype=np.int16).reshape(2, 40, 36)
    mask = (image[0] % 2).astype(np.uint8)
    write_pair("scene", image, mask, transform=GRID)
    dataset = open_pairs(chip_size=16, scale=1.0)
    assert len(dataset) == 9
    seen = np.zeros((40, 36), int)
    for chip in dataset:
        sample = dataset.read(chip)
        assert sample.image.shape == (2, 16, 16)
        col = round((sample.transform.c - GRID.c) / 30)
        row = round((GRID.f - sample.transform.f) / 30)
        part = (slice(row, row + 16), slice(col, col + 16))
        seen[part] += sample.valid[: 40 - row, : 36 - col]
        height, width = seen[part].shape
        np.testing.assert_array_equal(sample.image[:, :height, :width], image[(slice(None), *part)])
        np.testing.assert_array_equal(sample.mask[:height, :width], mask[part])
    assert (seen == 1).all()
    assert dataset.chips[["count_0", "count_1"]].sum().sum() == 40 * 36


def test_a_scene_is_cut_into_blocks_that_are_its_clusters(write_pair, open_pairs):
    write_pair("scene", np.full((2, 128, 128), 5, np.int16))
    dataset = open_pairs(chip_size=16)
    assert len(dataset) == 64
    assert dataset.chips.groupby("cluster").size().tolist() == [4] * 16


def test_scenes_of_one_place_share_clusters(write_pair, open_pairs):
    for name in ("may_1", "june_1"):
        write_pair(name, np.full((2, 64, 64), 5, np.int16), transform=GRID)
    write_pair("elsewhere", np.full((2, 64, 64), 5, np.int16))
    chips = open_pairs(chip_size=16, region="x").chips
    assert chips.groupby("cluster").size().value_counts().to_dict() == {1: 16, 2: 16}


def test_a_vrt_is_a_scene(tmp_path):
    write_tif(tmp_path / "s.tif", GOOD)
    write_tif(tmp_path / "label.tif", GOOD[0] % 2)
    (tmp_path / "s.vrt").write_text(
        '<VRTDataset rasterXSize="16" rasterYSize="16"><SRS>EPSG:32630</SRS>'
        "<GeoTransform>600000, 30, 0, 4200000, 0, -30</GeoTransform>"
        '<VRTRasterBand dataType="Int16" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">s.tif</SourceFilename><SourceBand>2</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    dataset = Dataset.from_folder(tmp_path / "s.vrt", tmp_path / "label.tif", bands=["RED"],
                                  classes=["a", "b"])
    assert (dataset.read("s").image == 2000).all()


def test_bands_can_be_chosen_by_name_where_files_name_them(write_pair, open_pairs):
    image = np.stack([np.full((16, 16), value, np.int16) for value in (10, 20, 30)])
    write_pair(image=image, descriptions=("B2", "B4", "B8A"))
    dataset = open_pairs(bands=["B4", "B8A"], scale=1.0)
    assert dataset.read("a_S2").image[:, 0, 0].tolist() == [20, 30]


def test_classes_are_found_in_the_masks_when_not_given(write_pair, open_pairs):
    write_pair("a", mask=np.full((16, 16), 3, np.uint8))
    write_pair("b", mask=np.full((16, 16), 8, np.uint8))
    dataset = open_pairs(classes=None)
    assert [entry.name for entry in dataset.classes] == ["class_3", "class_8"]
    assert sorted(np.unique(dataset.read(chip).mask).tolist() for chip in dataset) == [[0], [1]]


def test_masks_with_one_value_need_classes(write_pair, open_pairs):
    write_pair(mask=np.ones((16, 16), np.uint8))
    with pytest.raises(LabelError, match=r"hold only \[1\]; pass classes="):
        open_pairs(classes=None)


def test_masks_that_are_pictures_are_refused(write_pair, open_pairs):
    write_pair(mask=np.random.default_rng(0).random((16, 16)).astype(np.float32))
    with pytest.raises(LabelError, match="do not look like class masks: they hold 0"):
        open_pairs(classes=None)


def test_chips_without_a_crs_are_used_but_have_no_place(write_pair, open_pairs):
    write_pair(crs=None, transform=None)
    dataset = open_pairs()
    assert dataset.chips.geometry.isna().all()
    sample = dataset.read("a_S2")
    assert (sample.crs, sample.lonlat) == (None, None)


def test_chips_in_a_local_crs_are_used_but_have_no_place(write_pair, open_pairs):
    write_pair(crs='LOCAL_CS["site",UNIT["metre",1]]')
    dataset = open_pairs()
    assert dataset.chips.geometry.isna().all()
    assert dataset.read("a_S2").lonlat is None


# --- left out, counted, and the job goes on --------------------------------------------------


def leaves_out(open_pairs, match, **options):
    with pytest.warns(ChipWarning, match=match) as caught:
        dataset = open_pairs(**options)
    assert len(caught) == 1
    return dataset


def test_a_truncated_file_among_good_ones_is_left_out(write_pair, open_pairs):
    write_pair("a")
    image, _ = write_pair("b", np.full((2, 64, 64), 5, np.int16))
    image.write_bytes(image.read_bytes()[:10_000])
    dataset = leaves_out(open_pairs, r"2 of 5 chips .*\(2 unreadable\).*b_S2\.tif cannot be read",
                         chip_size=32)
    assert len(dataset) == 3
    assert all("truncated or damaged" in reason for reason in dataset.skipped.values())


def test_an_unreadable_file_among_good_ones_is_left_out(write_pair, open_pairs):
    write_pair("a")
    write_pair("b")[1].write_bytes(b"")
    dataset = leaves_out(open_pairs, r"1 of 2 chips are left out \(1 unreadable\); "
                                     r"dataset\.skipped lists them\. The first, b_S2: unreadable: "
                                     r".*b_label\.tif \(0 bytes\) cannot be opened")
    assert list(dataset) == ["a_S2"]


def test_images_without_a_mask_are_left_out(write_pair, open_pairs):
    for name in "abc":
        write_pair(name)
    write_pair("d")[1].unlink()
    dataset = leaves_out(open_pairs, r"1 of 4 chips are left out \(1 no mask\).*d_S2\.tif has none")
    assert "d_S2" in dataset.skipped


@pytest.mark.parametrize("bad", [np.nan, np.inf, -9999])
def test_chips_without_a_valid_pixel_are_left_out(write_pair, open_pairs, bad):
    write_pair("a", np.full((2, 16, 16), 0.3, np.float32), nodata=-9999)
    image = np.full((2, 16, 16), 0.3, np.float32)
    image[1] = bad
    write_pair("b", image, nodata=-9999)
    leaves_out(open_pairs, r"1 no valid pixel.*b_S2\.tif is nodata \(-9999\), NaN or infinite")


def test_chips_without_a_label_are_left_out(write_pair, open_pairs):
    write_pair("a")
    write_pair("b", mask=np.full((16, 16), -1, np.int16))
    leaves_out(open_pairs, r"1 no label.*b_label\.tif has no label where")


def test_one_warning_counts_all_kinds(write_pair, open_pairs):
    write_pair("a")
    write_pair("b", mask=np.full((16, 16), -1, np.int16))
    write_pair("c")[0].write_bytes(b"II")
    leaves_out(open_pairs, r"2 of 3 chips are left out \(1 unreadable, 1 no label\)")


def test_nothing_bad_means_no_warning(write_pair, open_pairs):
    write_pair()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_pairs().skipped == {}


# --- refused ---------------------------------------------------------------------------------


def test_all_chips_bad_is_an_error_that_counts_them(write_pair, open_pairs):
    write_pair("a", np.full((2, 16, 16), -9999, np.int16), nodata=-9999)
    with pytest.raises(DataError, match=r"None of 1 chips can be used \(1 no valid pixel\)\. "
                                        r"The first, a_S2: no valid pixel: each pixel of"):
        open_pairs()


def test_complex_images_are_refused(write_pair, open_pairs):
    write_pair(image=np.zeros((2, 16, 16), np.complex64))
    with pytest.raises(DataError, match=r"a_S2\.tif holds complex numbers \(complex64\)"):
        open_pairs()


def test_too_few_band_names_are_refused_with_what_the_file_has(write_pair, open_pairs):
    write_pair(image=np.ones((3, 16, 16), np.int16), descriptions=("B3", "B2", "quality"))
    with pytest.raises(BandError, match=r"a_S2\.tif has 3 bands \(B3, B2, quality\), bands= names "
                                        r"2\. Name every band .*None for one that is not used"):
        open_pairs()


def test_a_file_with_other_bands_than_the_first_is_refused(write_pair, open_pairs):
    write_pair("a")
    write_pair("b", np.ones((3, 16, 16), np.int16))
    with pytest.raises(BandError, match=r"b_S2\.tif has 3 bands, bands= names 2"):
        open_pairs()


def test_bands_in_another_order_than_the_file_says_are_refused(write_pair, open_pairs):
    write_pair(descriptions=("B8A", "B4"))
    with pytest.raises(BandError, match=r"a_S2\.tif calls its band 1 'B8A' \(NIR_NARROW\), bands= "
                                        r"calls it RED\. Name .* in the order of the files: B8A"):
        open_pairs()


def test_a_misspelt_band_names_the_nearest(write_pair, open_pairs):
    write_pair()
    with pytest.raises(BandError, match=r"No band named 'NIR_NAROW'\. Did you mean 'NIR_NARROW'"):
        open_pairs(bands=["RED", "NIR_NAROW"])


def test_labels_outside_the_classes_are_refused_with_the_file(write_pair, open_pairs):
    mask = np.zeros((16, 16), np.uint8)
    mask[0, 0] = 7
    write_pair("a")
    write_pair("b", mask=mask)
    with pytest.raises(LabelError, match=r"b_label\.tif holds 7, which is neither a class \(0 land"
                                         r", 1 water\)"):
        open_pairs()


def test_a_coloured_mask_is_refused(write_pair, open_pairs):
    write_pair(mask=np.zeros((3, 16, 16), np.uint8))
    with pytest.raises(LabelError, match=r"a_label\.tif has 3 bands; a mask has one"):
        open_pairs()


def test_a_half_pixel_shift_between_image_and_mask_is_refused(write_pair, open_pairs):
    shifted = Affine(30, 0, GRID.c + 15, 0, -30, GRID.f)
    write_pair(transform=GRID, mask_profile={"transform": shifted})
    with pytest.raises(GridError, match=r"corners are up to 0\.5 pixels apart"):
        open_pairs()


def test_polygons_need_a_crs_in_the_images(write_pair, open_pairs):
    import geopandas
    import shapely

    write_pair(crs=None, transform=None)
    box = geopandas.GeoDataFrame({"region": ["x"]}, geometry=[shapely.box(0, 0, 1, 1)],
                                 crs="EPSG:4326")
    with pytest.raises(GridError, match=r"a_S2\.tif has no CRS .*so region polygons cannot be"):
        open_pairs(region=box)


def test_images_of_different_sizes_need_a_chip_size(write_pair, open_pairs):
    write_pair("a")
    write_pair("b", np.ones((2, 24, 20), np.int16))
    with pytest.raises(DataError, match=r"differ in size \(16 × 16, 24 × 20\); pass chip_size="):
        open_pairs()
    assert len(open_pairs(chip_size=16)) == 5


def test_a_scene_too_large_for_one_chip_needs_a_chip_size(write_pair, open_pairs):
    write_pair(image=np.ones((2, 16, 1040), np.int16))
    with pytest.raises(DataError, match=r"16 × 1040 pixels, too many for one chip; pass chip_size"):
        open_pairs()


def test_a_chip_size_too_small_is_refused(write_pair, open_pairs):
    write_pair()
    with pytest.raises(DataError, match="chip_size=4 is below 8"):
        open_pairs(chip_size=4)


def test_no_images_is_an_error_before_anything_is_read(tmp_path, open_pairs):
    with pytest.raises(DataError, match=r"given as images matches no GeoTIFF"):
        open_pairs()
