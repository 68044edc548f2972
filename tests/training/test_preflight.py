from __future__ import annotations

import dataclasses

import pytest

from workbench.catalog import open_catalog
from workbench.data import Dataset
from workbench.data.statistics import NamedStatistics, band_statistics
from workbench.errors import (
    BandError,
    DataError,
    RecipeError,
    RunExistsError,
    SplitError,
    WeightsError,
)
from workbench.recipe import Recipe, SpectralIndex
from workbench.runs import open_run
from workbench.training import train
from workbench.training.preflight import audited


def test_an_empty_part_is_refused_before_anything_is_written(split, recipe, tmp_path):
    for part in ("train", "val"):
        broken = dataclasses.replace(split, parts={**split.parts, part: ()})
        with pytest.raises(SplitError, match=rf"part '{part}' has no chips \(train .*fractions"):
            train(recipe, broken, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_part_without_labels_is_refused(split, recipe, tmp_path):
    chips = split.dataset.chips.copy()
    chips.loc[list(split.parts["val"]), ["count_0", "count_1"]] = 0
    unlabelled = dataclasses.replace(split, dataset=dataclasses.replace(split.dataset, chips=chips))
    with pytest.raises(SplitError, match="'val' has no labelled pixel"):
        train(recipe, unlabelled, tmp_path / "run")


@pytest.mark.parametrize(
    ("recipe", "error", "words"),
    [
        (Recipe(bands=["RED", "VV"]), BandError, "VV"),
        (Recipe(backbone="unet_encoder", peft="lora"), RecipeError, "does not fit"),
        (Recipe(backbone="unet_encoder", peft="full", normalization="backbone"), RecipeError,
         "normalization"),
        (Recipe(weights="nowhere.safetensors"), WeightsError, "No weight file at"),
    ],
)  # fmt: skip
def test_a_recipe_that_does_not_fit_is_refused_before_anything_is_read_or_written(
    split, tmp_path, recipe, error, words, monkeypatch
):
    monkeypatch.setattr(Dataset, "read", lambda self, chip: pytest.fail(f"{chip} was read"))
    with pytest.raises(error, match=words):
        train(recipe, split, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_its_bands_is_refused(split, tmp_path):
    narrow = dataclasses.replace(split, dataset=split.dataset.with_bands(["RED", "GREEN"]))
    with pytest.raises(BandError, match="NIR_NARROW"):
        train(SpectralIndex(), narrow, tmp_path / "run")


def test_a_device_that_is_not_here_is_refused(split, recipe, tmp_path):
    with pytest.raises(RecipeError, match="'cuda:99' is not available"):
        train(recipe, split, tmp_path / "run", device="cuda:99")


def test_an_existing_folder_is_refused(split, recipe, tmp_path):
    with pytest.raises(RunExistsError, match="already there"):
        train(recipe, split, tmp_path)


def test_what_the_audit_warns_of_becomes_events(split):
    chips = split.dataset.chips.copy()
    chips.loc[[split.parts["train"][0], split.parts["val"][0]], "cluster"] = "one scene"
    torn = dataclasses.replace(split, dataset=dataclasses.replace(split.dataset, chips=chips))
    messages = [event.message for event in audited(torn)]
    assert any(message.startswith("error: 1 cluster") for message in messages)


def test_statistics_that_do_not_fit_are_told_only_where_they_are_used(split):
    bands = split.dataset.bands
    far = NamedStatistics("the collection's published statistics", bands, (5.0,) * 6, (0.1,) * 6)
    assert any("the collection's published statistics do not fit these data" in event.message
               for event in audited(split, far))
    mean, std = band_statistics(split.train)
    own = NamedStatistics("the training part's statistics", bands, tuple(mean), tuple(std))
    assert not any("do not fit" in event.message for event in audited(split, own))


def test_published_statistics_that_nobody_states_are_refused(split, recipe, tmp_path):
    with pytest.raises(DataError, match="no source states mean and deviation of BLUE, GREEN"):
        train(recipe.but(normalization="published"), split, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_published_statistics_scale_the_bands(split, recipe, tmp_path):
    info = split.dataset.info.model_copy(update={"collection": "sen1floods11"})
    theirs = dataclasses.replace(split, dataset=dataclasses.replace(split.dataset, info=info))
    stated = {band.name: band for band in open_catalog()["sen1floods11"].bands}
    run = tmp_path / "run"
    next(train(recipe.but(normalization="published"), theirs, run))
    resolved = open_run(run).resolved
    assert resolved["mean"] == [stated[band].mean for band in resolved["bands"]]
    assert resolved["std"] == [stated[band].std for band in resolved["bands"]]
