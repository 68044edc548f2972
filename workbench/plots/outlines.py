"""Country outlines that need no network: bqplot carries them; without it there are none."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.float64]

# A step of more than half the world within one ring is a jump over the antimeridian.
JUMP_DEGREES = 180.0


@functools.cache
def country_rings() -> tuple[Ring, ...]:
    """Return closed rings ``(n, 2)`` of longitude and latitude in degrees, WGS 84.

    Rings that cross ±180° (Fiji, Russia, Antarctica) are cut there, so that no line streaks
    across the map. Empty where bqplot is not installed.

    Source: bqplot `map_data/WorldMap.json` (TopoJSON of Natural Earth 1:110m, public domain).
    """
    found = importlib.util.find_spec("bqplot")
    if found is None or not found.submodule_search_locations:
        return ()
    path = Path(found.submodule_search_locations[0]) / "map_data" / "WorldMap.json"
    if not path.is_file():
        return ()
    topology = json.loads(path.read_text(encoding="utf-8"))
    arcs = _decode(topology)
    rings: list[Ring] = []
    for geometry in topology["objects"]["subunits"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        for polygon in polygons:
            for ring in polygon:
                rings += cut_at_antimeridian(_join(ring, arcs))
    return tuple(rings)


def _decode(topology: dict[str, Any]) -> list[Ring]:
    """Undo the quantisation and the delta coding of TopoJSON's arcs."""
    scale, offset = topology["transform"]["scale"], topology["transform"]["translate"]
    return [np.clip(np.cumsum(np.asarray(arc, float), axis=0) * scale + offset, -180, 180)
            for arc in topology["arcs"]]


def _join(indices: list[int], arcs: list[Ring]) -> Ring:
    """Join arcs to a ring; ``~i`` means arc i backwards, and neighbours share one point."""
    parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def cut_at_antimeridian(ring: Ring) -> list[Ring]:
    """Cut a ring where it jumps over ±180° and close each piece along that meridian."""
    jumps = np.flatnonzero(np.abs(np.diff(ring[:, 0])) > JUMP_DEGREES)
    if not len(jumps):
        return [ring]
    pieces = np.split(ring, jumps + 1)
    # The ring is closed: its last piece goes on in its first.
    pieces = [np.concatenate([pieces[-1], pieces[0][1:]]), *pieces[1:-1]]
    return [_closed(piece) for piece in pieces]


def _closed(piece: Ring) -> Ring:
    """Close a piece along the meridian it was cut at, or at the pole that it goes round."""
    (west, south), (east, north) = piece[0], piece[-1]
    first, last = (np.sign(west) * 180.0, south), (np.sign(east) * 180.0, north)
    if first[0] == last[0]:
        return np.concatenate([[first], piece, [last], [first]])
    pole = np.sign(piece[:, 1].mean()) * 90.0
    corners = [(last[0], pole), (0.0, pole), (first[0], pole), first]
    return np.concatenate([[first], piece, [last], corners])
