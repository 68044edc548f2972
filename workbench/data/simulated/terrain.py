"""Ground, channels and the water that stands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from workbench.data.simulated.drainage import drain
from workbench.data.simulated.noise import fractal, smoothstep, threshold_at
from workbench.data.simulated.profiles import RegionProfile
from workbench.data.simulated.rivers import Curve, meander

PIXEL_M = 30.0


@dataclass(frozen=True)
class Terrain:
    """Relief and drainage of a scene; every array is float32 ``(y, x)``.

    Attributes:
        elevation_m: Height.
        hand_m: Height above the nearest drainage.
        pit_depth_m: Depth of standing water if every pit were full.
        river: Share of each pixel inside the banks of a river, stream or oxbow.
        bars: Share of each pixel under sand bars of a braided river.
        river_distance_px: Distance from the nearest river.
        flow_angle: Direction of the main river in radians.
    """

    elevation_m: np.ndarray
    hand_m: np.ndarray
    pit_depth_m: np.ndarray
    river: np.ndarray
    bars: np.ndarray
    river_distance_px: np.ndarray
    flow_angle: float


@dataclass(frozen=True)
class Water:
    """Water of a scene; every array is float32 ``(y, x)``.

    Attributes:
        river: Share of each pixel under a river or stream.
        lake: Share under a permanent lake, oxbow or pond.
        flood: Share under flood water.
        depth_m: Depth of lake or flood water, 0 on dry land.
        margin_m: Height above the flood's local level, negative under water.
    """

    river: np.ndarray
    lake: np.ndarray
    flood: np.ndarray
    depth_m: np.ndarray
    margin_m: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Share of each pixel under any water, 0..1."""
        return 1.0 - (1.0 - self.river) * (1.0 - self.lake) * (1.0 - self.flood)


def draw(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Draw uniformly between two limits."""
    return float(rng.uniform(*limits))


def _rivers(
    rng: np.random.Generator, profile: RegionProfile, shape: tuple[int, int]
) -> tuple[list[Curve], Curve | None]:
    count = int(rng.integers(profile.rivers[0], profile.rivers[1] + 1))
    sinuosity = draw(rng, profile.sinuosity)
    curves: list[Curve] = []
    angle: float | None = None
    for i in range(count):
        width = draw(rng, profile.river_px) if i == 0 else draw(rng, (1.2, 3.5))
        curve = meander(rng, shape, width_px=width, sinuosity=sinuosity, angle=angle)
        # Later rivers are tributaries: they meet the first at an angle.
        angle = curves[0].angle + float(rng.uniform(0.5, 1.4)) if curves else curve.angle + 0.8
        curves.append(curve)
    oxbow = None
    if count and sinuosity > 0.8 and rng.random() < 0.6:
        oxbow = meander(
            rng, shape, width_px=draw(rng, (1.5, 3.5)), sinuosity=sinuosity + 0.4,
            angle=curves[0].angle + float(rng.normal(0, 0.1)), gaps=0.55,
        )
    return curves, oxbow


def make_terrain(
    rng: np.random.Generator, profile: RegionProfile, shape: tuple[int, int]
) -> Terrain:
    """Raise hills around rivers, wear the valleys flat and route the water.

    Relief and drainage are worked out at 60 m and refined to 30 m, because the routing is the one
    step that cannot be vectorised.
    """
    curves, oxbow = _rivers(rng, profile, shape)
    flow_angle = curves[0].angle if curves else draw(rng, (0, 2 * np.pi))
    distance = np.full(shape, 60.0, np.float32)
    river = np.zeros(shape, np.float32)
    for curve in curves:
        bank = np.maximum(curve.distance_px - curve.width_px / 2, 0)
        np.minimum(distance, bank, out=distance)
        np.maximum(river, curve.fraction(), out=river)

    valley = draw(rng, profile.valley_px)
    relief = draw(rng, profile.relief_m)
    wobble = 1.0 + 0.4 * fractal(rng, shape, beta=4.0, longest=80)
    hills = smoothstep(distance * np.clip(wobble, 0.3, 2.0), 0.6 * valley, 3.0 * valley)
    rough = fractal(rng, shape, beta=3.8, longest=130)
    # Folding the field makes crests and gullies rather than bubbles.
    ridges = 1.1 - np.abs(fractal(rng, shape, beta=3.7, longest=110))
    height = relief * hills * np.maximum(0.45 + 0.22 * rough + 0.33 * ridges, 0.02)
    floor = profile.micro_relief_m * fractal(rng, shape, beta=3.5, longest=70)
    # Rivers run a little below their plain, behind low natural levees.
    levee = 0.5 * profile.micro_relief_m * np.exp(-(((distance - 2.5) / 2.0) ** 2))
    incision = -2.0 * profile.micro_relief_m * np.exp(-distance / 1.5)
    elevation = (height + floor * (1 + hills) + levee + incision).astype(np.float32)
    elevation += 0.03 * profile.micro_relief_m * np.minimum(distance, 60)

    coarse = elevation[::2, ::2]
    drainage = drain(coarse, river[::2, ::2] > 0.4, stream_cells=400)

    def fine(values: np.ndarray) -> np.ndarray:
        factors = (shape[0] / values.shape[0], shape[1] / values.shape[1])
        return ndimage.zoom(values, factors, order=1, grid_mode=True, mode="nearest")

    bars = np.zeros(shape, np.float32)
    if curves and rng.random() < profile.braided:
        streaks = fractal(rng, shape, beta=3.0, longest=18, stretch=(flow_angle, 2.5))
        inside = smoothstep(curves[0].width_px / 2 - curves[0].distance_px, 1.0, 3.0)
        bars = threshold_at(streaks, float(rng.uniform(0.25, 0.5)), 0.5) * inside
    streams = np.clip(fine(np.sqrt(drainage.upstream / 400.0)) - 0.75, 0, 0.85)
    river = np.maximum(river, streams * (fine(drainage.hand_m) < 1.0 + profile.micro_relief_m))
    if oxbow is not None:
        river = np.maximum(river, oxbow.fraction())
    return Terrain(
        elevation_m=elevation,
        hand_m=fine(drainage.hand_m).astype(np.float32),
        pit_depth_m=fine(drainage.pit_depth_m).astype(np.float32),
        river=np.clip(river, 0, 1).astype(np.float32),
        bars=bars,
        river_distance_px=distance,
        flow_angle=flow_angle,
    )


def fill(
    rng: np.random.Generator,
    profile: RegionProfile,
    terrain: Terrain,
    *,
    field_lottery: np.ndarray,
    is_field: np.ndarray,
) -> Water:
    """Fill channels, lakes and low ground next to channels.

    Args:
        rng: Source of randomness.
        profile: The place.
        terrain: Its ground.
        field_lottery: ``(y, x)`` one uniform number a field; bunds flood or spare whole fields.
        is_field: ``(y, x)`` share of fields.
    """
    shape = terrain.hand_m.shape
    level = draw(rng, profile.flood_m)
    uneven = 1.0 + 0.35 * fractal(rng, shape, beta=4.0, longest=120)
    local = level * np.clip(uneven, 0.1, 2.0)
    bunds = is_field * (rng.random() < profile.bunded) * (1.6 * field_lottery - 0.7)
    local = local * (1.0 + bunds)
    ripple = 0.16 * profile.micro_relief_m * fractal(rng, shape, beta=2.4, longest=14)
    # A flood wave loses height on its way over the plain.
    reach = 0.016 * profile.micro_relief_m * np.minimum(terrain.river_distance_px, 60)
    margin = terrain.hand_m + reach + ripple - local
    softness = 0.35 * profile.micro_relief_m
    flood = np.clip(0.5 - margin / softness, 0, 1)
    pits = terrain.pit_depth_m + 0.4 * ripple
    # Pits on hills are artefacts of the noise more often than lakes.
    sill = profile.lake_m * (1.0 + np.maximum(terrain.elevation_m, 0) / 15.0)
    lake = np.clip((pits - sill) / softness + 0.5, 0, 1)
    lake = np.where(terrain.pit_depth_m > 0.05, lake, 0.0)
    river = terrain.river * (1.0 - terrain.bars)
    depth = np.maximum(np.maximum(-margin, 0) * (flood > 0), np.maximum(pits, 0) * (lake > 0))
    return Water(
        river=river.astype(np.float32),
        lake=lake.astype(np.float32),
        flood=(flood * (1.0 - 0.7 * terrain.bars)).astype(np.float32),
        depth_m=depth.astype(np.float32),
        margin_m=margin.astype(np.float32),
    )
