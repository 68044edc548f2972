"""Loss and scores of a part, in order and as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from workbench import metrics
from workbench.models.arithmetic import quick_float32
from workbench.training.loader import Loader
from workbench.training.objective import Objective, confusion_by_region
from workbench.training.precision import Precision, autocast


class Validation(NamedTuple):
    """Mean loss of all labelled pixels, scores from 0 to 1; NaN and None where none is labelled."""

    loss: float
    pixels: int
    miou: float | None
    miou_by_region: dict[str, float | None]
    iou_by_class: dict[str, float | None]


@quick_float32()
def validate(model: nn.Module, loader: Loader, device: torch.device,
             objective: Objective | None = None, precision: Precision = "fp32", *,
             before_batch: Callable[[], None] = lambda: None) -> Validation:
    """Score a model on a part, in evaluation mode, with the loss and the precision of training.

    What `before_batch` raises ends it.
    """
    objective = objective or Objective()
    num_classes, num_regions = loader.dataset.num_classes, len(loader.regions)
    # Sums stay on the device until the end: one wait for the whole part.
    losses: list[torch.Tensor] = []
    counts = torch.zeros((num_regions, num_classes, num_classes), dtype=torch.int64, device=device)
    pixels = 0
    model.eval()
    with torch.inference_mode():
        for batch in loader.in_order():
            before_batch()
            mask = batch.mask.to(device)
            with autocast(precision, device):
                logits = batch.logits(model, lambda tensor: tensor.to(device))
            losses.append(objective.total(logits, mask))
            regions = batch.regions.to(device)
            counts += confusion_by_region(logits, mask, regions, num_regions)
            pixels += batch.pixels
        total = float(torch.stack(losses).cpu().double().sum())
    counted = np.asarray(counts.cpu(), dtype=np.int64)
    return Validation(
        loss=total / pixels if pixels else math.nan,
        pixels=pixels,
        miou=_number(metrics.miou(counted.sum(0))),
        miou_by_region={
            region: _number(metrics.miou(counted[place]))
            for place, region in enumerate(loader.regions)
        },
        iou_by_class={
            kind.name: _number(score)
            for kind, score in zip(loader.dataset.classes, metrics.iou(counted.sum(0)), strict=True)
        },
    )


def _number(score: metrics.Scores) -> float | None:
    return None if np.isnan(score) else float(score)
