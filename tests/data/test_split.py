import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from workbench.data import PARTS, ChipWarning, Dataset, Split
from workbench.data.split import display_name
from workbench.errors import SplitError


@pytest.fixture
def floods(tiny_floods):
    return tiny_floods


def clusters_of(split, part):
    return set(split.part(part).chips["cluster"])


def test_every_chip_is_in_one_part_and_held_out_regions_only_in_theirs(floods):
    split = floods.split(hold_out=["bolivia"])
    assert sorted(chip for part in PARTS for chip in split.parts[part]) == sorted(floods)
    assert split.held_out.regions == ["bolivia"]
    for part in (split.train, split.val, split.test):
        assert part.regions == ["ghana", "spain"]


def test_a_split_says_itself_in_one_line(floods):
    assert repr(floods.split("Bolivia")) == (
        "train 10 · val 2 · test 4 · held out 8 (Bolivia) · 0 overlaps"
    )
    assert repr(floods.split()) == "train 15 · val 3 · test 6 · nothing held out · 0 overlaps"


@pytest.mark.parametrize(
    ("region", "shown"), [("bolivia", "Bolivia"), ("sri-lanka", "Sri-Lanka"), ("usa", "USA"),
                          ("LKA-2", "LKA-2")]
)
def test_regions_are_shown_as_people_write_them(region, shown):
    assert display_name(region) == shown


def test_the_seed_decides_and_nothing_else(floods):
    assert floods.split("bolivia", seed=3).parts == floods.split("bolivia", seed=3).parts
    assert floods.split(seed=0).parts != floods.split(seed=1).parts


def test_holding_out_one_region_leaves_the_parts_of_the_others_as_they_were(floods):
    without, with_it = floods.split(), floods.split("bolivia")
    spain = [chip for chip in with_it.parts["test"] if chip.startswith("spain")]
    assert spain == [chip for chip in without.parts["test"] if chip.startswith("spain")]


def test_clusters_stay_whole(write_pair, open_pairs):
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        write_pair(name, random.integers(1, 9, (2, 160, 160)).astype(np.int16))
    split = open_pairs(chip_size=16, region="one").split()
    parts = [clusters_of(split, part) for part in PARTS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 2 * 25


def test_regions_stay_whole_by_region(floods):
    split = floods.split(by="region")
    assert [part.regions for part in (split.train, split.val, split.test)] in (
        [[a], [b], [c]]
        for a in floods.regions for b in floods.regions for c in floods.regions
    )


def test_a_held_out_region_that_does_not_exist_names_the_nearest(floods):
    with pytest.raises(SplitError, match=r"hold_out: No region named 'bolvia'\. Did you mean "
                                         r"'bolivia'\?"):
        floods.split(hold_out=["bolvia"])


def test_nothing_cannot_be_split(floods):
    with pytest.raises(SplitError, match="tiny-floods has no chips to split"):
        floods.select([]).split()


def test_holding_out_everything_is_refused(floods):
    with pytest.raises(SplitError, match="leaves no region to train on"):
        floods.split(hold_out=floods.regions)


def test_an_empty_part_is_refused_with_remedies(floods):
    few = floods.select(["spain_0_S2", "spain_1_S2"])
    with pytest.raises(SplitError, match=r"part 'test' is empty: with 2 clusters .* in 1 regions.*"
                                         r"smaller chip_size.*fractions= to 0"):
        few.split()
    assert len(few.split(fractions=(0.5, 0.5, 0)).test) == 0


@pytest.mark.parametrize("fractions", [(0, 0, 0), (0.5, 0.5), (1, -1, 1)])
def test_fractions_that_are_no_shares_are_refused(floods, fractions):
    with pytest.raises(SplitError, match="must be three shares"):
        floods.split(fractions=fractions)


def test_splitting_by_something_else_is_refused(floods):
    with pytest.raises(SplitError, match=r"by='chip' is not 'cluster', .* or 'published'"):
        floods.split(by="chip")


def test_a_part_that_does_not_exist_is_refused(floods):
    with pytest.raises(SplitError, match=r"no part 'dev'; it has train, val, test, held_out"):
        floods.split().part("dev")


def test_a_split_opens_again_from_json(floods):
    split = floods.with_bands(["RED", "GREEN"]).split("bolivia")
    again = Split.from_json(json.loads(json.dumps(split.to_json())))
    assert again.parts == split.parts
    assert again.hold_out == ("bolivia",)
    assert again.dataset.bands == ("RED", "GREEN")
    np.testing.assert_array_equal(again.train.read(split.parts["train"][0]).image,
                                  split.train.read(split.parts["train"][0]).image)


def test_polygons_and_class_values_survive_json(write_pair, open_pairs):
    random = np.random.default_rng(0)
    mask = (random.random((64, 64)) > 0.5).astype(np.uint8) * 255
    write_pair("scene", random.integers(1, 9, (2, 64, 64)).astype(np.int16), mask)
    whole = open_pairs(chip_size=8, classes={0: "land", 255: "water"}).chips.total_bounds
    west, south, east, north = whole
    middle = (west + east) / 2
    boxes = geopandas.GeoDataFrame(
        {"region": ["west", "east"]},
        geometry=[shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)],
        crs="EPSG:4326",
    )
    dataset = open_pairs(chip_size=8, classes={0: "land", 255: "water"}, region=boxes)
    assert dataset.regions == ["east", "west"]
    assert "across a border of the region polygons" in repr(dataset)
    split = dataset.split("east")
    assert Split.from_json(json.loads(json.dumps(split.to_json()))).parts == split.parts


def test_missing_data_say_where_they_were_and_how_to_pass_them(write_pair, open_pairs):
    for name in "abcd":
        write_pair(name)
    dataset = open_pairs(region="x")
    saved = dataset.split().to_json()
    for image in map(Path, dataset.chips["image"]):
        image.rename(image.with_suffix(".bak"))
    with pytest.raises(SplitError, match=r"of this split cannot be opened\. The pattern .* If it "
                                         r"has moved, open it .* Split\.from_json\(data, dataset"):
        Split.from_json(saved)


def test_missing_chips_are_counted_and_named(floods):
    saved = floods.split().to_json()
    fewer = floods.select(region=["spain", "ghana"])
    with pytest.raises(SplitError, match=r"names 8 chips that tiny-floods .* does not have"):
        Split.from_json(saved, fewer)


def test_chips_that_came_since_do_not_matter(floods):
    fewer = floods.select(region=["spain", "ghana"])
    again = Split.from_json(fewer.split().to_json(), floods)
    assert again.parts == fewer.split().parts
    assert again.dataset.hash == fewer.hash


def test_a_moved_dataset_gets_the_bands_of_the_split(floods):
    saved = floods.with_bands(["RED"]).split().to_json()
    assert Split.from_json(saved, floods).dataset.bands == ("RED",)


def test_a_dataset_with_other_units_is_not_the_one(floods):
    saved = floods.split().to_json()
    other = Dataset(floods.info.model_copy(update={"scale": 1.0}), floods.chips)
    with pytest.raises(SplitError, match="are not those the split was made from"):
        Split.from_json(saved, other)


def test_changed_labels_are_warned_of(floods):
    saved = floods.split().to_json()
    other = Dataset(floods.info, floods.chips.assign(count_0=floods.chips["count_0"] - 1))
    with pytest.warns(ChipWarning, match="pixels or labels of tiny-floods .* have changed since"):
        Split.from_json(saved, other)


def test_named_regions_go_whole_to_their_part(floods):
    split = floods.split(hold_out="bolivia", test="Ghana")
    assert set(floods.select(region="ghana")) <= set(split.parts["test"])
    assert split.train.regions == ["spain"]
    alone = floods.split(train="spain", val=["bolivia"], test=["ghana"])
    assert [alone.part(part).regions for part in PARTS] == [["spain"], ["bolivia"], ["ghana"], []]


def test_what_is_named_nowhere_is_shared_out_as_before(floods):
    spain = {part: [chip for chip in chips if chip.startswith("spain")]
             for part, chips in floods.split().parts.items()}
    named = floods.split(test="ghana", val="bolivia").parts
    assert spain == {part: [chip for chip in chips if chip.startswith("spain")]
                     for part, chips in named.items()}


def test_a_region_in_two_parts_is_refused(floods):
    with pytest.raises(SplitError, match="'ghana' is named by both hold_out= and test="):
        floods.split("ghana", test=["Ghana"])
    with pytest.raises(SplitError, match=r"val: No region named 'gana'. Did you mean 'ghana'"):
        floods.split(val="gana")


def test_regions_named_for_a_part_are_remembered_and_left_out_in_turn(floods):
    split = floods.split(test="ghana")
    again = Split.from_json(json.loads(json.dumps(split.to_json())), floods)
    assert again.rule == split.rule
    folds = split.leave_one_region_out()
    assert [fold.hold_out for fold in folds] == [("bolivia",), ("ghana",), ("spain",)]
    assert set(floods.select(region="ghana")) <= set(folds[0].parts["test"])
