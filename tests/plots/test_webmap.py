from __future__ import annotations

import base64
import io
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasterio.warp import transform

from workbench.errors import GridError
from workbench.plots.webmap import class_overlay, image_overlay, outline, pixel_at

COLORS = ("#d9c9a3", "#1f78b4", "#33a02c")
BOLIVIA = Affine(30, 0, 300_000, 0, -30, 8_700_000)  # UTM 20 S
FIJI = Affine(10, 0, 818_700, 0, -10, 8_100_000)  # UTM 60 S, on the antimeridian


def opened(overlay):
    head, _, data = overlay.url.partition(",")
    return head, Image.open(io.BytesIO(base64.b64decode(data)))


def rgba(overlay):
    return np.asarray(opened(overlay)[1].convert("RGBA"))


def place_of(bounds, shape, lat, lon):
    """Return row and column of the picture as a web map places it: linear in Mercator."""
    (south, west), (north, east) = bounds
    height, width = shape[:2]
    mercator = [math.asinh(math.tan(math.radians(value))) for value in (south, lat, north)]
    return (math.floor((mercator[2] - mercator[1]) / (mercator[2] - mercator[0]) * height),
            math.floor((lon - west) / (east - west) * width))


@pytest.mark.parametrize(("grid", "crs"), [
    (BOLIVIA, "EPSG:32720"), (FIJI, "EPSG:32760"),
    (Affine(0.001, 0, 9, 0, -0.001, 52), "EPSG:4326"),
    (Affine(20, 9, 300_000, 9, -20, 8_700_000), "EPSG:32720"),
])
def test_every_pixel_of_a_class_map_is_drawn_where_it_lies(grid, crs):
    classes = np.random.default_rng(0).integers(0, 3, (40, 70))
    overlay = class_overlay(classes, grid, crs, COLORS)
    picture = rgba(overlay)
    rows, columns = (index.ravel() for index in np.indices(classes.shape))
    xs, ys = grid @ (columns + 0.5, rows + 0.5)
    lons, lats = transform(crs, "EPSG:4326", xs, ys)
    west = overlay.bounds[0][1]
    for row, column, lon, lat in zip(rows, columns, lons, lats, strict=True):
        lon += 360 if lon < west else 0
        color = picture[place_of(overlay.bounds, picture.shape, lat, lon)]
        expected = [int(COLORS[classes[row, column]][i : i + 2], 16) for i in (1, 3, 5)]
        assert color.tolist() == [*expected, 255], (row, column)


def test_what_is_no_class_is_transparent():
    classes = np.array([[0, 1], [255, -1]])
    corners = rgba(class_overlay(classes, BOLIVIA, "EPSG:32720", COLORS))[[5, -5]][:, [5, -5], 3]
    assert corners.tolist() == [[255, 255], [0, 0]]


def test_nodata_may_be_the_number_of_a_class():
    alpha = rgba(class_overlay(np.array([[0, 1]]), BOLIVIA, "EPSG:32720", COLORS, nodata=0))[..., 3]
    middle = alpha[len(alpha) // 2]
    assert middle[5] == 0
    assert middle[-5] == 255


def test_classes_become_a_small_palette_png_and_imagery_a_small_webp():
    noise = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(512), np.arange(512)) // 4 % 256
    classes = class_overlay(smooth // 90, BOLIVIA, "EPSG:32720", COLORS)
    image = image_overlay((smooth[..., None] + noise.integers(0, 9, (512, 512, 3))).clip(0, 255)
                          .astype(np.uint8), BOLIVIA, "EPSG:32720")
    assert opened(classes)[0] == "data:image/png;base64"
    assert opened(classes)[1].mode == "P"
    assert opened(image)[0] == "data:image/webp;base64"
    assert len(classes.url) < 30_000
    assert len(image.url) < 120_000


def test_imagery_keeps_its_colours_up_to_the_edge_of_nodata():
    pixels = np.full((64, 64, 4), (200, 100, 50, 255), np.uint8)
    pixels[:, 32:] = 0
    for side in (1280, 48):  # as it is, and thinned
        picture = rgba(image_overlay(pixels, BOLIVIA, "EPSG:32720", side=side)).astype(int)
        opaque = picture[..., 3] > 200
        # Where black is mixed in, red alone loses 100; the compression loses less.
        assert np.abs(picture[opaque][:, :3] - (200, 100, 50)).max() < 40
        assert 0.45 < opaque.mean() < 0.55


def test_large_rasters_are_thinned_and_small_ones_keep_the_shape_of_their_pixels():
    large = class_overlay(np.zeros((3000, 2000), np.uint8), BOLIVIA, "EPSG:32720", COLORS)
    assert max(rgba(large).shape) == 1280
    assert max(rgba(class_overlay(np.zeros((8, 8)), BOLIVIA, "EPSG:32720", COLORS)).shape) > 400


def test_a_raster_on_the_antimeridian_keeps_its_width():
    (_, west), (_, east) = class_overlay(np.zeros((64, 64)), FIJI, "EPSG:32760", COLORS).bounds
    assert west < 180 < east
    assert east - west < 0.02


def test_a_place_is_found_again_in_the_raster():
    xs, ys = FIJI @ (60.5, 3.5)
    lon, lat = (values[0] for values in transform("EPSG:32760", "EPSG:4326", [xs], [ys]))
    for turned in (lon, lon + 360, lon - 360):
        assert pixel_at(lat, turned, FIJI, "EPSG:32760") == (3, 60)
    assert pixel_at(lat + 1, lon, FIJI, "EPSG:32760")[0] < 0


def test_a_raster_without_a_crs_is_refused_with_the_remedy():
    with pytest.raises(GridError, match=r"no CRS.*write_crs"):
        class_overlay(np.zeros((4, 4)), BOLIVIA, None, COLORS)


def test_the_pole_is_refused():
    with pytest.raises(GridError, match=r"latitude 90.*ends at ±85.05"):
        image_overlay(np.zeros((4, 4, 3), np.uint8), Affine(100, 0, 0, 0, -100, 0), "EPSG:3413")


def test_the_outline_of_a_window_lies_where_the_picture_has_it():
    (south, west), (north, east) = class_overlay(np.zeros((64, 64)), FIJI, "EPSG:32760",
                                                 COLORS).bounds
    whole = outline((0, 64), (0, 64), (64, 64), FIJI, "EPSG:32760")
    assert min(lon for _, lon in whole) == pytest.approx(west, abs=1e-4)
    assert max(lon for _, lon in whole) == pytest.approx(east, abs=1e-4)
    assert min(lat for lat, _ in whole) == pytest.approx(south, abs=1e-4)
    assert max(lat for lat, _ in whole) == pytest.approx(north, abs=1e-4)
    lat, lon = outline((3, 4), (60, 61), (64, 64), FIJI, "EPSG:32760")[0]
    assert lon > 180
    assert pixel_at(lat - 1e-5, lon + 1e-5, FIJI, "EPSG:32760") == (3, 60)


def test_threads_that_draw_at_once_do_not_trip_over_each_others_warnings():
    # rasterio silences a warning by changing what all threads share; here warnings are errors.
    classes, image = np.zeros((40, 70), np.uint8), np.zeros((40, 70, 3), np.uint8)
    with ThreadPoolExecutor(4) as pool:
        drawn = [pool.submit(draw, pixels, BOLIVIA, "EPSG:32720", *more) for _ in range(40)
                 for draw, pixels, more in ((class_overlay, classes, (COLORS,)),
                                            (image_overlay, image, ()))]
        assert len({one.result().url for one in drawn}) == 2
