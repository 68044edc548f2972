"""Reflectance of surfaces in the six HLS bands, and the bands themselves."""

from __future__ import annotations

import numpy as np

BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
"""Band names in file order."""

SCALE = 10_000
"""Digital numbers per unit of reflectance, as in HLS products."""

NODATA = -9999
"""Image value without an observation, as in HLS products."""

# Surface reflectance, 0..1, in the order of BANDS. Values are typical magnitudes read off published
# spectral libraries and water-colour papers, rounded to the half per cent: they fix order and
# shape, not the truth of any one place.
# Source: USGS Spectral Library Version 7 (Kokaly et al. 2017, doi:10.3133/ds1035) for vegetation,
# soils, built surfaces, rock and snow; Doxaran et al. (2002, doi:10.1016/S0034-4257(01)00341-8) for
# turbid water; Pope and Fry (1997, doi:10.1364/AO.36.008710) for clear water; Pereira (1999,
# doi:10.1109/36.739156) for burnt ground.
_TABLE: dict[str, tuple[float, float, float, float, float, float]] = {
    "forest": (0.025, 0.050, 0.030, 0.310, 0.145, 0.065),
    "dry_forest": (0.040, 0.065, 0.060, 0.230, 0.200, 0.110),
    "crop_green": (0.035, 0.075, 0.040, 0.420, 0.190, 0.090),
    "crop_young": (0.060, 0.090, 0.095, 0.260, 0.250, 0.180),
    "crop_ripe": (0.070, 0.110, 0.130, 0.280, 0.300, 0.200),
    "stubble": (0.090, 0.130, 0.170, 0.250, 0.340, 0.260),
    "paddy": (0.040, 0.065, 0.050, 0.190, 0.105, 0.050),
    "grass": (0.045, 0.080, 0.070, 0.300, 0.240, 0.130),
    "savanna": (0.065, 0.095, 0.125, 0.240, 0.310, 0.210),
    "reed": (0.035, 0.065, 0.045, 0.260, 0.120, 0.055),
    "soil": (0.085, 0.125, 0.175, 0.245, 0.330, 0.290),
    "sand": (0.140, 0.200, 0.255, 0.320, 0.400, 0.370),
    "salt": (0.330, 0.370, 0.400, 0.420, 0.270, 0.170),
    "rock": (0.095, 0.120, 0.150, 0.190, 0.240, 0.220),
    "snow": (0.820, 0.820, 0.800, 0.720, 0.130, 0.090),
    "lava": (0.040, 0.045, 0.048, 0.056, 0.066, 0.062),
    "burnt": (0.035, 0.042, 0.048, 0.070, 0.090, 0.095),
    "mire": (0.042, 0.066, 0.072, 0.105, 0.072, 0.042),
    "urban": (0.110, 0.125, 0.140, 0.190, 0.210, 0.190),
    "roof": (0.260, 0.275, 0.285, 0.310, 0.270, 0.230),
    "greenhouse": (0.280, 0.300, 0.310, 0.380, 0.210, 0.150),
    "road": (0.100, 0.115, 0.130, 0.160, 0.190, 0.175),
    "water_clear": (0.028, 0.030, 0.017, 0.008, 0.004, 0.002),
    "water_silty": (0.085, 0.130, 0.155, 0.085, 0.018, 0.010),
    "water_muddy": (0.105, 0.160, 0.215, 0.185, 0.050, 0.025),
    "water_black": (0.016, 0.018, 0.021, 0.014, 0.007, 0.004),
    "water_algae": (0.028, 0.060, 0.036, 0.095, 0.020, 0.010),
    "cloud": (0.720, 0.710, 0.720, 0.730, 0.560, 0.440),
}

SPECTRA: dict[str, np.ndarray] = {name: np.array(v, np.float32) for name, v in _TABLE.items()}
"""Surface name to reflectance ``(6,)``, 0..1."""


def spectrum(name: str) -> np.ndarray:
    """Give the reflectance of a surface as ``(6, 1, 1)`` float32, ready to broadcast over a map."""
    return SPECTRA[name][:, None, None]


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mix two reflectances linearly: `share` of the second, 0..1, ``(y, x)``."""
    return first + (second - first) * share[None]
