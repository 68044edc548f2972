"""Reflectance that is offset, of another processing level, or in other units by region or part."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.data.bands import BANDS
from workbench.data.doctor.evidence import Evidence, Floats
from workbench.data.doctor.finding import Finding, check

# Somewhere in many chips there is water, shadow or dense forest, beyond 800 nm darker than all
# else: 0.03 and less, at the surface and at the top of the atmosphere. Sentinel-2 stores 1000 more
# since January 2022 (processing baseline 04.00). In a desert, BLUE is the darkest.
_DARKEST, _NOT_DARKER, _INFRARED_NM = 0.085, 0.14, 800
# Air alone makes the darkest BLUE 0.07 and more at the top of the atmosphere, RED half of that;
# the same pixels at the surface, with haze left over, stay at 0.055 and are less blue.
# Source: Rayleigh optical depth 0.16 at 490 nm and 0.05 at 665 nm, Bodhaine et al. (1999),
# doi:10.1175/1520-0426(1999)016<1854:ORODC>2.0.CO;2.
_TOP_BLUE, _BLUER = 0.068, 0.03
_SURFACE_BLUE = 0.045
# Level of the collections' images, as their publishers state it.
_LEVELS = {"sen1floods11": "L1C", "reben-7k": "L2A", "m-cashew-plant": "L2A",
           "hls-burn-scars": "L2A", "simulated-floods": "L2A"}
# Factor between a region (or part) and all others, alike in every band, that no landscape makes,
# and one that few do; and how alike the bands must be, as a deviation of logarithms.
_OTHER_UNITS, _DRIFT, _ALIKE = 6.0, 1.8, 0.30
# Bands whose medians lie this many spreads (half the range of the middle half) apart.
_SPREADS = 4.0
_FEWEST_PIXELS = 2000


@check("offset")
def offset(evidence: Evidence) -> Iterable[Finding]:
    """No pixel is dark in any band: something was added."""
    pixels = evidence.pixels()[evidence.optical]
    if len(pixels) < 3 or pixels.shape[1] < _FEWEST_PIXELS:
        return
    darkest = np.percentile(pixels, 1, axis=1)
    band = evidence.dataset.bands[evidence.optical[int(darkest.argmin())]]
    if (_DARKEST < darkest.min() < _NOT_DARKER
            and (BANDS[band].wavelength_nm or 0) > _INFRARED_NM):
        yield Finding(
            "warning", f"the darkest pixels are {darkest.min():.2f} and more in every band; this "
            "looks like the offset of 1000 that Sentinel-2 adds since 2022",
            (), f"pass offset={evidence.dataset.info.offset - 0.1:g}",
        )


@check("processing level")
def level(evidence: Evidence) -> Iterable[Finding]:
    """The darkest pixels are blue at the top of the atmosphere and black at the surface."""
    bands = evidence.dataset.bands
    pixels = evidence.pixels()
    swir = [band for band in ("SWIR_2", "SWIR_1", "NIR_NARROW", "NIR_BROAD") if band in bands]
    if not {"BLUE", "RED"} <= set(bands) or not swir or pixels.shape[1] < _FEWEST_PIXELS:
        return
    blue, red, dark = (float(np.percentile(pixels[bands.index(band)], 1))
                       for band in ("BLUE", "RED", swir[0]))
    stated = _LEVELS.get(evidence.dataset.info.collection or "")
    if blue > _TOP_BLUE and blue - red > _BLUER and dark < _SURFACE_BLUE and stated != "L1C":
        yield Finding(
            "warning" if stated else "note",
            f"the darkest pixels are {blue:.3f} in BLUE and {red:.3f} in RED; this looks like the "
            "top of the atmosphere (L1C)" + (f", not the surface ({stated})" if stated else ""),
            (), "use images of the level that the backbone was pre-trained on",
        )
    elif stated == "L1C" and 0 < blue < _SURFACE_BLUE and dark < _SURFACE_BLUE:
        yield Finding(
            "warning", f"the darkest pixels are {blue:.3f} in BLUE; this looks like the surface "
            "(L2A), not the top of the atmosphere (L1C)",
            (), "use images of the level that the backbone was pre-trained on",
        )


@check("drift")
def drift(evidence: Evidence) -> Iterable[Finding]:
    """A region in other units first; then what differs between train and the other parts."""
    if not evidence.optical:
        return
    regions = list(dict.fromkeys(look.region for look in evidence.looks))
    for region in regions if len(regions) > 1 else ():
        here = evidence.pixels(region=region)
        rest = np.concatenate([evidence.pixels(region=name) for name in regions if name != region],
                              1)
        found = _factors(evidence, here, rest)
        if found is not None and found.std() < _ALIKE:
            factor = float(np.exp(found.mean()))
            if max(factor, 1 / factor) > _OTHER_UNITS:
                yield Finding(
                    "error", f"{region} is {factor:.3g} times as bright as the other regions in "
                    "every band: it looks stored in other units",
                    tuple(look.chip for look in evidence.looks if look.region == region),
                    "convert its files to the units of the others",
                )
                return
    train = evidence.pixels("train")
    for part in ("held_out", "test", "val"):
        here = evidence.pixels(part)
        found = _factors(evidence, here, train)
        if found is None:
            continue
        factor = float(np.exp(found.mean()))
        if found.std() < _ALIKE and max(factor, 1 / factor) > _DRIFT:
            yield Finding(
                "note" if part == "held_out" else "warning",
                f"{part} is {factor:.2f} times as bright as train in every band; it may be "
                "processed in another way", (), "compare how the images were made",
            )
            return
        bands = _apart(evidence, here, train)
        if bands:
            yield Finding(
                "note", f"{', '.join(bands)} of {part} lie outside what train shows",
                (), "expect lower scores there, or train on more alike regions",
            )


def _factors(evidence: Evidence, here: Floats, there: Floats) -> Floats | None:
    if min(here.shape[1], there.shape[1]) < _FEWEST_PIXELS:
        return None
    one, other = (np.median(pixels[evidence.optical], axis=1) for pixels in (here, there))
    if min(one.min(), other.min()) <= 0:
        return None
    factors: Floats = np.log(one / other)
    return factors


def _apart(evidence: Evidence, here: Floats, there: Floats) -> list[str]:
    low, middle, high = np.percentile(there, [25, 50, 75], axis=1)
    spread = np.maximum((high - low) / 2, 1e-9)
    gaps = np.abs(np.median(here, 1) - middle) / spread
    return [band for band, gap in zip(evidence.dataset.bands, gaps, strict=True) if gap > _SPREADS]
