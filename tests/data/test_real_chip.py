"""The hand-labelled Sen1Floods11 chip of Spain: real pixels, real label, real quirks."""

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from workbench.data import Dataset
from workbench.data.statistics import band_statistics

FOLDER = Path(__file__).parents[2].parent / "shared/real/sen1floods11_sample"
S2 = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]
# Upper left corner and pixel of the chip in degrees; 512 x 512 pixels.
WEST, NORTH, PIXEL = -0.7818936232976315, 38.12881257139627, 8.983152841195215e-05

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the real Sen1Floods11 sample is not at {FOLDER}"
)


def columns(first, last):
    return shapely.box(WEST + first * PIXEL, NORTH - 512 * PIXEL, WEST + last * PIXEL, NORTH)


@pytest.fixture(scope="module")
def spain():
    halves = geopandas.GeoDataFrame(
        {"region": ["west", "east"]}, geometry=[columns(0, 248), columns(264, 512)],
        crs="EPSG:4326",
    )
    whole = Dataset.from_folder(
        str(FOLDER / "*_S2Hand.tif"), str(FOLDER / "*_LabelHand.tif"), bands=S2, region=halves,
        classes=["land", "water"], scale=1e-4, chip_size=64, name="spain",
    )
    return whole.with_bands(["B2", "B3", "B4", "B8A", "B11", "B12"])


def test_the_halves_are_regions_and_the_guard_strip_is_left_out(spain):
    assert spain.bands == ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
    assert spain.chips.groupby("region").size().to_dict() == {"east": 24, "west": 24}
    assert len(spain.skipped) == 16
    assert "left out: 16 across a border of the region polygons" in repr(spain)


def test_the_west_trains_and_the_east_is_held_out_without_touching_it(spain):
    split = spain.split(hold_out=["east"])
    assert split.train.regions == split.val.regions == split.test.regions == ["west"]
    assert len(split.held_out) == 24
    assert not [
        finding for finding in split.audit().findings
        if finding.level == "error" or "held_out chips touch" in finding.what
    ]


def test_pixels_are_reflectance_and_labels_are_those_of_the_file(spain):
    counts = spain.chips[["count_0", "count_1", "count_ignore"]].sum()
    assert counts.sum() == 48 * 64 * 64
    mean, std = band_statistics(spain)
    # Means of all Sen1Floods11 chips in TerraTorch lie between 0.1 and 0.31.
    assert ((mean > 0.05) & (mean < 0.35)).all()
    assert ((std > 0.01) & (std < 0.15)).all()


def test_water_tells_itself_by_ndwi(spain):
    hit = union = 0
    for chip in spain.select(region="east"):
        sample = spain.read(chip)
        green, nir = sample.image[1], sample.image[3]
        with np.errstate(invalid="ignore"):
            water = (green - nir) / (green + nir) > 0
        labelled = sample.mask >= 0
        hit += (water & (sample.mask == 1) & labelled).sum()
        union += ((water | (sample.mask == 1)) & labelled).sum()
    assert hit / union > 0.6
