import json
import re

import pytest

from workbench.catalog import Catalog, open_catalog
from workbench.data.bands import canonical
from workbench.data.simulated.regions import REGIONS
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.storage import shipped

COLLECTIONS = ["simulated-floods", "sen1floods11", "hls-burn-scars", "reben-7k", "m-cashew-plant",
               "m-sa-crop-type"]  # fmt: skip


@pytest.fixture(scope="module")
def catalog():
    return open_catalog()


def test_the_catalogue_holds_the_paper_s_datasets_beside_the_simulated_floods(catalog):
    assert list(catalog) == COLLECTIONS
    assert "simulated-floods" in catalog
    assert repr(catalog).splitlines()[1].startswith(
        "simulated-floods  Simulated floods (SIMULATED)"
    )
    assert "Sen1Floods11" in catalog._repr_html_()


def test_regions_agree_with_the_simulator(catalog):
    for name in ("simulated-floods", "sen1floods11"):
        regions = catalog[name].regions
        assert {name: (region.bbox, region.date) for name, region in regions.items()} == {
            name: (profile.box, profile.date) for name, profile in REGIONS.items()
        }


def test_places_sum_up_to_the_chips_that_a_collection_states(catalog):
    for collection in list(catalog.values())[1:]:
        assert sum(place.chips for place in collection.places) == collection.chips


def test_countries_hold_the_published_numbers_of_held_out_patches(catalog):
    regions = catalog["reben-7k"].regions
    assert (regions["austria"].chips, regions["ireland"].chips) == (417, 390)
    assert catalog["reben-7k"].hold_out == ("austria", "ireland")


def test_mgrs_tiles_lie_where_the_grid_says(catalog):
    tiles = {place.name: place for place in catalog["hls-burn-scars"].places}
    assert len(tiles) == 365
    # Tile 10SEH begins on the central meridian of zone 10 and at 4 300 km north.
    assert tiles["10SEH"].bbox == pytest.approx((-123, 37.85, -121.73, 38.85), abs=0.01)
    assert tiles["10SEH"].region == "zone-10"
    for tile in tiles.values():
        west, south, east, north = tile.bbox
        assert 0.9 < north - south < 1.1
        assert 1 < east - west < 1.7
        middle = (west + east) / 2
        # A tile may reach over the edge of its zone, by less than its width.
        assert abs(middle - (6 * int(tile.name[:2]) - 183)) < 3.7


def test_data_without_a_position_say_so(catalog):
    for name in ("m-cashew-plant", "m-sa-crop-type"):
        collection = catalog[name]
        assert "not-on-the-map" in collection.flags
        assert all(place.geometry is None and place.bbox is None for place in collection.places)
        assert "cannot be placed on a map" in repr(collection)
        assert "unknown" in repr(collection)


def test_published_splits_that_leak_are_flagged(catalog):
    leaky = {name for name, entry in catalog.items() if "splits-leak" in entry.flags}
    assert leaky == {"sen1floods11", "hls-burn-scars", "m-cashew-plant"}
    assert "55 of 120 test chips" in repr(catalog["hls-burn-scars"])


def test_checksums_are_whole_and_downloads_have_a_place(catalog):
    lengths = {"sha256": 64, "md5": 32}
    for collection in catalog.values():
        for asset in collection.assets.values():
            assert re.match(r"(https|gs|hf)://", asset.href)
            assert ".." not in asset.path
            if asset.checksum:
                algorithm, _, digest = asset.checksum.partition(":")
                assert re.fullmatch(f"[0-9a-f]{{{lengths[algorithm]}}}", digest)
            if asset.part_of:
                assert collection.assets[asset.part_of].unpack


def test_bands_of_all_collections_are_canonical_and_statistics_are_plausible(catalog):
    for collection in catalog.values():
        for band in collection.bands:
            assert canonical(band.name) == band.name
            if band.mean is not None and collection.id != "m-sa-crop-type":
                assert 0 < band.mean < 0.5


def test_an_unknown_collection_names_the_nearest(catalog):
    with pytest.raises(UnknownNameError, match=r"Did you mean 'simulated-floods'\? "
                                               r"workbench\.open_catalog\(\) lists all"):
        catalog["simulated_floods"]


def test_a_catalogue_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WorkbenchError, match=r"no STAC catalogue at .*catalog\.json"):
        open_catalog(tmp_path)


def test_a_catalogue_of_your_own_is_read(tmp_path):
    (tmp_path / "catalog.json").write_text(json.dumps({"links": []}))
    assert open_catalog(tmp_path / "catalog.json").keys() == Catalog({}).keys()


def test_the_files_are_valid_stac(monkeypatch):
    import pystac
    from pystac.validation import validate_dict

    def no_network(*_args, **_kwargs):
        raise AssertionError("validation must not use the network")

    monkeypatch.setattr("socket.socket.connect", no_network)
    files = sorted(shipped("data_catalog").rglob("*.json"))
    for file in files:
        data = json.loads(file.read_text())
        # Schemas of extensions lie on the network only; the core schemas come with pystac.
        validate_dict({**data, "stac_extensions": []})
    root = pystac.Catalog.from_file(str(shipped("data_catalog") / "catalog.json"))
    items = sum(1 for _ in root.get_items(recursive=True))
    assert len(files) == 1 + len(COLLECTIONS) + items
