"""Memory and time of predicting a large scene: `python tests/benchmarks/predict_large.py`.

Writes a scene of int16 noise, predicts it from the file in a process of its own, and reports the
peak memory above what the process held before, the time, and the share of it spent in the model.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine

from workbench.assembly import ModelDescription
from workbench.data import ClassInfo
from workbench.prediction import predict, to_cog
from workbench.recipe import Recipe

BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
CLASSES = (ClassInfo(name="land", color="#d9c9a3"), ClassInfo(name="water", color="#1f78b4"))


class SmallModel(torch.nn.Module):
    """Three convolutions, so that what is measured is mostly not the model."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(6, 16, 3, padding=1), torch.nn.ReLU(),
            torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 2, 1))
        self.description = ModelDescription(
            Recipe(), CLASSES, BANDS, mean=(0.2,) * 6, std=(0.1,) * 6, scale=1e-4)
        self.seconds = 0.0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        begun = time.perf_counter()
        logits = self.layers(image.nan_to_num())
        self.seconds += time.perf_counter() - begun
        return logits


def write_scene(path: Path, side: int) -> None:
    random = np.random.default_rng(0)
    profile = dict(driver="GTiff", width=side, height=side, count=6, dtype="int16", nodata=-9999,
                   crs="EPSG:32720", transform=Affine(30, 0, 300_000, 0, -30, 8_400_000),
                   tiled=True, blockxsize=512, blockysize=512)
    with rasterio.open(path, "w", **profile) as file:
        for number, name in enumerate(BANDS, 1):
            file.set_band_description(number, name)
        for _, window in file.block_windows(1):
            shape = (6, int(window.height), int(window.width))
            file.write(random.integers(500, 3500, shape, dtype=np.int16), window=window)


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(path: Path, output: Path, window: int) -> None:
    model = SmallModel()
    with contextlib.suppress(EnoughError):  # imports, threads, the first strip
        predict(model, path, window=window, progress=stop)
    before, model.seconds, begun = peak_bytes(), 0.0, time.perf_counter()
    predicted = predict(model, path, window=window)
    seconds, after = time.perf_counter() - begun, peak_bytes()
    begun = time.perf_counter()
    to_cog(predicted, output)
    result = sum(variable.nbytes for variable in predicted.data_vars.values())
    print(f"{predicted.sizes['y']} × {predicted.sizes['x']}, window {window}: {seconds:.1f} s, of "
          f"which {model.seconds:.1f} s in the model; COG {time.perf_counter() - begun:.1f} s; "
          f"peak {1e-6 * (after - before):+.0f} MB, of which {1e-6 * result:.0f} MB are the result;"
          f" with the COG {1e-6 * (peak_bytes() - before):+.0f} MB")


class EnoughError(Exception):
    """The warming up is done."""


def stop(*_: int) -> None:
    raise EnoughError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, nargs="+", default=[2048, 4096])
    parser.add_argument("--window", type=int, default=224)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for side in arguments.side:
            path = Path(folder) / f"scene_{side}.tif"
            write_scene(path, side)
            process = multiprocessing.get_context("spawn").Process(
                target=measure, args=(path, Path(folder) / "water.tif", arguments.window))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
