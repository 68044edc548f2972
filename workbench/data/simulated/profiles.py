"""What a place looks like: the knobs of the simulation, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Range = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class RegionProfile:
    """A simulated place. A pair is a range from which each scene draws.

    Attributes:
        name: Region name, lower case.
        box: West, south, east, north in degrees of the event.
        area: Part of `box` on land, where scenes are placed.
        date: ISO date of the flood.
        relief_m: Height of hills above the valley floor.
        valley_px: Half-width of the flat valley floor in 30 m pixels.
        micro_relief_m: Ups and downs of the valley floor.
        rivers: Fewest and most rivers in a scene.
        river_px: Width of a river in pixels.
        sinuosity: Looping of rivers, radians of turn.
        braided: Probability that a wide river has sand bars.
        flood_m: Flood level above the drainage.
        lake_m: Pit depth from which a permanent lake stands; lower is more lakes.
        covers: Land cover to relative share; names of `landcover.COVERS`.
        parcels: Layout of fields.
        parcel_px: Side of a field in pixels.
        crops: Crop to relative share; names of `spectra.SPECTRA`.
        soil_brightness: Factor on the reflectance of soil, sand and fallow land.
        soil_redness: Factor on RED and NIR of soil, divided out of BLUE.
        greenness: Factor on the NIR of green vegetation.
        moisture: 0 for dry, 1 for sodden ground away from water.
        silt: Share of silty or muddy water in rivers and floods.
        mud: Of that, the share of the muddiest kind.
        tannin: Share of black water in lakes and floods.
        algae: Share of algae in lakes.
        emergent: Share of flooded land with plants above the water.
        glint: Reflectance added to rough water in all bands.
        bunded: Probability that a low field is flooded or spared as a whole.
        haze: Optical depth left over after atmospheric correction.
        dust: 0 for blue haze, 1 for brown dust or smoke.
        cloud: Cloud cover, 0..1.
        overlap: Share of look-alikes: burnt ground, lava, wet dark soil, salt.
    """

    name: str
    box: Box
    area: Box
    date: str
    relief_m: Range
    valley_px: Range
    micro_relief_m: float
    rivers: tuple[int, int]
    river_px: Range
    sinuosity: Range
    braided: float
    flood_m: Range
    lake_m: float
    covers: dict[str, float] = field(hash=False)
    parcels: Literal["grid", "strips", "patchwork"]
    parcel_px: Range
    crops: dict[str, float] = field(hash=False)
    soil_brightness: float
    soil_redness: float
    greenness: float
    moisture: float
    silt: Range
    mud: float
    tannin: float
    algae: float
    emergent: Range
    glint: Range
    bunded: float
    haze: Range
    dust: float
    cloud: Range
    overlap: float
