import pytest
from pydantic import ValidationError

from workbench.data.info import ClassInfo, parse_bands, parse_classes
from workbench.errors import BandError, LabelError


def test_classes_are_names_pairs_or_values():
    named, values = parse_classes(["land", ("water", "#0000ff"), ClassInfo(name="x",
                                                                           color="#ff0000")])
    assert [entry.name for entry in named] == ["land", "water", "x"]
    assert [entry.color for entry in named[1:]] == ["#0000ff", "#ff0000"]
    assert values == (0, 1, 2)
    assert parse_classes({0: "land", 255: ("water", "#0000ff")})[1] == (0, 255)


def test_one_class_is_not_a_segmentation():
    with pytest.raises(LabelError, match=r"classes=\['water'\] names 1; segmentation needs two"):
        parse_classes(["water"])


def test_classes_turned_round_are_refused():
    with pytest.raises(LabelError, match=r"must map mask values to names.*'land' is not a whole"):
        parse_classes({"land": 0, "water": 1})


def test_a_string_is_not_a_list_of_classes():
    with pytest.raises(LabelError, match="pass a list of names"):
        parse_classes("water")


def test_a_colour_is_six_hexadecimal_digits():
    with pytest.raises(ValidationError, match="pattern"):
        ClassInfo(name="water", color="blue")


def test_bands_keep_their_place_when_one_is_not_used():
    assert parse_bands(["B2", None, "b8a"]) == ("BLUE", None, "NIR_NARROW")
    with pytest.raises(BandError, match="is one string"):
        parse_bands("B2")
