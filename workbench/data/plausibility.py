"""Whether bands can be what they are called: units, signs, constants, copies, order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from workbench.data.bands import BANDS
from workbench.data.dataset import Dataset

_SAR = ("VV", "VH", "HH", "HV")
# The brightest clouds and glints reach 2, and 16 bits stored as reflectance * 10 000 reach 6.5.
_NO_REFLECTANCE = 5


def implausible_bands(dataset: Dataset, pixels: npt.NDArray, num_chips: int) -> list[str]:
    """Return what is wrong with the values of some chips, one sentence each, with the remedy.

    Optical bands are expected as reflectance, 0 to 1; radar bands as decibels.

    Args:
        dataset: Where they come from.
        pixels: Valid pixels ``(band, pixel)``.
        num_chips: How many chips they were taken from.
    """
    if not pixels.shape[1]:
        return [f"no valid pixel in {num_chips} train chips looked at"]
    optical = [
        place for place, band in enumerate(dataset.bands)
        if band in BANDS and BANDS[band].wavelength_nm and "THERMAL" not in band
    ]
    problems = [*_constant(dataset, pixels), *_copies(dataset, pixels)]
    if optical:
        problems += _reflectance(dataset, pixels, optical)
    return [*problems, *_decibels(dataset, pixels)]


def _constant(dataset: Dataset, pixels: npt.NDArray) -> Iterable[str]:
    for band, values in zip(dataset.bands, pixels, strict=True):
        if values.min() == values.max():
            yield f"{band} is {values[0]:g} everywhere; it is empty or a placeholder: leave it out"


def _copies(dataset: Dataset, pixels: npt.NDArray) -> Iterable[str]:
    for one in range(len(pixels)):
        for other in range(one + 1, len(pixels)):
            if np.array_equal(pixels[one], pixels[other]) and np.ptp(pixels[one]) > 0:
                yield (
                    f"{dataset.bands[one]} and {dataset.bands[other]} hold the same values; "
                    "one of them is a copy"
                )


def _reflectance(dataset: Dataset, pixels: npt.NDArray, optical: list[int]) -> Iterable[str]:
    median = float(np.median(pixels[optical]))
    scale = dataset.info.scale
    if median > 2:
        # Sentinel-2 and HLS store reflectance * 10 000; 8-bit pictures reach 255.
        fit = scale / 10_000 if median > 100 else scale / 255
        yield (
            f"optical values are about {median:.4g}, reflectance is 0 to 1; they are stored in "
            f"other units: pass scale={fit:g}"
        )
    elif 0 < median < 0.001:
        yield (
            f"optical values are about {median:.2g}, too dark for reflectance; scale={scale:g} is "
            "applied to values that may be reflectance already: pass scale=1"
        )
    if median <= 2:
        yield from _outliers(dataset, pixels, optical)
    negative = (pixels[optical] < 0).mean(1)
    for place, share in zip(optical, negative, strict=True):
        if share > 0.05:
            yield (
                f"{share:.0%} of the values of {dataset.bands[place]} are negative; check offset=, "
                "nodata=, or whether the band is what it is called"
            )


def _outliers(dataset: Dataset, pixels: npt.NDArray, optical: list[int]) -> Iterable[str]:
    counts = (pixels[optical] > _NO_REFLECTANCE).sum(1)
    for place, count in zip(optical, counts, strict=True):
        if count:
            yield (
                f"{dataset.bands[place]} reaches {pixels[place].max():.3g}, reflectance is 0 to 1: "
                f"{count} of {pixels.shape[1]} values looked at are above {_NO_REFLECTANCE}; a "
                "fill value that its files do not declare: gdal_edit.py -a_nodata declares it"
            )


def _decibels(dataset: Dataset, pixels: npt.NDArray) -> Iterable[str]:
    for band, values in zip(dataset.bands, pixels, strict=True):
        if band in _SAR and np.median(values) > 0:
            yield (
                f"{band} is {np.median(values):.3g} in the middle; radar in decibels is negative "
                "over land and water: convert power to 10 * log10(power)"
            )
