"""TerraTorch's loader, an epoch for every line of input: `loading.py` starts it in its interpreter.

It does what `terratorch fit` does with its generic segmentation data: one worker process a core,
flips and quarter turns by albumentations, float32 batches.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

import albumentations
from albumentations.pytorch import ToTensorV2
from terratorch.datasets import GenericNonGeoSegmentationDataset
from torch.utils.data import DataLoader


def processor_s() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    folder, batch = sys.argv[1], int(sys.argv[2])
    warnings.simplefilter("ignore")
    data = GenericNonGeoSegmentationDataset(
        data_root=folder, num_classes=2, image_grep="*_S2.tif", label_grep="*_label.tif",
        constant_scale=1e-4, no_data_replace=0, no_label_replace=-1,
        transform=albumentations.Compose([albumentations.D4(), ToTensorV2()]),
    )  # fmt: skip
    loader = DataLoader(data, batch_size=batch, shuffle=True, num_workers=os.cpu_count() or 1)
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), processor_s()
        chips = sum(len(entry["image"]) for entry in loader)
        took = [1e3 * (now - then) / chips
                for now, then in ((time.perf_counter(), wall), (processor_s(), cpu))]
        print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
