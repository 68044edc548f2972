import json
import shutil

import numpy as np
import pytest

from workbench.catalog import open_catalog
from workbench.data import Split, load, open_dataset
from workbench.data.simulated import generate as simulation
from workbench.errors import DataError, UnknownNameError
from workbench.storage import shipped


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Simulated floods of the fewest scenes, generated once."""
    folder = tmp_path_factory.mktemp("simulated") / "floods"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "NUM_SCENES", 1)
        simulation.generate(folder, seed=5, workers=0)
    return folder


def test_simulated_floods_open_as_the_catalogue_describes_them(root):
    floods, entry = load(root=root, seed=5), open_catalog()["simulated-floods"]
    assert floods.bands == tuple(band.name for band in entry.bands)
    assert floods.regions == sorted(entry.regions)
    assert floods.info.simulated
    assert repr(floods).startswith("Dataset simulated-floods (simulated)\n")
    sample = floods.read(next(iter(floods)))
    assert sample.image.shape == (6, 128, 128)
    assert 0 < np.nanmedian(sample.image) < 1
    assert sample.date == entry.regions[sample.region].date


def test_counts_of_the_index_are_those_of_the_masks(root):
    floods = load(root=root, seed=5)
    for chip in list(floods)[:4]:
        mask, row = floods.read(chip).mask, floods.chips.loc[chip]
        assert [(mask == value).sum() for value in (0, 1, -1)] == [
            row["count_0"], row["count_1"], row["count_ignore"]
        ]


def test_what_is_there_is_not_generated_again(root):
    before = (root / "chips.parquet").stat().st_mtime_ns
    calls = []
    load(root=root, seed=5, progress=lambda done, total: calls.append(done))
    assert not calls
    assert (root / "chips.parquet").stat().st_mtime_ns == before


def test_a_split_of_simulated_floods_opens_again(root):
    split = load(root=root, seed=5).split("bolivia", by="region")
    assert Split.from_json(json.loads(json.dumps(split.to_json()))).parts == split.parts


def test_an_unknown_collection_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"No collection named 'simulated-flods'\. Did you "
                                               r"mean 'simulated-floods'\?"):
        load("simulated-flods")


def test_a_damaged_index_is_named_with_the_remedy(root, tmp_path):
    for name in ("generation.json", "chips.parquet"):
        (tmp_path / name).write_bytes((root / name).read_bytes())
    (tmp_path / "chips.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"chips\.parquet cannot be read .*Delete the folder"):
        load(root=tmp_path, seed=5)


def test_a_source_of_no_known_kind_is_refused():
    with pytest.raises(DataError, match="kind 'database'; expected one of 'folder', 'collection'"):
        open_dataset({"kind": "database"})


def test_a_collection_of_one_s_own_is_opened_again_from_where_it_stands(root, tmp_path):
    place = tmp_path / "mine"
    shutil.copytree(shipped("data_catalog") / "simulated-floods", place)
    data = json.loads((place / "collection.json").read_text()) | {"id": "mine"}
    data["links"] = [link for link in data["links"] if link["rel"] == "item"]
    (place / "collection.json").write_text(json.dumps(data))
    floods = load(str(place / "collection.json"), root=root, seed=5)
    assert floods.info.name == "mine"
    split = floods.split(hold_out="bolivia", by="region")
    assert Split.from_json(split.to_json()).dataset.hash == floods.hash
