from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import BandError
from workbench.plots.pixels import FALSE_ALARM, MISSED, NO_LABEL, classified, judged, stretched

LAND, WATER = "#d9c9a3", "#1f78b4"
BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW")


def hexes(pixels):
    return ["#" + "".join(f"{value:02X}" for value in pixel[:3]) for pixel in pixels.reshape(-1, 4)]


def test_right_pixels_keep_their_class_and_wrong_ones_say_how():
    label = np.array([[0, 0, 1, 1, -1]])
    predicted = np.array([[0, 1, 1, 0, 1]])
    assert hexes(judged(label, predicted, (LAND, WATER))) == [
        LAND.upper(), FALSE_ALARM.upper(), WATER.upper(), MISSED.upper(), NO_LABEL.upper()]


def test_with_three_classes_every_error_looks_alike():
    label, predicted = np.array([[0, 1, 2]]), np.array([[1, 2, 2]])
    painted = hexes(judged(label, predicted, (LAND, WATER, "#228833")))
    assert painted == [MISSED, MISSED, "#228833"]


def test_what_is_no_class_is_painted_as_without_a_label():
    assert hexes(classified(np.array([[255]]), (LAND, WATER))) == [NO_LABEL.upper()]


def test_invalid_pixels_are_transparent_and_do_not_change_the_others():
    image = np.random.default_rng(0).uniform(0, 0.2, (4, 8, 8)).astype(np.float32)
    whole = stretched(image, BANDS)
    image[:, 0, 0] = np.nan
    cut = stretched(image, BANDS)
    assert cut[0, 0, 3] == 0
    assert (cut[1:, 1:, 3] == 255).all()
    assert np.abs(cut[1:, 1:, :3].astype(int) - whole[1:, 1:, :3]).max() < 20


@pytest.mark.parametrize("scale", [1.0, 10_000.0])
def test_clouds_do_not_turn_the_land_black(scale):
    image = np.random.default_rng(0).uniform(0.02, 0.2, (4, 16, 16))
    clear = stretched(image * scale, BANDS)[8:].mean()
    image[:, :6] = 0.9
    assert stretched(image * scale, BANDS)[8:].mean() > 0.8 * clear


def test_bands_are_found_by_name_not_by_position():
    image = np.zeros((4, 1, 2), np.float32)
    image[BANDS.index("RED"), 0, 1] = 0.2
    red = stretched(image, BANDS)[0, 1]
    assert red[0] == 255
    assert red[1] == red[2] == 0


def test_a_missing_band_is_an_error_that_lists_what_is_there():
    with pytest.raises(BandError, match="no SWIR_1; it has BLUE"):
        stretched(np.zeros((4, 2, 2)), BANDS, ("SWIR_1", "RED", "BLUE"))


def test_an_image_of_other_bands_is_shown_in_grey():
    shown = stretched(np.linspace(-20, -5, 8).reshape(2, 2, 2), ("VV", "VH"))
    assert (shown[..., 0] == shown[..., 1]).all()


def test_an_all_invalid_image_is_transparent():
    assert not stretched(np.full((3, 4, 4), np.nan), ("RED", "GREEN", "BLUE")).any()
