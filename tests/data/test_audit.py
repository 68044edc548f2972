import dataclasses

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.data.conftest import GRID
from workbench.data import Dataset, Split


def found(split, level):
    return [finding.what for finding in split.audit().findings if finding.level == level]


def moved(split, chip, part):
    parts = {name: tuple(entry for entry in chips if entry != chip)
             for name, chips in split.parts.items()}
    return dataclasses.replace(split, parts={**parts, part: (*parts[part], chip)})


def by_hand(dataset, **parts):
    empty = {"train": (), "val": (), "test": (), "held_out": ()}
    return Split(dataset, {**empty, **parts})


@pytest.fixture
def strip(write_pair, open_pairs):
    """A scene of 8 x 8 chips, blocks of four, in one region."""
    random = np.random.default_rng(0)
    image = random.integers(100, 4000, (2, 128, 128)).astype(np.int16)
    write_pair("scene", image, transform=GRID)
    return open_pairs(chip_size=16, region="one")


def test_a_clean_split_has_no_warning(tiny_floods):
    audit = tiny_floods.split("bolivia").audit()
    assert audit.worst in ("ok", "note")
    assert {finding.check: finding.what for finding in audit.findings if finding.level == "ok"} == {
        "overlaps": "no chip overlaps a chip of another part",
        "clusters": "no cluster (block or scene) is in two parts",
        "duplicates": "no image occurs twice",
        "band values": "band values are plausible",
    }


def test_chips_on_the_same_ground_in_two_parts_are_an_error(write_pair, open_pairs):
    for name, east in (("a", 0), ("b", 8 * 30), ("c", 90_000)):
        write_pair(name, transform=Affine(30, 0, GRID.c + east, 0, -30, GRID.f))
    split = by_hand(open_pairs(), train=("a_S2",), test=("b_S2",), val=("c_S2",))
    (finding, *_) = split.audit().findings
    assert finding.level == "error"
    assert finding.what.startswith("1 pairs of chips in different parts show the same ground")
    assert finding.chips == ("a_S2", "b_S2")
    assert repr(split).endswith("1 overlaps")


def test_a_torn_cluster_is_an_error(strip):
    split = strip.split()
    cluster = split.train.chips["cluster"].value_counts().index[0]
    chip = split.train.chips.index[split.train.chips["cluster"] == cluster][0]
    (what,) = found(moved(split, chip, "test"), "error")
    assert what.startswith("1 clusters (blocks or scenes) are in more than one part")


def test_neighbours_of_train_chips_are_noted_and_worse_where_held_out(strip):
    chips = list(strip)
    split = by_hand(strip, train=(chips[0],), test=(chips[1],), held_out=(chips[8], chips[-1]))
    assert any(what.startswith("1 of 1 test chips touch") for what in found(split, "note"))
    assert any(what.startswith("1 of 2 held_out chips touch") for what in found(split, "warning"))


def test_the_same_pixels_under_two_names_in_two_parts_are_an_error(write_pair, open_pairs):
    image, mask = write_pair("a")
    for number in (1, 2):
        write_pair(f"other_{number}")
    copy, copy_mask = write_pair("copy", crs="EPSG:32633")
    with rasterio.open(image) as source, rasterio.open(copy, "r+") as target:
        target.write(source.read())
    with rasterio.open(mask) as source, rasterio.open(copy_mask, "r+") as target:
        target.write(source.read())
    dataset = open_pairs(region="one")
    leak = by_hand(dataset, train=("a_S2", "other_1_S2"), test=("copy_S2",), val=("other_2_S2",))
    (finding, *_) = leak.audit().findings
    assert finding.level == "error"
    assert finding.what.startswith("1 images are in more than one part under different names")
    assert set(finding.chips) == {"a_S2", "copy_S2"}
    within = by_hand(dataset, train=("a_S2", "copy_S2"), val=("other_1_S2",), test=("other_2_S2",))
    assert "1 images occur more than once within a part" in found(within, "note")


def test_a_class_missing_from_train_is_an_error_and_elsewhere_a_warning(write_pair, open_pairs):
    land = np.zeros((16, 16), np.uint8)
    for name, mask in (("a", land), ("b", land + 1), ("c", land)):
        write_pair(name, mask=mask)
    split = by_hand(open_pairs(), train=("a_S2",), val=("b_S2",), test=("c_S2",))
    assert "train has no pixel of water; it cannot be learned" in found(split, "error")
    assert "val has no pixel of land; no IoU of it can be given" in found(split, "warning")


def test_class_shares_that_drift_are_told_with_both_shares(write_pair, open_pairs):
    for name, rows in (("a", 8), ("b", 1), ("c", 8)):
        mask = np.zeros((16, 16), np.uint8)
        mask[:rows] = 1
        write_pair(name, mask=mask)
    split = by_hand(open_pairs(), train=("a_S2",), val=("b_S2",), test=("c_S2",))
    assert found(split, "warning") == [
        "water is 50.0% of the labelled pixels in train but 6.2% in val"
    ]


def test_regions_too_small_for_intervals_are_noted(tiny_floods):
    notes = found(tiny_floods.split("bolivia"), "note")
    assert notes[0] == (
        "test: ghana, spain have fewer than 5 clusters; their scores come without intervals"
    )


def test_chips_without_a_position_are_a_warning(write_pair, open_pairs):
    for name in "abcd":
        write_pair(name, crs=None, transform=None)
    split = open_pairs(region="one").split()
    assert any(what.startswith("4 chips have no position") for what in found(split, "warning"))


def test_coordinates_that_are_not_those_of_the_crs_are_an_error(write_pair, open_pairs):
    for number in range(4):
        write_pair(f"a{number}", crs="EPSG:4326",
                   transform=Affine(30, 0, 600_000 + 1000 * number, 0, -30, 4_200_000))
    split = open_pairs(region="one").split()
    assert any(what.startswith("4 chips lie outside the globe") for what in found(split, "error"))


def test_what_was_left_out_is_noted(tiny_floods):
    dataset = Dataset(tiny_floods.info, tiny_floods.chips, {"x": "unreadable: y"})
    assert "left out while indexing: 1 unreadable" in found(dataset.split(), "note")


def test_the_audit_shows_itself_worst_first_as_text_and_html(write_pair, open_pairs):
    for name in "abc":
        write_pair(name, crs=None, transform=None)
    audit = open_pairs(region="one").split().audit()
    lines = repr(audit).splitlines()
    assert lines[0].startswith("Audit: 1 warning, ")
    assert lines[2].startswith("warning")
    assert "<table" in audit._repr_html_()
