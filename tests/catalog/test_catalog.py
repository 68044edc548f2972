import json

import pytest

from workbench.catalog import Catalog, open_catalog
from workbench.data.bands import canonical
from workbench.data.simulated.regions import REGIONS
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.storage import shipped


def test_the_catalogue_holds_the_simulated_floods():
    catalog = open_catalog()
    assert list(catalog) == ["simulated-floods"]
    assert "simulated-floods" in catalog
    assert repr(catalog).splitlines()[1].startswith("simulated-floods  Simulated floods  6")
    assert "Simulated floods" in catalog._repr_html_()


def test_regions_agree_with_the_simulator():
    regions = open_catalog()["simulated-floods"].regions
    assert {name: (region.bbox, region.date) for name, region in regions.items()} == {
        name: (profile.box, profile.date) for name, profile in REGIONS.items()
    }


def test_bands_of_all_collections_are_canonical():
    for collection in open_catalog().values():
        for band in collection.bands:
            assert canonical(band.name) == band.name


def test_an_unknown_collection_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'simulated-floods'\? "
                                               r"workbench\.open_catalog\(\) lists all"):
        open_catalog()["simulated_floods"]


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
    assert len(files) == 2 + len(REGIONS)
    for file in files:
        data = json.loads(file.read_text())
        # Schemas of extensions lie on the network only; the core schemas come with pystac.
        validate_dict({**data, "stac_extensions": []})
    root = pystac.Catalog.from_file(str(shipped("data_catalog") / "catalog.json"))
    assert sum(1 for _ in root.get_items(recursive=True)) == len(REGIONS)
