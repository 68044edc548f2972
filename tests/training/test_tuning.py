from __future__ import annotations

import numpy as np
import pytest

from workbench import metrics
from workbench.assembly import load_model
from workbench.events import EpochDone, RunFinished, RunStarted
from workbench.recipe import SpectralIndex
from workbench.runs import open_run
from workbench.training import train
from workbench.training.tuning import _bins, _confusions


def pooled_miou(split, part: str, threshold: float) -> float:
    data = split.part(part).with_bands(["GREEN", "NIR_NARROW"])
    counts = np.zeros((2, 2), np.int64)
    for chip in map(data.read, data):
        index = (chip.image[0] - chip.image[1]) / (chip.image[0] + chip.image[1])
        counts += metrics.confusion(chip.mask, (index > threshold).astype(int), 2)
    return float(metrics.miou(counts))


def test_the_threshold_is_the_best_there_is_on_the_training_part(split, tmp_path):
    events = list(train(SpectralIndex(threshold="tuned"), split, tmp_path / "run"))
    threshold = float(load_model(tmp_path / "run", device="cpu").threshold)
    tried = [pooled_miou(split, "train", value) for value in np.linspace(-1, 1, 201)]
    assert pooled_miou(split, "train", threshold) >= max(tried)
    assert pooled_miou(split, "train", threshold) > pooled_miou(split, "train", 0.0)
    epoch = next(event for event in events if isinstance(event, EpochDone))
    assert epoch.val_miou == pytest.approx(pooled_miou(split, "val", threshold))
    assert isinstance(events[-1], RunFinished)
    assert "chosen on the training part" in events[-1].reason


def test_a_given_threshold_stays(split, tmp_path):
    events = list(train(SpectralIndex(threshold=0.25), split, tmp_path / "run"))
    assert float(load_model(tmp_path / "run", device="cpu").threshold) == 0.25
    assert events[-1].reason == "the threshold is 0.250"
    started = next(event for event in events if isinstance(event, RunStarted))
    assert started.trainable_parameters == 0
    assert open_run(tmp_path / "run").state == "finished"


def test_bins_agree_with_the_comparison_of_every_threshold():
    random = np.random.default_rng(0)
    index = np.concatenate([random.uniform(-1.2, 1.2, 500), [-1.0, 0.0, 1.0, np.nan]])
    mask = random.integers(0, 2, len(index))
    counts = np.stack(
        [np.bincount(_bins(index[mask == label]), minlength=2001) for label in (0, 1)]
    )
    for water in (0, 1):
        confusions = _confusions(counts, water)
        for place in range(0, 2000, 61):
            above = index > -1 + 2 * place / 2000
            predicted = np.where(above, water, 1 - water)
            assert np.array_equal(confusions[place], metrics.confusion(mask, predicted, 2))
