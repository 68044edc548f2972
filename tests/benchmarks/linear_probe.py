"""What a linear layer reads from `workbench_tiny`'s last block, pre-trained against random weights.

Run `python tests/benchmarks/linear_probe.py`; it prints validation mIoU on the training regions of
the simulated floods (test chips and Bolivia are not read). The features are standardised by
channel, so that neither network gains from their scale.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import workbench as wb
from workbench import metrics
from workbench.models import load_backbone
from workbench.models.segmenter import Normalize

EPOCHS, BATCH, LEARNING_RATE = 25, 8, 4e-3


@torch.inference_mode()
def features(backbone: nn.Module, part: wb.Dataset) -> tuple[Tensor, Tensor]:
    """Return the last block's features ``(N, D, h, w)`` and the masks ``(N, y, x)``."""
    normalize = Normalize(backbone.mean, backbone.std)
    samples = [part.read(chip) for chip in part]
    images = [torch.from_numpy(sample.image)[None] for sample in samples]
    found = [backbone(normalize(image), blocks=[-1])[0] for image in images]
    return torch.cat(found), torch.from_numpy(np.stack([sample.mask for sample in samples]))


def probe(backbone: nn.Module, split: wb.Split) -> float:
    """Train one linear layer and return its validation mIoU."""
    backbone.eval()
    (train, labels), (val, truth) = (features(backbone, part) for part in (split.train, split.val))
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
    train, val = ((part - mean) / std for part in (train, val))
    torch.manual_seed(0)
    head = nn.ConvTranspose2d(train.shape[1], 2, backbone.patch_size, backbone.patch_size)
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE)
    steps = EPOCHS * (len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(train)).split(BATCH)[: len(train) // BATCH]:
            loss = F.cross_entropy(head(train[chosen]), labels[chosen], ignore_index=-1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        predicted = head(val).argmax(1)
    return float(metrics.miou(metrics.confusion(truth.numpy(), predicted.numpy(), 2)))


def main() -> None:
    """Print one line a network."""
    split = wb.load("simulated-floods").split(hold_out=["bolivia"])
    print(f"pre-trained     {probe(load_backbone('workbench_tiny', image_size=128), split):.1%}")
    for seed in (0, 1):
        torch.manual_seed(seed)
        random = load_backbone("workbench_tiny", weights="random", image_size=128)
        print(f"random, seed {seed}  {probe(random, split):.1%}")


if __name__ == "__main__":
    main()
