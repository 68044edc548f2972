import numpy as np
import pytest

from workbench.data.chipping import ChipWindow
from workbench.data.info import DatasetInfo, parse_classes
from workbench.data.reading import class_indices, read_pixels, valid_pixels
from workbench.errors import LabelError


def info(**changes):
    classes, values = parse_classes(changes.pop("classes", ["land", "water"]))
    facts = dict(name="t", bands=("RED", "NIR_NARROW"), classes=classes, class_values=values,
                 stored_bands=("RED", "NIR_NARROW"), chip_shape=(16, 16), source={})
    return DatasetInfo(**{**facts, **changes})


def window(height=16, width=16, row=0, col=0):
    return ChipWindow(0, 0, row, col, height, width)


def test_integers_become_float32_reflectance(write_pair):
    image = np.full((2, 16, 16), 2500, np.int16)
    pixels, mask, valid = read_pixels(info(scale=1e-4), *write_pair(image=image), window())
    assert (pixels.dtype, mask.dtype, valid.dtype) == (np.float32, np.int64, bool)
    np.testing.assert_allclose(pixels, 0.25)
    assert valid.all()


def test_an_offset_is_added_after_scaling(write_pair):
    image = np.full((2, 16, 16), 3000, np.uint16)
    pixels, _, _ = read_pixels(info(scale=1e-4, offset=-0.1), *write_pair(image=image), window())
    np.testing.assert_allclose(pixels, 0.2, rtol=1e-6)


def test_bands_are_read_by_name_in_the_order_asked_for(write_pair):
    image = np.stack([np.full((16, 16), value, np.int16) for value in (1, 2, 3)])
    facts = info(bands=("GREEN", "RED"), stored_bands=("RED", None, "GREEN"))
    pixels, _, _ = read_pixels(facts, *write_pair(image=image), window())
    assert pixels[:, 0, 0].tolist() == [3, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -3.4e38, -9999])
def test_a_pixel_bad_in_one_band_is_not_valid_in_any_and_has_no_label(write_pair, bad):
    image = np.full((2, 16, 16), 0.2, np.float32)
    image[1, 3, 4] = bad
    mask = np.ones((16, 16), np.uint8)
    pixels, labels, valid = read_pixels(info(), *write_pair(image=image, mask=mask, nodata=-9999),
                                        window())
    assert np.isnan(pixels[:, 3, 4]).all()
    assert (labels[3, 4], valid[3, 4]) == (-1, False)
    assert valid.sum() == 255
    assert np.isfinite(pixels[:, valid]).all()


def test_nodata_given_by_the_user_counts_before_that_of_the_file(write_pair):
    image = np.full((2, 16, 16), 7, np.int16)
    image[:, 0, 0] = 0
    pair = write_pair(image=image, nodata=7)
    _, _, valid = read_pixels(info(nodata=0), *pair, window())
    assert valid.sum() == 255


def test_nan_as_nodata_is_understood():
    assert valid_pixels(np.array([[[np.nan, 1.0]]]), np.nan).tolist() == [[False, True]]


def test_a_window_smaller_than_a_chip_is_padded_with_pixels_that_are_not_valid(write_pair):
    pair = write_pair(mask=np.ones((16, 16), np.uint8))
    pixels, mask, valid = read_pixels(info(), *pair, window(6, 5, row=10, col=11))
    assert pixels.shape == (2, 16, 16)
    assert valid[:6, :5].all()
    assert valid.sum() == 30
    assert np.isnan(pixels[:, ~valid]).all()
    assert (mask == 1).sum() == 30
    assert (mask[~valid] == -1).all()


def labels(values, **options):
    nodata = options.pop("nodata", None)
    return class_indices(np.array(values), info(**options), nodata, "m.tif").tolist()


def test_no_label_values_nan_and_the_files_nodata_become_minus_one():
    assert labels([0, 1, -1]) == [0, 1, -1]
    assert labels([0.0, 1.0, np.nan, np.inf]) == [0, 1, -1, -1]
    assert labels([0, 1, 255], nodata=255) == [0, 1, -1]
    assert labels([0, 1, 7, 9], no_label=(7, 9)) == [0, 1, -1, -1]


def test_a_file_that_declares_a_class_as_nodata_keeps_the_class():
    assert labels([0, 1], nodata=0) == [0, 1]


def test_mask_values_may_be_any_integers():
    assert labels([0, 255, 0], classes={0: "land", 255: "water"}) == [0, 1, 0]


def test_other_values_are_named_with_file_classes_and_remedy():
    with pytest.raises(LabelError) as error:
        labels([0, 1, 2, 5])
    assert str(error.value) == (
        "m.tif holds 2, 5, which is neither a class (0 land, 1 water) nor a no-label value (-1). "
        "If it means no label, pass no_label=(-1, 2); if it is a class, pass "
        "classes={0: 'land', 1: 'water', 2: '…'}."
    )


def test_fractions_in_a_mask_are_refused():
    with pytest.raises(LabelError, match=r"m\.tif holds 0\.5, .*Write the classes as whole"):
        labels([0, 0.5, 1])
