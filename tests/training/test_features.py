"""A decoder that trains from kept features ends where one ends that sees every image."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

import workbench as wb
from tests.conftest import HLS
from tests.training.conftest import same, tensors, without_clocks
from tests.training.test_resume import CHILD, assert_equal, resumed, stop_after
from workbench.assembly import build_model
from workbench.data import Dataset
from workbench.events import EpochDone, FeaturesCached, RunFinished, StepDone, WarningRaised
from workbench.models.backbones import BACKBONES, Backbone, Facts, publish
from workbench.peft import LinearProbe
from workbench.recipe import Recipe
from workbench.runs import open_run
from workbench.training import Control, session, train
from workbench.training.features import ChipNames, network_key, space

TINY = "prithvi_test_probe"
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache with room."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", "1")
    return tmp_path / "cache" / "features"


@pytest.fixture(autouse=True, scope="module")
def backbone_that_is_told() -> Iterator[None]:
    """A small one that encodes time and location."""
    sizes = {"embed_dim": 16, "depth": 4, "num_heads": 2, "patch_size": 8}
    publish(Facts(TINY, "prithvi", bands=HLS, image_size=32, coords=("time", "location"),
                  architecture=sizes))  # fmt: skip
    yield
    del BACKBONES._entries[TINY]


@pytest.fixture
def probe() -> Recipe:
    return Recipe(peft=LinearProbe(), decoder="linear", epochs=3, batch_size=4)


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    """How many chips went through the backbone, call by call."""
    seen: list[int] = []
    call = Backbone.__call__
    monkeypatch.setattr(
        Backbone, "__call__",
        lambda self, image, *given, **more: seen.append(len(image))
        or call(self, image, *given, **more),
    )  # fmt: skip
    return seen


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The chips that were read, image and all."""
    seen: list[str] = []
    read = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, chip: seen.append(chip) or read(self, chip))
    return seen


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def losses(events) -> list[float]:
    return [event.loss for event in of(StepDone, events)]


def copied(dataset_folder: Path, folder: Path, **changes) -> Dataset:
    """Copy the tiny floods to where they may be changed, and open them."""
    shutil.copytree(dataset_folder, folder, dirs_exist_ok=True)
    given = dict(bands=HLS, classes=["land", "water"], region="{region}_{number}_S2", scale=1e-4)
    return Dataset.from_folder(str(folder / "*_S2.*"), str(folder / "*_label.tif"),
                               **{**given, **changes})  # fmt: skip


@pytest.mark.parametrize(
    "decoder", ["linear", "unet", pytest.param("upernet", marks=pytest.mark.slow)]
)
def test_a_run_is_the_same_to_the_bit_with_and_without_the_cache(split, probe, tmp_path, decoder):
    recipe = probe.but(decoder=decoder)
    for name, changed in (("off", {"feature_cache": "off"}), ("filling", {}), ("filled", {})):
        list(train(recipe.but(**changed), split, tmp_path / name))
    off, filling, filled = (open_run(tmp_path / name) for name in ("off", "filling", "filled"))
    for run in (filling, filled):
        assert without_clocks(run.events()) == without_clocks(off.events())
        assert same(tensors(run.checkpoint("last")), tensors(off.checkpoint("last")))
    assert of(FeaturesCached, filling.events())
    assert not of(FeaturesCached, [*off.events(), *filled.events()])


def test_fifty_losses_are_those_of_whole_batches_through_the_model(
    split, probe, tmp_path, monkeypatch
):
    recipe = probe.but(epochs=17, patience=17)
    cached = list(train(recipe, split, tmp_path / "cached"))
    monkeypatch.setattr(session, "frozen_features", lambda *_: None)
    whole = list(train(recipe, split, tmp_path / "whole"))
    assert losses(cached)[:50] == pytest.approx(losses(whole)[:50], abs=1e-5)
    ends = [of(EpochDone, events)[-1].val_miou for events in (cached, whole)]
    assert ends[0] == pytest.approx(ends[1], abs=1e-3)


def test_every_chip_goes_through_the_backbone_once_for_each_symmetry(
    split, probe, tmp_path, passes
):
    events = list(train(probe.but(epochs=6), split, tmp_path / "run"))
    shown = {event.epoch: event.chips for event in of(FeaturesCached, events)}
    assert shown[0] == len(split.train) + len(split.val)
    assert all(shown.get(epoch, 0) < len(split.train) for epoch in range(1, 6))
    assert set(passes) == {1}
    assert sum(passes) == sum(shown.values())
    assert of(FeaturesCached, events)[-1].disk_bytes > 0


def test_without_augmentation_later_epochs_never_see_an_image(
    split, probe, tmp_path, passes, reads
):
    for event in train(probe.but(augment=False), split, tmp_path / "run"):
        if isinstance(event, EpochDone) and event.epoch == 0:
            assert sum(passes) == len(split.train) + len(split.val)
            passes.clear()
            reads.clear()
    assert (passes, reads) == ([], [])


def test_another_run_of_the_same_backbone_never_sees_an_image(
    split, probe, tmp_path, passes, reads, monkeypatch
):
    list(train(probe, split, tmp_path / "first"))
    monkeypatch.setattr(session, "audited", lambda *_: ())  # looks at the data as ever
    passes.clear()
    events = train(probe.but(learning_rate=0.01, weight_decay=0.1), split, tmp_path / "second")
    next(events)
    reads.clear()
    assert isinstance(list(events)[-1], RunFinished)
    assert (passes, reads) == ([], [])


def test_a_method_that_trains_the_backbone_keeps_nothing(split, recipe, tmp_path, cache):
    assert not of(FeaturesCached, train(recipe, split, tmp_path / "run"))
    assert not cache.exists()


def test_half_precision_takes_half_the_space_and_is_close(split, probe, tmp_path, cache):
    ends = {}
    for kept in ("fp32", "fp16"):
        events = list(train(probe.but(feature_cache=kept), split, tmp_path / kept))
        ends[kept] = losses(events)[-1], of(FeaturesCached, events)[-1].disk_bytes
    assert ends["fp16"][0] == pytest.approx(ends["fp32"][0], rel=1e-2)
    assert ends["fp16"][1] < 0.7 * ends["fp32"][1]


@pytest.mark.parametrize("metadata", ["none", "both"])
def test_metadata_is_part_of_what_features_follow_from(
    split, probe, tmp_path, metadata, passes, tiny_floods
):
    days = np.datetime64("2018-01-01") + 20 * np.arange(len(tiny_floods))
    dated = Dataset(tiny_floods.info, tiny_floods.chips.assign(date=days.astype(str)))
    recipe = probe.but(backbone=TINY, metadata=metadata, augment=False, epochs=2)
    parts = dated.split(hold_out=["bolivia"])
    list(train(recipe, parts, tmp_path / "run"))
    list(train(recipe.but(feature_cache="off"), parts, tmp_path / "off"))
    assert without_clocks(open_run(tmp_path / "run").events()) == without_clocks(
        open_run(tmp_path / "off").events()
    )
    passes.clear()
    redated = Dataset(dated.info, dated.chips.assign(date="2020-02-02"))
    list(train(recipe, redated.split(hold_out=["bolivia"]), tmp_path / "again"))
    assert sum(passes) == (0 if metadata == "none" else len(parts.train) + len(parts.val))


def test_padded_chips_with_missing_pixels_are_kept_as_others(tiny_folder, probe, tmp_path):
    data = copied(tiny_folder, tmp_path / "data", chip_size=20)
    parts = data.split(hold_out=["bolivia"])
    for name, changed in (("off", {"feature_cache": "off"}), ("cached", {})):
        list(train(probe.but(epochs=2, **changed), parts, tmp_path / name))
    off, cached = (open_run(tmp_path / name).events() for name in ("off", "cached"))
    assert without_clocks(off) == without_clocks(cached)
    assert np.isnan(data.read(next(iter(data))).image).any()


def test_an_image_that_is_replaced_is_computed_again_and_a_mask_is_read_again(
    tiny_folder, probe, tmp_path, passes
):
    data = copied(tiny_folder, tmp_path / "data")
    parts = data.split(hold_out=["bolivia"])
    recipe = probe.but(augment=False, epochs=1)
    first = list(train(recipe, parts, tmp_path / "first"))
    passes.clear()
    chip = parts.parts["train"][0]
    with rasterio.open(data.chips.loc[chip, "mask"], "r+") as file:
        file.write(1 - file.read().clip(0))
    relabelled = list(train(recipe, parts, tmp_path / "relabelled"))
    assert passes == []
    assert losses(relabelled) != losses(first)
    # Another file with the same statistics, which are part of the key of all chips.
    os.utime(data.chips.loc[chip, "image"])
    list(train(recipe, parts, tmp_path / "replaced"))
    assert sum(passes) == 1


def test_a_virtual_raster_changes_with_what_it_shows(tiny_folder, tmp_path):
    data = copied(tiny_folder, tmp_path / "data")
    source = Path(data.chips["image"].iloc[0])
    (source.parent / "seen_0_S2.vrt").write_text(_vrt(source))
    shutil.copy(str(source).replace("_S2", "_label"), source.parent / "seen_0_label.tif")
    data = copied(tiny_folder, tmp_path / "data")
    chip = next(chip for chip in data if "seen" in chip)
    before = ChipNames(data, told=False).image(chip, 0)
    assert before == ChipNames(data, told=False).image(chip, 0)
    os.utime(source)
    assert before != ChipNames(data, told=False).image(chip, 0)


def _vrt(source: Path) -> str:
    with rasterio.open(source) as file:
        transform = ", ".join(map(str, file.transform.to_gdal()))
        bands = "".join(
            f'<VRTRasterBand dataType="Int16" band="{band}"><NoDataValue>-9999</NoDataValue>'
            f'<SimpleSource><SourceFilename relativeToVRT="1">{source.name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
            for band in range(1, 7)
        )
        return (
            f'<VRTDataset rasterXSize="32" rasterYSize="32"><SRS>{file.crs}</SRS>'
            f"<GeoTransform>{transform}</GeoTransform>{bands}</VRTDataset>"
        )


def model(**changes):
    given = dict(classes=2, bands=HLS, mean=[0.1] * 6, std=[0.1] * 6, image_size=32)
    recipe = Recipe(backbone=TINY, peft="linear_probe", decoder="linear")
    recipe = recipe.but(**{key: changes.pop(key) for key in list(changes) if key not in given
                           and key != "num_frames"})  # fmt: skip
    return build_model(recipe, **{**given, **changes})


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},  # of random weights
        {"decoder": "unet"},  # asks for other blocks
        {"bands": HLS[:5], "mean": [0.1] * 5, "std": [0.1] * 5},
        {"mean": [0.2] * 6},
        {"std": [0.2] * 6},
        {"image_size": 40},
        {"num_frames": 2},
        {"metadata": "time"},
        {"backbone": "workbench_tiny"},
    ],
    ids=str,
)
def test_whatever_changes_features_changes_their_key(changed):
    assert network_key(model(**changed), CPU) != network_key(model(), CPU)


def test_what_does_not_change_features_does_not_change_their_key():
    key = network_key(model(), CPU, precision="fp32")
    assert key == network_key(model(classes=3, learning_rate=0.1), CPU, precision="fp32")
    assert key != network_key(model(), CPU, precision="bf16")


def test_a_full_disk_is_said_once_and_training_goes_on_without(
    split, probe, tmp_path, monkeypatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(space, "write_whole", full)
    events = list(train(probe, split, tmp_path / "run"))
    (said,) = [event for event in of(WarningRaised, events) if "cannot be kept" in event.message]
    assert re.search("No space left on device.*computed every time", said.message)
    monkeypatch.undo()
    off = list(train(probe.but(feature_cache="off"), split, tmp_path / "off"))
    assert without_clocks(events) == without_clocks(off)


def test_a_small_budget_keeps_validation_and_says_that_the_rest_is_computed(
    split, probe, tmp_path, monkeypatch, passes
):
    list(train(probe.but(epochs=1), split, tmp_path / "first"))
    (folder,) = wb.storage.features_dir().iterdir()
    size = max(file.stat().st_size for file in folder.rglob("*.safetensors"))
    shutil.rmtree(folder)
    monkeypatch.setenv("WORKBENCH_FEATURES_GB", str((len(split.val) + 8) * size / 1e9))
    passes.clear()
    events = list(train(probe.but(augment=False, epochs=2), split, tmp_path / "run"))
    assert len([event for event in of(WarningRaised, events) if "do not all" in event.message]) == 1
    later = of(FeaturesCached, events)[1].chips
    assert 2 <= later < len(split.train)


def test_stopped_while_filling_and_resumed_equals_uninterrupted(split, probe, tmp_path):
    recipe = probe.but(decoder="unet", epochs=2)
    list(train(recipe.but(feature_cache="off"), split, tmp_path / "whole"))
    control = Control()
    stop_after(2, train(recipe, split, tmp_path / "run", control=control), control)
    assert_equal(resumed(tmp_path / "run"), open_run(tmp_path / "whole"))


@pytest.mark.slow
def test_killed_while_filling_and_resumed_equals_uninterrupted(
    split, probe, tmp_path, random_weights
):
    list(train(probe.but(feature_cache="off"), split, tmp_path / "whole"))
    train(probe, split, tmp_path / "run").close()  # made, not begun
    child = subprocess.run([sys.executable, "-c", CHILD, tmp_path / "run", random_weights,
                            "step_done", "0"], check=False)  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    assert_equal(resumed(tmp_path / "run"), open_run(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_train_from_one_key_at_once(split, probe, tmp_path, random_weights):
    list(train(probe.but(feature_cache="off"), split, tmp_path / "whole"))
    for name in ("one", "other"):
        train(probe, split, tmp_path / name).close()
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, tmp_path / name, random_weights, "never",
                          "0"])
        for name in ("one", "other")
    ]  # fmt: skip
    assert [child.wait() for child in children] == [0, 0]
    for name in ("one", "other"):
        assert_equal(open_run(tmp_path / name), open_run(tmp_path / "whole"))


def test_the_doctor_shows_what_features_take_and_how_to_clear_them(split, probe, tmp_path):
    list(train(probe.but(epochs=1), split, tmp_path / "run"))
    (finding,) = [found for found in wb.doctor(timeout_s=0.1).findings if "features" in found.what]
    assert re.match(r"[\d.]+ [kM]B of the workbench's cache", finding.found)
    assert "wb.clear_features()" in finding.advice
    assert wb.clear_features() > 0
