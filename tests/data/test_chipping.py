import numpy as np
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from workbench.data.chipping import block_side, chip_windows
from workbench.data.raster import window_transform

SIDES = st.integers(1, 300)


@given(height=SIDES, width=SIDES, rows=st.integers(8, 128), cols=st.integers(8, 128))
def test_every_pixel_of_a_scene_lies_in_exactly_one_chip(height, width, rows, cols):
    hits = np.zeros((height, width), int)
    for window in chip_windows(height, width, (rows, cols)):
        assert 0 < window.height <= rows
        assert 0 < window.width <= cols
        assert window.row_off + window.height <= height
        assert window.col_off + window.width <= width
        hits[window.row_off : window.row_off + window.height,
             window.col_off : window.col_off + window.width] += 1
    assert (hits == 1).all()


@given(height=SIDES, width=SIDES, side=st.integers(8, 64))
def test_places_in_the_grid_of_chips_are_unique(height, width, side):
    places = [(window.row, window.col) for window in chip_windows(height, width, (side, side))]
    assert len(set(places)) == len(places)


@given(
    east=st.integers(-10**6, 10**6), north=st.integers(-10**7, 10**7),
    pixel=st.sampled_from([10.0, 30.0, 0.5]), row=st.integers(0, 10**4),
    col=st.integers(0, 10**4),
)
def test_window_transforms_are_exact_for_whole_coordinates(east, north, pixel, row, col):
    window = window_transform(Affine(pixel, 0, east, 0, -pixel, north), row, col)
    assert (window.c, window.f) == (east + col * pixel, north - row * pixel)
    assert (window.a, window.b, window.d, window.e) == (pixel, 0, 0, -pixel)


def test_window_transforms_follow_rotated_grids():
    window = window_transform(Affine(1, 2, 10, 3, 4, 20), row_off=5, col_off=7)
    assert (window.c, window.f) == (10 + 7 + 10, 20 + 21 + 20)


def test_blocks_shrink_in_small_scenes_so_that_these_can_be_split():
    assert block_side(10_980, 10_980, (224, 224)) == 4
    assert block_side(512, 512, (64, 64)) == 2
    assert block_side(64, 64, (64, 64)) == 1
