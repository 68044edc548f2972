"""Mean and standard deviation of bands, streamed over the chips of a dataset."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.catalog.catalog import find_collection
from workbench.data.dataset import Dataset
from workbench.errors import DataError, WorkbenchError


class BandStatistics(NamedTuple):
    """Mean and standard deviation per band, float64, in physical units, band order of the data."""

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]


class NamedStatistics(NamedTuple):
    """Statistics of some bands as somebody states them, in physical units.

    Attributes:
        whose: What they are called in a sentence.
        bands: Which bands.
        mean: Of each.
        std: Of each, above 0.
    """

    whose: str
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def published_statistics(dataset: Dataset) -> NamedStatistics | None:
    """Return what the dataset's collection states of its bands; None where nothing is stated."""
    name = dataset.info.collection
    if name is None:
        return None
    try:
        collection = find_collection(dataset.info.source.get("collection", name))
    except WorkbenchError:  # a catalogue that is gone states nothing
        return None
    stated = {band.name: (band.mean, band.std) for band in collection.bands
              if band.mean is not None and band.std}
    bands = [band for band in dataset.bands if band in stated]
    if not bands:
        return None
    mean, std = zip(*(stated[band] for band in bands), strict=True)
    return NamedStatistics("the collection's published statistics", tuple(bands), mean, std)


def require_published(dataset: Dataset) -> NamedStatistics:
    """Return what the dataset's collection states of all its bands.

    Raises:
        DataError: It states nothing of one.
    """
    found = published_statistics(dataset)
    missing = [band for band in dataset.bands if found is None or band not in found.bands]
    if found is None or missing:
        raise DataError(
            f"normalization='published': no source states mean and deviation of "
            f"{', '.join(missing)} for {dataset.info.name}. Use normalization='dataset', which "
            "measures the training part."
        )
    return found


def band_statistics(dataset: Dataset) -> BandStatistics:
    """Return mean and standard deviation over all valid pixels, those of all frames together.

    Pass the train part only.

    Chips are merged pairwise by their counts, means and squared deviations, which loses no
    precision however many there are.
    Source: Chan, Golub, LeVeque (1983), The American Statistician 37(3), equation 2.1.

    Raises:
        DataError: There is no valid pixel.
    """

    def moments(chip_id: str) -> tuple[int, npt.NDArray, npt.NDArray]:
        pixels = dataset.read(chip_id).pixels.astype(np.float64)
        if not pixels.size:
            return 0, np.zeros(len(pixels)), np.zeros(len(pixels))
        mean = pixels.mean(1)
        return pixels.shape[1], mean, ((pixels - mean[:, None]) ** 2).sum(1)

    count, mean, squares = 0, np.zeros(len(dataset.bands)), np.zeros(len(dataset.bands))
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for more, chip_mean, chip_squares in pool.map(moments, dataset):
            if more:
                delta, total = chip_mean - mean, count + more
                squares += chip_squares + delta**2 * count * more / total
                mean += delta * more / total
                count = total
    if not count:
        raise DataError(f"{dataset.info.name}: there is no valid pixel in {len(dataset)} chips.")
    return BandStatistics(mean, np.sqrt(squares / count))
