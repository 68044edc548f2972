"""One simulated scene: ground, water, light, air, sensor, in that order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform as reproject

from workbench.data.simulated.atmosphere import (
    illuminate,
    make_clouds,
    missing,
    sense,
    sun_at,
    through_air,
)
from workbench.data.simulated.landcover import LandCover, make_landcover, tinted
from workbench.data.simulated.noise import fractal, smoothstep, threshold_at
from workbench.data.simulated.profiles import RegionProfile
from workbench.data.simulated.spectra import NODATA, SCALE, mix
from workbench.data.simulated.terrain import PIXEL_M, Terrain, Water, draw, fill, make_terrain

# Ground simulated around a scene, so that shadows, rivers and drainage enter it from outside.
_MARGIN = 24
# A pixel whose plants hide more than this of its water is labelled land.
_HIDDEN = 0.62


@dataclass(frozen=True)
class SimulatedScene:
    """A simulated scene with its truth.

    Attributes:
        image: int16 ``(6, y, x)`` in the order of `spectra.BANDS`, reflectance times 10 000,
            -9999 is nodata.
        mask: int8 ``(y, x)``: 1 water, 0 land, -1 no label (cloud, cloud shadow, nodata).
        crs: UTM zone of the region.
        transform: Affine of the upper left corner, 30 m pixels, north up.
        date: ISO date.
        lonlat: Centre in degrees.
    """

    image: np.ndarray
    mask: np.ndarray
    crs: CRS
    transform: Affine
    date: str
    lonlat: tuple[float, float]


def utm_zone(profile: RegionProfile) -> CRS:
    """Give the UTM zone of the centre of the region's box: EPSG 326xx north, 327xx south."""
    west, south, east, north = profile.box
    zone = int(((west + east) / 2 + 180) // 6) % 60 + 1
    return CRS.from_epsg((32600 if south + north >= 0 else 32700) + zone)


def place(
    profile: RegionProfile, lonlat: tuple[float, float], shape: tuple[int, int]
) -> tuple[CRS, Affine]:
    """Lay a 30 m grid around a point, its corner on a multiple of 30 m as in HLS tiles."""
    crs = utm_zone(profile)
    (x,), (y,) = reproject(CRS.from_epsg(4326), crs, [lonlat[0]], [lonlat[1]])
    left = math.floor(x / PIXEL_M - shape[1] / 2) * PIXEL_M
    top = math.floor(y / PIXEL_M + shape[0] / 2) * PIXEL_M
    return crs, Affine(PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top)


def simulate_scene(
    profile: RegionProfile,
    *,
    seed: int | np.random.SeedSequence,
    shape: tuple[int, int] = (128, 256),
    lonlat: tuple[float, float] | None = None,
) -> SimulatedScene:
    """Simulate a flooded scene of a place.

    Args:
        profile: The place; one of `regions.REGIONS` or a `regions.random_profile`.
        seed: The same seed, profile and shape give the same scene bit for bit.
        shape: Height and width in pixels of 30 m, any from 16 up.
        lonlat: Centre in degrees; drawn from the profile's area if none.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    west, south, east, north = profile.area
    drawn = (float(rng.uniform(west, east)), float(rng.uniform(south, north)))
    lonlat = drawn if lonlat is None else lonlat
    sun = sun_at(profile.date, lonlat[1])

    wide = (shape[0] + 2 * _MARGIN, shape[1] + 2 * _MARGIN)
    wide = (wide[0] + wide[0] % 2, wide[1] + wide[1] % 2)
    terrain = make_terrain(rng, profile, wide)
    cover = make_landcover(rng, profile, terrain)
    water = fill(rng, profile, terrain, field_lottery=cover.lottery, is_field=cover.crops)
    ground, visible = _flooded(rng, profile, terrain, cover, water)
    ground = ground * illuminate(terrain.elevation_m, sun)

    clouds = make_clouds(rng, profile, wide, sun)
    image = sense(rng, through_air(rng, profile, ground, clouds))
    mask = (visible > 0.5).astype(np.int8)
    mask[clouds.unlabelled] = -1

    inside = (slice(_MARGIN, _MARGIN + shape[0]), slice(_MARGIN, _MARGIN + shape[1]))
    mask = mask[inside].copy()
    digital = np.clip(np.rint(image[(slice(None), *inside)] * SCALE), 1, 16_000).astype(np.int16)
    gone = missing(rng, shape)
    digital[:, gone] = NODATA
    mask[gone] = -1
    crs, transform = place(profile, lonlat, shape)
    return SimulatedScene(digital, mask, crs, transform, profile.date, lonlat)


def _flooded(
    rng: np.random.Generator,
    profile: RegionProfile,
    terrain: Terrain,
    cover: LandCover,
    water: Water,
) -> tuple[np.ndarray, np.ndarray]:
    """Put water over the land: reflectance ``(6, y, x)`` and visible share of water ``(y, x)``."""
    shape = terrain.hand_m.shape
    spectra = tinted(profile)
    sand = spectra["sand"][:, None, None]
    land = mix(cover.reflectance, np.broadcast_to(sand, cover.reflectance.shape), terrain.bars)

    # Ground near the water line is sodden: darker everywhere and most in the short-wave infrared.
    # Source: Lobell and Asner (2002), doi:10.2136/sssaj2002.7220.
    damp = np.clip(np.exp(-np.maximum(water.margin_m, 0) / (1.2 * profile.micro_relief_m)), 0, 1)
    patches = np.clip(0.5 + 0.5 * fractal(rng, shape, beta=3.2, longest=40), 0, 1)
    damp = np.clip(0.75 * damp + profile.moisture * patches, 0, 1) * (1 - 0.5 * cover.forest)
    dry_factor = np.array([0.35, 0.38, 0.40, 0.36, 0.58, 0.66], np.float32)[:, None, None]
    land = land * (1.0 - dry_factor * damp[None])

    colour = _water_colour(rng, profile, spectra, water)
    # Shallow water shows its bed in the visible but not beyond 1 micrometre.
    clarity = np.array([1.0, 1.1, 0.8, 0.25, 0.0, 0.0], np.float32)[:, None, None]
    shallow = np.exp(-2.5 * water.depth_m / profile.micro_relief_m) * (1 - water.river)
    colour = colour + 0.35 * clarity * shallow[None] * np.maximum(0.6 * land - colour, 0)

    share = water.total
    plants = _emergent(rng, profile, cover, water)
    reeds = 0.5 * spectra["reed"][:, None, None] + 0.5 * cover.reflectance
    surface = mix(land, colour, share)
    surface = mix(surface, reeds * np.float32(0.9), plants * share)
    hidden = plants > _HIDDEN
    return surface, np.where(hidden, 0.0, share).astype(np.float32)


def _emergent(
    rng: np.random.Generator, profile: RegionProfile, cover: LandCover, water: Water
) -> np.ndarray:
    """Share of plants above flood and lake water, 0..1 ``(y, x)``; rivers carry hardly any."""
    shape = water.depth_m.shape
    amount = draw(rng, profile.emergent)
    stand = fractal(rng, shape, beta=3.0, longest=35)
    plants = amount * np.clip(0.75 + 0.65 * stand, 0, 1.6)
    plants = plants + 0.35 * cover.forest * amount + 0.15 * cover.crops * amount
    # Deep water drowns them.
    drowned = np.exp(-water.depth_m / (4.0 * profile.micro_relief_m + 0.5))
    return np.clip(plants * (0.35 + 0.65 * drowned), 0, 0.95) * (1.0 - water.river)


def _water_colour(
    rng: np.random.Generator,
    profile: RegionProfile,
    spectra: dict[str, np.ndarray],
    water: Water,
) -> np.ndarray:
    """Colour of the water by its body and load, reflectance ``(6, y, x)``."""
    shape = water.depth_m.shape
    load = draw(rng, profile.silt)
    plume = np.clip(load + 0.22 * fractal(rng, shape, beta=3.6, longest=60), 0, 1)
    # Silt settles where water stands.
    plume = plume * (1.0 - 0.45 * (water.lake > 0.5) * (water.flood < 0.5))

    def body(name: str) -> np.ndarray:
        return np.broadcast_to(spectra[name][:, None, None], (6, *shape))

    silty = mix(body("water_silty"), body("water_muddy"),
                np.full(shape, profile.mud * rng.uniform(0.5, 1.3), np.float32).clip(0, 1))
    still = mix(body("water_clear"), body("water_black"),
                np.full(shape, profile.tannin, np.float32))
    bloom = threshold_at(fractal(rng, shape, beta=3.4, longest=40), profile.algae, 1.0)
    still = mix(still, body("water_algae"), bloom * (1 - smoothstep(plume, 0.3, 0.6)))
    colour = mix(still, silty, plume)
    rough = draw(rng, profile.glint) * np.clip(
        1.0 + 0.6 * fractal(rng, shape, beta=3.0, longest=30), 0, 2.5)
    return (colour + rough[None]).astype(np.float32)
