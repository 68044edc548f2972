"""Band names: one canonical name for each band, and the aliases people use for it.

Bands go by name, never by position. The canonical names are those of TerraTorch's HLS bands,
so that a backbone's bands and a dataset's bands mean the same thing.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import BandError


@dataclass(frozen=True)
class Band:
    """A band: canonical name, centre wavelength in nanometres, other names (lower case)."""

    name: str
    wavelength_nm: float | None
    aliases: tuple[str, ...]


# Centre wavelengths: Sentinel-2A MSI (ESA, Sentinel-2 spectral responses v3.1), rounded; thermal
# bands: Landsat 8 TIRS. Numbered aliases are Sentinel-2's: B5 is RED_EDGE_1, not Landsat's NIR.
_BANDS = (
    Band("COASTAL_AEROSOL", 443, ("b1", "b01", "coastal", "aerosol")),
    Band("BLUE", 493, ("b2", "b02")),
    Band("GREEN", 560, ("b3", "b03")),
    Band("RED", 665, ("b4", "b04")),
    Band("RED_EDGE_1", 704, ("b5", "b05", "rededge1", "rededge071", "vre1")),
    Band("RED_EDGE_2", 741, ("b6", "b06", "rededge2", "rededge075", "vre2")),
    Band("RED_EDGE_3", 783, ("b7", "b07", "rededge3", "rededge078", "vre3")),
    Band("NIR_BROAD", 833, ("b8", "b08", "nir")),
    Band("NIR_NARROW", 865, ("b8a", "b08a", "nir08", "narrow_nir")),
    Band("WATER_VAPOR", 945, ("b9", "b09", "nir09", "water_vapour")),
    Band("CIRRUS", 1374, ("b10",)),
    Band("SWIR_1", 1614, ("b11", "swir1", "swir16")),
    Band("SWIR_2", 2202, ("b12", "swir2", "swir22")),
    Band("THERMAL_INFRARED_1", 10900, ("tirs1", "lwir11")),
    Band("THERMAL_INFRARED_2", 12000, ("tirs2", "lwir12")),
    Band("VV", None, ()),
    Band("VH", None, ()),
    Band("HH", None, ()),
    Band("HV", None, ()),
    Band("DEM", None, ("elevation",)),
)

BANDS: dict[str, Band] = {band.name: band for band in _BANDS}
_BY_ALIAS = {alias: band.name for band in _BANDS for alias in (band.name.lower(), *band.aliases)}


def find(name: str) -> str | None:
    """Return the canonical name for any alias, whatever its case; None where it is not known."""
    key = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    return _BY_ALIAS.get(key) or _BY_ALIAS.get(key.replace("_", ""))


def canonical(name: str) -> str:
    """Return the canonical name of a band: `B8A`, `b08a` and `nir_narrow` are `NIR_NARROW`.

    Args:
        name: Canonical name or alias, any case. Numbers are Sentinel-2's.

    Raises:
        BandError: The name is not known; the message names the nearest one.
    """
    if found := find(name):
        return found
    near = difflib.get_close_matches(str(name).lower(), _BY_ALIAS, n=1, cutoff=0.5)
    hint = f" Did you mean {_BY_ALIAS[near[0]]!r}?" if near else ""
    raise BandError(
        f"No band named {str(name)!r}.{hint} Known bands: {', '.join(BANDS)} "
        "(Sentinel-2 names such as 'B8A' work too)."
    )


def canonical_all(names: Sequence[str]) -> tuple[str, ...]:
    """Return canonical names in the order given; a band named twice is an error."""
    if isinstance(names, str):
        raise BandError(f"bands={names!r} is one string; pass a list of names: [{names!r}].")
    found = tuple(canonical(name) for name in names)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise BandError(f"bands={list(names)} names {', '.join(twice)} more than once.")
    return found


def positions(wanted: Sequence[str], available: Sequence[str], where: str) -> tuple[int, ...]:
    """Return where each of `wanted` stands in `available`, counted from 0.

    Raises:
        BandError: Some are not there; all of them are named, with what is there.
    """
    names = canonical_all(wanted)
    missing = [name for name in names if name not in available]
    if missing:
        raise BandError(
            f"{where} has no band {', '.join(missing)}. It has {', '.join(available)}."
        )
    return tuple(available.index(name) for name in names)
