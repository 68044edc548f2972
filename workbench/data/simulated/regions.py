"""The eleven flood events, and random other places for pre-training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.data.simulated.profiles import RegionProfile

_BASE = RegionProfile(
    name="base", box=(0, 0, 1, 1), area=(0, 0, 1, 1), date="2018-06-01",
    relief_m=(20, 90), valley_px=(18, 45), micro_relief_m=1.0,
    rivers=(1, 2), river_px=(2.5, 7), sinuosity=(0.8, 1.7), braided=0.1,
    flood_m=(0.07, 0.84), lake_m=2.6,
    covers={"crops": 1.0, "grass": 0.6, "forest": 0.5, "soil": 0.2, "urban": 0.3},
    parcels="patchwork", parcel_px=(7, 14),
    crops={"crop_green": 3, "crop_young": 2, "crop_ripe": 1, "soil": 1},
    soil_brightness=1.0, soil_redness=1.0, greenness=1.0, moisture=0.25,
    silt=(0.3, 0.8), mud=0.4, tannin=0.1, algae=0.1,
    emergent=(0.18, 0.79), glint=(0.0, 0.06), bunded=0.5,
    haze=(0.05, 0.65), dust=0.3, cloud=(-0.15, 0.15), overlap=0.41,
)

# Boxes and dates: Sen1Floods11_Metadata.geojson, Bonafilia et al. (2020),
# doi:10.1109/CVPRW50498.2020.00113. Where a box reaches over the sea, `area` is its land.
_GHANA = replace(
    _BASE, name="ghana", box=(-2.30, 6.31, 0.22, 11.93), area=(-2.2, 8.6, 0.1, 11.8),
    date="2018-09-19", relief_m=(15, 60), valley_px=(20, 50), river_px=(2.5, 6),
    covers={"savanna": 1.0, "dry_forest": 0.8, "crops": 0.6, "grass": 0.4, "urban": 0.2},
    parcel_px=(4, 8), crops={"crop_young": 2, "crop_green": 2, "soil": 2, "crop_ripe": 1},
    soil_redness=1.18, soil_brightness=1.05, silt=(0.5, 0.95), mud=0.5, haze=(0.10, 0.75),
    dust=0.6, overlap=0.49, cloud=(-0.10, 0.19),
)
_INDIA = replace(
    _BASE, name="india", box=(92.15, 24.85, 94.16, 28.28), area=(92.2, 24.9, 94.1, 28.2),
    date="2016-08-12", relief_m=(20, 700), valley_px=(22, 60), river_px=(8, 30), braided=0.9,
    sinuosity=(0.6, 1.1), flood_m=(0.12, 1.09), micro_relief_m=1.2,
    covers={"crops": 1.2, "forest": 1.0, "grass": 0.4, "urban": 0.3, "snow": 0.02, "rock": 0.05},
    parcel_px=(4, 8), crops={"paddy": 4, "crop_green": 3, "crop_young": 1}, bunded=0.8,
    silt=(0.4, 0.9), mud=0.45, moisture=0.45, haze=(0.15, 0.85), cloud=(-0.10, 0.26),
)
_MEKONG = replace(
    _BASE, name="mekong", box=(104.08, 10.57, 106.43, 14.27), area=(104.3, 11.2, 106.4, 14.1),
    date="2018-08-04", relief_m=(5, 30), valley_px=(50, 110), river_px=(4, 14), micro_relief_m=0.8,
    sinuosity=(0.7, 1.4), flood_m=(0.12, 0.84), lake_m=1.8,
    covers={"crops": 1.6, "forest": 0.5, "grass": 0.4, "urban": 0.3},
    parcels="strips", parcel_px=(4, 8), crops={"paddy": 4, "crop_green": 2, "crop_young": 1},
    bunded=0.9, silt=(0.4, 0.85), mud=0.3, emergent=(0.24, 0.90), moisture=0.5, soil_redness=1.1,
    haze=(0.10, 0.75), cloud=(-0.10, 0.22),
)
_NIGERIA = replace(
    _BASE, name="nigeria", box=(4.54, 4.12, 6.95, 10.54), area=(4.7, 6.2, 6.9, 10.4),
    date="2018-09-20", relief_m=(20, 110), valley_px=(20, 50), river_px=(5, 18), braided=0.5,
    covers={"forest": 0.6, "dry_forest": 0.7, "savanna": 0.7, "crops": 0.7, "urban": 0.35},
    parcel_px=(4, 7), soil_redness=1.15, greenness=1.05, silt=(0.5, 0.9), mud=0.6,
    haze=(0.15, 0.85), dust=0.5, cloud=(-0.10, 0.22), emergent=(0.24, 0.90),
)
_PAKISTAN = replace(
    _BASE, name="pakistan", box=(68.99, 28.04, 72.55, 34.35), area=(69.2, 28.2, 72.4, 34.2),
    date="2017-06-28", relief_m=(5, 350), valley_px=(30, 80), river_px=(5, 22), braided=0.8,
    sinuosity=(0.6, 1.2), flood_m=(0.05, 0.68),
    covers={"crops": 1.3, "soil": 1.0, "savanna": 0.4, "rock": 0.3, "urban": 0.35},
    parcels="grid", parcel_px=(6, 12), crops={"crop_green": 2, "soil": 3, "crop_young": 2},
    soil_brightness=1.25, moisture=0.1, silt=(0.6, 1.0), mud=0.85, emergent=(0.12, 0.53),
    haze=(0.10, 0.85), dust=0.9, cloud=(-0.25, 0.08), overlap=0.56,
)
_PARAGUAY = replace(
    _BASE, name="paraguay", box=(-58.59, -28.19, -54.65, -21.64),
    area=(-58.5, -28.0, -54.8, -21.8), date="2018-10-31", relief_m=(5, 40), valley_px=(40, 100),
    river_px=(4, 14), sinuosity=(1.1, 1.8), flood_m=(0.07, 0.76), lake_m=1.6, micro_relief_m=0.8,
    covers={"grass": 1.2, "forest": 1.0, "crops": 0.6, "savanna": 0.4, "urban": 0.15},
    parcels="grid", parcel_px=(12, 24), silt=(0.15, 0.6), mud=0.2, tannin=0.4, algae=0.2,
    emergent=(0.30, 0.90), moisture=0.4, soil_redness=1.2, overlap=0.41, cloud=(-0.15, 0.15),
)
_SOMALIA = replace(
    _BASE, name="somalia", box=(44.21, 1.31, 46.58, 6.55), area=(44.3, 2.9, 46.0, 6.4),
    date="2018-05-05", relief_m=(5, 60), valley_px=(25, 70), river_px=(2, 4), rivers=(1, 1),
    sinuosity=(1.1, 1.8), flood_m=(0.15, 0.92),
    covers={"savanna": 1.2, "soil": 0.9, "dry_forest": 0.5, "crops": 0.5, "urban": 0.15},
    parcels="patchwork", parcel_px=(6, 12), crops={"crop_green": 2, "soil": 3, "crop_young": 1},
    soil_brightness=1.1, soil_redness=1.28, moisture=0.08, silt=(0.6, 1.0), mud=0.9,
    emergent=(0.12, 0.59), haze=(0.05, 0.56), dust=0.8, overlap=0.60, cloud=(-0.15, 0.15),
)
_SPAIN = replace(
    _BASE, name="spain", box=(-1.11, 37.66, 1.22, 39.41), area=(-1.08, 37.8, -0.8, 39.35),
    date="2019-09-18", relief_m=(40, 420), valley_px=(14, 40), river_px=(1.5, 4), rivers=(1, 2),
    sinuosity=(0.7, 1.2), flood_m=(0.07, 0.84),
    covers={"crops": 1.2, "dry_forest": 0.6, "rock": 0.4, "soil": 0.5, "urban": 0.7},
    parcels="patchwork", parcel_px=(4, 8),
    crops={"crop_young": 2, "crop_green": 2, "soil": 2, "stubble": 2, "greenhouse": 0.7},
    soil_brightness=1.15, moisture=0.1, silt=(0.3, 0.9), mud=0.6, emergent=(0.12, 0.46),
    haze=(0.00, 0.38), dust=0.4, cloud=(-0.20, 0.11), overlap=0.56, lake_m=3.2,
)
_SRI_LANKA = replace(
    _BASE, name="sri-lanka", box=(80.13, 5.14, 82.09, 9.79), area=(80.2, 6.2, 81.0, 8.9),
    date="2017-05-28", relief_m=(20, 450), valley_px=(16, 45), river_px=(1.8, 5),
    sinuosity=(0.8, 1.6), flood_m=(0.12, 1.01), lake_m=1.8,
    covers={"forest": 1.4, "crops": 0.9, "grass": 0.4, "urban": 0.3},
    parcels="strips", parcel_px=(3, 6), crops={"paddy": 4, "crop_green": 2, "crop_young": 1},
    greenness=1.1, silt=(0.2, 0.7), mud=0.3, tannin=0.2, algae=0.25, emergent=(0.24, 0.90),
    moisture=0.4, haze=(0.10, 0.75), cloud=(-0.10, 0.26), bunded=0.8,
)
_USA = replace(
    _BASE, name="usa", box=(-95.69, 38.36, -94.36, 41.06), area=(-95.6, 38.4, -94.4, 41.0),
    date="2019-05-22", relief_m=(15, 60), valley_px=(22, 60), river_px=(3, 11),
    sinuosity=(0.8, 1.6), flood_m=(0.12, 0.92),
    covers={"crops": 2.0, "grass": 0.6, "forest": 0.5, "urban": 0.35},
    parcels="grid", parcel_px=(12, 26),
    crops={"soil": 3, "crop_young": 3, "crop_green": 2, "stubble": 1},
    soil_brightness=0.72, moisture=0.4, silt=(0.5, 0.95), mud=0.5, emergent=(0.12, 0.59),
    haze=(0.00, 0.47), dust=0.2, cloud=(-0.15, 0.19),
)
# Out of distribution on purpose: black-water floods under swamp plants on dark, sodden ground,
# burnt savanna and thick smoke; no other region has any of it to this degree.
_BOLIVIA = replace(
    _BASE, name="bolivia", box=(-65.64, -15.96, -64.36, -11.39), area=(-65.6, -15.9, -64.4, -11.4),
    date="2018-02-15", relief_m=(3, 25), valley_px=(60, 120), river_px=(3, 10),
    sinuosity=(1.5, 1.8), flood_m=(0.10, 0.68), lake_m=1.4, micro_relief_m=0.7,
    covers={"grass": 1.3, "forest": 1.0, "savanna": 0.3, "soil": 0.15},
    parcels="patchwork", parcel_px=(10, 20), soil_brightness=0.62, soil_redness=0.92,
    greenness=0.85, moisture=0.7, silt=(0.0, 0.35), mud=0.1, tannin=0.7, algae=0.35,
    emergent=(0.35, 0.90), glint=(0.0, 0.04), bunded=0.0, haze=(0.15, 0.50), dust=0.15,
    cloud=(-0.10, 0.22), overlap=0.59,
)

REGIONS: dict[str, RegionProfile] = {
    profile.name: profile
    for profile in (
        _BOLIVIA, _GHANA, _INDIA, _MEKONG, _NIGERIA, _PAKISTAN, _PARAGUAY, _SOMALIA, _SPAIN,
        _SRI_LANKA, _USA,
    )
}
"""Region name to profile, in alphabetical order. `mekong` is `Cambodia` in the metadata."""

HELD_OUT = "bolivia"
"""The region held out by default."""

# River plains outside all eleven boxes: name, longitude, latitude, wettest month.
_ELSEWHERE: tuple[tuple[str, float, float, int], ...] = (
    ("manaus", -60.3, -3.2, 5), ("congo", 18.2, 0.1, 11), ("irrawaddy", 95.2, 18.0, 8),
    ("danube", 27.6, 45.2, 5), ("po", 11.6, 44.95, 11), ("murray", 144.6, -35.6, 10),
    ("louisiana", -91.4, 31.0, 4), ("zambezi", 35.6, -17.9, 2), ("poyang", 116.1, 29.1, 7),
    ("volga", 47.6, 46.9, 5), ("niger-delta-inland", -4.3, 15.0, 10), ("okavango", 22.7, -19.3, 6),
    ("magdalena", -74.6, 8.9, 11), ("bangladesh", 89.7, 24.4, 8), ("kerala", 76.4, 9.5, 8),
    ("sudd", 30.6, 7.5, 9), ("orinoco", -67.2, 7.7, 8), ("hungary", 20.2, 47.2, 4),
    ("severn", -2.2, 52.0, 2), ("sacramento", -121.7, 38.6, 2), ("queensland", 145.9, -19.0, 2),
    ("tabasco", -92.6, 18.0, 10), ("red-river", -97.1, 47.5, 4), ("luzon", 120.7, 15.2, 9),
)


def random_profile(rng: np.random.Generator) -> RegionProfile:
    """Draw a place that is none of the eleven: another river plain with its own mix of knobs.

    The ranges span those of `REGIONS`, so that a model pre-trained here has met their parts,
    though not their combinations.
    """
    name, lon, lat, month = _ELSEWHERE[int(rng.integers(len(_ELSEWHERE)))]
    box = (lon - 0.5, lat - 0.5, lon + 0.5, lat + 0.5)

    def pair(low: float, high: float) -> tuple[float, float]:
        first, second = np.sort(rng.uniform(low, high, 2))
        return float(first), float(second)

    def one(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    covers = ("forest", "dry_forest", "grass", "savanna", "crops", "soil", "urban")
    crops = ("crop_green", "crop_young", "crop_ripe", "paddy", "soil", "stubble")
    steep = rng.random() < 0.25
    return RegionProfile(
        name=name, box=box, area=box,
        date=f"{int(rng.integers(2016, 2024))}-{month:02d}-{int(rng.integers(1, 29)):02d}",
        relief_m=pair(80, 600) if steep else pair(3, 120), valley_px=pair(15, 100),
        micro_relief_m=one(0.7, 1.3), rivers=(int(rng.integers(0, 2)), int(rng.integers(1, 3))),
        river_px=pair(1.5, 22), sinuosity=pair(0.3, 1.7), braided=one(0, 1),
        flood_m=pair(0.05, 1.1), lake_m=one(1.1, 2.6),
        covers={n: float(w) for n, w in zip(covers, rng.gamma(0.8, size=7) + 0.02, strict=True)}
        | ({"rock": 0.3, "snow": 0.05} if steep else {}),
        parcels=("grid", "strips", "patchwork")[int(rng.integers(3))], parcel_px=pair(3, 24),
        crops={n: float(w) for n, w in zip(crops, rng.gamma(0.8, size=6) + 0.02, strict=True)},
        soil_brightness=one(0.5, 1.3), soil_redness=one(0.9, 1.25), greenness=one(0.85, 1.15),
        moisture=one(0, 0.7), silt=pair(0, 1), mud=one(0, 0.9), tannin=one(0, 0.9),
        algae=one(0, 0.35), emergent=pair(0, 0.95), glint=pair(0, 0.05), bunded=one(0, 1),
        haze=pair(0, 0.8), dust=one(0, 1), cloud=pair(-0.2, 0.3), overlap=one(0.1, 0.6),
    )
