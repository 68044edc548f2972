"""Are the values of a source in the units that the model was trained on?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from workbench.errors import BandError
from workbench.prediction.needs import Pixels, PredictionWarning, Read, Source

# Ground differs: open water has a twentieth of the usual infrared, snow many times the usual
# blue. Units differ by 100 (percent) or 10 000 (stored integers); the median over bands and
# pixels keeps the two apart.
_UNUSUAL, _IMPOSSIBLE = 20.0, 1000.0


def checked(source: Source, bands: Sequence[str], means: Sequence[float]) -> Read:
    """Return `source.read`, which compares the first rows that hold values with the training mean.

    Args:
        source: What is read.
        bands: Names of its bands, as the model takes them.
        means: Mean of each band in the training data.
    """
    waiting = True

    def read(top: int, left: int, rows: int, columns: int) -> Pixels:
        nonlocal waiting
        pixels = source.read(top, left, rows, columns)
        if waiting and np.isfinite(pixels).all(axis=0).any():
            waiting = False
            check_units(source.name, pixels, bands, means)
        return pixels

    return read


def check_units(name: str, pixels: Pixels, bands: Sequence[str], means: Sequence[float]) -> None:
    """Compare pixels ``(band, [time,] y, x)`` with the mean of the training data.

    Raises:
        BandError: They are a thousand times too large or too small, or of the other sign.

    Warns:
        PredictionWarning: They are more than twenty times larger or smaller than usual.
    """
    medians = np.nanmedian(pixels[:, np.isfinite(pixels).all(axis=0)], axis=1)
    expected = np.asarray(means, float)
    known = expected != 0
    if not known.any():
        return
    ratio = float(np.median(medians[known] / expected[known]))
    if 1 / _UNUSUAL <= ratio <= _UNUSUAL:
        return
    found = ", ".join(f"{band} {median:.3g} (training {mean:.3g})"
                      for band, median, mean in zip(bands, medians, expected, strict=True))
    message = (
        f"The values of {name} do not look like the training data's: the median of {found}. "
        "If the source is stored in other units, say what its values are multiplied by: "
        "predict(…, scale=…), for example scale=1 for reflectance 0 to 1 and scale=1e-4 for "
        "reflectance stored as 0 to 10 000."
    )
    if ratio > _IMPOSSIBLE or ratio < 1 / _IMPOSSIBLE:
        raise BandError(message)
    warnings.warn(message, PredictionWarning, stacklevel=5)
