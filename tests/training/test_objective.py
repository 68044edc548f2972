from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from workbench import metrics
from workbench.errors import RecipeError
from workbench.losses import Focal
from workbench.training.objective import Objective, class_weights, confusion_by_region


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, 5, generator=random)
    return logits, torch.randint(-1, 3, (4, 5, 5), generator=random)


def test_balanced_classes_count_alike_and_a_pixel_1_on_average(split, recipe):
    weights = np.array(class_weights(recipe.but(class_weights="balanced"), split.train))
    counts = np.array(split.train.class_counts())
    assert np.ptp(weights * counts) == pytest.approx(0, abs=1e-6)
    assert (weights * counts).sum() == pytest.approx(counts.sum())
    assert class_weights(recipe, split.train) is None


def test_a_class_that_training_never_sees_counts_nothing(split, recipe):
    chips = split.train.chips.assign(count_1=0)
    one_class = dataclasses.replace(split.train, chips=chips)
    assert class_weights(recipe.but(class_weights="balanced"), one_class) == [1.0, 0.0]


def test_given_weights_are_one_for_each_class(split, recipe):
    assert class_weights(recipe.but(class_weights=[1, 3]), split.train) == [1.0, 3.0]
    with pytest.raises(RecipeError, match=r"has 3 entries for 2 classes \(land, water\)"):
        class_weights(recipe.but(class_weights=[1, 2, 3]), split.train)


def test_the_objective_is_the_recipes_loss(scene, recipe):
    logits, mask = scene
    asked = recipe.but(loss=Focal(gamma=3.0), label_smoothing=0.2)
    total = Objective.of(asked, [1.0, 2.0, 0.5], torch.device("cpu")).total(logits, mask)
    weights = torch.tensor([1.0, 2.0, 0.5])
    assert torch.equal(total, Focal(gamma=3.0).total(logits, mask, weights, 0.2))


def test_counts_by_region_are_those_of_the_metrics(scene):
    logits, mask = scene
    regions = torch.tensor([1, 0, 1, 2])
    counts = confusion_by_region(logits, mask, regions, 4).numpy()
    for region in range(4):
        mine = (regions == region).numpy()
        expected = metrics.confusion(mask.numpy()[mine], logits.argmax(1).numpy()[mine], 3)
        assert np.array_equal(counts[region], expected)


def test_a_batch_without_labels_counts_nothing(scene):
    logits, mask = scene
    empty = torch.full_like(mask, -1)
    assert not confusion_by_region(logits, empty, torch.zeros(4).long(), 1).any()
