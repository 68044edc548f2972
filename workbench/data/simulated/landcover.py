"""What grows or stands where, and what it reflects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from workbench.data.simulated.noise import fractal, smoothstep, threshold_at
from workbench.data.simulated.profiles import RegionProfile
from workbench.data.simulated.spectra import SPECTRA
from workbench.data.simulated.terrain import Terrain, draw

COVERS = ("forest", "dry_forest", "grass", "savanna", "crops", "soil", "urban", "rock", "snow")
"""Land covers a profile may weigh."""

# Contrast and correlation length (pixels) of each surface's own texture.
_TEXTURE = {
    "forest": (0.16, 2.5), "dry_forest": (0.20, 3.0), "grass": (0.10, 8.0), "savanna": (0.15, 6.0),
    "crops": (0.05, 6.0), "soil": (0.10, 10.0), "urban": (0.22, 2.0), "rock": (0.18, 5.0),
    "snow": (0.05, 10.0),
}
_SOILS = ("soil", "sand", "stubble", "crop_ripe", "crop_young", "savanna", "burnt", "rock")
_GREEN = ("forest", "dry_forest", "crop_green", "grass", "reed", "paddy", "savanna", "crop_young")


@dataclass(frozen=True)
class LandCover:
    """Surface of a scene before water, light and air.

    Attributes:
        reflectance: ``(6, y, x)`` float32, 0..1.
        crops: ``(y, x)`` float32, share of fields.
        forest: ``(y, x)`` float32, share of trees.
        parcel: ``(y, x)`` int, number of the field.
        lottery: ``(y, x)`` float32, one uniform number a field.
    """

    reflectance: np.ndarray
    crops: np.ndarray
    forest: np.ndarray
    parcel: np.ndarray
    lottery: np.ndarray


def tinted(profile: RegionProfile) -> dict[str, np.ndarray]:
    """Give every spectrum as it looks in this place, ``(6,)`` each."""
    spectra = {name: values.copy() for name, values in SPECTRA.items()}
    red = profile.soil_redness
    for name in _SOILS:
        spectra[name] *= profile.soil_brightness
        spectra[name] *= np.array([1 / red, 1, red, red, 1, 1], np.float32)
    for name in _GREEN:
        spectra[name][3] *= profile.greenness
    return spectra


def _parcels(
    rng: np.random.Generator, profile: RegionProfile, shape: tuple[int, int], angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Number every field and mark its edges; ``(y, x)`` int and bool."""
    size = draw(rng, profile.parcel_px)
    y, x = np.indices(shape, dtype=np.float32)
    if profile.parcels == "patchwork":
        free = np.ones(shape, bool)
        count = max(4, int(shape[0] * shape[1] / size**2))
        free[rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)] = False
        near = ndimage.distance_transform_edt(free, return_distances=False, return_indices=True)
        parcel = near[0] * shape[1] + near[1]
    else:
        if profile.parcels == "grid":
            # Survey grids follow the compass whatever the river does.
            angle = float(rng.normal(0, 0.03))
        along = np.cos(angle) * x + np.sin(angle) * y
        across = -np.sin(angle) * x + np.cos(angle) * y
        if profile.parcels == "strips":
            across = across + 5 * fractal(rng, shape, beta=5, longest=90)
        ratio = 3.0 if profile.parcels == "strips" else 1.3
        strip = np.floor(across / size).astype(np.int64)
        shifts = rng.uniform(0, 1, 512)[strip % 512]
        lengths = rng.uniform(0.6, 1.4, 512)[(strip * 7) % 512]
        block = np.floor(along / (size * ratio * lengths) + shifts).astype(np.int64)
        parcel = strip * 7919 + block * 104729
    edge = (np.diff(parcel, axis=0, append=parcel[-1:]) != 0) | (
        np.diff(parcel, axis=1, append=parcel[:, -1:]) != 0
    )
    return parcel, edge


def _lookup(rng: np.random.Generator, parcel: np.ndarray, size: int = 1021) -> np.ndarray:
    """Draw one uniform number for every field, ``(y, x)``."""
    return rng.random(size)[parcel % size].astype(np.float32)


def _choose(
    rng: np.random.Generator, profile: RegionProfile, terrain: Terrain
) -> dict[str, np.ndarray]:
    """Share out the land between covers by affinity to the ground; 0/1 masks ``(y, x)``."""
    shape = terrain.hand_m.shape
    low = np.exp(-np.maximum(terrain.hand_m, 0) / 6.0)
    riparian = np.exp(-terrain.river_distance_px / 8.0)
    top = max(float(terrain.elevation_m.max()), 1.0)
    high = terrain.elevation_m / top
    relief = min(top / 250.0, 1.0)
    affinity = {
        "forest": 0.9 * riparian - 0.4 * low + 0.6 * high * relief,
        "dry_forest": 0.5 * high * relief, "grass": 0.5 * low, "savanna": 0.3 * high,
        "crops": 1.2 * low - 3.0 * high * relief, "soil": 0.0 * low, "urban": 0.5 * low - 1.5,
        "rock": 2.5 * high * relief - 1.0, "snow": 6.0 * high * relief - 5.0,
    }
    names = [name for name in COVERS if profile.covers.get(name, 0) > 0]
    score = np.stack([
        np.log(profile.covers[name]) + affinity[name]
        + (1.7 if name == "urban" else 1.0)
        * fractal(rng, shape, beta=2.8 if name == "urban" else 3.3,
                  longest=22 if name == "urban" else 60)
        for name in names
    ])
    winner = score.argmax(0)
    return {name: winner == i for i, name in enumerate(names)}


def make_landcover(
    rng: np.random.Generator, profile: RegionProfile, terrain: Terrain
) -> LandCover:
    """Cover the ground with forest, fields, towns and the look-alikes of water."""
    shape = terrain.hand_m.shape
    spectra = tinted(profile)
    masks = _choose(rng, profile, terrain)
    empty = np.zeros(shape, bool)
    parcel, edge = _parcels(rng, profile, shape, terrain.flow_angle)
    lottery = _lookup(rng, parcel)
    land = np.zeros((6, *shape), np.float32)

    for name, mask in masks.items():
        if name == "crops":
            land[:, mask] = _crops(rng, profile, spectra, parcel)[:, mask]
            hedge = mask & edge
            border = spectra["crop_young"] if profile.parcels == "grid" else spectra["dry_forest"]
            land[:, hedge] = 0.5 * land[:, hedge] + 0.5 * border[:, None]
        elif name == "urban":
            roofs = rng.random(shape, dtype=np.float32)
            town = spectra["urban"][:, None, None] + (roofs > 0.86) * (
                spectra["roof"] - spectra["urban"])[:, None, None]
            land[:, mask] = town[:, mask]
        else:
            land[:, mask] = spectra[name][:, None]
        contrast, length = _TEXTURE[name]
        texture = 1.0 + contrast * fractal(rng, shape, beta=1.8, longest=length)
        land[:, mask] *= np.clip(texture, 0.4, 1.8)[mask]
    # The health of plants and the colour of soil drift over kilometres.
    drift = fractal(rng, shape, beta=3.5, longest=70)
    land *= (1.0 + np.outer([0.05, 0.04, 0.07, -0.06, 0.06, 0.08], drift.ravel())).reshape(
        6, *shape).astype(np.float32)
    land = _lookalikes(rng, profile, spectra, terrain, land)
    land = _lines(rng, spectra, land, shape)
    return LandCover(
        reflectance=np.clip(land, 0.005, 1.0),
        crops=masks.get("crops", empty).astype(np.float32),
        forest=(masks.get("forest", empty) | masks.get("dry_forest", empty)).astype(np.float32),
        parcel=parcel,
        lottery=lottery,
    )


def _crops(
    rng: np.random.Generator,
    profile: RegionProfile,
    spectra: dict[str, np.ndarray],
    parcel: np.ndarray,
) -> np.ndarray:
    names = list(profile.crops)
    weights = np.cumsum([profile.crops[n] for n in names])
    choice = np.searchsorted(weights / weights[-1], _lookup(rng, parcel), side="right")
    table = np.stack([spectra[n] for n in names])
    fields = np.moveaxis(table[np.minimum(choice, len(names) - 1)], -1, 0)
    vigour = 1.0 + 0.3 * (_lookup(rng, parcel) - 0.5)
    ripeness = 1.0 + 0.4 * (_lookup(rng, parcel) - 0.5)
    scale = np.stack([ripeness, ripeness, ripeness, vigour, ripeness, ripeness])
    return (fields * scale).astype(np.float32)


def _lookalikes(
    rng: np.random.Generator,
    profile: RegionProfile,
    spectra: dict[str, np.ndarray],
    terrain: Terrain,
    land: np.ndarray,
) -> np.ndarray:
    """Lay burnt ground, lava, salt and bogs: dark or wet surfaces that an index takes for water."""
    shape = terrain.hand_m.shape
    dry = smoothstep(terrain.hand_m, 0.5, 3.0)
    low = 1.0 - dry
    for name, place in (("burnt", dry), ("lava", dry), ("salt", low), ("mire", low), ("mire", dry)):
        if rng.random() > 2.3 * profile.overlap:
            continue
        patch = fractal(rng, shape, beta=3.2, longest=45)
        share = threshold_at(patch, draw(rng, (0.05, 0.25)), 0.25) * place
        share = share * (0.8 + 0.15 * np.clip(fractal(rng, shape, beta=1.8, longest=8), -1, 1))
        share = np.clip(share, 0, 1)
        land = land + (spectra[name][:, None, None] - land) * share[None]
    return land


def _lines(
    rng: np.random.Generator,
    spectra: dict[str, np.ndarray],
    land: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Draw a road or two across the scene."""
    y, x = np.indices(shape, dtype=np.float32)
    bend = 4.0 * fractal(rng, shape, beta=5, longest=150)
    for _ in range(int(rng.integers(0, 3))):
        angle = rng.uniform(0, np.pi)
        centre = rng.uniform(0.2, 0.8, 2) * shape
        offset = np.sin(angle) * (x - centre[1]) - np.cos(angle) * (y - centre[0]) + bend
        share = 0.6 * np.clip(1.0 - np.abs(offset), 0, 1)
        land = land + (spectra["road"][:, None, None] - land) * share[None]
    return land
