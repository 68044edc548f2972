"""Chips that are not where they should be: no place, another CRS, latitude for longitude."""

from __future__ import annotations

import re
from collections.abc import Iterable

import geopandas
import numpy as np

from workbench.catalog import open_catalog
from workbench.data.doctor.evidence import Evidence
from workbench.data.doctor.finding import Finding, check
from workbench.data.grouping import centres, named_tiles
from workbench.data.neighbours import RADIUS_KM, Floats, on_sphere

# The catalogue's places are boxes of events and tiles; chips reach over their edges.
_NEAR_KM = 150.0
# A region's chips lie together: one this far from their middle, and several times as far as most,
# is elsewhere. A UTM zone is 6 degrees, 330 km wide at 60 degrees of latitude.
_FAR_KM, _TIMES = 300.0, 3.0
# UTM is used some kilometres past the edge of its zone, not half a zone.
_ZONE_HALF_WIDTH, _PAST = 3.0, 2.0
_UTM = re.compile(r"^EPSG:32[67](\d\d)$")


@check("position")
def position(evidence: Evidence) -> Iterable[Finding]:
    """Compare where chips lie with the globe, the catalogue, their names and each other."""
    chips = evidence.dataset.chips
    nowhere = chips.index[chips.geometry.isna()]
    if len(nowhere):
        yield Finding(
            "warning",
            f"{len(nowhere)} chips have no position, so overlaps between them cannot be seen; "
            "write CRS and geotransform into the files",
            tuple(nowhere),
        )
    placed = chips[chips.geometry.notna()]
    if not len(placed):
        return
    bounds = placed.geometry.bounds
    # Outlines across the antimeridian may reach past it.
    inside = bounds["minx"].ge(-360) & bounds["maxx"].le(360)
    inside &= bounds["miny"].ge(-90) & bounds["maxy"].le(90)
    if not inside.all():
        swapped = bounds["miny"].abs().le(360) & bounds["maxx"].abs().le(90)
        looks = ", and latitude and longitude look exchanged" if swapped[~inside].all() else ""
        yield Finding(
            "error",
            f"{int((~inside).sum())} chips lie outside the globe: the CRS in the files is not "
            f"that of their coordinates{looks}",
            tuple(placed.index[~inside.to_numpy()]),
        )
        return
    for look in (_off_the_catalogue, _off_their_zone, _off_their_tile, _off_their_region):
        found = look(evidence, placed)
        if found is not None:
            yield found
            return


def _lonlat(middle: Floats) -> Floats:
    lon = np.arctan2(middle[:, 1], middle[:, 0])
    return np.rad2deg(np.stack([lon, np.arcsin(middle[:, 2].clip(-1, 1))], 1))


def _exchanged(lonlat: Floats) -> Floats:
    """Return longitude as latitude and the other way round, where that is on the globe."""
    return lonlat[:, ::-1] if (np.abs(lonlat[:, 0]) <= 90).all() else lonlat


def _km(one: Floats, other: Floats) -> Floats:
    chord = np.linalg.norm(one - other, axis=-1)
    distance: Floats = 2 * RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1))
    return distance


def _to_boxes(lonlat: Floats, boxes: list[tuple[float, float, float, float]]) -> Floats:
    """Return kilometres from points to the nearest of some boxes."""
    nearest = [
        np.stack([lonlat[:, 0].clip(west, east), lonlat[:, 1].clip(south, north)], 1)
        for west, south, east, north in boxes
    ]
    distance: Floats = np.min([_km(on_sphere(lonlat), on_sphere(to)) for to in nearest], axis=0)
    return distance


def _off_the_catalogue(evidence: Evidence, placed: geopandas.GeoDataFrame) -> Finding | None:
    catalog = open_catalog()
    name = evidence.dataset.info.collection
    if name is None or name not in catalog:
        return None
    lonlat = _lonlat(centres(placed.geometry))
    off, swapped = np.zeros(len(placed), bool), []
    for region, entry in catalog[name].regions.items():
        boxes = [place.bbox for place in entry.places if place.bbox]
        here = (placed["region"] == region).to_numpy()
        if not boxes or not here.any():
            continue
        wrong = here & (_to_boxes(lonlat, boxes) > _NEAR_KM)
        off |= wrong
        if wrong.any():
            swapped.append(_to_boxes(_exchanged(lonlat[wrong]), boxes).max() <= _NEAR_KM)
    if not off.any():
        return None
    why = ("latitude and longitude look exchanged" if swapped and all(swapped)
           else "the CRS in the files looks wrong")
    return Finding(
        "error", f"{int(off.sum())} chips lie more than {_NEAR_KM:.0f} km from where the catalogue "
        f"has their region: {why}",
        tuple(placed.index[off]), "compare the position of one with a map",
    )


def _off_their_zone(evidence: Evidence, placed: geopandas.GeoDataFrame) -> Finding | None:
    zones = [(_UTM.match(str(crs)) or (None, "0"))[1] for crs in placed["crs"]]
    zone = np.array([int(entry or 0) for entry in zones])
    lonlat = _lonlat(centres(placed.geometry))
    aside = (lonlat[:, 0] - (6 * zone - 183) + 180) % 360 - 180
    # Zones narrow towards the poles: what counts is the distance on the ground.
    narrow = np.cos(np.deg2rad(np.minimum(np.abs(lonlat[:, 1]), 60)))
    far = (zone > 0) & (np.abs(aside) * narrow > _ZONE_HALF_WIDTH + _PAST)
    far &= np.abs(lonlat[:, 1]) < 80
    if not far.any():
        return None
    return Finding(
        "error", f"{int(far.sum())} chips lie outside the UTM zone of their CRS: it looks wrong, "
        "or is not that of their coordinates",
        tuple(placed.index[far]), "compare the position of one with a map",
    )


def _off_their_tile(evidence: Evidence, placed: geopandas.GeoDataFrame) -> Finding | None:
    tiles = named_tiles(placed)
    zone = np.array([int(tile[:2]) if isinstance(tile, str) else 0 for tile in tiles])
    lonlat = _lonlat(centres(placed.geometry))
    aside = np.abs((lonlat[:, 0] - (6 * zone - 183) + 180) % 360 - 180)
    far = (zone > 0) & (aside > 2 * _ZONE_HALF_WIDTH) & (np.abs(lonlat[:, 1]) < 72)
    if not far.any():
        return None
    return Finding(
        "error", f"{int(far.sum())} chips lie outside the UTM zone of the MGRS tile in their name: "
        "the CRS in the files looks wrong",
        tuple(placed.index[far]), "compare the position of one with a map",
    )


def _off_their_region(evidence: Evidence, placed: geopandas.GeoDataFrame) -> Finding | None:
    middle = centres(placed.geometry)
    far = np.zeros(len(placed), bool)
    swapped = []
    for _, rows in placed.groupby("region").indices.items():
        if len(rows) < 5:
            continue
        heart = np.median(middle[rows], axis=0)
        heart /= max(np.linalg.norm(heart), 1e-9)
        away = _km(middle[rows], heart)
        apart = away > max(_FAR_KM, _TIMES * float(np.percentile(away, 60)))
        # Halves that lie apart are a region of two places, not a mistake.
        if apart.any() and apart.mean() < 0.4:
            far[rows[apart]] = True
            turned = on_sphere(_exchanged(_lonlat(middle[rows[apart]])))
            swapped.append(_km(turned, heart).max() < away[apart].min() / 3)
    if not far.any():
        return None
    why = ("latitude and longitude look exchanged" if all(swapped)
           else "their CRS looks wrong, or their region")
    return Finding(
        "warning", f"{int(far.sum())} chips lie far from all others of their region: {why}",
        tuple(placed.index[far]), "compare the position of one with a map",
    )
