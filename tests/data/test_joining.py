import numpy as np
import pytest
from affine import Affine

import workbench as wb
from tests.data.conftest import write_tif
from workbench.data import Dataset, Split
from workbench.errors import BandError, DataError, LabelError


@pytest.fixture
def make(tmp_path):
    """Write a dataset of `count` chips in a folder of its own; stored values are 10 000 times."""

    def made(name, count=4, *, scale=1e-4, bands=("RED", "NIR_NARROW"), classes=("land", "water"),
             side=16, north=4_200_000, factor=1, **options):
        rng = np.random.default_rng(len(name))
        for number in range(count):
            grid = {"transform": Affine(30, 0, 400_000 + 20_000 * number, 0, -30, north)}
            image = rng.integers(100, 4000, (len(bands), side, side)) * factor
            write_tif(tmp_path / name / "images" / f"{number}.tif", image.astype("f4"), **grid)
            write_tif(tmp_path / name / "masks" / f"{number}.tif",
                      rng.integers(0, 2, (side, side)).astype(np.uint8), **grid)
        return Dataset.from_folder(tmp_path / name / "images", tmp_path / name / "masks",
                                   bands=bands, classes=classes, scale=scale, name=name,
                                   region=name, **options)

    return made


def test_chips_of_all_are_read_each_in_its_own_way(make):
    ours, theirs = make("ours"), make("theirs", scale=1.0, factor=1e-4, north=5_000_000)
    both = wb.concat([ours, theirs])
    assert len(both) == 8
    assert both.regions == ["ours", "theirs"]
    for name, one in (("ours", ours), ("theirs", theirs)):
        for chip in one:
            joined, alone = both.read(f"{name}/{chip}"), one.read(chip)
            np.testing.assert_array_equal(joined.image, alone.image)
            np.testing.assert_array_equal(joined.mask, alone.mask)


def test_a_joined_dataset_is_split_and_opens_again(make):
    both = wb.concat([make("ours").select(["0", "1", "2"]), make("theirs", north=5_000_000)])
    split = both.with_bands(["NIR_NARROW"]).split(by="region", hold_out="theirs",
                                                  fractions=(1, 0, 0))
    again = Split.from_json(split.to_json())
    assert again.dataset.hash == split.dataset.hash
    assert len(again.held_out) == 4
    np.testing.assert_array_equal(again.dataset.read("ours/2").image,
                                  split.dataset.read("ours/2").image)


def test_a_joined_dataset_can_be_joined_and_remapped(make):
    two = wb.concat([make("ours"), make("theirs", north=5_000_000)])
    three = wb.concat([two, make("others", north=5_500_000)], name="all")
    assert len(three.members) == 3
    assert three.info.name == "all"
    swapped = three.remap({"land": ("soil", "#112233")})
    np.testing.assert_array_equal(swapped.read("others/1").mask, three.read("others/1").mask)
    assert swapped.classes[0].name == "soil"


def test_the_same_ground_is_one_cluster_whoever_took_it(make):
    ours, theirs = make("ours"), make("theirs")
    assert wb.concat([ours, theirs]).chips["cluster"].nunique() == 8
    both = wb.concat([one.with_region("here", (-180, -80, 180, 80)) for one in (ours, theirs)])
    assert both.regions == ["here"]
    assert both.chips["cluster"].nunique() == 4


def test_what_differs_is_said(make):
    ours = make("ours")
    with pytest.raises(BandError, match=r"Choose those they share in both: .with_bands\(\['RED'\]"):
        wb.concat([ours, make("x", bands=("RED", "BLUE"))])
    with pytest.raises(LabelError, match=r"y has dry, wet.*y\.remap"):
        wb.concat([ours, make("y", classes=("dry", "wet"))])
    with pytest.raises(DataError, match="16 × 16 pixels, those of z 32 × 32"):
        wb.concat([ours, make("z", side=32)])
    with pytest.raises(DataError, match=r"units of ours and w seem to differ.*scale=1e-4"):
        wb.concat([ours, make("w", scale=1.0)])
    with pytest.raises(DataError, match="ours#2 holds chips that are in the datasets before it"):
        wb.concat([ours, ours])
    with pytest.raises(DataError, match="two datasets or more; got 1"):
        wb.concat([ours])
