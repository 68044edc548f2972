"""Memory and time of predicting a large scene: `python tests/benchmarks/predict_large.py`.

Writes a simulated scene of int16 noise, predicts it from the file in a process of its own, and
reports the peak memory above what the process held before, the time, and the share of it spent in
the model. Where `TERRATORCH_PYTHON` names an interpreter that has TerraTorch, its tiled inference
does the same with the same model and windows, up to scenes of 4096 pixels, and the ratios are said.
On a machine that does other work the passes of one side may take many times those of the other.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import subprocess
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


def measure(path: Path, output: Path, window: int, peer: dict[str, float] | None) -> None:
    model = SmallModel()
    with contextlib.suppress(EnoughError):  # imports, threads, the first strip
        predict(model, path, window=window, progress=stop)
    before, model.seconds, begun = peak_bytes(), 0.0, time.perf_counter()
    predicted = predict(model, path, window=window, progress=lambda *_: None)
    seconds, after = time.perf_counter() - begun, peak_bytes()
    begun = time.perf_counter()
    to_cog(predicted, output)
    where = "on disk" if "source" in predicted.encoding else "in memory"
    print(f"{predicted.sizes['y']} × {predicted.sizes['x']}, window {window}: {seconds:.1f} s, of "
          f"which {model.seconds:.1f} s in the model; COG {time.perf_counter() - begun:.1f} s; "
          f"peak {1e-6 * (after - before):+.0f} MB, the result {where};"
          f" with the COG {1e-6 * (peak_bytes() - before):+.0f} MB", flush=True)
    if peer:
        ours, theirs = seconds - model.seconds, peer["seconds"] - peer["model"]
        print(f"  TerraTorch: {peer['seconds']:.1f} s, {peer['model']:.1f} s of them in the model; "
              f"peak {1e-6 * peer['bytes']:+.0f} MB. Ours over TerraTorch's: memory "
              f"{(after - before) / peer['bytes']:.3f}, time outside the model "
              f"{ours / theirs:.2f}", flush=True)


def ask_peer(path: Path, window: int) -> dict[str, float] | None:
    """Let TerraTorch predict the scene in its own interpreter; None without one."""
    python = os.environ.get("TERRATORCH_PYTHON")
    if not python:
        return None
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    worker = Path(__file__).with_name("predict_worker.py")
    told = subprocess.run([python, worker, path, str(window), str(window // 4)], check=True,
                          env=environment, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return found


class EnoughError(Exception):
    """The warming up is done."""


def stop(*_: int) -> None:
    raise EnoughError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, nargs="+", default=[2048, 4096, 12_000])
    parser.add_argument("--window", type=int, default=224)
    arguments = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for side in arguments.side:
            path = Path(folder) / f"scene_{side}.tif"
            write_scene(path, side)
            # What TerraTorch holds grows with the scene: 16 GB at 12 000 pixels.
            peer = ask_peer(path, arguments.window) if side <= 4096 else None
            process = multiprocessing.get_context("spawn").Process(
                target=measure, args=(path, Path(folder) / "water.tif", arguments.window, peer))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
