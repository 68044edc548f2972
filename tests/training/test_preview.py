from __future__ import annotations

import numpy as np
import torch

from workbench.assembly import build_model
from workbench.runs import Run
from workbench.runs.preview import read_preview
from workbench.training import preview, train
from workbench.training.preview import Previews


def previews(recipe, split, folder):
    info = split.dataset.info
    model = build_model(recipe, classes=info.classes, bands=split.dataset.bands,
                        image_size=info.chip_shape, mean=[0.1] * 6, std=[0.1] * 6,
                        scale=info.scale, offset=info.offset)
    return Previews(split, model, folder, torch.device("cpu"))


def test_the_same_validation_chips_of_every_training_region_are_predicted(recipe, split, tmp_path):
    made = previews(recipe, split, tmp_path)
    made.write(0)
    first = read_preview(tmp_path)
    made.write(1)
    second = read_preview(tmp_path)
    assert (first.epoch, second.epoch) == (0, 1)
    assert list(first.chip_ids) == list(second.chip_ids)
    assert set(first.chip_ids) <= set(split.parts["val"])
    assert set(first.regions) == {"ghana", "spain"}
    assert list(first.bands) == ["RED", "GREEN", "BLUE"]
    assert first.image.shape == (len(first), 3, 32, 32)
    assert first.prediction.shape == first.label.shape == (len(first), 32, 32)
    assert set(np.unique(first.prediction)) <= {0, 1}


def test_large_chips_are_thinned_alike(recipe, split, tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "LONGEST_SIDE", 12)
    previews(recipe, split, tmp_path).write(0)
    thin = read_preview(tmp_path)
    assert thin.image.shape[-2:] == thin.label.shape[-2:] == thin.prediction.shape[-2:] == (11, 11)


def test_a_training_leaves_the_preview_of_its_last_epoch(recipe, split, tmp_path):
    for _ in train(recipe.but(epochs=2), split, tmp_path / "run", device="cpu"):
        pass
    run = Run(tmp_path / "run")
    assert run.preview().epoch == 1
    assert len(run.preview()) == len(run.preview().prediction)
