"""Bands that are not what they are called: another order than named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
import numpy.typing as npt

from workbench.data.doctor.evidence import Evidence, Floats
from workbench.data.doctor.finding import Finding, check

# What can be told apart by its values; the broad near infrared is looked at where there is no
# narrow one.
_TOLD = ("BLUE", "GREEN", "RED", "NIR", "SWIR_1", "SWIR_2")
# Rank correlations of land with some water, vegetation and soil; and by how much the logarithms of
# a band's median and of the range of its middle half exceed those of the band before. Physics
# decides their order: chlorophyll, the red edge and water act on neighbouring wavelengths alike.
# The air adds to BLUE and thus to medians and correlations at the top of the atmosphere, but not to
# ranges. The numbers are medians over development draws of the simulated floods.
_ALIKE = np.array([
    [1.00, 0.95, 0.81, 0.31, 0.26, 0.31],
    [0.95, 1.00, 0.92, 0.44, 0.39, 0.42],
    [0.81, 0.92, 1.00, 0.42, 0.49, 0.57],
    [0.31, 0.44, 0.42, 1.00, 0.82, 0.70],
    [0.26, 0.39, 0.49, 0.82, 1.00, 0.96],
    [0.31, 0.42, 0.57, 0.70, 0.96, 1.00],
])
_MEDIAN_STEPS = np.array([0.0, 0.11, 0.0, 0.47, -0.35, -0.46])
_RANGE_STEPS = np.array([0.0, -0.14, 0.21, 0.34, -0.07, -0.27])
# How far they scatter from one set of regions to another, real ones among them.
_ALIKE_SPREAD, _MEDIAN_SPREAD, _RANGE_SPREAD = 0.25, 0.40, 0.20
# How much better another order must fit (a difference of squared deviations): clean development
# draws and the quarters of a real chip stay below 0.4, most exchanges above 4; GREEN against BLUE
# or RED cannot always be told.
_BETTER = 2.5
# Where even the best order fits worse than this, these are surfaces of which the above says
# nothing: development draws stay below 13, a real chip at 29; an arid scene reaches 57.
_UNLIKE = 50.0
# Fewer pixels, or chips of a single surface, show no spectrum to judge by.
_FEWEST_PIXELS = 2000


@check("band order")
def order(evidence: Evidence) -> Iterable[Finding]:
    """Another order of the bands fits their values much better than the one named."""
    bands = evidence.dataset.bands
    nir = "NIR_NARROW" if "NIR_NARROW" in bands else "NIR_BROAD"
    names = [nir if name == "NIR" else name for name in _TOLD]
    here = [place for place, name in enumerate(names) if name in bands]
    pixels = evidence.pixels()
    yield from cirrus(bands, pixels)
    if len(here) < 3 or pixels.shape[1] < _FEWEST_PIXELS:
        return
    chosen = [bands.index(names[place]) for place in here]
    some = pixels[chosen][:, :: max(1, pixels.shape[1] // 20_000)]
    if (np.ptp(some, axis=1) == 0).any():
        return
    ranks = some.argsort(1).argsort(1)
    low, middle, high = np.percentile(some, [25, 50, 75], axis=1)
    if min((high - low).min(), middle.min()) <= 0:
        return
    levels = (np.log(middle), np.log(high - low))
    orders = np.array(list(permutations(range(len(here)))))  # the first is the one named
    misfits = _misfits(np.atleast_2d(np.corrcoef(ranks)), levels, here, orders)
    best = orders[misfits.argmin()]
    if misfits[0] - misfits.min() > _BETTER and misfits.min() < _UNLIKE:
        moved = [
            f"{names[here[place]]} looks like {names[here[target]]}"
            for target, place in enumerate(best) if target != place
        ]
        yield Finding(
            "warning", f"{', '.join(moved)}: the bands may be in another order than named",
            (), "compare bands= with the order in the files",
        )


def _misfits(alike: Floats, levels: tuple[Floats, Floats], here: list[int], orders: npt.NDArray
             ) -> Floats:
    """Return squared deviations for each order, in which band `k` is the file's `order[k]`."""
    upper = np.triu_indices(len(here), 1)
    turned = alike[orders[:, :, None], orders[:, None, :]] - _ALIKE[np.ix_(here, here)]
    misfits: Floats = (turned[:, upper[0], upper[1]] ** 2).sum(1) / _ALIKE_SPREAD**2
    for level, steps, spread in zip(
        levels, (_MEDIAN_STEPS, _RANGE_STEPS), (_MEDIAN_SPREAD, _RANGE_SPREAD), strict=True
    ):
        found = np.diff(level[orders], axis=1) - np.diff(np.cumsum(steps)[here])
        misfits += (found**2).sum(1) / spread**2
    return misfits


def cirrus(bands: Sequence[str], pixels: Floats) -> Iterable[Finding]:
    """Tell where what is called CIRRUS sees the ground and another band does not.

    Args:
        bands: Their names.
        pixels: Reflectance ``(band, pixel)``.
    """
    if "CIRRUS" not in bands or not pixels.shape[1]:
        return
    medians = dict(zip(bands, np.median(pixels, axis=1).tolist(), strict=True))
    darkest = min(medians, key=lambda band: medians[band])
    whole = float(np.median(list(medians.values())))
    if darkest != "CIRRUS" and medians["CIRRUS"] > whole / 2 and medians[darkest] < whole / 10:
        yield Finding(
            "warning",
            f"{darkest} ({medians[darkest]:.1g}) looks like CIRRUS, which sees no ground and is "
            f"dark; what is called CIRRUS is {medians['CIRRUS']:.2g}: the bands may be in another "
            "order than named",
            (), "compare bands= with the order in the files (m-EuroSAT's names are known to be "
            "wrong: its B8A comes last)",
        )
