"""How far chips lie apart on the globe, across the antimeridian and at the poles alike."""

from __future__ import annotations

import geopandas
import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

# Mean radius of the Earth, (2a + b) / 3 of WGS 84.
RADIUS_KM = 6371.0088
# The globe is flattened by 1/298: on a sphere a distance is wrong by up to 0.6 %.
_FLATTENING = 1.01

Floats = npt.NDArray[np.float64]


def on_sphere(lonlat: Floats) -> Floats:
    """Return unit vectors ``(…, 3)`` of longitudes and latitudes in degrees ``(…, 2)``."""
    lon, lat = np.deg2rad(lonlat[..., 0]), np.deg2rad(lonlat[..., 1])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def _unit(vectors: Floats) -> Floats:
    lengths: Floats = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


class Outlines:
    """The outlines of chips, as corners on the unit sphere.

    Args:
        footprints: In EPSG:4326; none may be missing. One that crosses the antimeridian may be cut
            there or not.
    """

    def __init__(self, footprints: geopandas.GeoSeries) -> None:
        corners, owner = shapely.get_coordinates(footprints.to_numpy(), return_index=True)
        counts = np.bincount(owner, minlength=len(footprints))
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        # As many corners for each: those that have fewer repeat their first.
        place = np.arange(max(counts, default=0))
        chosen = first[:, None] + np.where(place < counts[:, None], place, 0)
        self.corners = on_sphere(corners)[chosen]
        self.centres = _unit(self.corners.mean(1))
        to_corner = np.linalg.norm(self.corners - self.centres[:, None], axis=-1)
        self.reach = to_corner.max(1, initial=0.0)

    def near(self, some: npt.NDArray[np.intp], others: npt.NDArray[np.intp], km: float
             ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return all pairs of `some` and `others` (positions) whose outlines are within `km`.

        Pairs up to a per cent farther apart may be among them; none that is nearer is missing.
        """
        if not len(some) or not len(others):
            return np.empty(0, int), np.empty(0, int)
        within = km * _FLATTENING / RADIUS_KM
        span = self.reach[some].max() + self.reach[others].max() + within
        found = cKDTree(self.centres[others]).query_ball_point(self.centres[some], span)
        first = np.repeat(some, [len(entry) for entry in found])
        if not len(first):
            return np.empty(0, int), np.empty(0, int)
        second = others[np.concatenate([np.asarray(entry, int) for entry in found])]
        gaps = np.linalg.norm(self.centres[first] - self.centres[second], axis=1)
        maybe = gaps <= self.reach[first] + self.reach[second] + within
        first, second = first[maybe], second[maybe]
        close = self._distance_km(first, second) <= km * _FLATTENING
        return first[close], second[close]

    def _distance_km(self, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> Floats:
        """Measure in the plane that touches the globe half way (azimuthal equidistant)."""
        middle = _unit(self.centres[first] + self.centres[second])
        aside = np.where(np.abs(middle[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
        east = _unit(np.cross(aside, middle))
        axes = np.stack([middle, east, np.cross(middle, east)], -1)
        shapes = [self._in_plane(self.corners[chips] @ axes) for chips in (first, second)]
        distances: Floats = shapely.distance(*shapes)
        return distances

    @staticmethod
    def _in_plane(corners: Floats) -> npt.NDArray:
        up, across = corners[..., 0], corners[..., 1:]
        sine = np.linalg.norm(across, axis=-1)
        angle = np.arctan2(sine, up)
        plane = across * (angle / np.maximum(sine, 1e-15) * RADIUS_KM)[..., None]
        return shapely.convex_hull(shapely.linestrings(plane))
