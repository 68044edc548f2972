"""Light, air and instrument: what stands between the ground and the image."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from workbench.data.simulated.noise import fractal, smoothstep
from workbench.data.simulated.profiles import RegionProfile
from workbench.data.simulated.spectra import spectrum
from workbench.data.simulated.terrain import PIXEL_M, draw

# Path reflectance for one unit of optical depth, in band order: molecules and fine smoke fall off
# with wavelength, dust hardly does. Source: shape after 6S, Vermote et al. (1997),
# doi:10.1109/36.581987.
_PATH_BLUE = np.array([0.150, 0.110, 0.075, 0.036, 0.010, 0.005], np.float32)
_PATH_BROWN = np.array([0.080, 0.086, 0.090, 0.078, 0.045, 0.030], np.float32)
# Share of light that is diffuse, hence still falls into a shadow.
_DIFFUSE = np.array([0.42, 0.32, 0.25, 0.17, 0.10, 0.08], np.float32)


@dataclass(frozen=True)
class Sun:
    """Where the sun stands: degrees above the horizon, and clockwise from north."""

    elevation_deg: float
    azimuth_deg: float


def sun_at(date: str, latitude: float) -> Sun:
    """Place the sun at 10:30 local solar time, when Landsat and Sentinel-2 pass.

    Source: declination after Cooper (1969), doi:10.1016/0038-092X(69)90047-4.
    """
    day = datetime.date.fromisoformat(date).timetuple().tm_yday
    declination = np.deg2rad(23.45 * np.sin(np.deg2rad(360 * (284 + day) / 365)))
    angle = np.deg2rad(15 * (10.5 - 12))
    lat = np.deg2rad(latitude)
    sine = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(lat) * np.sin(declination) - np.sin(lat) * np.cos(declination) * np.cos(angle)
    azimuth = np.rad2deg(np.arctan2(east, north)) % 360
    return Sun(float(np.rad2deg(np.arcsin(sine))), float(azimuth))


def illuminate(elevation_m: np.ndarray, sun: Sun) -> np.ndarray:
    """Light on the ground relative to flat, sunlit ground: ``(6, y, x)`` float32.

    Slopes away from the sun and cast shadows keep the diffuse light only, which is blue.
    """
    height = np.deg2rad(max(sun.elevation_deg, 8.0))
    towards = np.deg2rad(sun.azimuth_deg)
    dy, dx = -np.cos(towards), np.sin(towards)
    slope_y, slope_x = np.gradient(elevation_m, PIXEL_M)
    facing = np.sin(height) - np.cos(height) * (slope_x * dx + slope_y * dy)
    facing /= np.sqrt(1 + slope_x**2 + slope_y**2) * np.sin(height)
    span = float(np.ptp(elevation_m))
    reach = int(min(span / (PIXEL_M * np.tan(height)), 40))
    shadow = np.zeros(elevation_m.shape, np.float32)
    for step in range(2, reach, 2):
        shifted = ndimage.shift(elevation_m, (-dy * step, -dx * step), order=1, mode="nearest")
        rise = shifted - elevation_m - step * PIXEL_M * np.tan(height)
        np.maximum(shadow, np.clip(rise / 15.0, 0, 1), out=shadow)
    direct = np.clip(facing, 0.0, 1.6) * (1.0 - shadow)
    diffuse = _DIFFUSE[:, None, None]
    return (diffuse + (1.0 - diffuse) * direct).astype(np.float32)


@dataclass(frozen=True)
class Clouds:
    """Clouds and their shadows: opacity and darkness, ``(y, x)`` float32, 0..1."""

    opacity: np.ndarray
    shadow: np.ndarray

    @property
    def unlabelled(self) -> np.ndarray:
        """Where nobody could tell the ground: bool ``(y, x)``."""
        return (self.opacity > 0.3) | (self.shadow > 0.25)


def make_clouds(
    rng: np.random.Generator, profile: RegionProfile, shape: tuple[int, int], sun: Sun
) -> Clouds:
    """Grow clouds at one height and cast their shadows away from the sun."""
    cover = draw(rng, profile.cloud)
    puffs = fractal(rng, shape, beta=3.4, longest=float(rng.uniform(25, 90)))
    base_m = float(rng.uniform(500, 2200))
    away = np.deg2rad(sun.azimuth_deg + 180)
    reach = base_m / np.tan(np.deg2rad(max(sun.elevation_deg, 15.0))) / PIXEL_M
    shift = (-np.cos(away) * reach, np.sin(away) * reach)
    if cover < 0.02:
        clear = np.zeros(shape, np.float32)
        return Clouds(clear, clear)
    level = np.quantile(puffs, 1 - cover)
    opacity = smoothstep(puffs - level, -0.12, 0.35).astype(np.float32)
    shadow = ndimage.shift(opacity, shift, order=1, mode="reflect")
    return Clouds(opacity, (np.clip(shadow, 0, 1) * (1 - opacity)).astype(np.float32))


def through_air(
    rng: np.random.Generator, profile: RegionProfile, ground: np.ndarray, clouds: Clouds
) -> np.ndarray:
    """Add shadows, haze and clouds to reflectance ``(6, y, x)``."""
    shape = ground.shape[1:]
    mean_depth = draw(rng, profile.haze)
    depth = mean_depth * np.clip(1.0 + 0.45 * fractal(rng, shape, beta=5.0, longest=140), 0.1, 2.2)
    path = _PATH_BLUE + (_PATH_BROWN - _PATH_BLUE) * profile.dust
    lit = ground * (1.0 - clouds.shadow[None] * (1.0 - _DIFFUSE[:, None, None]))
    hazy = lit * (1.0 - 0.35 * depth[None]) + path[:, None, None] * depth[None]
    bright = spectrum("cloud") * (1.0 + 0.12 * fractal(rng, shape, beta=3.0, longest=20))
    return hazy + (bright - hazy) * clouds.opacity[None]


def sense(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Blur by the optics and add noise, and in a few scenes stripes or a seam; ``(6, y, x)``."""
    # A point spread of about 0.55 pixel: half the energy of a pixel stays in it.
    image = ndimage.gaussian_filter(image, (0, 0.55, 0.55))
    shape = image.shape[1:]
    if rng.random() < 0.06:
        stripes = 1.0 + rng.normal(0, 0.012, (6, 1, 12)).astype(np.float32)
        image = image * np.tile(stripes, shape[1] // 12 + 1)[..., : shape[1]]
    if rng.random() < 0.06:
        gain = 1.0 + rng.normal(0, 0.04, 6).astype(np.float32)
        y, x = np.indices(shape, dtype=np.float32)
        side = x + 0.2 * y > rng.uniform(0.2, 0.9) * shape[1]
        image = image * np.where(side, gain[:, None, None], 1.0)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return image + noise * (0.0018 + 0.008 * np.abs(image))


def missing(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Cut a corner off a few scenes at the edge of the swath; bool ``(y, x)``, true is nodata."""
    if rng.random() > 0.1:
        return np.zeros(shape, bool)
    y, x = np.indices(shape, dtype=np.float32)
    edge = rng.uniform(0.05, 0.3) * shape[1]
    across = x if rng.random() < 0.5 else shape[1] - 1 - x
    return across + 0.22 * y < edge
