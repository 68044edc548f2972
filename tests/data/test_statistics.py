import numpy as np
import pytest

from workbench.data.statistics import band_statistics
from workbench.errors import DataError


def test_streamed_statistics_equal_those_of_all_valid_pixels(tiny_floods):
    mean, std = band_statistics(tiny_floods)
    pixels = np.concatenate(
        [sample.image[:, sample.valid] for sample in map(tiny_floods.read, tiny_floods)], axis=1
    ).astype(np.float64)
    np.testing.assert_allclose(mean, pixels.mean(1), rtol=1e-12)
    np.testing.assert_allclose(std, pixels.std(1), rtol=1e-12)
    assert mean.dtype == std.dtype == np.float64


def test_chips_of_unequal_size_weigh_by_their_pixels(write_pair, open_pairs):
    ramp = np.arange(2 * 20 * 24, dtype=np.int16).reshape(2, 20, 24)
    write_pair(image=ramp)
    mean, std = band_statistics(open_pairs(chip_size=16, scale=1.0))
    np.testing.assert_allclose(mean, ramp.reshape(2, -1).mean(1))
    np.testing.assert_allclose(std, ramp.reshape(2, -1).std(1))


def test_no_valid_pixel_is_an_error(tiny_floods):
    with pytest.raises(DataError, match="tiny-floods: there is no valid pixel in 0 chips"):
        band_statistics(tiny_floods.select([]))
