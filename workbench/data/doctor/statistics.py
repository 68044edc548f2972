"""Normalisation statistics that do not fit the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from workbench.data.doctor.evidence import Evidence, Floats
from workbench.data.doctor.finding import Finding, check
from workbench.data.statistics import published_statistics

# Normalised bands have mean 0 and deviation 1. The two sets in use for HLS Burn Scars lie 0.85
# deviations apart in BLUE; regions of one collection differ by less than 1.2.
_OFF, _FAR_OFF = 0.8, 1.5
# Deviations that differ by this factor.
_TIMES, _MANY_TIMES = 2.0, 4.0


def misfit(bands: Sequence[str], measured: tuple[Floats, Floats], given: tuple[Floats, Floats],
           whose: str) -> Finding | None:
    """Tell whether given means and deviations normalise what was measured.

    Args:
        bands: Names of the bands.
        measured: Mean and standard deviation of each, in physical units.
        given: The same, as they shall be used.
        whose: What the given ones are called.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.nan_to_num((measured[0] - given[0]) / given[1], nan=np.inf)
        times = np.nan_to_num(np.abs(np.log(measured[1] / given[1])), nan=np.inf)
    worst = int(np.argmax(np.abs(off) + times))
    if not (np.abs(off) > _OFF).any() and not (times > np.log(_TIMES)).any():
        return None
    bad = (np.median(np.abs(off)) > _FAR_OFF or np.median(times) > np.log(_MANY_TIMES)
           or np.abs(off).max() > 2 * _FAR_OFF)
    return Finding(
        "warning" if bad else "note",
        f"{whose} do not fit these data: {bands[worst]} has mean {measured[0][worst]:.3g} and "
        f"deviation {measured[1][worst]:.3g}, not {given[0][worst]:.3g} and {given[1][worst]:.3g}",
        (), 'use Recipe(normalization="dataset"), which measures the training part',
    )


@check("statistics")
def statistics(evidence: Evidence) -> Iterable[Finding]:
    """Compare with the statistics that will be used, else those that the data come with."""
    chosen = evidence.statistics or published_statistics(evidence.dataset)
    pixels = evidence.pixels("train")
    if chosen is None or not pixels.shape[1]:
        return
    values = pixels[[evidence.dataset.bands.index(band) for band in chosen.bands]]
    found = misfit(chosen.bands, (values.mean(1), values.std(1)),
                   (np.array(chosen.mean), np.array(chosen.std)), chosen.whose)
    if found is not None:
        yield found
