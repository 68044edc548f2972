"""TerraTorch's tiled inference on one scene: `predict_large.py` starts it in the peer's process.

Nothing of this package is imported. It prints one line of JSON: seconds in all and in the model,
and the bytes of memory at the peak above those before the scene was read.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import rasterio
import torch


def main(path: str, window: int, overlap: int) -> None:
    from terratorch.tasks.tiled_inference import tiled_inference

    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(6, 16, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 2, 1))
    seconds = 0.0

    def forward(image: torch.Tensor, **_: object) -> torch.Tensor:
        nonlocal seconds
        begun = time.perf_counter()
        logits = layers(image)
        seconds += time.perf_counter() - begun
        return logits

    def infer(image: torch.Tensor) -> torch.Tensor:
        return tiled_inference(
            forward, image, 2, h_crop=window, w_crop=window, h_stride=window - overlap,
            w_stride=window - overlap, delta=overlap // 4, average_patches=True,
            blend_overlaps=True, batch_size=5, verbose=False)

    with torch.inference_mode():
        infer(torch.zeros(1, 6, 2 * window, 2 * window))
        before, seconds, begun = peak_bytes(), 0.0, time.perf_counter()
        with rasterio.open(path) as file:
            image = torch.from_numpy(file.read().astype(np.float32) * np.float32(1e-4))[None]
        classes = infer(image).argmax(dim=1).to(torch.uint8)
    assert classes.shape[-1] == image.shape[-1]
    print(json.dumps({"seconds": time.perf_counter() - begun, "model": seconds,
                      "bytes": peak_bytes() - before}))


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
