import json
import re

import pytest

from workbench.catalog import Catalog, open_catalog
from workbench.data.bands import canonical
from workbench.data.simulated.regions import REGIONS
from workbench.errors import DownloadError, UnknownNameError, WorkbenchError
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


@pytest.fixture
def mine(tmp_path):
    """A folder with one collection of one's own, and its one item."""
    data = json.loads((shipped("data_catalog") / "sen1floods11/collection.json").read_text())
    item = json.loads((shipped("data_catalog") / "sen1floods11/items/ghana.json").read_text())
    data |= {"id": "mine", "links": [{"rel": "item", "href": "./ghana.json"}]}
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "collection.json").write_text(json.dumps(data))
    (folder / "ghana.json").write_text(json.dumps(item))
    return folder


def test_a_folder_of_collections_needs_no_catalogue(mine):
    for place in (mine, mine.parent, mine / "collection.json"):
        collection = open_catalog(place)["mine"]
        assert list(collection.regions) == ["ghana"]
        assert collection.href == str(mine / "collection.json")
    assert open_catalog()["sen1floods11"].href is None


def test_two_collections_of_one_id_are_refused(mine):
    (mine.parent / "other").mkdir()
    (mine.parent / "other/collection.json").write_text((mine / "collection.json").read_text())
    with pytest.raises(WorkbenchError, match="has two collections 'mine'"):
        open_catalog(mine.parent)


def put(server, path, document):
    server.files[path] = json.dumps(document).encode()


def test_a_static_catalogue_on_a_server_is_read(mine, server):
    put(server, "/stac/catalog.json", {"type": "Catalog", "links": [
        {"rel": "child", "href": "./more/catalog.json"}, {"rel": "self", "href": "x"}]})
    put(server, "/stac/more/catalog.json", {"type": "Catalog", "links": [
        {"rel": "child", "href": "../mine/collection.json"},
        {"rel": "child", "href": "../catalog.json"}]})
    put(server, "/stac/mine/collection.json", json.loads((mine / "collection.json").read_text()))
    put(server, "/stac/mine/ghana.json", json.loads((mine / "ghana.json").read_text()))
    catalog = open_catalog(f"{server.url}/stac/catalog.json")
    assert list(catalog) == ["mine"]
    assert list(catalog["mine"].regions) == ["ghana"]


def test_collections_of_an_api_that_cannot_be_used_are_told(mine, server):
    ours = json.loads((mine / "collection.json").read_text())
    ours["links"] = [{"rel": "items", "href": "/api/mine/items"},
                     {"rel": "self", "href": f"{server.url}/api/mine"}]
    put(server, "/api", {"type": "Catalog", "links": [{"rel": "data", "href": "/api/page1"}]})
    put(server, "/api/page1", {"collections": [{"type": "Collection", "id": "other"}],
                               "links": [{"rel": "next", "href": "/api/page2"}]})
    put(server, "/api/page2", {"collections": [ours], "links": []})
    put(server, "/api/mine/items", {"features": [json.loads((mine / "ghana.json").read_text())]})
    catalog = open_catalog(f"{server.url}/api")
    assert list(catalog) == ["mine"]
    assert list(catalog["mine"].regions) == ["ghana"]
    assert "is not a collection that the workbench understands" in catalog.skipped["other"]
    assert "1 more collections cannot be used" in repr(catalog)


def test_a_server_without_a_catalogue_is_told(server):
    with pytest.raises(DownloadError, match="404"):
        open_catalog(f"{server.url}/nothing")
    put(server, "/list", [1])
    with pytest.raises(WorkbenchError, match="it holds no JSON object"):
        open_catalog(f"{server.url}/list")


@pytest.mark.parametrize(("asked", "found"), [
    (dict(text="burn"), ["hls-burn-scars"]),
    (dict(text="FLOOD bolivia"), ["simulated-floods", "sen1floods11"]),
    (dict(sensor="sentinel-1"), ["sen1floods11"]),
    (dict(label="water", sensor="hls"), ["simulated-floods"]),
    (dict(start="2030-01-01"), []),
    (dict(task="classification"), []),
    (dict(), COLLECTIONS),
])
def test_collections_are_found_by_word_sensor_class_task_and_date(catalog, asked, found):
    assert list(catalog.search(**asked)) == found


def test_a_search_by_date_asks_for_something_taken_then(catalog):
    found = catalog.search(start="2018-02-15", end="2018-02-15")
    assert "sen1floods11" in found  # Bolivia
    assert all(any(place.start[:10] <= "2018-02-15" <= place.end[:10] for place in entry.places)
               for entry in found.values())
