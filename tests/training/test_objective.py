from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench import metrics
from workbench.training import objective


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, 5, generator=random)
    return logits, torch.randint(-1, 3, (4, 5, 5), generator=random)


def test_parts_of_a_batch_add_up_to_the_whole(scene):
    logits, mask = scene
    whole = objective.cross_entropy_sum(logits, mask)
    parts = sum(objective.cross_entropy_sum(logits[i : i + 1], mask[i : i + 1]) for i in range(4))
    torch.testing.assert_close(whole, parts)
    mean = torch.nn.functional.cross_entropy(logits, mask, ignore_index=-1)
    torch.testing.assert_close(whole / (mask >= 0).sum(), mean)


def test_counts_by_region_are_those_of_the_metrics(scene):
    logits, mask = scene
    regions = torch.tensor([1, 0, 1, 2])
    counts = objective.confusion_by_region(logits, mask, regions, 4).numpy()
    for region in range(4):
        mine = (regions == region).numpy()
        expected = metrics.confusion(mask.numpy()[mine], logits.argmax(1).numpy()[mine], 3)
        assert np.array_equal(counts[region], expected)


def test_a_batch_without_labels_counts_nothing(scene):
    logits, mask = scene
    empty = torch.full_like(mask, -1)
    assert objective.cross_entropy_sum(logits, empty) == 0
    assert not objective.confusion_by_region(logits, empty, torch.zeros(4).long(), 1).any()
