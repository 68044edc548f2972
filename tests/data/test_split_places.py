"""Splits by place: blocks, tiles, buffers; anywhere on the globe."""

import json

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from workbench.data import PARTS, ClassInfo, Dataset, DatasetInfo, Split
from workbench.errors import SplitError

WGS84 = Geod(ellps="WGS84")
INFO = DatasetInfo(
    name="made", bands=("RED",), source={"kind": "none"}, stored_bands=("RED",),
    class_values=(0, 1), chip_shape=(8, 8),
    classes=(ClassInfo(name="land", color="#000000"), ClassInfo(name="water", color="#0000ff")),
)


def dataset_of(boxes, regions=None, names=None, **columns):
    """Chips that need no files: boxes of west, south, east, north in degrees; None has no place."""
    names = names or [f"chip_{number:03d}" for number in range(len(boxes))]
    count = np.arange(len(boxes)) % 7
    shapes = [None if box is None else shapely.box(*box) for box in boxes]
    table = {
        "image": names, "mask": names, "col_off": 0, "row_off": 0, "width": 8, "height": 8,
        "region": regions or "one", "cluster": names, "date": None, "crs": "EPSG:4326",
        "valid_fraction": 1.0, "count_0": 64 - count, "count_1": count, "count_ignore": 0,
        **columns,
    }
    chips = geopandas.GeoDataFrame(table, geometry=shapes, index=names, crs="EPSG:4326")
    return Dataset(INFO, chips)


def field(lon, lat, side, columns=8, rows=8, gap=0.0):
    """A field of square chips around a point, `side` degrees of latitude each."""
    stretch = 1 / max(np.cos(np.deg2rad(lat)), 0.02)
    step = side * (1 + gap)
    return [
        (lon + (x - columns / 2) * step * stretch, max(lat + (y - rows / 2) * step, -90),
         lon + ((x - columns / 2) * step + side) * stretch,
         min(lat + (y - rows / 2) * step + side, 90))
        for y in range(rows) for x in range(columns)
    ]


def edge_points(shape, number=9):
    line = shape.exterior
    return np.array([line.interpolate(place, normalized=True).coords[0]
                     for place in np.linspace(0, 1, 4 * number + 1)])


def least_km(split, one, other):
    """The least geodesic distance of chips of two parts, from points along their edges."""
    shapes = split.dataset.chips.geometry
    pairs = [(edge_points(shapes[a]), edge_points(shapes[b]))
             for a in split.parts[one][:12] for b in split.parts[other]]
    least = np.inf
    for a, b in pairs:
        grid = np.concatenate([np.repeat(a, len(b), 0), np.tile(b, (len(a), 1))], 1)
        least = min(least, WGS84.inv(*grid.T)[2].min() / 1000)
    return least


@settings(max_examples=12, deadline=None)
@given(
    lon=st.floats(-180, 180), lat=st.sampled_from([-89.0, -60.0, 0.0, 35.0, 70.0, 88.5]),
    side=st.floats(0.01, 0.3), buffer=st.floats(0, 1.4), seed=st.integers(0, 3),
    by=st.sampled_from(["block", "cluster"]),
)
def test_parts_are_disjoint_and_nothing_is_nearer_than_the_buffer(lon, lat, side, buffer, seed, by):
    """Chips across the antimeridian have longitudes beyond 180 and mean the same ground."""
    dataset = dataset_of(field(lon, lat, side, columns=9, rows=6, gap=0.3))
    km = buffer * side * 111.2
    try:
        split = dataset.split(by=by, buffer_km=km, seed=seed)
    except SplitError as error:
        assert "km to chips of another part" in str(error)  # noqa: PT017 - either is right
        return
    named = [chip for part in PARTS for chip in split.parts[part]] + list(split.left_out)
    assert sorted(named) == sorted(dataset)
    assert split.parts == dataset.split(by=by, buffer_km=km, seed=seed).parts
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert least_km(split, one, other) >= km * 0.999_999


def test_blocks_do_not_touch_each_other_across_parts():
    split = dataset_of(field(10, 45, 0.02, 12, 12)).split(by="block")
    assert split.left_out
    assert repr(split).endswith(f"0 overlaps · {len(split.left_out)} left out between parts")
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert least_km(split, one, other) > 0.5


def test_a_block_is_one_piece_of_ground():
    from workbench.data.grouping import blocks

    dataset = dataset_of(field(179.9, -17, 0.02, 12, 12))
    names = blocks(dataset.chips, 0.0)
    assert names.nunique() == 16
    for _, chips in dataset.chips.groupby(names):
        grown = shapely.buffer(chips.geometry.to_numpy(), 1e-6)
        assert shapely.union_all(grown).geom_type == "Polygon"


def test_chips_of_one_place_at_many_dates_are_in_one_block():
    from workbench.data.grouping import blocks

    boxes = field(10, 45, 0.02, 6, 6)
    names = blocks(dataset_of(boxes * 3).chips, 0.0).to_numpy().reshape(3, -1)
    assert (names == names[0]).all()


def test_held_out_chips_are_never_left_out_for_the_buffer():
    boxes = field(10, 45, 0.02, 18, 12)
    dataset = dataset_of(boxes, regions=["west" if box[0] < 9.98 else "east" for box in boxes])
    split = dataset.split("east", by="block", buffer_km=1.5)
    assert len(split.held_out) == len(dataset.select(region="east"))
    assert split.held_out.regions == ["east"]
    assert min(least_km(split, part, "held_out") for part in PARTS[:3]) >= 1.5


def test_a_buffer_that_swallows_a_part_is_refused_with_the_remedy():
    with pytest.raises(SplitError, match=r"part 'train' is empty: all its \d+ chips lie nearer than"
                                         r" 300 km to .*smaller buffer_km"):
        dataset_of(field(10, 45, 0.02)).split(buffer_km=300)


@pytest.mark.parametrize("km", [-1, float("nan"), float("inf")])
def test_a_buffer_that_is_no_distance_is_refused(km):
    with pytest.raises(SplitError, match="must be a distance in kilometres"):
        dataset_of(field(10, 45, 0.02)).split(buffer_km=km)


def test_chips_without_a_position_cannot_be_split_by_place():
    dataset = dataset_of([*field(10, 45, 0.02), None])
    for options in ({"by": "block"}, {"buffer_km": 1.0}):
        with pytest.raises(SplitError, match="1 of 65 chips of made have no position"):
            dataset.split(**options)
    with pytest.raises(SplitError, match="neither an MGRS tile in their name nor a position"):
        dataset.split(by="tile")


def test_tiles_stay_whole_and_are_read_from_names():
    names = [f"subsetted_512x512_HLS.S30.T{zone}SEH.20182{day:02d}.v1.4_merged"
             for zone in range(10, 19) for day in range(4)]
    split = dataset_of([None] * 36, names=names).split(by="tile")
    tiles = [{name.split(".")[2] for name in split.parts[part]} for part in PARTS]
    assert sum(map(len, tiles)) == len(set.union(*tiles)) == 9


def test_tiles_are_worked_out_from_positions_where_names_have_none():
    from workbench.data.grouping import tiles

    dataset = dataset_of([(3.0, 45.0, 3.01, 45.01), (3.02, 45.0, 3.03, 45.01), (9, -45, 9.1, -44.9),
                          (-180.0, 10, -179.99, 10.01)])
    found = tiles(dataset.chips).tolist()
    assert found[0] == found[1]
    assert [name[:3] for name in found] == ["31N", "31N", "32S", "01N"]


def test_the_published_split_is_taken_from_the_index():
    parts = ["train", "train", "val", "test", "held_out", None]
    boxes = field(10, 45, 0.02, 6, 1)
    dataset = dataset_of(boxes, regions=[*"aaaabb"], split=parts)
    split = dataset.split(by="published")
    assert [len(split.parts[part]) for part in PARTS] == [2, 1, 1, 1]
    assert dataset.split("a", by="published", fractions=(1, 0, 0)).parts["train"] == ()
    with pytest.raises(SplitError, match="made comes without a published split"):
        dataset_of(boxes).split(by="published")


def test_leaving_one_region_out_gives_each_region_its_turn():
    boxes = field(10, 45, 0.02) + field(20, 45, 0.02) + field(30, 45, 0.02)
    dataset = dataset_of(boxes, regions=[name for name in "abc" for _ in range(64)])
    splits = dataset.split("a", by="block", buffer_km=1.0, seed=3).leave_one_region_out()
    assert [split.hold_out for split in splits] == [("a",), ("b",), ("c",)]
    assert all(split.held_out.regions == list(split.hold_out) for split in splits)
    assert splits[1].parts == dataset.split("b", by="block", buffer_km=1.0, seed=3).parts


def test_the_only_region_cannot_be_left_out():
    with pytest.raises(SplitError, match="has one region, one; leaving it out leaves nothing"):
        dataset_of(field(10, 45, 0.02)).split().leave_one_region_out()


def test_buffer_and_rule_survive_json():
    dataset = dataset_of(field(10, 45, 0.02))
    split = dataset.split(by="block", seed=5)
    again = Split.from_json(json.loads(json.dumps(split.to_json())), dataset)
    assert (again.parts, again.left_out, again.rule) == (split.parts, split.left_out, split.rule)
