import numpy as np
import pytest

from workbench.data import ClassInfo, Split
from workbench.errors import LabelError, UnknownNameError

NAMES = ["land", "wheat", "canola", "cloud"]


@pytest.fixture
def crops(write_pair, open_pairs):
    for name in "abcdef":
        rng = np.random.default_rng(ord(name))
        write_pair(name, mask=rng.integers(0, 4, (16, 16)).astype(np.uint8))
    return open_pairs(classes=NAMES, region="all")


def names(dataset):
    return [entry.name for entry in dataset.classes]


def test_classes_of_one_name_are_joined_in_labels_and_counts(crops):
    grain = crops.remap({"wheat": "grain", "canola": "grain"})
    assert names(grain) == ["land", "grain", "cloud"]
    before, after = crops.read("a_S2").mask, grain.read("a_S2").mask
    np.testing.assert_array_equal(after, np.array([-1, 0, 1, 1, 2])[before + 1])
    assert grain.class_counts() == [np.sum([grain.read(chip).mask == k for chip in grain])
                                    for k in range(3)]
    assert grain.classes[1].color == crops.classes[1].color


def test_a_dropped_class_is_no_label(crops):
    clear = crops.remap({"cloud": None})
    assert (clear.read("a_S2").mask == -1).sum() == (crops.read("a_S2").mask == 3).sum()
    row = clear.chips.loc["a_S2"]
    assert row["count_ignore"] == (crops.read("a_S2").mask == 3).sum()
    assert row[["count_0", "count_1", "count_2"]].sum() + row["count_ignore"] == 256


def test_a_class_joins_one_that_is_there(crops):
    assert names(crops.remap({"canola": "wheat"})) == ["land", "wheat", "cloud"]


def test_colours_can_be_given(crops):
    given = crops.remap({"wheat": ("grain", "#112233"), "canola": "grain"})
    assert given.classes[1] == ClassInfo(name="grain", color="#112233")
    later = crops.remap({"wheat": "grain", "canola": ("grain", "#112233")})
    assert later.classes[1].color == "#112233"


def test_remaps_follow_each_other_and_open_again(crops):
    twice = crops.remap({"wheat": "grain", "canola": "grain"}).remap({"cloud": None})
    assert names(twice) == ["land", "grain"]
    split = twice.split(fractions=(0.5, 0.25, 0.25))
    again = Split.from_json(split.to_json()).dataset
    assert (names(again), again.hash) == (names(twice), twice.hash)
    np.testing.assert_array_equal(again.read("b_S2").mask, twice.read("b_S2").mask)
    assert crops.hash != twice.hash


def test_chips_without_a_label_are_left_out_and_told(write_pair, open_pairs):
    write_pair("a", mask=np.full((16, 16), 2, np.uint8))
    write_pair("b")
    clear = open_pairs(classes=["land", "water", "cloud"]).remap({"cloud": None})
    assert list(clear) == ["b_S2"]
    assert "none of the classes that are left" in clear.skipped["a_S2"]


def test_what_cannot_be_is_refused(crops):
    with pytest.raises(UnknownNameError, match=r"No class named 'weat'\. Did you mean 'wheat'"):
        crops.remap({"weat": "grain"})
    with pytest.raises(LabelError, match=r"would be left with 1 class \(land\)"):
        crops.remap(dict.fromkeys(NAMES[1:], "land"))


def test_an_unknown_label_names_values_as_they_are_now(crops, write_pair):
    grain = crops.remap({"wheat": "grain", "canola": "grain", "cloud": None})
    write_pair("a", mask=np.full((16, 16), 9, np.uint8))
    with pytest.raises(LabelError, match=r"a class .0 land, 1 grain, 2 grain, 3 no label."):
        grain.read("a_S2")
