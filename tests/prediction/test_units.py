from __future__ import annotations

import warnings

import numpy as np
import pytest
from rasterio.crs import CRS

from tests.prediction.conftest import NORTH_UP
from workbench.errors import BandError
from workbench.prediction.grid import raster_grid
from workbench.prediction.sources import PredictionWarning, Source
from workbench.prediction.units import check_units, checked

BANDS, MEANS = ("GREEN", "RED", "SWIR_1"), (0.08, 0.07, 0.22)


def pixels(*values: float) -> np.ndarray:
    return np.broadcast_to(np.array(values, np.float32)[:, None, None], (len(values), 4, 4)).copy()


@pytest.mark.parametrize("values", [
    (0.08, 0.07, 0.22), (0.06, 0.04, 0.005), (0.8, 0.8, 0.1), (1.5, 1.3, 2.0)],
    ids=["as trained", "open water", "snow", "bright cloud"])
def test_unusual_ground_is_no_wrong_unit(values: tuple[float, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_units("scene", pixels(*values), BANDS, MEANS)


@pytest.mark.parametrize("factor", [1e-4, 1e4, -1])
def test_wrong_scale_or_sign_is_refused_and_the_remedy_named(factor: float) -> None:
    values = pixels(*(factor * mean for mean in MEANS))
    with pytest.raises(BandError, match=r"scene.*GREEN.*training 0\.08.*predict\(…, scale=…\)"):
        check_units("scene", values, BANDS, MEANS)


def test_percent_are_warned_of() -> None:
    with pytest.warns(PredictionWarning, match="scale"):
        check_units("scene", pixels(8, 7, 22), BANDS, MEANS)


def test_backscatter_in_decibel_is_compared_with_decibel() -> None:
    check_units("scene", pixels(-11, -18), ("VV", "VH"), (-10, -17))
    with pytest.raises(BandError):
        check_units("scene", pixels(0.1, 0.02), ("VV", "VH"), (-10, -17))


def test_a_model_without_units_is_not_asked() -> None:
    check_units("scene", pixels(1e9), ("GREEN",), ())


def test_only_the_first_rows_with_values_are_looked_at() -> None:
    strips = [np.full((3, 4, 4), np.nan, np.float32), pixels(*MEANS), pixels(1e6, 1e6, 1e6)]
    grid = raster_grid(12, 4, CRS.from_epsg(32720), NORTH_UP)
    source = Source("scene", grid, lambda top, left, rows, columns: strips[top // 4])
    read = checked(source, BANDS, MEANS)
    for top in (0, 4, 8):
        read(top, 0, 4, 4)
