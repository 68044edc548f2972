import json

import pytest

from workbench.catalog import open_catalog
from workbench.catalog.stac import read_collection
from workbench.errors import WorkbenchError
from workbench.storage import shipped


@pytest.fixture(scope="module")
def floods():
    return open_catalog()["simulated-floods"]


def test_a_collection_knows_units_classes_and_what_is_held_out(floods):
    assert [entry.name for entry in floods.classes] == ["land", "water"]
    assert (floods.scale, floods.offset, floods.nodata) == (0.0001, 0, -9999)
    assert floods.no_label == (-1,)
    assert floods.gsd_m == 30
    assert floods.hold_out == ("bolivia",)
    assert floods.bands[3].wavelength_nm == 865


def test_simulated_data_are_called_simulated_everywhere(floods):
    assert floods.simulated
    assert repr(floods).startswith("Simulated floods (SIMULATED)\n")
    assert "SIMULATED" in floods._repr_html_()
    assert floods.description.startswith("SIMULATED")
    assert floods.caveats[0].startswith("SIMULATED")


def test_regions_are_listed_with_date_and_box(floods):
    assert "bolivia    2018-02-15         -65.64, -15.96, -64.36, -11.39" in repr(floods)
    assert floods.regions["sri-lanka"].title == "Sri Lanka"


def test_a_collection_that_lacks_a_field_names_it_and_the_file(tmp_path):
    data = json.loads((shipped("data_catalog") / "simulated-floods/collection.json").read_text())
    del data["item_assets"]["image"]["gsd"]
    data["links"] = []
    (tmp_path / "collection.json").write_text(json.dumps(data))
    with pytest.raises(WorkbenchError, match=r"collection\.json is not a collection .*'gsd'"):
        read_collection(tmp_path / "collection.json")


def test_a_field_of_ours_that_is_misspelt_is_named(tmp_path):
    data = json.loads((shipped("data_catalog") / "simulated-floods/collection.json").read_text())
    data["workbench:holdout"], data["links"] = ["bolivia"], []
    (tmp_path / "collection.json").write_text(json.dumps(data))
    with pytest.raises(WorkbenchError, match=r"workbench:holdout: Extra inputs"):
        read_collection(tmp_path / "collection.json")


def test_places_are_read_only_when_they_are_asked_for(tmp_path):
    data = json.loads((shipped("data_catalog") / "simulated-floods/collection.json").read_text())
    (tmp_path / "collection.json").write_text(json.dumps(data))
    collection = read_collection(tmp_path / "collection.json")
    assert collection.bands
    with pytest.raises(WorkbenchError, match=r"items/bolivia\.json"):
        _ = collection.regions
