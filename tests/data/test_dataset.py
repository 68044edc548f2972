import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from workbench.data import Dataset
from workbench.errors import BandError, DataError, UnknownNameError


def test_a_sample_holds_pixels_labels_and_place(tiny_floods):
    sample = tiny_floods.read("bolivia_3_S2")
    assert sample.image.shape == (6, 32, 32)
    assert (sample.image.dtype, sample.mask.dtype) == (np.float32, np.int64)
    assert np.isnan(sample.image[:, ~sample.valid]).all()
    assert (sample.mask[~sample.valid] == -1).all()
    assert set(np.unique(sample.mask)) == {-1, 0, 1}
    assert 0 < np.nanmedian(sample.image) < 1
    assert (sample.region, sample.crs) == ("bolivia", "EPSG:32720")
    assert sample.lonlat == pytest.approx((-64.3, -14.5), abs=0.5)


def test_an_unknown_chip_names_the_nearest(tiny_floods):
    with pytest.raises(UnknownNameError, match=r"No chip named 'bolivia_3_S'\. Did you mean"):
        tiny_floods.read("bolivia_3_S")
    with pytest.raises(UnknownNameError, match="No chip named 'x'"):
        tiny_floods.select(["x"])


def test_subsets_are_by_chip_or_by_region_whatever_the_case(tiny_floods):
    assert list(tiny_floods.select(["spain_2_S2", "ghana_0_S2"])) == ["spain_2_S2", "ghana_0_S2"]
    assert tiny_floods.select(region="Bolivia").regions == ["bolivia"]
    assert len(tiny_floods.select(region=["bolivia", "SPAIN"])) == 16
    with pytest.raises(UnknownNameError, match=r"No region named 'spane'\. Did you mean 'spain'"):
        tiny_floods.select(region="spane")


def test_bands_are_chosen_by_name_in_any_order(tiny_floods):
    two = tiny_floods.with_bands(["B8A", "green"])
    assert two.bands == ("NIR_NARROW", "GREEN")
    whole, part = tiny_floods.read("spain_0_S2"), two.read("spain_0_S2")
    np.testing.assert_array_equal(part.image, whole.image[[3, 1]])
    with pytest.raises(BandError, match="tiny-floods has no band CIRRUS"):
        tiny_floods.with_bands(["CIRRUS"])


def test_the_hash_follows_content_not_folders_or_bands(tiny_floods, tiny_folder, tmp_path):
    for file in tiny_folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    moved = Dataset.from_folder(
        str(tmp_path / "*_S2.tif"), str(tmp_path / "*_label.tif"), bands=tiny_floods.bands,
        classes=["land", "water"], region="{region}_{number}_S2", scale=1e-4,
    )
    assert moved.hash == tiny_floods.hash
    assert tiny_floods.with_bands(["RED"]).hash == tiny_floods.hash
    assert tiny_floods.select(region="spain").hash != tiny_floods.hash


def test_repeated_chip_ids_are_refused(tiny_floods):
    import pandas as pd

    with pytest.raises(DataError, match=r"the chip id 'bolivia_0_S2' occurs more than once "
                                        r"\(24 repeated ids\)"):
        Dataset(tiny_floods.info, pd.concat([tiny_floods.chips, tiny_floods.chips]))


def _mean(dataset, chip):
    return float(np.nanmean(dataset.read(chip).image))


def test_datasets_and_samples_travel_to_worker_processes(tiny_floods):
    chip = next(iter(tiny_floods))
    here = _mean(tiny_floods, chip)
    again = pickle.loads(pickle.dumps(tiny_floods))
    assert again.hash == tiny_floods.hash
    sample = pickle.loads(pickle.dumps(tiny_floods.read(chip)))
    assert sample.transform == tiny_floods.read(chip).transform
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_mean, tiny_floods, chip).result() == here


def test_the_text_counts_chips_and_clusters_by_region(tiny_floods):
    text = repr(tiny_floods)
    assert text.startswith("Dataset tiny-floods\n  chips: 24 of 32 × 32 pixels · 30 m\n")
    assert "region   chips  clusters" in text
    assert "bolivia  8      8 " in text


def test_the_html_is_escaped(tiny_floods):
    html = Dataset(tiny_floods.info.model_copy(update={"name": "<b>"}), tiny_floods.chips)
    assert "&lt;b&gt;" in html._repr_html_()
    assert "<b>" not in html._repr_html_()


def test_a_file_that_has_gone_since_is_named(write_pair, open_pairs):
    image, _ = write_pair("a")
    dataset = open_pairs()
    image.unlink()
    with pytest.raises(DataError, match=r"a_S2\.tif cannot be read: No such file"):
        dataset.read("a_S2")
