"""Footprints that are not where the chips are."""

from __future__ import annotations

from tests.data.doctor.planted.faults import fault


@fault("coordinates of another CRS", "position", "outside the globe")
def _(draw):
    draw.boxes = [(500_000.0 + n, 4e6, 501_000.0 + n, 4.1e6) for n in range(len(draw.boxes))]


@fault("latitude and longitude exchanged", "position", "look exchanged")
def _(draw):
    draw.collection = "simulated-floods"
    draw.boxes = [(s, w, n, e) for w, s, e, n in draw.boxes]
    draw.crs = ["EPSG:4326"] * len(draw.crs)


@fault("latitude and longitude of some exchanged", "position", "look exchanged")
def _(draw):
    draw.crs = ["EPSG:4326"] * len(draw.crs)
    for number in draw.of_one_place[::4]:
        west, south, east, north = draw.boxes[number]
        draw.boxes[number] = (south, west, north, east)


@fault("UTM zone of some wrong", "position", "CRS")
def _(draw):
    away = 6 * int(draw.random.choice([-2, -1, 1, 2]))
    for number in draw.of_one_place[::4]:
        west, south, east, north = draw.boxes[number]
        draw.boxes[number] = (west + away, south, east + away, north)
    draw.crs = ["EPSG:3857"] * len(draw.crs)


@fault("CRS not that of the coordinates", "position", "UTM zone")
def _(draw):
    draw.crs = ["EPSG:32701" if "327" in crs else "EPSG:32601" for crs in draw.crs]


@fault("no position", "position", "no position")
def _(draw):
    for number in draw.random.permutation(len(draw.boxes))[:9]:
        draw.boxes[number] = None
